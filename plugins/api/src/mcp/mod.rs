//! The Model Context Protocol: tools, resources and prompts over the resources of `/v1`. Over HTTP (`/mcp`) a caller has the
//! role of its token; over standard input and output (`becomingone mcp`) that of the token that the program was given.
//!
//! - `tools`: what there is to call, and its arguments. `calls`: what a tool asks, and how its answer is written.
//! - `here`: the tools from within this process. `session`: what the calls of a client have in common. `approval`: what a person decides. `resources`: scenes, guide, recordings. `prompts`.

mod approval;
mod calls;
mod here;
mod prompts;
mod resources;
mod session;
mod text;
mod tools;

pub use here::{ToolAnswer, Tools};

use crate::ask::Ask;
use crate::idempotency;
use crate::problem::Problem;
use approval::Approvals;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, GetPromptRequestParams, GetPromptResponse,
    Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use session::Mcp;
use std::sync::Arc;
use std::time::Duration;

/// Most sessions over HTTP.
const MAX_SESSIONS: usize = 64;
/// The header with the session of a request.
const SESSION: &str = "mcp-session-id";
/// Sessions over HTTP say that they are alive.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

const INSTRUCTIONS: &str = "A robot or vehicle that runs in simulation or on hardware. `status` first: every figure has its \
unit and the tick that it is of. Nothing moves without a lease, which a person approves: `lease`, then `drive`, `move` or `go_to`. \
`stop` needs no lease, acts at once and latches; only `clear_stop` ends it. `diagnose` tells which sensor disagrees with the \
prediction. What is refused says what is expected.";

impl From<Problem> for ErrorData {
    fn from(problem: Problem) -> Self {
        match problem.status {
            404 => Self::resource_not_found(problem.detail, None),
            status if status < 500 => Self::invalid_params(problem.detail, None),
            _ => Self::internal_error(problem.detail, None),
        }
    }
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new("becomingone", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(INSTRUCTIONS.to_owned());
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        calls::call(self, request, &context).await
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(
            resources::list(self, &context).await,
        ))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(
            resources::templates(),
        ))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(self, &request.uri, &context).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::all()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request)
    }
}

/// Refuses a client that would begin one session too many.
async fn bounded(
    State(sessions): State<Arc<LocalSessionManager>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let is_new = request.method() == Method::POST && !request.headers().contains_key(SESSION);
    if is_new && sessions.sessions.read().await.len() >= MAX_SESSIONS {
        return Err(Problem::unavailable(format!(
            "found {MAX_SESSIONS} sessions; expected one of them to end first"
        )));
    }
    Ok(next.run(request).await)
}

/// The protocol over HTTP, for the callers of this gate.
pub(crate) fn router(ask: Ask) -> Router {
    let approvals = Approvals::default();
    // Host and origin were looked at by the gate.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_sse_keep_alive(Some(ALIVE_EVERY));
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(
        move || Ok(Mcp::new(ask.clone(), approvals.clone())),
        sessions.clone(),
        config,
    );
    Router::new()
        .route_service("/mcp", service)
        .layer(from_fn(idempotency::bounded))
        .layer(from_fn_with_state(sessions, bounded))
}

/// Serves the client at standard input and output until it closes them.
pub(crate) async fn serve_stdio(ask: Ask) -> Result<(), String> {
    let server = Mcp::new(ask, Approvals::default());
    let served = server.serve(rmcp::transport::stdio()).await;
    let running = match served {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    running.waiting().await.map_err(|e| e.to_string())?;
    Ok(())
}
