//! Answers as text: every figure with its unit, and the tick that it is of.

use serde_json::Value;
use std::fmt::Write as _;

fn number(x: &Value, digits: usize) -> Option<String> {
    x.as_f64().map(|x| format!("{x:.digits$}"))
}

/// Where a run is.
pub(super) fn run(state: &Value) -> String {
    format!(
        "{}: tick {}, {} s of the run, {}",
        state["scene"].as_str().unwrap_or_default(),
        state["tick"],
        number(&state["time_s"], 3).unwrap_or_default(),
        if state["is_paused"] == true {
            "paused"
        } else {
            "running"
        }
    )
}

/// An agent, in one line.
pub(super) fn agent(state: &Value) -> String {
    let mut text = state["agent"].as_str().unwrap_or_default().to_owned();
    let _ = write!(text, ": {}", state["mode"].as_str().unwrap_or_default());
    let pose = &state["pose"];
    if let (Some(x), Some(y), Some(yaw)) = (
        number(&pose["x_m"], 3),
        number(&pose["y_m"], 3),
        number(&pose["yaw_rad"], 3),
    ) {
        let from = pose["from"].as_str().unwrap_or_default();
        let _ = write!(text, ", at x {x} m, y {y} m, yaw {yaw} rad (by {from})");
    }
    let velocity = &state["velocity"];
    if let (Some(linear), Some(angular)) = (
        number(&velocity["linear_m_s"], 3),
        number(&velocity["angular_rad_s"], 3),
    ) {
        let _ = write!(text, ", {linear} m/s, {angular} rad/s");
    }
    let kernel = &state["kernel"];
    if let Some(order) = number(&kernel["order"], 3) {
        let _ = write!(text, ", order {order} of 1");
    }
    if let Some(surprise) = number(&kernel["surprise"], 2) {
        let _ = write!(text, ", surprise {surprise} (alarm above 1)");
    }
    match state["cause"].as_str() {
        Some(cause) => {
            let _ = write!(text, ", ALARM: {cause} deviates from the prediction");
        }
        None if state["alarm"] == true => text.push_str(", ALARM"),
        None => {}
    }
    if let Some(sender) = state["request"].as_str() {
        let _ = write!(text, ", follows a request of {sender}");
    }
    if let Some(sender) = state["stopped_by"].as_str() {
        let _ = write!(text, ", STOPPED by {sender}: only `clear_stop` ends it");
    }
    text
}

/// Events, a line each.
pub(super) fn events(list: &Value) -> String {
    let mut text = String::new();
    if let Some(lost) = list["lost"].as_u64().filter(|lost| *lost > 0) {
        let _ = writeln!(text, "{lost} events before these are kept no longer");
    }
    let all = list["events"].as_array().into_iter().flatten();
    for event in all {
        let _ = writeln!(
            text,
            "{}  {} s  {}: {}",
            event["number"],
            number(&event["time_s"], 3).unwrap_or_default(),
            event["agent"].as_str().unwrap_or_default(),
            event["text"].as_str().unwrap_or_default()
        );
    }
    match text.is_empty() {
        true => "no events".to_owned(),
        false => text,
    }
}

/// A watch, in one line.
pub(super) fn watch(watch: &Value) -> String {
    let text = |name: &str| watch[name].as_str().unwrap_or_default();
    let part = ["channel", "sensor", "event"].map(text).concat();
    let mut line = format!("{}: {}", text("id"), text("what"));
    if !part.is_empty() {
        let _ = write!(line, " {part}");
    }
    let _ = write!(line, " of {}", text("agent"));
    // The kind of an event is `event` as well.
    if text("how") != text("what") {
        let _ = write!(line, ", {}", text("how"));
    }
    if let Some(value) = watch["value"].as_f64() {
        let _ = write!(line, " {value}");
    }
    if let Some(hysteresis) = watch["hysteresis"].as_f64() {
        let _ = write!(line, ", hysteresis {hysteresis}");
    }
    if let Some(dwell_s) = watch["dwell_s"].as_f64().filter(|s| *s > 0.0) {
        let _ = write!(line, ", for {dwell_s} s");
    }
    if let Some(now) = number(&watch["now"], 3) {
        let _ = write!(line, "; now {now}");
    }
    let _ = write!(line, "; fired {} times", watch["firings"]);
    if let Some(last_s) = number(&watch["last_s"], 3) {
        let _ = write!(line, ", last at {last_s} s");
    }
    if let Some(key) = watch["key"].as_str() {
        let _ = write!(line, " (key {key})");
    }
    line
}

/// A reading, each number with its name and unit.
pub(super) fn reading(sensor: &Value) -> String {
    let name = sensor["sensor"].as_str().unwrap_or_default();
    let mut text = format!("{name} ({})", sensor["kind"].as_str().unwrap_or_default());
    match number(&sensor["source_s"], 3) {
        Some(s) => {
            let _ = write!(text, ", measured at {s} s of the run");
        }
        None => text.push_str(", no reading yet"),
    }
    if sensor["is_stale"] == true {
        text.push_str(", STALE");
    }
    let _ = write!(
        text,
        ", {} readings, {} lost:",
        sensor["readings"], sensor["dropped"]
    );
    let names = sensor["fields"].as_array().into_iter().flatten().cycle();
    let units = sensor["units"].as_array().into_iter().flatten().cycle();
    let values = sensor["values"].as_array().into_iter().flatten();
    for ((value, name), unit) in values.zip(names).zip(units) {
        let value = value.as_f64().map_or("none".to_owned(), |x| x.to_string());
        let _ = write!(
            text,
            "\n{} {value} {}",
            name.as_str().unwrap_or_default(),
            unit.as_str().unwrap_or_default()
        );
    }
    text
}

/// A list of names, a line each, of this field and maybe a second one.
pub(super) fn names(list: &Value, name: &str, about: &str) -> String {
    let all = list.as_array().into_iter().flatten();
    let lines = all.map(|item| {
        let name = item[name].as_str().unwrap_or_default();
        match &item[about] {
            Value::Null => name.to_owned(),
            Value::String(about) => format!("{name}: {about}"),
            about => format!("{name}: {about}"),
        }
    });
    let lines: Vec<_> = lines.collect();
    match lines.is_empty() {
        true => "none".to_owned(),
        false => lines.join("\n"),
    }
}
