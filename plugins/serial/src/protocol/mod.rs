//! Wire formats: each finds its frames in bytes, checks them, and decodes them to named numbers. None does I/O.

pub mod framed;
pub mod lines;
pub mod mavlink;
pub mod nmea;
pub mod ubx;

use serde_json::Value;
use std::borrow::Cow;

/// Name of messages that join a position and a velocity of several NMEA sentences.
pub const FIX: &str = "fix";

/// Wire format of a port.
pub trait Protocol: Send {
    /// What the first of these bytes, at least one, begins.
    fn scan(&mut self, bytes: &[u8]) -> Scan;

    /// Checks and decodes a frame, and adds its messages.
    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict;

    /// Whether an incomplete frame is garbage after a pause. False for formats that find the next frame in any case.
    fn gives_up_when_idle(&self) -> bool {
        true
    }

    /// Frames that the sender numbered and that did not arrive.
    fn missing(&self) -> u64 {
        0
    }

    /// The stream was interrupted: what comes next may be the middle of a frame.
    fn interrupted(&mut self) {}
}

impl Protocol for Box<dyn Protocol> {
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        (**self).scan(bytes)
    }

    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict {
        (**self).take(frame, messages)
    }

    fn gives_up_when_idle(&self) -> bool {
        (**self).gives_up_when_idle()
    }

    fn missing(&self) -> u64 {
        (**self).missing()
    }

    fn interrupted(&mut self) {
        (**self).interrupted();
    }
}

/// What bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A frame that is not complete.
    More,
    /// So many bytes that belong to no frame.
    Skip(usize),
    /// So many bytes between frames: line ends.
    Between(usize),
    /// A frame of this length, unless its checksum is wrong.
    Frame(usize),
}

/// Result of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No frame: the first of some bytes that belong to none.
    Noise,
    /// Valid; its messages, if any, were added.
    Valid,
    /// A wrong checksum: the next frame may begin after so many bytes.
    BadChecksum {
        /// From 1 to the length of the frame.
        skip: usize,
    },
    /// A right checksum, or a format without, and an invalid content: found and expected.
    Unreadable(String),
}

/// Named numbers of one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Kind of the message: `GGA`, `NAV-PVT`, `RAW_IMU`, `line`.
    pub name: &'static str,
    /// Index of the layout that fits, of those of a port with binary frames; 0 otherwise.
    pub layout: usize,
    /// Time on the sender's clock (ns).
    pub stamp_ns: Option<u64>,
    /// The sender's number of the reading.
    pub sequence: Option<u64>,
    /// Content.
    pub body: Body,
}

/// Content of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Numbers by name; NaN without a value.
    Numbers(Vec<(Cow<'static, str>, f64)>),
    /// A JSON object, in which numbers are found by key or by pointer (RFC 6901).
    Json(Value),
}

impl Message {
    /// Message without stamp.
    pub fn new(name: &'static str, numbers: Vec<(Cow<'static, str>, f64)>) -> Self {
        Self {
            name,
            layout: 0,
            stamp_ns: None,
            sequence: None,
            body: Body::Numbers(numbers),
        }
    }

    /// The number of this name, or at this pointer; NaN where it is there without a value, none where it is not there.
    pub fn get(&self, key: &str) -> Option<f64> {
        match &self.body {
            Body::Numbers(numbers) => {
                let found = numbers.iter().find(|(name, _)| name == key);
                found.map(|(_, x)| *x)
            }
            Body::Json(value) => {
                let found = match key.strip_prefix('/') {
                    Some(_) => value.pointer(key),
                    None => value.get(key),
                };
                found.and_then(number)
            }
        }
    }

    /// Names of its numbers, for messages about them.
    pub fn names(&self) -> Vec<String> {
        match &self.body {
            Body::Numbers(numbers) => numbers.iter().map(|(name, _)| name.to_string()).collect(),
            Body::Json(Value::Object(object)) => object.keys().cloned().collect(),
            Body::Json(_) => Vec::new(),
        }
    }
}

/// A number with a name of this program's.
pub(crate) fn named(name: &'static str, x: f64) -> (Cow<'static, str>, f64) {
    (Cow::Borrowed(name), x)
}

/// A number in JSON: also true, false, text of digits, and null as NaN.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => decimal(text),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A decimal number in text; NaN for empty text, `nan` and infinities.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(f64::NAN);
    }
    let x: f64 = text.parse().ok()?;
    Some(if x.is_finite() { x } else { f64::NAN })
}

/// East and north of a speed over ground, by a course from north over east.
pub(crate) fn east_north(speed_m_s: f64, course_deg: f64) -> [f64; 2] {
    let (east, north) = libm::sincos(course_deg.to_radians());
    [speed_m_s * east, speed_m_s * north]
}
