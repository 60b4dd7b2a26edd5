//! A watch as a client asks for it: checked, or refused by what is expected.

use super::predicate::{Rule, Side};
use becomingone::components::event::EventKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use utoipa::ToSchema;

/// Longest key.
const LONGEST_KEY: usize = 128;
/// Longest name of an agent, a sensor or a channel.
const LONGEST_NAME: usize = 256;
/// Largest threshold.
const LARGEST: f64 = 1e12;
/// Longest dwell (s).
const LONGEST_DWELL_S: f64 = 1e9;
/// Threshold of the surprise, of whichever agent.
const SURPRISE: f64 = 1.0;
/// Hysteresis as a share of the threshold, unless it is given.
const HYSTERESIS: f64 = 0.1;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Surprise of the agent's kernel.
    Surprise,
    /// Its coherence.
    Coherence,
    /// Absolute speed along its heading (m/s).
    Speed,
    /// Energy of the residual of one predicted channel.
    Channel,
    /// Readings of a sensor.
    Sensor,
    /// Events of the agent.
    Event,
}

impl What {
    /// Smallest change that a watch without a threshold reports.
    fn least_change(self) -> f64 {
        match self {
            Self::Channel => 1.0,
            _ => 0.05,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Surprise => "surprise",
            Self::Coherence => "coherence",
            Self::Speed => "speed",
            Self::Channel => "channel",
            Self::Sensor => "sensor",
            Self::Event => "event",
        }
    }
}

/// When a watch fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// The value is over the threshold.
    Above,
    /// The value is under it.
    Below,
    /// The value goes over the threshold, or over its mean of the last 10 s.
    Rises,
    /// The value goes under it.
    Falls,
    /// Either.
    Crosses,
    /// The sensor is stale.
    Silent,
    /// An event comes.
    Event,
}

/// Kinds of events together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Events {
    /// A contact with anything but the ground and itself begins.
    Collision,
    /// An alarm is raised.
    Alarm,
    /// A waypoint is reached or given up, all are, or a request that ends by itself is done.
    Goal,
    /// A stop latches.
    Stop,
    /// A fault of a simulated sensor or drive begins.
    Fault,
    /// A sensor with a link becomes stale.
    Stale,
    /// Any event.
    Any,
}

impl Events {
    /// Whether an event is one of them.
    pub(super) fn includes(self, kind: &EventKind) -> bool {
        match self {
            Self::Collision => matches!(kind, EventKind::Collision(_)),
            Self::Alarm => matches!(kind, EventKind::AlarmRaised { .. }),
            Self::Goal => matches!(
                kind,
                EventKind::GoalReached(_)
                    | EventKind::GoalReachedByEstimate { .. }
                    | EventKind::GoalGivenUp { .. }
                    | EventKind::AllGoalsReached
                    | EventKind::RequestDone { .. }
            ),
            Self::Stop => matches!(kind, EventKind::Stopped(_) | EventKind::SafetyStop(_)),
            Self::Fault => matches!(kind, EventKind::FaultBegan(_)),
            Self::Stale => matches!(kind, EventKind::SensorTimedOut(_)),
            Self::Any => true,
        }
    }
}

/// A watch, as a client asks for it.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchAsked {
    /// Name that the client gives it: the same key again is the same watch.
    key: Option<String>,
    /// The agent.
    pub(super) agent: String,
    /// What is watched.
    what: What,
    /// Of the kind `channel`: one of the kernel's `outputs`.
    channel: Option<String>,
    /// Of the kind `sensor`: its name on the agent.
    sensor: Option<String>,
    /// Of the kind `event`.
    event: Option<Events>,
    /// When it fires.
    how: How,
    /// The threshold.
    value: Option<f64>,
    /// How far the value has to be back before it may fire again.
    hysteresis: Option<f64>,
    /// How long the condition has to hold without a break (s of the run).
    #[serde(default)]
    dwell_s: f64,
}

/// A watch that may be kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checked {
    pub(super) key: Option<String>,
    pub(super) agent: String,
    pub(super) what: What,
    /// Name of the channel or sensor.
    pub(super) part: Option<String>,
    pub(super) event: Option<Events>,
    pub(super) how: How,
    /// The threshold; none of a change, of silence and of events.
    pub(super) value: Option<f64>,
    /// As it is used; none where it follows the last 10 s, of silence and of events.
    pub(super) hysteresis: Option<f64>,
    pub(super) dwell_s: f64,
    /// None of events.
    pub(super) rule: Option<Rule>,
}

impl Checked {
    pub(super) fn dwell_ns(&self) -> u64 {
        (self.dwell_s * 1e9).round() as u64
    }
}

impl WatchAsked {
    /// The watch, or what is expected in place of it.
    pub(super) fn check(self) -> Result<Checked, String> {
        if self
            .key
            .as_ref()
            .is_some_and(|key| !is_name(key, LONGEST_KEY))
        {
            return Err(format!(
                "expected `key` of 1 to {LONGEST_KEY} bytes without control characters"
            ));
        }
        let part = self.part()?;
        let rule = self.rule()?;
        let (value, hysteresis) = match rule {
            Some(Rule::Level {
                value, hysteresis, ..
            }) if self.what != What::Sensor => (Some(value), Some(hysteresis)),
            Some(Rule::Cross { value, hysteresis }) => (Some(value), Some(hysteresis)),
            Some(Rule::Change { by, .. }) => (None, by),
            _ => (None, None),
        };
        Ok(Checked {
            key: self.key,
            agent: self.agent,
            what: self.what,
            part,
            event: self.event,
            how: self.how,
            value,
            hysteresis,
            dwell_s: self.dwell_s,
            rule,
        })
    }

    /// Name of the channel or sensor; what is of another kind of watch is refused.
    fn part(&self) -> Result<Option<String>, String> {
        let given = [
            ("channel", What::Channel, self.channel.is_some()),
            ("sensor", What::Sensor, self.sensor.is_some()),
            ("event", What::Event, self.event.is_some()),
        ];
        for (field, of, is_given) in given {
            match (is_given, self.what == of) {
                (true, false) => {
                    return Err(format!(
                        "found `{field}` beside `what`: `{}`; expected `what`: `{}`",
                        self.what.name(),
                        of.name()
                    ));
                }
                (false, true) => {
                    let expected = match of {
                        What::Channel => {
                            "`channel`: one of `kernel.witness.outputs` of /v1/agents/{agent}/kernel, as `encoders/0`"
                        }
                        What::Sensor => "`sensor`: its name on the agent, as `imu`",
                        _ => {
                            "`event`: `collision`, `alarm`, `goal`, `stop`, `fault`, `stale` or `any`"
                        }
                    };
                    return Err(format!("expected {expected}"));
                }
                _ => {}
            }
        }
        Ok(self.channel.clone().or_else(|| self.sensor.clone()))
    }

    fn rule(&self) -> Result<Option<Rule>, String> {
        let expected = match (self.what, self.how) {
            (What::Sensor, How::Silent) | (What::Event, How::Event) => None,
            (What::Sensor, _) => Some("`silent` of a sensor"),
            (What::Event, _) => Some("`event` of events"),
            (_, How::Silent | How::Event) => {
                Some("`above`, `below`, `rises`, `falls` or `crosses` of a value")
            }
            _ => None,
        };
        if let Some(expected) = expected {
            return Err(format!("expected `how`: {expected}"));
        }
        let within = |name: &str, x: Option<f64>, from: f64, to: f64| match x {
            Some(x) if !(from..=to).contains(&x) => Err(format!(
                "found `{name}`: {x}; expected a number from {from:e} to {to:e}"
            )),
            _ => Ok(()),
        };
        within("value", self.value, -LARGEST, LARGEST)?;
        within("hysteresis", self.hysteresis, 0.0, LARGEST)?;
        within("dwell_s", Some(self.dwell_s), 0.0, LONGEST_DWELL_S)?;
        if matches!(self.what, What::Sensor | What::Event)
            && (self.value.is_some() || self.hysteresis.is_some())
        {
            return Err(format!(
                "found a threshold; expected neither `value` nor `hysteresis` of `{}`",
                self.what.name()
            ));
        }
        if self.what == What::Event {
            return match self.dwell_s {
                0.0 => Ok(None),
                _ => Err("found `dwell_s`; expected none of events".to_owned()),
            };
        }
        if self.what == What::Sensor {
            // 1 while it is stale.
            return Ok(Some(Rule::Level {
                side: Side::Up,
                value: 0.5,
                hysteresis: 0.0,
                edge: false,
            }));
        }
        let value = self
            .value
            .or_else(|| (self.what == What::Surprise).then_some(SURPRISE));
        let (side, edge) = match self.how {
            How::Above => (Side::Up, false),
            How::Below => (Side::Down, false),
            How::Rises => (Side::Up, true),
            _ => (Side::Down, true),
        };
        let Some(value) = value else {
            return match self.how {
                How::Rises | How::Falls => Ok(Some(Rule::Change {
                    side,
                    by: self.hysteresis,
                    least: self.what.least_change(),
                })),
                _ => Err(format!(
                    "expected `value`: the threshold of `{}`; without one, a change is watched by `rises` or `falls`",
                    self.what.name()
                )),
            };
        };
        let hysteresis = self.hysteresis.unwrap_or(HYSTERESIS * value.abs());
        Ok(Some(match self.how {
            How::Crosses => Rule::Cross { value, hysteresis },
            _ => Rule::Level {
                side,
                value,
                hysteresis,
                edge,
            },
        }))
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// What is watched, as in `surprise of rover`.
impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.what, &self.part) {
            (What::Channel, Some(channel)) => write!(f, "channel {channel}")?,
            (_, Some(part)) => f.write_str(part)?,
            (what, None) => f.write_str(what.name())?,
        }
        write!(f, " of {}", self.agent)
    }
}

/// Description of [`WatchAsked`]: which fields go together.
pub(crate) fn schema() -> Value {
    let name = |about: &str, longest: usize| json!({"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$", "description": about});
    let value = json!({"type": ["number", "null"], "minimum": -LARGEST, "maximum": LARGEST, "description": "The threshold; of the surprise 1 where it is left out. Of others, `rises` and `falls` without it report a change from the mean of the last 10 s (and at least 100 ticks)."});
    let needed = json!({"type": "number", "minimum": -LARGEST, "maximum": LARGEST, "description": "The threshold."});
    let hysteresis = json!({"type": ["number", "null"], "minimum": 0.0, "maximum": LARGEST, "description": "How far the value has to be back before the watch may fire again; 10 % of the threshold where it is left out. Of a change, how large it is; four standard deviations of the last 10 s where it is left out, and at least 0.05, of a channel 1."});
    let dwell = json!({"type": "number", "minimum": 0.0, "maximum": LONGEST_DWELL_S, "default": 0.0, "description": "How long the condition has to hold without a break (s of the run)."});
    let threshold =
        |value: &Value| json!({"value": value, "hysteresis": hysteresis, "dwell_s": dwell});
    let [any, one] = [threshold(&value), threshold(&needed)];
    let mut change = any.clone();
    change["value"] = json!({"type": "null"});
    let channel = || {
        let about = "One of `kernel.witness.outputs` of `/v1/agents/{agent}/kernel`: `encoders/0`. Watched is the energy of its residual, its mean over 10 samples: 1 while healthy.";
        json!({"channel": name(about, LONGEST_NAME)})
    };
    let sensor =
        json!({"sensor": name("Its name on the agent: `imu`.", LONGEST_NAME), "dwell_s": dwell});
    let event = json!({"event": {"type": "string", "enum": ["collision", "alarm", "goal", "stop", "fault", "stale", "any"]}});
    let levels = ["above", "below", "rises", "falls", "crosses"];
    let changes = ["rises", "falls"];
    // Title, `what`, `how`, further fields, those of them that are needed.
    let kinds: [(&str, &[&str], &[&str], Vec<Value>, &[&str]); 7] = [
        ("surprise", &["surprise"], &levels, vec![any], &[]),
        (
            "value",
            &["coherence", "speed"],
            &levels,
            vec![one.clone()],
            &["value"],
        ),
        (
            "change",
            &["coherence", "speed"],
            &changes,
            vec![change.clone()],
            &[],
        ),
        (
            "channel",
            &["channel"],
            &levels,
            vec![channel(), one],
            &["channel", "value"],
        ),
        (
            "channel_change",
            &["channel"],
            &changes,
            vec![channel(), change],
            &["channel"],
        ),
        (
            "sensor",
            &["sensor"],
            &["silent"],
            vec![sensor],
            &["sensor"],
        ),
        ("event", &["event"], &["event"], vec![event], &["event"]),
    ];
    let kinds = kinds.map(|(title, what, how, further, needed)| {
        let mut properties = json!({
            "key": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$", "description": "Name that the client gives the watch, stable over restarts: the same key again is the same watch."},
            "agent": name("The agent.", LONGEST_NAME),
            "what": {"type": "string", "enum": what},
            "how": {"type": "string", "enum": how},
        });
        for fields in further {
            if let (Some(all), Value::Object(fields)) = (properties.as_object_mut(), fields) {
                all.extend(fields);
            }
        }
        let required = [needed, &["agent", "what", "how"]].concat();
        json!({
            "type": "object",
            "title": format!("watch_{title}"),
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    });
    json!({"oneOf": kinds, "description": "A watch."})
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checked(body: Value) -> Result<Checked, String> {
        let asked: WatchAsked = serde_json::from_value(body).map_err(|e| e.to_string())?;
        asked.check()
    }

    #[test]
    fn what_is_wrong_is_answered_by_what_is_expected() {
        for (body, expected) in [
            (
                json!({"agent": "r", "what": "surprise"}),
                "missing field `how`",
            ),
            (
                json!({"agent": "r", "what": "heat", "how": "above"}),
                "one of `surprise`",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "over"}),
                "one of `above`",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "above"}),
                "expected `value`",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "crosses"}),
                "expected `value`",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "silent", "value": 1}),
                "expected `how`: `above`",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "above", "value": 1e13}),
                "expected a number from",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "above", "value": 1, "hysteresis": -1}),
                "`hysteresis`: -1",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "above", "value": 1, "dwell_s": -1}),
                "`dwell_s`: -1",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "above", "value": "1"}),
                "expected f64",
            ),
            (
                json!({"agent": "r", "what": "channel", "how": "rises"}),
                "`encoders/0`",
            ),
            (
                json!({"agent": "r", "what": "speed", "channel": "imu/gyro_z", "how": "rises"}),
                "expected `what`: `channel`",
            ),
            (
                json!({"agent": "r", "what": "sensor", "how": "silent"}),
                "expected `sensor`",
            ),
            (
                json!({"agent": "r", "what": "sensor", "sensor": "imu", "how": "above"}),
                "`silent` of a sensor",
            ),
            (
                json!({"agent": "r", "what": "sensor", "sensor": "imu", "how": "silent", "value": 1}),
                "neither `value`",
            ),
            (
                json!({"agent": "r", "what": "event", "how": "event"}),
                "expected `event`",
            ),
            (
                json!({"agent": "r", "what": "event", "event": "crash", "how": "event"}),
                "one of `collision`",
            ),
            (
                json!({"agent": "r", "what": "event", "event": "any", "how": "event", "dwell_s": 1}),
                "expected none of events",
            ),
            (
                json!({"agent": "r", "what": "event", "event": "any", "how": "event", "key": ""}),
                "`key` of 1 to 128",
            ),
            (
                json!({"agent": "r", "what": "speed", "how": "above", "value": 1, "for_s": 1}),
                "unknown field `for_s`",
            ),
        ] {
            let problem = checked(body.clone()).unwrap_err();
            assert!(problem.contains(expected), "{body}: {problem}");
        }
    }

    #[test]
    fn thresholds_have_a_hysteresis_of_a_tenth() {
        let of = |body: Value| {
            let checked = checked(body).unwrap();
            (checked.value, checked.hysteresis)
        };
        let agent = |mut body: Value| {
            body["agent"] = json!("r");
            of(body)
        };
        assert_eq!(
            agent(json!({"what": "surprise", "how": "rises"})),
            (Some(1.0), Some(0.1))
        );
        assert_eq!(
            agent(json!({"what": "speed", "how": "below", "value": -2.0})),
            (Some(-2.0), Some(0.2))
        );
        assert_eq!(
            agent(json!({"what": "speed", "how": "crosses", "value": 2.0, "hysteresis": 0})),
            (Some(2.0), Some(0.0))
        );
        assert_eq!(
            agent(json!({"what": "coherence", "how": "falls"})),
            (None, None)
        );
        assert_eq!(
            agent(json!({"what": "coherence", "how": "falls", "hysteresis": 0.2})),
            (None, Some(0.2))
        );
        assert_eq!(
            agent(json!({"what": "sensor", "sensor": "imu", "how": "silent"})),
            (None, None)
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,200}".prop_map(Value::from),
            prop::sample::select(vec![
                "surprise",
                "coherence",
                "speed",
                "channel",
                "sensor",
                "event",
                "above",
                "below",
                "rises",
                "falls",
                "crosses",
                "silent",
                "alarm",
                "any",
                "rover",
            ])
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Takes a body, and lets it run.
    fn tried(body: Value, xs: &[f64]) -> Result<(), String> {
        let checked = checked(body)?;
        if let Some(rule) = checked.rule {
            let mut predicate = super::super::predicate::Predicate::new(rule, checked.dwell_ns());
            for (k, x) in xs.iter().enumerate() {
                let _ = predicate.step(k as u64, 1, Some(*x));
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// Random bodies, with names of fields and without, never panic, and a refusal says something.
        #[test]
        fn any_body_is_taken_or_refused(
            fields in prop::collection::hash_map(
                prop_oneof![
                    prop::sample::select(FIELDS).prop_map(str::to_owned),
                    ".{0,8}",
                ],
                any_json(),
                0..11,
            ),
            is_named in any::<bool>(),
            what in prop::sample::select(vec!["surprise", "coherence", "speed", "channel", "sensor", "event"]),
            how in prop::sample::select(vec!["above", "below", "rises", "falls", "crosses", "silent", "event"]),
            xs in prop::collection::vec(any::<f64>(), 0..50),
        ) {
            let mut body = Value::Object(fields.into_iter().collect());
            if is_named {
                body["agent"] = json!("rover");
                body["what"] = json!(what);
                body["how"] = json!(how);
            }
            if let Err(problem) = tried(body, &xs) {
                prop_assert!(!problem.is_empty());
            }
        }

        /// Bodies of the right types: what is taken fires or does not, and never panics.
        #[test]
        fn any_threshold_is_taken_or_refused(
            what in prop::sample::select(vec!["surprise", "coherence", "speed"]),
            how in prop::sample::select(vec!["above", "below", "rises", "falls", "crosses"]),
            value in prop::option::of(any::<f64>()),
            hysteresis in prop::option::of(any::<f64>()),
            dwell_s in any::<f64>(),
            xs in prop::collection::vec(any::<f64>(), 0..200),
        ) {
            let body = json!({"agent": "rover", "what": what, "how": how, "value": value, "hysteresis": hysteresis,
                "dwell_s": dwell_s});
            if let Err(problem) = tried(body, &xs) {
                prop_assert!(!problem.is_empty());
            }
        }
    }

    const FIELDS: &[&str] = &[
        "key",
        "agent",
        "what",
        "channel",
        "sensor",
        "event",
        "how",
        "value",
        "hysteresis",
        "dwell_s",
    ];
}
