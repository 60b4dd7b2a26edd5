//! Answers as sentences: every number is one of the view whose tick is named.

use serde_json::Value;
use std::fmt::Write as _;

/// `[tick 1200, 1.200 s]`.
pub(crate) fn cited(view: &Value) -> String {
    match (view["tick"].as_u64(), view["time_s"].as_f64()) {
        (Some(tick), Some(s)) => format!(" [tick {tick}, {s:.3} s]"),
        (Some(tick), None) => format!(" [tick {tick}]"),
        _ => String::new(),
    }
}

fn name(of: &Value) -> &str {
    of["agent"].as_str().unwrap_or_default()
}

fn number(x: &Value, digits: usize) -> Option<String> {
    x.as_f64().map(|x| format!("{x:.digits$}"))
}

/// The agents of a view, or the one that is meant.
pub(crate) fn agents<'v>(view: &'v Value, wanted: Option<&str>) -> Vec<&'v Value> {
    let all = view["agents"].as_array().into_iter().flatten();
    all.filter(|agent| wanted.is_none_or(|wanted| agent["agent"] == wanted))
        .collect()
}

/// A sentence for each agent, and the tick.
pub(crate) fn each(
    view: &Value,
    wanted: Option<&str>,
    sentence: impl Fn(&Value) -> String,
) -> String {
    let all: Vec<String> = agents(view, wanted).into_iter().map(sentence).collect();
    match all.is_empty() {
        true => "there is no agent".to_owned(),
        false => format!("{}{}", all.join("\n"), cited(view)),
    }
}

pub(crate) fn place(agent: &Value) -> String {
    let pose = &agent["pose"];
    match (
        number(&pose["x_m"], 2),
        number(&pose["y_m"], 2),
        number(&pose["yaw_rad"], 2),
    ) {
        (Some(x), Some(y), Some(yaw)) => format!(
            "{} is at x {x} m, y {y} m, heading {yaw} rad, by {}",
            name(agent),
            pose["from"].as_str().unwrap_or_default()
        ),
        _ => format!("{} has no position", name(agent)),
    }
}

pub(crate) fn speed(agent: &Value) -> String {
    let velocity = &agent["velocity"];
    match (
        number(&velocity["linear_m_s"], 2),
        number(&velocity["angular_rad_s"], 2),
    ) {
        (Some(linear), Some(angular)) => format!(
            "{} moves at {linear} m/s and turns at {angular} rad/s",
            name(agent)
        ),
        _ => format!("{} has no speed", name(agent)),
    }
}

pub(crate) fn surprise(agent: &Value) -> String {
    match number(&agent["kernel"]["surprise"], 2) {
        Some(s) => {
            let cause = agent["cause"]
                .as_str()
                .map(|cause| format!("; {cause} deviates from its prediction"));
            format!(
                "{}: surprise {s}, alarm above 1{}",
                name(agent),
                cause.unwrap_or_default()
            )
        }
        None if agent["kernel"].is_null() => format!("{} has no kernel", name(agent)),
        None => format!(
            "{}: no surprise yet, its self-model is not trained",
            name(agent)
        ),
    }
}

pub(crate) fn coherence(agent: &Value) -> String {
    let kernel = &agent["kernel"];
    match (
        number(&kernel["order"], 3),
        number(&kernel["order_master"], 3),
    ) {
        (Some(order), Some(master)) => {
            let coherence = number(&kernel["coherence"], 3).map(|c| format!(", coherence {c}"));
            format!(
                "{}: order {order} in the short window and {master} in the long one{}; Emissary and Master: {}",
                name(agent),
                coherence.unwrap_or_default(),
                kernel["synchronization"].as_str().unwrap_or_default()
            )
        }
        _ => format!("{} has no kernel", name(agent)),
    }
}

pub(crate) fn goal(agent: &Value) -> String {
    let goal = &agent["goal"];
    match (number(&goal["x_m"], 2), number(&goal["y_m"], 2)) {
        (Some(x), Some(y)) => {
            let left = number(&goal["distance_m"], 2).map(|d| format!(", {d} m left"));
            format!(
                "{} is going to x {x} m, y {y} m{}",
                name(agent),
                left.unwrap_or_default()
            )
        }
        _ => match agent["mode"].as_str() {
            Some("controller") => format!(
                "{} follows its controller; nobody has sent it to a position",
                name(agent)
            ),
            _ => format!("{} has not been sent to a position", name(agent)),
        },
    }
}

/// Who decides what it does.
fn mode(agent: &Value) -> String {
    let by = agent["request"]
        .as_str()
        .map_or("a request".to_owned(), |by| format!("a request of {by}"));
    match agent["mode"].as_str().unwrap_or_default() {
        "controller" => "follows its controller".to_owned(),
        "request" => format!("follows {by}"),
        "limited" => format!("follows {by}, at a limited speed"),
        "safety_stop" => "is in a safety stop".to_owned(),
        "stopped" => format!(
            "is stopped by {}, until the stop is cleared",
            agent["stopped_by"].as_str().unwrap_or("somebody")
        ),
        _ => "has no drive".to_owned(),
    }
}

pub(crate) fn status(agent: &Value) -> String {
    let mut text = format!("{} {}", name(agent), mode(agent));
    let (pose, velocity) = (&agent["pose"], &agent["velocity"]);
    if let (Some(x), Some(y)) = (number(&pose["x_m"], 2), number(&pose["y_m"], 2)) {
        let _ = write!(text, ", at x {x} m, y {y} m");
    }
    if let Some(linear) = number(&velocity["linear_m_s"], 2) {
        let _ = write!(text, ", {linear} m/s");
    }
    if let Some(s) = number(&agent["kernel"]["surprise"], 2) {
        let _ = write!(text, ", surprise {s}");
    }
    match agent["cause"].as_str() {
        Some(cause) => {
            let _ = write!(text, ", ALARM: {cause} deviates from its prediction");
        }
        None if agent["alarm"] == true => text.push_str(", ALARM"),
        None => {}
    }
    text
}

/// An event's text of this agent, the last that fits.
fn last<'e>(
    events: &'e [Value],
    agent: &str,
    fits: impl Fn(&str) -> bool,
) -> Option<(&'e str, f64)> {
    let mut of_agent = events.iter().rev().filter(|event| event["agent"] == agent);
    of_agent.find_map(|event| {
        let text = event["text"].as_str().filter(|text| fits(text))?;
        Some((text, event["time_s"].as_f64()?))
    })
}

/// What is wrong with an agent, by its state and the last events.
pub(crate) fn diagnosis(agent: &Value, events: &[Value]) -> String {
    let who = name(agent);
    let surprise = number(&agent["kernel"]["surprise"], 2);
    if agent["alarm"] != true {
        let stopped = agent["stopped_by"]
            .as_str()
            .map(|by| format!("; stopped by {by}"));
        let over = last(events, who, |text| text.starts_with("alarm: ")).map(|(text, s)| {
            let cause = text.strip_prefix("alarm: ").unwrap_or(text);
            format!("; there was an alarm at {s:.1} s, as {cause}")
        });
        let state = match surprise {
            Some(s) => format!("nothing is wrong (surprise {s}, alarm above 1)"),
            None if agent["kernel"].is_null() => "has no kernel that could tell".to_owned(),
            None => "cannot tell yet: its self-model is not trained".to_owned(),
        };
        return format!(
            "{who}: {state}{}{}",
            over.unwrap_or_default(),
            stopped.unwrap_or_default()
        );
    }
    let slowed = last(events, who, |text| text == "speed limited");
    let raised = last(events, who, |text| text.starts_with("alarm: "));
    let similar = last(events, who, |text| text.starts_with("similar to "));
    let mut text = match slowed {
        Some((_, s)) if agent["mode"] == "limited" || raised.is_some_and(|(_, at)| s >= at) => {
            format!("{who} slowed down at {s:.1} s: ")
        }
        _ => format!("{who}: "),
    };
    match agent["cause"].as_str() {
        Some(cause) => text += &format!("{cause} deviates from its prediction"),
        None => text += "readings deviate from the prediction",
    }
    if let Some(s) = surprise {
        let _ = write!(text, " (surprise {s}, alarm above 1)");
    }
    if let Some((_, s)) = raised {
        let _ = write!(text, ", since {s:.1} s");
    }
    text.push('.');
    if let Some((label, s)) = similar
        && raised.is_none_or(|(_, at)| s >= at)
    {
        let _ = write!(
            text,
            " Looks like {}.",
            label.trim_start_matches("similar to ")
        );
    }
    text
}

/// Events, a line each.
pub(crate) fn events(list: &[Value]) -> String {
    let lines = list.iter().map(|event| {
        let s = event["time_s"].as_f64().unwrap_or_default();
        format!(
            "{}  {s:.3} s  {}: {}",
            event["number"],
            name(event),
            event["text"].as_str().unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether an event is of this kind.
pub(crate) fn is_of(event: &Value, kind: &str) -> bool {
    let text = event["text"].as_str().unwrap_or_default();
    match kind {
        "collision" => text.starts_with("touched "),
        "alarm" => text.starts_with("alarm: "),
        "goal" => {
            text.starts_with("goal ") && text.contains("reached") || text == "all goals reached"
        }
        "stop" => text.starts_with("stopped by ") || text.starts_with("safety stop"),
        "fault" => text.starts_with("fault begins"),
        "stale" => text.ends_with("became stale"),
        _ => false,
    }
}

/// Names, in a row: `rover, arm`.
pub(crate) fn row(names: &[String], none: &str) -> String {
    match names.is_empty() {
        true => none.to_owned(),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diagnosis_names_what_the_kernel_names() {
        let agent = json!({"agent": "rover", "alarm": true, "cause": "encoders/0", "mode": "limited", "kernel": {"surprise": 1.8412}});
        let events = [
            json!({"number": 1, "time_s": 6.9, "agent": "rover", "text": "touched crate_a"}),
            json!({"number": 2, "time_s": 12.3, "agent": "rover", "text": "alarm: encoders/0 deviates from its prediction"}),
            json!({"number": 3, "time_s": 12.4, "agent": "rover", "text": "speed limited"}),
            json!({"number": 4, "time_s": 12.4, "agent": "rover", "text": "similar to 00:06.9 touched crate_a (93 %)"}),
        ];
        assert_eq!(
            diagnosis(&agent, &events),
            "rover slowed down at 12.4 s: encoders/0 deviates from its prediction (surprise 1.84, alarm above 1), since 12.3 s. \
             Looks like 00:06.9 touched crate_a (93 %)."
        );
        let well = json!({"agent": "rover", "alarm": false, "kernel": {"surprise": 0.31}});
        assert_eq!(
            diagnosis(&well, &[]),
            "rover: nothing is wrong (surprise 0.31, alarm above 1)"
        );
    }
}
