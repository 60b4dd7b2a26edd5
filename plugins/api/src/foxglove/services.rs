//! Services of Foxglove's protocol: stops for everybody, the run for operators.

use crate::command::FOXGLOVE;
use crate::server::Server;
use crate::token::Role;
use foxglove::ws_protocol::schema::Schema;
use foxglove::ws_protocol::server::advertise_services::Service;

/// Encoding of requests and answers.
pub(super) const JSON: &str = "json";
const SCHEMA: &str = "jsonschema";
const REQUEST: &str = r#"{"title":"becomingone.Trigger","type":"object"}"#;
const ANSWER: &str = r#"{"title":"becomingone.Done","type":"object","properties":{"success":{"type":"boolean"},"message":{"type":"string"}}}"#;

/// What a service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    StopAll,
    Stop(String),
    Pause,
    Resume,
    Reset,
}

/// Names of the services that a client of this role has, and what they do.
pub(super) fn offered(role: Role, agents: &[String]) -> Vec<(String, Call)> {
    let mut all = vec![("/stop".to_owned(), Call::StopAll)];
    let stops = agents.iter().map(|agent| {
        let name = format!("/agents/{agent}/stop");
        (name, Call::Stop(agent.clone()))
    });
    all.extend(stops);
    if role >= Role::Operator {
        let run = [
            ("/pause", Call::Pause),
            ("/resume", Call::Resume),
            ("/reset", Call::Reset),
        ];
        all.extend(run.map(|(name, call)| (name.to_owned(), call)));
    }
    all
}

/// The advertisement of a service; none where its schemas cannot be encoded.
pub(super) fn advertised(id: u32, name: &str) -> Option<Service<'_>> {
    let schema =
        |name: &'static str, text: &'static str| Schema::new(name, SCHEMA, text.as_bytes());
    Service::new(id, name, "becomingone.Trigger")
        .with_request(JSON, schema("becomingone.Trigger", REQUEST))
        .and_then(|service| service.with_response(JSON, schema("becomingone.Done", ANSWER)))
        .ok()
}

impl Call {
    /// Does it; returns what was done.
    pub(super) fn run(&self, server: &Server) -> Result<String, String> {
        match self {
            Self::StopAll => {
                server.stop_all(FOXGLOVE);
                Ok("every agent stops".to_owned())
            }
            Self::Stop(agent) => {
                let stopped = server.stop(agent, FOXGLOVE);
                stopped.map_err(|unknown| unknown.to_string())?;
                Ok(format!("{agent} stops"))
            }
            Self::Pause => {
                server.run.pause();
                Ok("the run is paused".to_owned())
            }
            Self::Resume => {
                server.run.resume();
                Ok("the run goes on".to_owned())
            }
            Self::Reset => {
                server.run.reset();
                Ok("the run begins anew".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_can_only_stop() {
        let agents = ["crane".to_owned(), "rover".to_owned()];
        let names = |role| {
            let all = offered(role, &agents).into_iter();
            all.map(|(name, _)| name).collect::<Vec<_>>()
        };
        let stops = ["/stop", "/agents/crane/stop", "/agents/rover/stop"];
        assert_eq!(names(Role::Viewer), stops);
        let all = [&stops[..], &["/pause", "/resume", "/reset"]].concat();
        assert_eq!(names(Role::Operator), all);
        assert!(advertised(1, "/stop").is_some());
    }
}
