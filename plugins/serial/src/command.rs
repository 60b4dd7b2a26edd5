//! Encodes commands for a drive, and makes the safe one if no command comes.

use crate::config::{Config, Spec};
use crate::protocol::framed::{Framing, Layout};
use crate::protocol::mavlink::Pilot;
use becomingone_components::nearest::did_you_mean;
use becomingone_systems::links::Outgoing;
use serde_json::{Map, json};

/// Names of numbers of commands.
const TWIST: [&str; 4] = ["linear", "angular", "left", "right"];
const ACKERMANN: [&str; 2] = ["speed", "steering"];
const OF_ALL: [&str; 3] = ["sequence", "safe", "now_ms"];

/// Wire format of commands.
pub(crate) enum Encoder {
    Framed {
        framing: Framing,
        layout: Layout,
        track_m: Option<f64>,
    },
    Mavlink(Pilot),
    JsonLines,
}

impl Encoder {
    /// Encoder of a source.
    ///
    /// # Errors
    ///
    /// A protocol that has no commands, or names that no command has.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        if let Some((framing, layout)) = config.protocol.framed() {
            for name in layout.names() {
                let is_joint = ["position_", "velocity_"].iter().any(|part| {
                    name.strip_prefix(part)
                        .is_some_and(|k| k.parse::<u16>().is_ok())
                });
                let known = || TWIST.into_iter().chain(ACKERMANN).chain(OF_ALL);
                if !is_joint && !known().any(|k| k == name) {
                    return Err(format!(
                        "found the field `{name}`; expected one of `{}`, `position_0`, `velocity_0` and so on{}",
                        known().collect::<Vec<_>>().join("`, `"),
                        did_you_mean(name, known())
                    ));
                }
                let needs_track = name == "left" || name == "right";
                if needs_track && config.track_m.is_none_or(|m| !(m.is_finite() && m > 0.0)) {
                    return Err(format!(
                        "found the field `{name}` and no distance between the wheels; expected it as in `track_m: 0.3`"
                    ));
                }
            }
            return Ok(Self::Framed {
                framing,
                layout: layout.clone(),
                track_m: config.track_m,
            });
        }
        match &config.protocol {
            Spec::Mavlink => Ok(Self::Mavlink(Pilot::default())),
            Spec::JsonLines => Ok(Self::JsonLines),
            other => Err(format!(
                "found {} for commands; expected `Framed(..)`, `Mavlink` or `JsonLines`",
                other.name()
            )),
        }
    }

    /// Bytes of a command.
    ///
    /// # Errors
    ///
    /// A kind of command that this format has not.
    pub(crate) fn encode(&mut self, command: &Outgoing) -> Result<Vec<u8>, String> {
        match self {
            Self::Framed {
                framing,
                layout,
                track_m,
            } => {
                let fields = layout
                    .encode(framing.endian, |name| number(command, *track_m, name))
                    .map_err(|name| {
                        format!(
                            "found a command `{}` without `{name}`, which is a field of the frame; expected a field that it has",
                            command.kind
                        )
                    })?;
                Ok(framing.encode(&fields))
            }
            Self::Mavlink(pilot) => match (command.kind, command.numbers.as_slice()) {
                ("twist", &[linear, angular]) => Ok(pilot.twist(command.now_ns, linear, angular)),
                (kind, _) => Err(format!(
                    "found a command `{kind}` for MAVLink; expected `twist`, of a drive with wheels on two sides"
                )),
            },
            Self::JsonLines => {
                let mut object = Map::new();
                let names: Vec<String> = match command.kind {
                    "twist" => TWIST[..2].iter().map(|&n| n.to_owned()).collect(),
                    "ackermann" => ACKERMANN.iter().map(|&n| n.to_owned()).collect(),
                    _ => joint_names(command.numbers.len()),
                };
                object.insert("sequence".to_owned(), json!(command.sequence));
                object.insert("now_ns".to_owned(), json!(command.now_ns));
                object.insert("safe".to_owned(), json!(command.safe));
                for (name, x) in names.into_iter().zip(&command.numbers) {
                    object.insert(name, json!(x));
                }
                let mut line = serde_json::Value::Object(object).to_string().into_bytes();
                line.push(b'\n');
                Ok(line)
            }
        }
    }

    /// Bytes that are due once a second, if any.
    pub(crate) fn each_second(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Mavlink(pilot) => Some(pilot.heartbeat()),
            Self::Framed { .. } | Self::JsonLines => None,
        }
    }
}

fn joint_names(numbers: usize) -> Vec<String> {
    let joints = numbers / 2;
    let name = |k: usize| match k < joints {
        true => format!("position_{k}"),
        false => format!("velocity_{}", k - joints),
    };
    (0..numbers).map(name).collect()
}

/// A number of a command by its name.
fn number(command: &Outgoing, track_m: Option<f64>, name: &str) -> Option<f64> {
    match name {
        "sequence" => return Some(command.sequence as f64),
        "safe" => return Some(f64::from(u8::from(command.safe))),
        "now_ms" => return Some((command.now_ns / 1_000_000) as f64),
        _ => {}
    }
    match (command.kind, command.numbers.as_slice()) {
        ("twist", &[linear, angular]) => match name {
            "linear" => Some(linear),
            "angular" => Some(angular),
            "left" => Some(linear - angular * track_m? / 2.0),
            "right" => Some(linear + angular * track_m? / 2.0),
            _ => None,
        },
        ("ackermann", &[speed, steering]) => match name {
            "speed" => Some(speed),
            "steering" => Some(steering),
            _ => None,
        },
        ("joints", numbers) => {
            let names = joint_names(numbers.len());
            let k = names.iter().position(|n| n == name)?;
            numbers.get(k).copied()
        }
        _ => None,
    }
}

/// The safe command after this one, for an engine that does not send one any more: standstill, with the steering angle
/// and the joint positions of the last command.
pub(crate) fn safe_after(last: &Outgoing) -> Outgoing {
    let joints = last.numbers.len() / 2;
    let keep = |k: usize| match last.kind {
        "ackermann" => k == 1,
        "joints" => k < joints,
        _ => false,
    };
    let numbers = last.numbers.iter().enumerate();
    Outgoing {
        safe: true,
        numbers: numbers
            .map(|(k, x)| if keep(k) { *x } else { 0.0 })
            .collect(),
        ..last.clone()
    }
}
