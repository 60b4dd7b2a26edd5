//! JSON of a command: the same `kind` and `values` as drivers send, and for how long it holds.

use becomingone_components::request::{REQUEST_LIFETIME_NS, RequestKind};
use becomingone_components::time::NS_PER_S;
use becomingone_systems::links::document::excerpt;
use serde::Deserialize;

/// Longest time for which a command holds (s).
const MAX_FOR_S: f64 = 60.0;

/// Most characters of a reason that repeats what was received.
const MAX_REASON: usize = 160;

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) what: RequestKind,
    /// Time for which it holds (ns).
    pub(super) for_ns: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: String,
    #[serde(default)]
    values: Vec<f64>,
    #[serde(default)]
    for_s: Option<f64>,
}

impl Command {
    /// Reads a payload.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        const EXPECTED: &str = "expected a command such as {\"kind\": \"twist\", \"values\": [0.5, 0.1], \"for_s\": 0.5}";
        let written: Written = serde_json::from_slice(payload).map_err(|error| {
            // It repeats an unknown key, however long.
            let error: String = error.to_string().chars().take(MAX_REASON).collect();
            format!("found `{}`: {error}; {EXPECTED}", excerpt(payload))
        })?;
        let what = match (written.kind.as_str(), &written.values[..]) {
            ("stop", []) => RequestKind::Stop,
            ("twist", &[linear_m_s, angular_rad_s]) => RequestKind::Twist {
                linear_m_s,
                angular_rad_s,
            },
            ("ackermann", &[speed_m_s, steering_rad]) => RequestKind::Ackermann {
                speed_m_s,
                steering_rad,
            },
            ("stick", &[forward, left]) => RequestKind::Stick { forward, left },
            ("joints", values) if values.len() % 2 == 0 => {
                let (positions, velocities) = values.split_at(values.len() / 2);
                RequestKind::Joints {
                    positions: positions.to_vec(),
                    velocities: velocities.to_vec(),
                }
            }
            (kind, values) => {
                let kind: String = kind.chars().take(40).collect();
                return Err(format!(
                    "found the kind {kind:?} with {} values; expected `stop` without, `twist`, `ackermann` or `stick` with 2, or `joints` with a position and a speed of each; {EXPECTED}",
                    values.len()
                ));
            }
        };
        let for_ns = match written.for_s {
            None => REQUEST_LIFETIME_NS,
            Some(for_s) if (0.001..=MAX_FOR_S).contains(&for_s) => (for_s * NS_PER_S as f64) as u64,
            Some(for_s) => {
                return Err(format!(
                    "found \"for_s\": {for_s}; expected 0.001 to {MAX_FOR_S}"
                ));
            }
        };
        Ok(Self { what, for_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_rig::{Random, fuzz, mutated};

    #[test]
    fn a_command_has_a_kind_values_and_a_time() {
        let read = |text: &str| Command::read(text.as_bytes());
        let twist = RequestKind::Twist {
            linear_m_s: 0.5,
            angular_rad_s: -1.0,
        };
        let command = read("{\"kind\": \"twist\", \"values\": [0.5, -1]}").unwrap();
        assert_eq!((command.what, command.for_ns), (twist, 500_000_000));
        let command =
            read("{\"kind\": \"joints\", \"values\": [1, 2, 3, 4], \"for_s\": 2}").unwrap();
        let joints = RequestKind::Joints {
            positions: vec![1.0, 2.0],
            velocities: vec![3.0, 4.0],
        };
        assert_eq!((command.what, command.for_ns), (joints, 2_000_000_000));
        assert_eq!(
            read("{\"kind\": \"stop\"}").unwrap().what,
            RequestKind::Stop
        );
        for text in [
            "",
            "stop",
            "{\"kind\": \"stop\", \"values\": [1]}",
            "{\"kind\": \"twist\", \"values\": [1]}",
            "{\"kind\": \"fly\", \"values\": [1, 2]}",
            "{\"kind\": \"twist\", \"values\": [1, null]}",
            "{\"kind\": \"twist\", \"values\": [1, 2], \"for_s\": 1e9}",
            "{\"kind\": \"joints\", \"values\": [1]}",
            "{\"kind\": \"twist\", \"values\": [1, 2], \"arm\": true}",
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("expected") && error.len() < 600, "{error}");
        }
        let long = format!("{{\"{}\": 1}}", "x".repeat(1 << 20));
        assert!(read(&long).unwrap_err().len() < 600);
    }

    /// `BECOMINGONE_FUZZ_CASES` payloads (100 000 by default).
    #[test]
    fn any_payload_is_a_finite_command_or_an_error() {
        let seeds = [
            "{\"kind\": \"twist\", \"values\": [0.5, -1e3]}",
            "{\"kind\": \"joints\", \"values\": [1, 2, 3, 4], \"for_s\": 2}",
            "{\"kind\": \"stop\"}",
        ];
        let input = |random: &mut Random| mutated(random, 1, &seeds, b"{}[]\",:-.eE0919");
        let mut read = 0;
        let cases = fuzz("commands", input, |payload, _| {
            match Command::read(payload) {
                Ok(command) => {
                    read += 1;
                    assert!(command.what.is_finite());
                }
                Err(reason) => assert!(reason.len() < 2000, "{reason}"),
            }
        });
        assert!(read > cases / 10, "{read} of {cases}");
    }
}
