//! The tools, called from within this process: by the same protocol, with the same rules as everybody's.

use super::session::Mcp;
use crate::ask::Ask;
use crate::client::Client;
use crate::mcp::approval::Approvals;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, Implementation, JsonObject,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::{ClientHandler, ErrorData, RoleClient, ServiceExt as _};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Bytes on their way between the two ends.
const BUFFER: usize = 1 << 16;

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolAnswer {
    /// For a reader.
    pub text: String,
    /// The same for a program; null where there is none.
    pub content: Value,
    /// A picture (PNG, base64), where the answer is one.
    pub picture: Option<String>,
    /// Whether it was refused; `text` says why.
    pub is_refused: bool,
}

/// Decides what a person is asked: true to accept.
type Decide = Arc<dyn Fn(&str) -> bool + Send + Sync>;

struct Person(Decide);

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            ClientCapabilities::builder().enable_elicitation().build(),
            Implementation::new("becomingone-assistant", env!("CARGO_PKG_VERSION")),
        )
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        let decide = self.0.clone();
        // A person takes time.
        let decided = tokio::task::spawn_blocking(move || decide(&message)).await;
        Ok(match decided {
            Ok(true) => ElicitResult::new(ElicitationAction::Accept)
                .with_content(Value::Object(JsonObject::new())),
            _ => ElicitResult::new(ElicitationAction::Decline),
        })
    }
}

/// A session with the tools of a server.
pub struct Tools {
    session: Option<RunningService<RoleClient, Person>>,
    runtime: Option<Runtime>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

impl Tools {
    /// Begins a session with the tools of this client's server. `decide` is asked what only a person may decide: leases, and
    /// the end of a stop.
    ///
    /// # Errors
    ///
    /// What the system says, where it gives no thread.
    pub fn new(
        client: Client,
        decide: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let server = Mcp::new(Ask::There(Arc::new(client)), Approvals::default());
        runtime.spawn(async move {
            if let Ok(running) = server.serve(theirs).await {
                let _ = running.waiting().await;
            }
        });
        let session = runtime.block_on(Person(Arc::new(decide)).serve(ours));
        Ok(Self {
            session: Some(session.map_err(|e| e.to_string())?),
            runtime: Some(runtime),
        })
    }

    /// Calls a tool, and waits for its answer.
    ///
    /// # Errors
    ///
    /// A tool or an argument that there is not, or a server that is gone.
    pub fn call(&self, tool: &str, arguments: JsonObject) -> Result<ToolAnswer, String> {
        let (Some(session), Some(runtime)) = (&self.session, &self.runtime) else {
            return Err("the session is over".to_owned());
        };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let answer = runtime.block_on(session.call_tool(request));
        let answer = answer.map_err(|e| e.to_string())?;
        let texts = answer.content.iter().filter_map(|part| part.as_text());
        let text = texts.map(|part| part.text.as_str()).collect::<Vec<_>>();
        let picture = answer.content.iter().find_map(|part| part.as_image());
        Ok(ToolAnswer {
            text: text.join("\n"),
            picture: picture.map(|picture| picture.data.clone()),
            content: answer.structured_content.unwrap_or_default(),
            is_refused: answer.is_error.unwrap_or_default(),
        })
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        drop(self.session.take());
        if let Some(runtime) = self.runtime.take() {
            // A person who is being asked does not hold it.
            runtime.shutdown_background();
        }
    }
}
