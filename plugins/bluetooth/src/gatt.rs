//! Decoders of standard characteristics.
//!
//! Sections of the Bluetooth GATT Specification Supplement (GSS) are named by their characteristic. Bytes behind the
//! last known field are ignored, as are flags that are reserved for future use.

use becomingone_systems::links::document::Refusal;

/// Fields of a value, from its begin; numbers have their lowest byte first.
struct Fields<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    fn take<const N: usize>(&mut self, name: &str) -> Result<[u8; N], Refusal> {
        let (field, rest) = self.rest.split_first_chunk().ok_or_else(|| Refusal {
            kind: "too short",
            reason: format!(
                "found {} bytes; expected at least {}, with {name}",
                self.length,
                self.length - self.rest.len() + N
            ),
        })?;
        self.rest = rest;
        Ok(*field)
    }

    fn u8(&mut self, name: &str) -> Result<u8, Refusal> {
        self.take::<1>(name).map(|[byte]| byte)
    }

    fn u16(&mut self, name: &str) -> Result<u16, Refusal> {
        self.take(name).map(u16::from_le_bytes)
    }

    fn u32(&mut self, name: &str) -> Result<u32, Refusal> {
        self.take(name).map(u32::from_le_bytes)
    }
}

fn prohibited(found: impl std::fmt::Display, expected: &str) -> Refusal {
    Refusal {
        kind: "with a prohibited value",
        reason: format!("found {found}; expected {expected}"),
    }
}

/// Heart Rate Measurement, 0x2A37 (GSS, Heart Rate Measurement; Heart Rate Service 1.0, 3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct HeartRate {
    /// Beats a minute.
    pub beats_per_min: u16,
    /// Whether the sensor touches the skin; none of a sensor that does not detect it.
    pub contact: Option<bool>,
    /// Energy expended since it was reset (kJ).
    pub energy_kj: Option<u16>,
    /// Times between beats since the last measurement, the oldest first (s).
    pub rr_s: Vec<f64>,
}

impl HeartRate {
    /// Decodes a value.
    ///
    /// # Errors
    ///
    /// Too few bytes, or half an interval.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(bytes);
        let flags = fields.u8("flags")?;
        let beats_per_min = if flags & 1 == 0 {
            fields.u8("a heart rate of 8 bits")?.into()
        } else {
            fields.u16("a heart rate of 16 bits")?
        };
        let contact = (flags & 4 != 0).then_some(flags & 2 != 0);
        let energy_kj = match flags & 8 {
            0 => None,
            _ => Some(fields.u16("the energy expended")?),
        };
        let mut rr_s = Vec::new();
        if flags & 16 != 0 {
            // The flag without an interval is no mistake: no beat since the last measurement.
            while !fields.rest.is_empty() {
                rr_s.push(f64::from(fields.u16("a whole RR interval")?) / 1024.0);
            }
        }
        Ok(Self {
            beats_per_min,
            contact,
            energy_kj,
            rr_s,
        })
    }
}

/// Battery Level, 0x2A19 (GSS, Battery Level): percent.
///
/// # Errors
///
/// No byte, or more than 100 %.
pub fn battery_level(bytes: &[u8]) -> Result<f64, Refusal> {
    match Fields::of(bytes).u8("a level")? {
        level @ 0..=100 => Ok(level.into()),
        level => Err(prohibited(format!("a level of {level} %"), "0 % to 100 %")),
    }
}

/// Temperature, 0x2A6E (GSS, Temperature): degrees Celsius; NaN where it is unknown.
///
/// # Errors
///
/// Less than 2 bytes, or a temperature below absolute zero.
pub fn temperature(bytes: &[u8]) -> Result<f64, Refusal> {
    match Fields::of(bytes).u16("a temperature")? as i16 {
        i16::MIN => Ok(f64::NAN),
        cold @ ..-27315 => Err(prohibited(
            format!("{} degC", f64::from(cold) / 100.0),
            "-273.15 degC or more",
        )),
        hundredths => Ok(f64::from(hundredths) / 100.0),
    }
}

/// Humidity, 0x2A6F (GSS, Humidity): percent; NaN where it is unknown.
///
/// # Errors
///
/// Less than 2 bytes, or more than 100 %.
pub fn humidity(bytes: &[u8]) -> Result<f64, Refusal> {
    match Fields::of(bytes).u16("a humidity")? {
        u16::MAX => Ok(f64::NAN),
        wet @ 10_001.. => Err(prohibited(
            format!("{} %", f64::from(wet) / 100.0),
            "0 % to 100 %",
        )),
        hundredths => Ok(f64::from(hundredths) / 100.0),
    }
}

/// Pressure, 0x2A6D (GSS, Pressure): pascals.
///
/// # Errors
///
/// Less than 4 bytes.
pub fn pressure(bytes: &[u8]) -> Result<f64, Refusal> {
    Ok(f64::from(Fields::of(bytes).u32("a pressure")?) / 10.0)
}

/// A counter of revolutions, and the time of the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revolutions {
    /// Their number, which begins again at 2^32 (wheel) or 2^16 (crank).
    pub count: u32,
    /// Time of the last one on the sensor's clock (1/1024 s), which begins again after 64 s.
    pub time: u16,
}

/// CSC Measurement, 0x2A5B (GSS, CSC Measurement; Cycling Speed and Cadence Service 1.0, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycling {
    /// Of the wheel; none of a sensor of cadence.
    pub wheel: Option<Revolutions>,
    /// Of the crank; none of a sensor of speed.
    pub crank: Option<Revolutions>,
}

impl Cycling {
    /// Decodes a value.
    ///
    /// # Errors
    ///
    /// Too few bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(bytes);
        let flags = fields.u8("flags")?;
        let wheel = match flags & 1 {
            0 => None,
            _ => Some(Revolutions {
                count: fields.u32("revolutions of the wheel")?,
                time: fields.u16("the time of the wheel")?,
            }),
        };
        let crank = match flags & 2 {
            0 => None,
            _ => Some(Revolutions {
                count: fields.u16("revolutions of the crank")?.into(),
                time: fields.u16("the time of the crank")?,
            }),
        };
        Ok(Self { wheel, crank })
    }
}

/// RSC Measurement, 0x2A53 (GSS, RSC Measurement; Running Speed and Cadence Service 1.0, 3.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    /// Speed (m/s).
    pub speed_m_s: f64,
    /// Steps a minute.
    pub cadence_per_min: u8,
    /// Length of a stride (m).
    pub stride_m: Option<f64>,
    /// Distance since it was reset (m).
    pub distance_m: Option<f64>,
    /// Whether the wearer runs, and does not walk.
    pub is_running: bool,
}

impl Running {
    /// Decodes a value.
    ///
    /// # Errors
    ///
    /// Too few bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of(bytes);
        let flags = fields.u8("flags")?;
        Ok(Self {
            speed_m_s: f64::from(fields.u16("a speed")?) / 256.0,
            cadence_per_min: fields.u8("a cadence")?,
            stride_m: match flags & 1 {
                0 => None,
                _ => Some(f64::from(fields.u16("the length of a stride")?) / 100.0),
            },
            distance_m: match flags & 2 {
                0 => None,
                _ => Some(f64::from(fields.u32("a distance")?) / 10.0),
            },
            is_running: flags & 4 != 0,
        })
    }
}
