//! Foxglove's live protocol (`foxglove.sdk.v1`): the topics of a recording, as they come. `client` serves a connection;
//! `services`, `parameters`, `playback` and `publish` are what it may ask for.
//!
//! The messages are those of the crate `foxglove`, the connections are this server's: the crate's own server takes everybody
//! who finds its port, and does not say which connection a message is of, which roles and leases need.

mod client;
mod parameters;
mod playback;
mod publish;
mod services;

use crate::connections::{Open, Streaming};
use crate::extract::Query;
use crate::gate::Caller;
use crate::problem::Problem;
use crate::question::part;
use crate::server::Server;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use client::Client;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Version of the protocol, as clients ask for it.
const PROTOCOL: &str = "foxglove.sdk.v1";
/// Largest message of a client: schemas of what it publishes are in some.
const MAX_MESSAGE: usize = 256 << 10;

/// The connection itself, which the description of REST does not have.
pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/foxglove", get(connect))
        .route("/v1/foxglove", get(connect))
}

/// A code for a client that can send no header, as Foxglove's app.
#[derive(Serialize, ToSchema)]
pub(crate) struct CodeView {
    /// Good once.
    code: String,
    /// Time for which it is good (s).
    lasts_s: u64,
    /// Path of the connection with it; `&lease=ID` may follow.
    path: String,
}

/// A code with which one client connects to `/foxglove?code=CODE`, once. The client may do what the caller may.
#[utoipa::path(
    post, path = "/foxglove/code", tag = "stream",
    responses(
        (status = 201, body = CodeView),
        (status = 401, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn code(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<CodeView>), Problem> {
    let (code, lasts) = server.gate.client_code(caller)?;
    // Of a run of several, as well.
    let path = format!("/v1/runs/{}/foxglove?code={code}", part(&server.name));
    let lasts_s = lasts.as_secs();
    Ok((
        StatusCode::CREATED,
        Json(CodeView {
            code,
            lasts_s,
            path,
        }),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// In place of a token.
    code: Option<String>,
    /// Secret of the lease of the agent that the client moves.
    lease: Option<String>,
}

async fn connect(
    State(server): State<Arc<Server>>,
    Query(options): Query<Options>,
    Extension(open): Extension<Arc<Open>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE);
    // Before the code is used up.
    if upgrade.selected_protocol().is_none() {
        return Err(Problem::bad(format!(
            "found no subprotocol of this server; expected `Sec-WebSocket-Protocol: {PROTOCOL}`"
        )));
    }
    let caller = match &options.code {
        Some(code) => server.gate.by_code(code)?,
        None => server.gate.caller(&headers, false)?,
    };
    open.know();
    let streaming = Streaming::begin(open).ok_or_else(Streaming::too_many)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _streaming = streaming;
        Client::new(server, caller, options.lease).run(socket).await;
    }))
}
