//! Records of a ROS 1 bag, version 2.0 (`wiki.ros.org/Bags/Format/2.0`).

/// First bytes of a bag.
pub(crate) const MAGIC: &[u8] = b"#ROSBAG V2.0\n";

pub(crate) const MESSAGE: u8 = 2;
pub(crate) const INDEX: u8 = 4;
pub(crate) const CHUNK: u8 = 5;
pub(crate) const CONNECTION: u8 = 7;

/// Fields `name=value` of a record header, or of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Value of a field; `None` if it is missing or the header is invalid before it.
    pub(crate) fn get(self, name: &str) -> Option<&'a [u8]> {
        let mut rest = self.0;
        while !rest.is_empty() {
            let (field, after) = sized(rest)?;
            let at = field.iter().position(|b| *b == b'=')?;
            if &field[..at] == name.as_bytes() {
                return Some(&field[at + 1..]);
            }
            rest = after;
        }
        None
    }

    pub(crate) fn op(self) -> Option<u8> {
        self.get("op")?.first().copied()
    }

    pub(crate) fn number(self, name: &str) -> Option<u32> {
        Some(u32::from_le_bytes(self.get(name)?.try_into().ok()?))
    }

    pub(crate) fn text(self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.get(name)?).into_owned())
    }

    /// Time of a message (ns).
    pub(crate) fn time_ns(self) -> Option<u64> {
        time_ns(self.get("time")?)
    }
}

/// Seconds and nanoseconds as nanoseconds.
pub(crate) fn time_ns(bytes: &[u8]) -> Option<u64> {
    let (s, ns) = bytes.split_first_chunk::<4>()?;
    let ns = ns.first_chunk::<4>()?;
    Some(u64::from(u32::from_le_bytes(*s)) * 1_000_000_000 + u64::from(u32::from_le_bytes(*ns)))
}

/// Splits bytes with a length before them from the rest.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Splits a record from the rest: its header and its bytes; `None` if it is cut off.
pub(crate) fn record(bytes: &[u8]) -> Option<(Fields<'_>, &[u8], &[u8])> {
    let (header, rest) = sized(bytes)?;
    let (body, rest) = sized(rest)?;
    Some((Fields(header), body, rest))
}

/// Fields in the bytes of a record.
pub(crate) fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields(bytes)
}
