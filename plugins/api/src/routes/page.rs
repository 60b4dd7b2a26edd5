//! The page, and how it is signed in.

use crate::extract::Body;
use crate::gate::Gate;
use crate::problem::Problem;
use crate::server::Server;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

const HTML: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/style.css");
/// Address and text of each script.
const SCRIPTS: [(&str, &str); 10] = [
    ("/api.js", include_str!("../page/api.js")),
    ("/drive.js", include_str!("../page/drive.js")),
    ("/kernel.js", include_str!("../page/kernel.js")),
    ("/map.js", include_str!("../page/map.js")),
    ("/page.js", include_str!("../page/page.js")),
    ("/runs.js", include_str!("../page/runs.js")),
    ("/sensors.js", include_str!("../page/sensors.js")),
    ("/stop.js", include_str!("../page/stop.js")),
    ("/stream.js", include_str!("../page/stream.js")),
    ("/talk.js", include_str!("../page/talk.js")),
];

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    let page = Router::new()
        .route("/", file("text/html; charset=utf-8", HTML))
        .route("/style.css", file("text/css; charset=utf-8", STYLE));
    SCRIPTS.into_iter().fold(page, |page, (path, text)| {
        page.route(path, file("text/javascript; charset=utf-8", text))
    })
}

/// The page and its sign-in, of a server with this gate.
pub(crate) fn router_of<S: Clone + Send + Sync + 'static>(
    gate: Arc<Gate>,
    is_secure: bool,
) -> Router<S> {
    let sign_in = move |Body(code): Body<Code>| {
        let cookie = gate.sign_in(&code.code, is_secure);
        async move { cookie.map(|cookie| (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)])) }
    };
    router().route("/v1/session", post(sign_in))
}

/// The code that a run prints at its start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// Good once.
    code: String,
}

/// Signs a page in, by the code in its address; the answer sets a cookie.
#[utoipa::path(
    post, path = "/session", tag = "server", security(()), request_body = Code,
    responses(
        (status = 204, description = "The page is signed in"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn sign_in(
    State(server): State<Arc<Server>>,
    Body(code): Body<Code>,
) -> Result<impl IntoResponse, Problem> {
    let cookie = server.gate.sign_in(&code.code, server.is_secure)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}
