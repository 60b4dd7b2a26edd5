//! Lines of a stream as readings.

use crate::lines::{Line, MAX_LINE};
use crate::protocol::{Decoder, Refusal};
pub(crate) use becomingone_systems::links::{Places, Readers as Sensors};

/// Takes the readings of a line that was captured at this time (ns).
pub(crate) fn take_line(
    sensors: &mut Sensors,
    line: &Line<'_>,
    decoder: &mut Decoder,
    arrival_ns: u64,
) {
    match line {
        Line::Text(text) => sensors.take(decoder.line(text), text, arrival_ns),
        Line::TooLong => {
            let kind = "too long";
            let reason = format!("found more than {MAX_LINE} bytes without a line end");
            sensors.refuse(&Refusal { kind, reason }, b"");
        }
    }
}
