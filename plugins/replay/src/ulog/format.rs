//! Formats of a ULog's messages: `topic:type field;type[3] field;other_topic field`.

use crate::source::{Each, Leaf, MAX_LIST};
use std::collections::HashMap;

/// Most formats of a log, and most fields of a message with those of its nested ones: PX4 has some 250 and some 500.
const MAX_FORMATS: usize = 4096;
const MAX_FIELDS: usize = 8192;
/// Most levels of nested formats.
const MAX_DEPTH: usize = 16;
/// Most bytes of a message.
const MAX_BYTES: usize = u16::MAX as usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Bool,
    Char,
}

impl Scalar {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "int8_t" => Self::I8,
            "uint8_t" => Self::U8,
            "int16_t" => Self::I16,
            "uint16_t" => Self::U16,
            "int32_t" => Self::I32,
            "uint32_t" => Self::U32,
            "int64_t" => Self::I64,
            "uint64_t" => Self::U64,
            "float" => Self::F32,
            "double" => Self::F64,
            "bool" => Self::Bool,
            "char" => Self::Char,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool | Self::Char => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    fn read(self, bytes: &[u8]) -> Leaf {
        fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
            bytes.first_chunk().copied().unwrap_or([0; N])
        }
        Leaf::number(match self {
            Self::I8 => f64::from(i8::from_le_bytes(first(bytes))),
            Self::U8 => f64::from(u8::from_le_bytes(first(bytes))),
            Self::I16 => f64::from(i16::from_le_bytes(first(bytes))),
            Self::U16 => f64::from(u16::from_le_bytes(first(bytes))),
            Self::I32 => f64::from(i32::from_le_bytes(first(bytes))),
            Self::U32 => f64::from(u32::from_le_bytes(first(bytes))),
            Self::I64 => i64::from_le_bytes(first(bytes)) as f64,
            Self::U64 => u64::from_le_bytes(first(bytes)) as f64,
            Self::F32 => f64::from(f32::from_le_bytes(first(bytes))),
            Self::F64 => f64::from_le_bytes(first(bytes)),
            Self::Bool => f64::from(u8::from(first::<1>(bytes)[0] != 0)),
            Self::Char => return Leaf::Text,
        })
    }
}

#[derive(Clone, Debug)]
struct Field {
    kind: String,
    /// Number of items of a list; `None` for a single one.
    items: Option<usize>,
    name: String,
}

/// Formats of a log, by the name of the topic.
#[derive(Debug, Default)]
pub(crate) struct Formats(HashMap<String, Vec<Field>>);

impl Formats {
    /// Adds a format; one that is not valid is left out, and the topic has none.
    pub(crate) fn add(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let Some((name, fields)) = text.split_once(':') else {
            return;
        };
        let parse = |field: &str| -> Option<Field> {
            let (kind, name) = field.trim().split_once(' ')?;
            let (kind, items) = match kind.split_once('[') {
                None => (kind, None),
                Some((kind, items)) => (kind, Some(items.strip_suffix(']')?.parse().ok()?)),
            };
            Some(Field {
                kind: kind.to_owned(),
                items,
                name: name.trim().to_owned(),
            })
        };
        let fields = fields.split(';').filter(|f| !f.trim().is_empty());
        if self.0.len() < MAX_FORMATS
            && let Some(fields) = fields.map(parse).collect::<Option<Vec<Field>>>()
        {
            self.0.insert(name.trim().to_owned(), fields);
        }
    }

    /// Layout of the messages of a format.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub(crate) fn layout(&self, name: &str, topic: &str) -> Result<Layout, &'static str> {
        let mut layout = Layout {
            leaves: Vec::new(),
            stamp: None,
            least: 0,
            bytes: 0,
        };
        let mut fields = 0;
        let prefix = format!("{topic}/");
        self.flatten(name, &prefix, 0, true, &mut layout, &mut fields)?;
        if layout.stamp.is_none() {
            return Err("no field `uint64_t timestamp`");
        }
        // Padding at the end is not written.
        layout.least = layout.bytes;
        let own = self.0.get(name).map_or(&[][..], Vec::as_slice);
        for field in own
            .iter()
            .rev()
            .take_while(|f| f.name.starts_with("_padding"))
        {
            let bytes = Scalar::of(&field.kind).map_or(0, Scalar::bytes);
            layout.least -= bytes * field.items.unwrap_or(1);
        }
        Ok(layout)
    }

    fn flatten(
        &self,
        name: &str,
        prefix: &str,
        depth: usize,
        shown: bool,
        layout: &mut Layout,
        fields: &mut usize,
    ) -> Result<(), &'static str> {
        let own = self.0.get(name).ok_or("no valid format in the file")?;
        if depth > MAX_DEPTH {
            return Err("its formats nest too deep");
        }
        for field in own {
            let scalar = Scalar::of(&field.kind);
            let padding = field.name.starts_with("_padding");
            let path = format!("{prefix}{}", field.name);
            let long = field.items.is_some_and(|n| n > MAX_LIST);
            // A list of characters is a text.
            let text = scalar == Some(Scalar::Char);
            let is_stamp = depth == 0 && scalar == Some(Scalar::U64) && field.items.is_none();
            let is_stamp = is_stamp && field.name.starts_with("timestamp");
            if is_stamp && field.name == "timestamp" {
                layout.stamp = Some(layout.bytes);
            }
            let shown = shown && !padding && !is_stamp;
            if shown && (long || text) {
                let leaf = if text { At::Text } else { At::LongList };
                layout.leaves.push((path.clone(), leaf));
            }
            let shown = shown && !long && !text;
            for k in 0..field.items.unwrap_or(1) {
                let path = match field.items {
                    Some(_) if shown => format!("{path}[{k}]"),
                    _ => path.clone(),
                };
                *fields += 1;
                match scalar {
                    Some(scalar) => {
                        if shown {
                            let at = At::Scalar(scalar, layout.bytes);
                            layout.leaves.push((path, at));
                        }
                        layout.bytes += scalar.bytes();
                    }
                    None => {
                        let prefix = format!("{path}.");
                        self.flatten(&field.kind, &prefix, depth + 1, shown, layout, fields)?;
                    }
                }
                if layout.bytes > MAX_BYTES
                    || *fields > MAX_BYTES
                    || layout.leaves.len() > MAX_FIELDS
                {
                    return Err("its format is larger than a message");
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// Type, and place in the message (bytes).
    Scalar(Scalar, usize),
    Text,
    LongList,
}

/// Places of the fields of a message.
#[derive(Debug)]
pub(crate) struct Layout {
    leaves: Vec<(String, At)>,
    /// Place of the stamp.
    stamp: Option<usize>,
    /// Bytes of a message without and with padding at its end.
    least: usize,
    bytes: usize,
}

impl Layout {
    /// Whether a message of this size (with its id) may have this layout.
    pub(crate) fn fits(&self, size: usize) -> bool {
        (self.least + 2..=self.bytes + 2).contains(&size)
    }

    /// Stamp of a message (us since the start of the flight controller).
    pub(crate) fn time_us(&self, data: &[u8]) -> u64 {
        let stamp = self.stamp.and_then(|at| data.get(at..at + 8));
        stamp
            .and_then(|b| b.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    }

    pub(crate) fn leaves(&self, data: &[u8], each: Each<'_>) {
        for (path, at) in &self.leaves {
            each(
                path,
                match *at {
                    At::Scalar(scalar, at) => scalar.read(data.get(at..).unwrap_or_default()),
                    At::Text => Leaf::Text,
                    At::LongList => Leaf::LongList,
                },
            );
        }
    }
}
