//! Binary frames with a layout from the scene: COBS, or start bytes with a length, and a CRC.

pub use becomingone_systems::links::layout::{Endian, FieldLayout, Layout, NumberType};

use super::lines::stamped;
use super::{Message, Protocol, Scan, Verdict};
use becomingone_components::nearest::did_you_mean;
use crc::Crc;
use serde::de::{Deserialize, Deserializer, Error as _};

/// Longest frame (bytes), start, length and check included.
pub const MAX_FRAME: usize = 4096;

/// Begin and end of frames, and their check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// How frames are delimited.
    pub frame: FrameKind,
    /// CRC behind the fields; none: no check.
    pub check: Option<Check>,
    /// Order of the bytes of length, CRC and fields.
    pub endian: Endian,
}

/// How frames are delimited.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FrameKind {
    /// Consistent overhead byte stuffing; a zero byte ends each frame.
    Cobs,
    /// Start bytes, the length of the fields where `length` is its type, the fields, and the check.
    Start {
        /// At least one.
        bytes: Vec<u8>,
        /// Type of the length, of the fields alone (bytes); none: always that of the layout.
        #[serde(default)]
        length: Option<LengthType>,
        /// Whether the check covers the start bytes too.
        #[serde(default)]
        check_from_start: bool,
    },
}

/// Type of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum LengthType {
    /// One byte.
    U8,
    /// Two bytes.
    U16,
}

impl LengthType {
    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
        }
    }
}

/// A CRC by its name in the catalogue of parametrised CRC algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Of the system management bus.
    Crc8Smbus,
    /// Of Dallas and Maxim.
    Crc8Maxim,
    /// Of Modbus.
    Crc16Modbus,
    /// Often called CCITT-FALSE.
    Crc16Ibm3740,
    /// Of XMODEM.
    Crc16Xmodem,
    /// Often called CCITT.
    Crc16Kermit,
    /// Of Ethernet and zip.
    Crc32IsoHdlc,
    /// Castagnoli's.
    Crc32Iscsi,
}

/// Names in the catalogue.
const CHECKS: [(&str, Check); 8] = [
    ("CRC-8/SMBUS", Check::Crc8Smbus),
    ("CRC-8/MAXIM-DOW", Check::Crc8Maxim),
    ("CRC-16/MODBUS", Check::Crc16Modbus),
    ("CRC-16/IBM-3740", Check::Crc16Ibm3740),
    ("CRC-16/XMODEM", Check::Crc16Xmodem),
    ("CRC-16/KERMIT", Check::Crc16Kermit),
    ("CRC-32/ISO-HDLC", Check::Crc32IsoHdlc),
    ("CRC-32/ISCSI", Check::Crc32Iscsi),
];

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = CHECKS.iter().find(|(known, _)| *known == name);
        found.map(|(_, check)| *check).ok_or_else(|| {
            let known = CHECKS.map(|(known, _)| known);
            D::Error::custom(format!(
                "found the check \"{name}\"; expected one of \"{}\"{}",
                known.join("\", \""),
                did_you_mean(&name, known)
            ))
        })
    }
}

static CRC_8_SMBUS: Crc<u8> = Crc::<u8>::new(&crc::CRC_8_SMBUS);
static CRC_8_MAXIM: Crc<u8> = Crc::<u8>::new(&crc::CRC_8_MAXIM_DOW);
static CRC_16_MODBUS: Crc<u16> = Crc::<u16>::new(&crc::CRC_16_MODBUS);
static CRC_16_IBM_3740: Crc<u16> = Crc::<u16>::new(&crc::CRC_16_IBM_3740);
static CRC_16_XMODEM: Crc<u16> = Crc::<u16>::new(&crc::CRC_16_XMODEM);
static CRC_16_KERMIT: Crc<u16> = Crc::<u16>::new(&crc::CRC_16_KERMIT);
static CRC_32_ISO_HDLC: Crc<u32> = Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
static CRC_32_ISCSI: Crc<u32> = Crc::<u32>::new(&crc::CRC_32_ISCSI);

impl Check {
    fn bytes(self) -> usize {
        match self {
            Self::Crc8Smbus | Self::Crc8Maxim => 1,
            Self::Crc16Modbus | Self::Crc16Ibm3740 | Self::Crc16Xmodem | Self::Crc16Kermit => 2,
            Self::Crc32IsoHdlc | Self::Crc32Iscsi => 4,
        }
    }

    fn of(self, bytes: &[u8]) -> u32 {
        match self {
            Self::Crc8Smbus => CRC_8_SMBUS.checksum(bytes).into(),
            Self::Crc8Maxim => CRC_8_MAXIM.checksum(bytes).into(),
            Self::Crc16Modbus => CRC_16_MODBUS.checksum(bytes).into(),
            Self::Crc16Ibm3740 => CRC_16_IBM_3740.checksum(bytes).into(),
            Self::Crc16Xmodem => CRC_16_XMODEM.checksum(bytes).into(),
            Self::Crc16Kermit => CRC_16_KERMIT.checksum(bytes).into(),
            Self::Crc32IsoHdlc => CRC_32_ISO_HDLC.checksum(bytes),
            Self::Crc32Iscsi => CRC_32_ISCSI.checksum(bytes),
        }
    }
}

impl Framing {
    fn start(&self) -> &[u8] {
        match &self.frame {
            FrameKind::Cobs => &[],
            FrameKind::Start { bytes, .. } => bytes,
        }
    }

    fn length(&self) -> Option<LengthType> {
        match self.frame {
            FrameKind::Cobs => None,
            FrameKind::Start { length, .. } => length,
        }
    }

    /// Fields of a frame of bytes that were unstuffed; none if its check is wrong.
    fn checked<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let check = self.check.map_or(0, Check::bytes);
        let (content, found) = bytes.split_at_checked(bytes.len().checked_sub(check)?)?;
        if let Some(check) = self.check
            && self.endian.unsigned(found) != u64::from(check.of(&content[self.unchecked()..]))
        {
            return None;
        }
        let before = self.start().len() + self.length().map_or(0, LengthType::bytes);
        content.get(before..)
    }

    /// Bytes at the begin that the check does not cover.
    fn unchecked(&self) -> usize {
        match &self.frame {
            FrameKind::Start {
                bytes,
                check_from_start: false,
                ..
            } => bytes.len(),
            FrameKind::Start { .. } | FrameKind::Cobs => 0,
        }
    }

    /// A frame with these fields.
    pub fn encode(&self, fields: &[u8]) -> Vec<u8> {
        let mut bytes = self.start().to_vec();
        if let Some(length) = self.length() {
            self.endian
                .push(&mut bytes, fields.len() as u64, length.bytes());
        }
        bytes.extend_from_slice(fields);
        if let Some(check) = self.check {
            let sum = check.of(&bytes[self.unchecked()..]);
            self.endian.push(&mut bytes, sum.into(), check.bytes());
        }
        if self.frame == FrameKind::Cobs {
            bytes = cobs::encode_vec(&bytes);
            bytes.push(0);
        }
        bytes
    }

    /// Found and expected, where frames cannot be found.
    ///
    /// # Errors
    ///
    /// No start bytes.
    pub fn check(&self) -> Result<(), String> {
        match &self.frame {
            FrameKind::Start { bytes, .. } if bytes.is_empty() || bytes.len() > 16 => Err(format!(
                "found {} start bytes; expected 1 to 16, such as `bytes: [0xAA, 0x55]`",
                bytes.len()
            )),
            FrameKind::Start { .. } | FrameKind::Cobs => Ok(()),
        }
    }
}

/// Frames of a port.
pub struct Framed {
    framing: Framing,
    layouts: Vec<Layout>,
    /// Length of the fields where frames do not contain it.
    fixed: usize,
    unstuffed: Vec<u8>,
}

impl Framed {
    /// Frames of these layouts.
    ///
    /// # Errors
    ///
    /// Layouts of different lengths in frames that do not contain their length.
    pub fn new(framing: Framing, layouts: Vec<Layout>) -> Result<Self, String> {
        framing.check()?;
        let fixed = layouts.first().map_or(0, Layout::bytes);
        if framing.length().is_none()
            && framing.frame != FrameKind::Cobs
            && let Some(other) = layouts.iter().find(|l| l.bytes() != fixed)
        {
            return Err(format!(
                "found layouts of {fixed} and {} bytes in frames without a length; expected `length: U8` or equal lengths",
                other.bytes()
            ));
        }
        Ok(Self {
            framing,
            layouts,
            fixed,
            unstuffed: vec![0; MAX_FRAME],
        })
    }

    fn fields(&mut self, fields: &[u8], messages: &mut Vec<Message>) {
        for (index, layout) in self.layouts.iter_mut().enumerate() {
            if let Some(numbers) = layout.decode(fields, self.framing.endian) {
                let message = Message::new("frame", numbers);
                messages.push(Message {
                    layout: index,
                    ..stamped(message)
                });
            }
        }
    }
}

impl Protocol for Framed {
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        let FrameKind::Start { bytes: start, .. } = &self.framing.frame else {
            let end = bytes.iter().take(MAX_FRAME).position(|b| *b == 0);
            return match end {
                Some(0) => Scan::Between(1),
                Some(end) => Scan::Frame(end + 1),
                None if bytes.len() >= MAX_FRAME => Scan::Skip(MAX_FRAME),
                None => Scan::More,
            };
        };
        let begun = bytes.iter().zip(start).take_while(|(a, b)| a == b).count();
        if begun < start.len() {
            if begun == bytes.len() {
                return Scan::More;
            }
            let next = bytes.iter().skip(1).position(|b| Some(b) == start.first());
            return Scan::Skip(next.map_or(bytes.len(), |k| k + 1));
        }
        let (fields, before) = match self.framing.length() {
            None => (self.fixed, begun),
            Some(length) => {
                let before = begun + length.bytes();
                let Some(written) = bytes.get(begun..before) else {
                    return Scan::More;
                };
                (self.framing.endian.unsigned(written) as usize, before)
            }
        };
        let length = before + fields + self.framing.check.map_or(0, Check::bytes);
        match bytes.len() {
            _ if length > MAX_FRAME => Scan::Skip(1),
            n if n < length => Scan::More,
            _ => Scan::Frame(length),
        }
    }

    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict {
        let is_stuffed = self.framing.frame == FrameKind::Cobs;
        let skip = if is_stuffed { frame.len() } else { 1 };
        let mut unstuffed = std::mem::take(&mut self.unstuffed);
        let content = if is_stuffed {
            let stuffed = &frame[..frame.len() - 1];
            let read = cobs::decode(stuffed, &mut unstuffed);
            read.ok().map(|report| &unstuffed[..report.frame_size()])
        } else {
            Some(frame)
        };
        let fields = content.and_then(|content| self.framing.checked(content));
        let verdict = match fields {
            None => Verdict::BadChecksum { skip },
            Some(fields) => {
                self.fields(fields, messages);
                Verdict::Valid
            }
        };
        self.unstuffed = unstuffed;
        verdict
    }

    fn gives_up_when_idle(&self) -> bool {
        self.framing.frame != FrameKind::Cobs
    }

    fn interrupted(&mut self) {
        self.layouts.iter_mut().for_each(Layout::restart);
    }
}
