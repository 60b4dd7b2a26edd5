//! Which operation asks which resource of `/v1`.

use crate::problem::Problem;
use crate::question::{Question, part};
use axum::http::Method;
use serde_json::{Map, Value};

/// Method, path and fields of the body of an operation; fields of the path are taken from the message.
type Operation = (Method, &'static str, Fields);

/// What is left of a message.
enum Fields {
    /// Nothing.
    None,
    /// The query.
    Query,
    /// A body.
    Body,
}

fn operation(name: &str) -> Option<Operation> {
    use Fields::{Body, None as No, Query};
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    Some(match name {
        "GetVersion" => (get, "version", No),
        "GetRun" => (get, "run", No),
        "Pause" => (post, "run/pause", No),
        "Resume" => (post, "run/resume", No),
        "Step" => (post, "run/step", Body),
        "Seek" => (post, "run/seek", Body),
        "SetPace" => (post, "run/pace", Body),
        "Reset" => (post, "run/reset", No),
        "End" => (post, "run/end", No),
        "ListAgents" => (get, "agents", No),
        "GetAgent" => (get, "agents/{agent}", No),
        "ListParameters" => (get, "agents/{agent}/parameters", No),
        "ListFaults" => (get, "agents/{agent}/faults", No),
        "ListPlaces" => (get, "places", No),
        "ListSensors" => (get, "sensors", No),
        "ListReadings" => (get, "readings", Query),
        "GetSensor" => (get, "sensors/{agent}/{sensor}", No),
        "ListEvents" => (get, "events", Query),
        "StopAll" => (post, "stop", No),
        "Stop" => (post, "agents/{agent}/stop", No),
        "ClearStop" => (post, "agents/{agent}/clear_stop", No),
        "ListLeases" => (get, "leases", No),
        "GrantLease" => (post, "agents/{agent}/lease", Body),
        "Heartbeat" => (post, "agents/{agent}/lease/heartbeat", No),
        "ReleaseLease" => (delete, "agents/{agent}/lease", No),
        "Command" => (post, "agents/{agent}/requests", Body),
        _ => return None,
    })
}

/// The question of an operation with these fields.
pub(super) fn question(name: &str, asked: Value) -> Result<Question, Problem> {
    let (method, template, rest) = operation(name)
        .ok_or_else(|| Problem::not_found(format!("found no operation `{name}`")))?;
    let Value::Object(mut fields) = asked else {
        return Err(Problem::bad("expected a message with fields"));
    };
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    let mut path = match text("run") {
        Some(run) => format!("/v1/runs/{}", part(&run)),
        None => "/v1".to_owned(),
    };
    let (lease, key) = (text("lease"), text("idempotency_key"));
    for segment in template.split('/') {
        path.push('/');
        match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            None => path.push_str(segment),
            Some(name) => {
                let found = text(name);
                let found = found.ok_or_else(|| Problem::bad(format!("expected `{name}`")))?;
                path.push_str(&part(&found));
            }
        }
    }
    let body = match rest {
        Fields::None => None,
        Fields::Query => {
            let all = fields.iter().map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), part);
                format!("{name}={value}")
            });
            path = format!("{path}?{}", all.collect::<Vec<_>>().join("&"));
            None
        }
        Fields::Body => Some(match name {
            "Command" => command(fields)?,
            // Null, and not missing.
            "SetPace" => {
                fields.entry("factor").or_insert(Value::Null);
                Value::Object(fields)
            }
            _ => Value::Object(fields),
        }),
    };
    Ok(Question {
        method,
        path,
        body,
        lease,
        key,
    })
}

/// Content of a command: its kind is a field of the resource, and the field itself in a message.
fn command(mut fields: Map<String, Value>) -> Result<Value, Problem> {
    let for_s = fields.remove("for_s");
    let kind = fields.into_iter().find(|(_, content)| content.is_object());
    let Some((kind, Value::Object(mut content))) = kind else {
        return Err(Problem::bad(
            "found a command of no kind; expected `drive`, `car`, `stick`, `joints`, `go_to`, `move`, `turn`, `set`, `fault` or `end_faults`",
        ));
    };
    content.insert("kind".to_owned(), Value::from(kind));
    content.extend(for_s.map(|for_s| ("for_s".to_owned(), for_s)));
    Ok(Value::Object(content))
}

#[cfg(test)]
mod tests {
    use super::super::message::{Messages, from_json, to_json};
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operation_without_a_stream_asks_a_resource() {
        let messages = Messages::new().unwrap();
        for method in messages.service.methods() {
            let is_stream = method.is_client_streaming() || method.is_server_streaming();
            assert_eq!(
                operation(method.name()).is_none(),
                is_stream,
                "{}",
                method.name()
            );
        }
    }

    #[test]
    fn fields_go_to_path_query_headers_and_body() {
        let asked = |name: &str, content: Value| {
            let messages = Messages::new().unwrap();
            let method = messages
                .service
                .methods()
                .find(|m| m.name() == name)
                .unwrap();
            let message = from_json(method.input(), content).unwrap();
            let asked = question(name, to_json(&message).unwrap()).unwrap();
            (asked.method, asked.path, asked.body, asked.lease)
        };
        assert_eq!(
            asked("GetSensor", json!({"agent": "a b", "sensor": "i/u"})),
            (
                Method::GET,
                "/v1/sensors/a%20b/i%2Fu".to_owned(),
                None,
                None
            )
        );
        assert_eq!(
            asked("ListEvents", json!({"run": "yard", "after": 3})),
            (
                Method::GET,
                "/v1/runs/yard/events?after=3".to_owned(),
                None,
                None
            )
        );
        let drive =
            json!({"agent": "rover", "lease": "x", "for_s": 2, "drive": {"linear_m_s": 0.5}});
        assert_eq!(
            asked("Command", drive),
            (
                Method::POST,
                "/v1/agents/rover/requests".to_owned(),
                Some(
                    json!({"kind": "drive", "linear_m_s": 0.5, "angular_rad_s": 0.0, "for_s": 2.0})
                ),
                Some("x".to_owned())
            )
        );
        assert_eq!(asked("SetPace", json!({})).2, Some(json!({"factor": null})));
        assert!(question("Stop", json!({"agent": ""})).is_err());
        assert!(question("Command", json!({"agent": "rover"})).is_err());
    }
}
