//! Types of NumPy's arrays (`dtype`): numbers, stamps, texts, and structures of them.

use super::super::value::{NS_PER_DAY, NS_PER_S, SECONDS, Value};
use super::literal::Literal;
use crate::source::MAX_LIST;
use crate::time_format::TimeFormat;
use half::f16;

/// Most fields of a structure.
const MAX_FIELDS: usize = 4096;
const MAX_DEPTH: usize = 16;
const MAX_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Uint,
    Float,
    /// Text in UTF-8 or Latin 1, and in UTF-32.
    Bytes,
    Unicode,
    /// Stamp and duration, in units of so many ns.
    Stamp(i64),
    Duration(i64),
}

/// Field of an item.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Name; empty for an array of plain numbers.
    pub(super) name: String,
    kind: Kind,
    big_endian: bool,
    at: usize,
    bytes: usize,
}

/// Fields of an item.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) fields: Vec<Field>,
    pub(super) bytes: usize,
    /// Fields that are not read.
    pub(super) unread: Option<String>,
}

/// What was found and what is expected.
type Refused = (String, &'static str);

impl Layout {
    pub(super) fn of(descr: &Literal) -> Result<Self, Refused> {
        let mut layout = Self::default();
        let mut unread = Vec::new();
        layout.add("", descr, 0, &mut unread)?;
        if layout.fields.is_empty() {
            let (found, _) = unread.first().cloned().unwrap_or_default();
            return Err(if found.contains("objects") {
                (
                    format!("an array of {found}"),
                    "an array of numbers: `a.astype(float)` makes one (objects are pickled code, which is not run)",
                )
            } else {
                (
                    format!("an array of {found}"),
                    "an array of numbers: `a.astype(float)` makes one",
                )
            });
        }
        if !unread.is_empty() {
            let names = unread.iter().map(|(why, name)| format!("`{name}` ({why})"));
            layout.unread = Some(names.collect::<Vec<_>>().join(", "));
        }
        Ok(layout)
    }

    /// Whether an item is one number without a name.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.fields.as_slice(), [field] if field.name.is_empty())
    }

    fn add(
        &mut self,
        name: &str,
        descr: &Literal,
        depth: usize,
        unread: &mut Vec<(String, String)>,
    ) -> Result<(), Refused> {
        let invalid = || {
            (
                format!("the type {descr:?}"),
                "a type as `numpy.save` writes it",
            )
        };
        match descr {
            Literal::Text(text) => {
                let (kind, big_endian, bytes) = scalar(text).ok_or_else(invalid)?;
                match kind {
                    Ok(kind) => self.fields.push(Field {
                        name: name.to_owned(),
                        kind,
                        big_endian,
                        at: self.bytes,
                        bytes,
                    }),
                    // The padding of a structure has no name.
                    Err(_) if name.is_empty() && depth > 0 => {}
                    Err(why) => unread.push((why.to_owned(), name.to_owned())),
                }
                self.bytes = self.bytes.saturating_add(bytes);
            }
            Literal::List(fields) => {
                if depth > MAX_DEPTH {
                    return Err(invalid());
                }
                for field in fields {
                    let Literal::List(parts) = field else {
                        return Err(invalid());
                    };
                    let (own, kind) = match parts.as_slice() {
                        [own, kind, ..] => (own, kind),
                        _ => return Err(invalid()),
                    };
                    let own = match own {
                        Literal::Text(own) => own,
                        // Title and name.
                        Literal::List(both) => match both.as_slice() {
                            [_, Literal::Text(own)] => own,
                            _ => return Err(invalid()),
                        },
                        _ => return Err(invalid()),
                    };
                    let path = match (name, own.as_str()) {
                        (_, "") => String::new(),
                        ("", own) => own.to_owned(),
                        (name, own) => format!("{name}.{own}"),
                    };
                    let items = match parts.get(2) {
                        None => None,
                        Some(Literal::Int(n)) => Some(u64::try_from(*n).map_err(|_| invalid())?),
                        Some(Literal::List(shape)) => Some(
                            shape
                                .iter()
                                .try_fold(1_u64, |n, of| n.checked_mul(of.count()?))
                                .ok_or_else(invalid)?,
                        ),
                        _ => return Err(invalid()),
                    };
                    match items {
                        None => self.add(&path, kind, depth + 1, unread)?,
                        Some(items) if items <= MAX_LIST as u64 => {
                            for k in 0..items {
                                self.add(&format!("{path}[{k}]"), kind, depth + 1, unread)?;
                            }
                        }
                        Some(items) => {
                            let mut item = Self::default();
                            item.add(&path, kind, depth + 1, &mut Vec::new())?;
                            let items = usize::try_from(items).unwrap_or(usize::MAX);
                            self.bytes =
                                self.bytes.saturating_add(item.bytes.saturating_mul(items));
                            unread.push((format!("a list of {items}"), path));
                        }
                    }
                    if self.bytes > MAX_BYTES || self.fields.len() + unread.len() > MAX_FIELDS {
                        return Err((
                            format!("a structure of more than {MAX_FIELDS} fields, or 1 MB"),
                            "smaller ones",
                        ));
                    }
                }
            }
            _ => return Err(invalid()),
        }
        Ok(())
    }
}

/// Type, byte order and size of a scalar; the reason if it is not read.
fn scalar(text: &str) -> Option<(Result<Kind, &'static str>, bool, usize)> {
    let big_endian = text.starts_with('>');
    let text = text.trim_start_matches(['<', '>', '=', '|']);
    let mut chars = text.chars();
    let kind = chars.next()?;
    let rest = chars.as_str();
    let (digits, unit) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
    let size: usize = match digits {
        "" if kind == '?' => 1,
        "" if kind == 'O' => 8,
        digits => digits.parse().ok().filter(|n| *n <= MAX_BYTES)?,
    };
    let kind = match (kind, size) {
        ('b' | '?', 1) => Ok(Kind::Bool),
        ('i', 1 | 2 | 4 | 8) => Ok(Kind::Int),
        ('u', 1 | 2 | 4 | 8) => Ok(Kind::Uint),
        ('f', 2 | 4 | 8) => Ok(Kind::Float),
        ('f', _) => Err("long doubles"),
        ('c', _) => Err("complex numbers"),
        ('S' | 'a', _) => Ok(Kind::Bytes),
        ('U', _) => {
            let bytes = size.checked_mul(4)?;
            return Some((Ok(Kind::Unicode), big_endian, bytes));
        }
        ('M', 8) => ns_of(unit)
            .map(Kind::Stamp)
            .ok_or("stamps in months or years, or finer than ns"),
        ('m', 8) => ns_of(unit)
            .map(Kind::Duration)
            .ok_or("durations without a unit"),
        ('O', _) => Err("objects"),
        ('V', _) => Err("raw bytes"),
        _ => return None,
    };
    Some((kind, big_endian, size))
}

/// Nanoseconds of a unit such as `[ms]` or `[25s]`.
fn ns_of(unit: &str) -> Option<i64> {
    let unit = unit.strip_prefix('[')?.strip_suffix(']')?;
    let (count, unit) = unit.split_at(unit.find(|c: char| !c.is_ascii_digit())?);
    let count: i64 = if count.is_empty() {
        1
    } else {
        count.parse().ok()?
    };
    let ns = match unit {
        "W" => 7 * NS_PER_DAY,
        "D" => NS_PER_DAY,
        "h" => 3600 * NS_PER_S,
        "m" => 60 * NS_PER_S,
        "s" => NS_PER_S,
        "ms" => 1_000_000,
        "us" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    count.checked_mul(ns)
}

impl Field {
    /// Format, if the field is a stamp.
    pub(super) fn time(&self) -> Option<TimeFormat> {
        match self.kind {
            Kind::Stamp(_) => Some(TimeFormat::Iso),
            Kind::Duration(_) => Some(SECONDS),
            _ => None,
        }
    }

    /// Value of the field in an item.
    pub(super) fn read<'a>(&self, item: &'a [u8]) -> Value<'a> {
        let Some(bytes) = item.get(self.at..self.at + self.bytes) else {
            return Value::Missing;
        };
        let bits = || {
            let mut little = [0; 8];
            for (k, byte) in little.iter_mut().take(bytes.len()).enumerate() {
                *byte = if self.big_endian {
                    bytes[bytes.len() - 1 - k]
                } else {
                    bytes[k]
                };
            }
            u64::from_le_bytes(little)
        };
        let int = || {
            let unused = 64 - 8 * bytes.len().clamp(1, 8);
            (bits() << unused) as i64 >> unused
        };
        let scaled = |unit_ns: i64| match int() {
            // NaT.
            i64::MIN => None,
            count => count.checked_mul(unit_ns),
        };
        match self.kind {
            Kind::Bool => Value::Int(i128::from(bytes.first().is_some_and(|b| *b != 0))),
            Kind::Int => Value::Int(int().into()),
            Kind::Uint => Value::Int(bits().into()),
            Kind::Float => match bytes.len() {
                2 => Value::Single(f16::from_bits(bits() as u16).to_f32()),
                4 => Value::Single(f32::from_bits(bits() as u32)),
                _ => Value::Double(f64::from_bits(bits())),
            },
            Kind::Bytes => {
                let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |k| k + 1);
                Value::Text(String::from_utf8_lossy(&bytes[..end]))
            }
            Kind::Unicode => {
                let text = bytes.as_chunks::<4>().0.iter().map(|four| {
                    let code = if self.big_endian {
                        u32::from_be_bytes(*four)
                    } else {
                        u32::from_le_bytes(*four)
                    };
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                });
                let text: String = text.collect();
                Value::Text(text.trim_end_matches('\0').to_owned().into())
            }
            Kind::Stamp(unit_ns) => {
                scaled(unit_ns).map_or(Value::Missing, |ns| Value::Stamp(ns, false))
            }
            Kind::Duration(unit_ns) => scaled(unit_ns).map_or(Value::Missing, Value::Duration),
        }
    }
}
