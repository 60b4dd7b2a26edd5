//! What a person decides: the client asks the person in front of it (elicitation), for exactly these arguments, once.

use crate::token::Secret;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitRequestParams, ElicitationAction,
    ElicitationSchema, InputRequest, InputRequests, InputRequiredResult, ProtocolVersion,
};
use rmcp::service::{ElicitationMode, RequestContext};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a question waits for its person.
const ANSWERED_WITHIN: Duration = Duration::from_secs(300);
/// Most questions that wait.
const MAX_OPEN: usize = 64;
/// Name of the question.
const APPROVAL: &str = "approval";

/// Questions that wait for an answer in a later request.
#[derive(Clone, Default)]
pub(super) struct Approvals(Arc<Mutex<VecDeque<Open>>>);

struct Open {
    id: Secret,
    /// Text that the person is shown: the answer is for nothing else.
    text: String,
    until: Instant,
}

/// The decision.
pub(super) enum Decided {
    /// The person accepts.
    Yes,
    /// The person does not.
    No,
    /// The client is to ask.
    Ask(Box<InputRequiredResult>),
    /// The client asks nobody.
    Nobody,
}

impl Approvals {
    fn open(&self, text: &str) -> Option<String> {
        let id = Secret::random().ok()?;
        let shown = id.reveal().to_owned();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() == MAX_OPEN {
            open.pop_front();
        }
        open.push_back(Open {
            id,
            text: text.to_owned(),
            until: Instant::now() + ANSWERED_WITHIN,
        });
        Some(shown)
    }

    /// Takes the question with this number, if it was this one.
    fn take(&self, id: &str, text: &str) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        open.retain(|question| now < question.until);
        let found = open
            .iter()
            .position(|question| bool::from(question.id.is(id)));
        let question = found.and_then(|index| open.remove(index));
        question.is_some_and(|question| question.text == text)
    }

    /// Has a person decide.
    pub(super) async fn decide(
        &self,
        text: &str,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Decided {
        let version = context.protocol_version();
        let is_late = version.is_some_and(|v| v.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        if !is_late {
            return self::elicit(text, context).await;
        }
        if let (Some(answers), Some(id)) = (&request.input_responses, &request.request_state) {
            let answer = answers.get(APPROVAL).map_or(&Value::Null, |answer| answer);
            let is_asked = self.take(id, text);
            return match is_asked && answer["action"] == "accept" {
                true => Decided::Yes,
                false => Decided::No,
            };
        }
        let can = context
            .client_capabilities()
            .is_some_and(|can| can.elicitation.is_some());
        let Some(id) = self.open(text).filter(|_| can) else {
            return Decided::Nobody;
        };
        let question = InputRequest::Elicitation(ElicitRequest::new(form(text)));
        let questions = InputRequests::from([(APPROVAL.to_owned(), question)]);
        Decided::Ask(Box::new(InputRequiredResult::new(
            Some(questions),
            Some(id),
        )))
    }
}

/// A question without fields: to accept it is the answer.
fn form(text: &str) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: text.to_owned(),
        requested_schema: ElicitationSchema::new(std::collections::BTreeMap::new()),
    }
}

async fn elicit(text: &str, context: &RequestContext<RoleServer>) -> Decided {
    let modes = context.peer.supported_elicitation_modes();
    if !modes.contains(&ElicitationMode::Form) {
        return Decided::Nobody;
    }
    let asked = context
        .peer
        .create_elicitation_with_timeout(form(text), Some(ANSWERED_WITHIN));
    match asked.await {
        Ok(answer) if answer.action == ElicitationAction::Accept => Decided::Yes,
        _ => Decided::No,
    }
}
