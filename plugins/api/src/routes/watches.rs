//! Watches of the run: set, listed, ended. Their firings are among the run's events.

use crate::extract::{Body, Path};
use crate::gate::Caller;
use crate::problem::Problem;
use crate::server::Server;
use crate::watches::{WatchAsked, WatchView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Watches of the run.
#[derive(Serialize, ToSchema)]
pub(crate) struct WatchList {
    /// In the order in which they were set.
    watches: Vec<WatchView>,
}

/// All watches.
#[utoipa::path(
    get, path = "/watches", tag = "watches",
    responses((status = 200, body = WatchList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Json<WatchList> {
    Json(WatchList {
        watches: server.board.watches.list(),
    })
}

/// Sets a watch: a condition of an agent that each tick looks at, also while nobody is connected. Every role may, at most
/// 64 of a run. When it fires, `/v1/events` has an event with its id. A watch with a known key replaces that one, or is
/// that one where they are equal.
#[utoipa::path(
    post, path = "/watches", tag = "watches", request_body = WatchAsked,
    responses(
        (status = 200, body = WatchView, description = "The watch of this key, from the next tick on"),
        (status = 201, body = WatchView, description = "It is looked at from the next tick on"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn set(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<WatchAsked>,
) -> Result<(StatusCode, Json<WatchView>), Problem> {
    let watches = &server.board.watches;
    if !watches.may_be_set() {
        // Agents are known from the first tick on.
        server.view(Vec::new()).await?;
    }
    let (watch, is_new) = watches.set(asked, caller.role)?;
    let status = match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(watch)))
}

/// Ends a watch. One that was set with a token of a higher role stays.
#[utoipa::path(
    delete, path = "/watches/{id}", tag = "watches", params(("id" = String, Path, description = "Its id: `w1`")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn end(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    server.board.watches.end(&id, caller.role)?;
    Ok(StatusCode::NO_CONTENT)
}
