//! Layout of the fields of a binary frame, from a scene.

use serde::Deserialize;
use std::borrow::Cow;

/// Longest layout (bytes), so that a frame with everything around it is bounded.
const MAX_BYTES: usize = 1024;

/// Order of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Endian {
    /// Lowest first.
    #[default]
    Little,
    /// Highest first.
    Big,
}

impl Endian {
    /// The whole number that at most eight bytes are.
    pub fn unsigned(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, add),
            Self::Big => bytes.iter().fold(0, add),
        }
    }

    /// Adds the lowest so many bytes of a whole number.
    pub fn push(self, to: &mut Vec<u8>, x: u64, bytes: usize) {
        match self {
            Self::Little => to.extend_from_slice(&x.to_le_bytes()[..bytes]),
            Self::Big => to.extend_from_slice(&x.to_be_bytes()[8 - bytes..]),
        }
    }
}

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum NumberType {
    /// 8 bits, without sign.
    U8,
    /// 8 bits, with sign.
    I8,
    /// 16 bits, without sign.
    U16,
    /// 16 bits, with sign.
    I16,
    /// 32 bits, without sign.
    U32,
    /// 32 bits, with sign.
    I32,
    /// 64 bits, without sign.
    U64,
    /// 64 bits, with sign.
    I64,
    /// IEEE 754, 32 bits.
    F32,
    /// IEEE 754, 64 bits.
    F64,
}

impl NumberType {
    /// Length.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    fn is_unsigned(self) -> bool {
        matches!(self, Self::U8 | Self::U16 | Self::U32 | Self::U64)
    }

    /// The number that bits are.
    fn number(self, bits: u64) -> f64 {
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => bits as f64,
            Self::I8 => f64::from(bits as u8 as i8),
            Self::I16 => f64::from(bits as u16 as i16),
            Self::I32 => f64::from(bits as u32 as i32),
            Self::I64 => bits as i64 as f64,
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
        }
    }

    /// Bits of the nearest number of this type.
    fn bits(self, x: f64) -> u64 {
        let whole = x.round();
        // Casts of Rust saturate.
        match self {
            Self::U8 => u64::from(whole as u8),
            Self::U16 => u64::from(whole as u16),
            Self::U32 => u64::from(whole as u32),
            Self::U64 => whole as u64,
            Self::I8 => u64::from(whole as i8 as u8),
            Self::I16 => u64::from(whole as i16 as u16),
            Self::I32 => u64::from(whole as i32 as u32),
            Self::I64 => whole as i64 as u64,
            Self::F32 => u64::from((x as f32).to_bits()),
            Self::F64 => x.to_bits(),
        }
    }
}

/// One field of a frame.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldLayout {
    /// Name of the number; none: a constant, or bytes that are not used.
    #[serde(default)]
    pub name: Option<String>,
    /// Type.
    #[serde(rename = "type")]
    pub number: NumberType,
    /// Factor of the number in the frame.
    #[serde(default = "one")]
    pub scale: f64,
    /// Added to the scaled number.
    #[serde(default)]
    pub offset: f64,
    /// A constant: sent so; frames with another number have another layout.
    #[serde(default)]
    pub value: Option<i64>,
}

fn one() -> f64 {
    1.0
}

/// Fields of a frame, in order.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Layout {
    fields: Vec<FieldLayout>,
    /// Counters that begin again at their largest number: the last one of each, without that.
    #[serde(skip)]
    counted: Vec<Option<u64>>,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Layout {
    /// Length (bytes).
    pub fn bytes(&self) -> usize {
        self.fields.iter().map(|f| f.number.bytes()).sum()
    }

    /// Names of its numbers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|f| f.name.as_deref())
    }

    /// Found and expected, where the layout is not one.
    ///
    /// # Errors
    ///
    /// No fields, too many, a scale of 0, names that occur twice, or a constant with a name.
    pub fn check(&self) -> Result<(), String> {
        if self.fields.is_empty() || self.bytes() > MAX_BYTES {
            return Err(format!(
                "found `fields` of {} bytes; expected 1 to {MAX_BYTES}",
                self.bytes()
            ));
        }
        for (k, field) in self.fields.iter().enumerate() {
            let name = field.name.as_deref().unwrap_or("without name");
            if !field.scale.is_finite() || field.scale == 0.0 || !field.offset.is_finite() {
                return Err(format!(
                    "found scale {} and offset {} of the field `{name}`; expected finite numbers, and no scale of 0",
                    field.scale, field.offset
                ));
            }
            if field.name.is_some() && field.value.is_some() {
                return Err(format!(
                    "found a name and a value of the field `{name}`; expected one of them"
                ));
            }
            let again = self.fields.iter().take(k);
            if field.name.is_some() && again.into_iter().any(|f| f.name == field.name) {
                return Err(format!(
                    "found two fields `{name}`; expected different names"
                ));
            }
        }
        Ok(())
    }

    /// Numbers of a frame with these fields; none if it has another layout.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        endian: Endian,
    ) -> Option<Vec<(Cow<'static, str>, f64)>> {
        if bytes.len() != self.bytes() {
            return None;
        }
        let mut rest = bytes;
        let mut all = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let (these, behind) = rest.split_at_checked(field.number.bytes())?;
            rest = behind;
            let bits = endian.unsigned(these);
            if field
                .value
                .is_some_and(|v| bits != field.number.bits(v as f64))
            {
                return None;
            }
            all.push(bits);
        }
        self.counted.resize(self.fields.len(), None);
        let each = self.fields.iter().zip(all).zip(&mut self.counted);
        let numbers = each.filter_map(|((field, bits), last)| {
            let name = field.name.clone()?;
            let is_counter = name == "sequence" || name.starts_with("stamp_");
            let x = match is_counter && field.number.is_unsigned() {
                true => unwrapped(bits, field.number.bytes(), last) as f64,
                false => field.number.number(bits),
            };
            Some((Cow::Owned(name), x * field.scale + field.offset))
        });
        Some(numbers.collect())
    }

    /// The next counters are those of a new start.
    pub fn restart(&mut self) {
        self.counted.clear();
    }

    /// Bytes of the fields, by their names.
    ///
    /// # Errors
    ///
    /// The first name without a number.
    pub fn encode(
        &self,
        endian: Endian,
        number: impl Fn(&str) -> Option<f64>,
    ) -> Result<Vec<u8>, &str> {
        let mut bytes = Vec::with_capacity(self.bytes());
        for field in &self.fields {
            let bits = match (&field.name, field.value) {
                (Some(name), _) => {
                    let x = number(name).ok_or(name.as_str())?;
                    field.number.bits((x - field.offset) / field.scale)
                }
                (None, Some(value)) => field.number.bits(value as f64),
                (None, None) => 0,
            };
            endian.push(&mut bytes, bits, field.number.bytes());
        }
        Ok(bytes)
    }
}

/// A counter of so many bytes, without its begins from 0: the number nearest to the last one.
fn unwrapped(bits: u64, bytes: usize, last: &mut Option<u64>) -> u64 {
    let Some(before) = last.filter(|_| bytes < 8) else {
        *last = Some(bits);
        return bits;
    };
    let turn = 1u64 << (8 * bytes);
    let forward = bits.wrapping_sub(before) % turn;
    let now = match forward < turn / 2 {
        true => before.saturating_add(forward),
        false => before.saturating_sub(turn - forward),
    };
    *last = Some(now);
    now
}
