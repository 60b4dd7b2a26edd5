//! Numbers in a serialised message: ROS 1, and CDR (OMG DDS-XTypes 1.3, chapter 7.4; encapsulation: DDSI-RTPS 2.5,
//! chapter 10).

use super::definition::{Definition, Field, Kind, Many, Message, Primitive};
use crate::source::{Each, Leaf, MAX_LIST, below};

/// Serialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// ROS 1: little endian, not aligned.
    Ros1,
    /// ROS 2.
    Cdr,
}

/// Most padding at the end of a message (bytes); zeros may be more, as in buffers of a fixed length.
const MAX_PADDING: usize = 7;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
    wire: Wire,
    /// Largest alignment (bytes): 8, in version 2 of CDR 4.
    max_align: usize,
    /// Version 2 of CDR: lengths before lists of types.
    is_second: bool,
    /// Delimited form of version 2: lengths before types that may grow.
    is_delimited: bool,
    /// Length of a wide character (bytes).
    wide: usize,
    /// Fields that may still be visited: types of no length must not repeat for ever.
    budget: usize,
}

/// Visits the numbers of a message, below a path.
///
/// # Errors
///
/// The cause, if the message does not fit its schema. Numbers before the error were visited.
pub(crate) fn visit(
    definition: &Definition,
    wire: Wire,
    bytes: &[u8],
    path: &mut String,
    each: Each<'_>,
) -> Result<(), String> {
    if !definition.has_wide_text || wire == Wire::Ros1 {
        return visit_with(definition, wire, bytes, 2, path, each).map(|_| ());
    }
    // Two or four bytes a character: implementations of DDS differ, and only one fits the length of the message.
    let mut left_with = |wide| visit_with(definition, wire, bytes, wide, path, &mut |_, _| {});
    let wide = match (left_with(2), left_with(4)) {
        (Ok(two), Ok(four)) if four < two => 4,
        (Err(_), Ok(_)) => 4,
        _ => 2,
    };
    visit_with(definition, wire, bytes, wide, path, each).map(|_| ())
}

/// The same with a length of wide characters; the number of bytes that are left, at most a padding.
fn visit_with(
    definition: &Definition,
    wire: Wire,
    bytes: &[u8],
    wide: usize,
    path: &mut String,
    each: Each<'_>,
) -> Result<usize, String> {
    let mut reader = Reader {
        bytes,
        at: 0,
        little: true,
        wire,
        max_align: 8,
        is_second: false,
        is_delimited: false,
        wide,
        budget: 65_536 + 8 * bytes.len(),
    };
    if wire == Wire::Cdr {
        let Some((head, body)) = bytes.split_at_checked(4) else {
            return Err(format!("{} bytes, without the header of CDR", bytes.len()));
        };
        let form = u16::from_be_bytes([head[0], head[1]]);
        match form {
            0 | 1 => {}
            6..=9 => {
                reader.max_align = 4;
                reader.is_second = true;
                reader.is_delimited = form >= 8;
            }
            2 | 3 | 10 | 11 => return Err("CDR with lists of parameters is not read".to_owned()),
            _ => return Err(format!("no header of CDR ({form:#06x})")),
        }
        reader.little = form % 2 == 1;
        reader.bytes = body;
    }
    reader.message(definition, definition.root, path, each)?;
    let rest = &reader.bytes[reader.at..];
    let left = rest.len();
    let is_padding = wire == Wire::Cdr && (left <= MAX_PADDING || rest.iter().all(|b| *b == 0));
    if left > 0 && !is_padding {
        return Err(format!(
            "{left} of {} bytes are left: the schema does not fit",
            bytes.len()
        ));
    }
    Ok(left)
}

impl Reader<'_> {
    fn message(
        &mut self,
        definition: &Definition,
        index: usize,
        path: &mut String,
        each: Each<'_>,
    ) -> Result<(), String> {
        let Some(message) = definition.messages.get(index) else {
            return Err("a type that is not defined".to_owned());
        };
        let ends = if self.is_delimited && !message.is_final {
            let length = self.length()?;
            Some(self.ends_after(length)?)
        } else {
            None
        };
        if message.is_time || message.is_duration {
            self.seconds(message, path, each)?;
        } else {
            for field in &message.fields {
                // A type that grew since: this message ends before the field.
                if ends.is_some_and(|end| self.at >= end) {
                    break;
                }
                let length = path.len();
                path.push('/');
                path.push_str(&field.name);
                let done = self.field(definition, field, path, each);
                path.truncate(length);
                done?;
            }
        }
        if message.fields.is_empty() && self.wire == Wire::Cdr {
            // IDL has no empty types: they have one byte.
            self.take(1)?;
        }
        if let Some(end) = ends {
            if self.at > end {
                return Err("a type is longer than its length".to_owned());
            }
            self.at = end;
        }
        Ok(())
    }

    /// `sec` and `nanosec`: a stamp has no leaf, a duration is in seconds.
    fn seconds(&mut self, message: &Message, path: &str, each: Each<'_>) -> Result<(), String> {
        let mut parts = [0.0; 2];
        for (part, field) in parts.iter_mut().zip(&message.fields) {
            if let Kind::Primitive(kind) = field.kind {
                *part = self.number(kind)?;
            }
        }
        if message.is_duration {
            each(path, Leaf::number(parts[0] + 1e-9 * parts[1]));
        }
        Ok(())
    }

    fn field(
        &mut self,
        definition: &Definition,
        field: &Field,
        path: &mut String,
        each: Each<'_>,
    ) -> Result<(), String> {
        let is_list = field.many != Many::One;
        let is_message = matches!(&field.kind, Kind::Message(_));
        let is_text = matches!(&field.kind, Kind::Primitive(kind) if kind.is_text());
        if self.is_second && is_list && (is_message || is_text) {
            self.length()?;
        }
        let count = match field.many {
            Many::One => return self.value(definition, &field.kind, path, each),
            Many::Fixed(count) => count,
            Many::Sequence => self.length()?,
        };
        if count > self.bytes.len() - self.at && field.many == Many::Sequence {
            return Err(format!(
                "a list of {count} items is longer than its message"
            ));
        }
        if count > MAX_LIST {
            each(path, Leaf::LongList);
            if let Kind::Primitive(kind) = field.kind
                && !kind.is_text()
            {
                self.align(kind.bytes());
                let length = count.checked_mul(kind.bytes());
                self.take(length.ok_or("a list is too long")?)?;
                return Ok(());
            }
            for _ in 0..count {
                self.value(definition, &field.kind, path, &mut |_, _| {})?;
            }
            return Ok(());
        }
        for k in 0..count {
            let mut done = Ok(());
            below(path, &k, |path| {
                done = self.value(definition, &field.kind, path, each);
            });
            done?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        definition: &Definition,
        kind: &Kind,
        path: &mut String,
        each: Each<'_>,
    ) -> Result<(), String> {
        self.budget = self.budget.checked_sub(1).ok_or("too many fields")?;
        match *kind {
            Kind::Primitive(Primitive::Text) => {
                let length = self.length()?;
                self.take(length)?;
                each(path, Leaf::Text);
            }
            Kind::Primitive(Primitive::WideText) => {
                let length = self.length()?;
                let length = length.checked_mul(self.wide);
                self.take(length.ok_or("a text is too long")?)?;
                each(path, Leaf::Text);
            }
            Kind::Primitive(Primitive::Long) => {
                self.align(8);
                self.take(16)?;
                each(path, Leaf::Text);
            }
            Kind::Primitive(kind) => {
                let x = self.number(kind)?;
                each(path, Leaf::number(x));
            }
            Kind::Time => {
                self.take(8)?;
            }
            Kind::Duration => {
                let s = self.number(Primitive::I32)?;
                let ns = self.number(Primitive::I32)?;
                each(path, Leaf::number(s + 1e-9 * ns));
            }
            Kind::Message(index) => self.message(definition, index, path, each)?,
            Kind::Named(_) => return Err("a type that is not defined".to_owned()),
        }
        Ok(())
    }

    fn align(&mut self, bytes: usize) {
        if self.wire == Wire::Cdr {
            let align = bytes.clamp(1, self.max_align);
            self.at = self.at.next_multiple_of(align).min(self.bytes.len());
        }
    }

    fn ends_after(&self, length: usize) -> Result<usize, String> {
        let end = self.at.checked_add(length);
        end.filter(|end| *end <= self.bytes.len())
            .ok_or_else(|| format!("it ends within a field, after {} bytes", self.bytes.len()))
    }

    fn take(&mut self, length: usize) -> Result<&[u8], String> {
        let end = self.ends_after(length)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.align(N);
        let little = self.little;
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        if !little {
            array.reverse();
        }
        Ok(array)
    }

    fn length(&mut self) -> Result<usize, String> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn number(&mut self, kind: Primitive) -> Result<f64, String> {
        Ok(match kind {
            Primitive::Bool => f64::from(u8::from(u8::from_le_bytes(self.array()?) != 0)),
            Primitive::I8 => f64::from(i8::from_le_bytes(self.array()?)),
            Primitive::U8 => f64::from(u8::from_le_bytes(self.array()?)),
            Primitive::I16 => f64::from(i16::from_le_bytes(self.array()?)),
            Primitive::U16 => f64::from(u16::from_le_bytes(self.array()?)),
            Primitive::I32 => f64::from(i32::from_le_bytes(self.array()?)),
            Primitive::U32 => f64::from(u32::from_le_bytes(self.array()?)),
            Primitive::I64 => i64::from_le_bytes(self.array()?) as f64,
            Primitive::U64 => u64::from_le_bytes(self.array()?) as f64,
            Primitive::F32 => f64::from(f32::from_le_bytes(self.array()?)),
            Primitive::F64 => f64::from_le_bytes(self.array()?),
            Primitive::Text | Primitive::WideText | Primitive::Long => f64::NAN,
        })
    }
}
