//! Arguments of a kind, from what a template caught.

use super::names::without_unit;
use serde_json::{Map, Value, json};

/// An amount: its number, and the kind of its unit, if it was said.
fn amount(caught: &Value, parameter: &str) -> Option<f64> {
    let (number, unit) = (caught["number"].as_f64()?, caught["unit"].as_str());
    let suffix = parameter
        .strip_prefix(without_unit(parameter))
        .unwrap_or_default();
    let expected = match suffix {
        "_m_s" => Some("speed"),
        "_m" => Some("distance"),
        "_s" => Some("duration"),
        "_rad" => Some("angle"),
        _ => None,
    };
    match unit {
        None => Some(number),
        Some(unit) => (Some(unit) == expected).then_some(number),
    }
}

/// `10 min`, `90 s`, `2 h`.
fn duration(s: f64) -> String {
    match s {
        s if s >= 3600.0 && s % 3600.0 == 0.0 => format!("{} h", s / 3600.0),
        s if s >= 60.0 && s % 60.0 == 0.0 => format!("{} min", s / 60.0),
        s => format!("{s} s"),
    }
}

fn clock(minutes: f64) -> String {
    format!("{:02}:{:02}", (minutes / 60.0).floor(), minutes % 60.0)
}

/// The arguments; none where what was said makes no sense.
pub(super) fn arguments(kind: &str, mut caught: Map<String, Value>) -> Option<Map<String, Value>> {
    // Where the speaker names the assistant, or the agent once more.
    caught.remove("assistant");
    caught.remove("ignored");
    match kind {
        "fault" => {
            let x = caught.remove("x").and_then(|x| x.as_f64());
            let name = caught.get("fault")?.as_str()?.to_owned();
            let fault = match (name.as_str(), x) {
                ("Freeze", None) => name,
                ("Freeze", Some(_)) | (_, None) => return None,
                (_, Some(x)) => format!("{name}({x})"),
            };
            caught.insert("fault".to_owned(), json!(fault));
        }
        "set" => {
            let value = caught.remove("value")?;
            let value = match value.as_f64() {
                Some(value) => value,
                None => amount(&value, caught.get("parameter")?.as_str()?)?,
            };
            caught.insert("value".to_owned(), json!(value));
        }
        "schedule" => {
            let text = |name: &str| caught.get(name).and_then(Value::as_str).map(str::to_owned);
            let number = |name: &str| caught.get(name).and_then(Value::as_f64);
            let when = match (text("on"), number("at"), number("every_s"), number("in_s")) {
                (Some(on), Some(at), None, None) => format!("every {on} at {}", clock(at)),
                (None, Some(at), None, None) => format!("at {}", clock(at)),
                (None, None, Some(s), None) => format!("every {}", duration(s)),
                (None, None, None, Some(s)) => format!("in {}", duration(s)),
                _ => return None,
            };
            let say = text("say")?;
            caught = Map::from_iter([
                ("when".to_owned(), json!(when)),
                ("say".to_owned(), json!(say)),
            ]);
        }
        "step" => {
            caught.entry("ticks").or_insert(json!(1));
        }
        // A distance or an angle of nothing is a slip of the tongue.
        "move" if caught.get("distance_m").and_then(Value::as_f64) == Some(0.0) => return None,
        "turn" if caught.get("angle_rad").and_then(Value::as_f64) == Some(0.0) => return None,
        _ => {}
    }
    Some(caught)
}
