//! The resources below `/v1`, their description (`OpenAPI`), and the page.

mod agents;
mod kernel;
mod motion;
mod page;
mod parameters;
mod picture;
mod run;
mod status;
mod watches;

pub(crate) use page::router_of as page_of;
pub(crate) use run::{RunEntry, RunList, whole};
pub(crate) use status::health;

use crate::ask::Ask;
use crate::companion::{self, Companions};
use crate::foxglove;
use crate::gate;
use crate::grpc;
use crate::idempotency;
use crate::mcp;
use crate::problem::Problem;
use crate::server::Server;
use crate::stream;
use crate::watches as of_watches;
use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BecomingONE",
        description = "State of a run and its agents, and what may be told to them. Each resource of a run is found below `/v1/runs/{run}`, too. \
            Errors are problem+json and say what is expected. \
            A request with an `Idempotency-Key` that was answered before is answered as before, and does nothing.",
        license(name = "MIT", identifier = "MIT")
    ),
    components(schemas(Problem)),
    security(("token" = [])),
    modifiers(&Security)
)]
struct Description;

pub(crate) struct Security;

impl Modify for Security {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// What needs a token.
fn closed() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(status::version))
        .routes(routes!(agents::agents))
        .routes(routes!(agents::agent))
        .routes(routes!(kernel::kernel))
        .routes(routes!(kernel::truth))
        .routes(routes!(parameters::list))
        .routes(routes!(parameters::faults))
        .routes(routes!(agents::places))
        .routes(routes!(agents::sensors))
        .routes(routes!(agents::readings))
        .routes(routes!(agents::sensor))
        .routes(routes!(agents::events))
        .routes(routes!(watches::list, watches::set))
        .routes(routes!(watches::end))
        .routes(routes!(run::runs))
        .routes(routes!(run::state))
        .routes(routes!(picture::picture))
        .routes(routes!(run::pause))
        .routes(routes!(run::resume))
        .routes(routes!(run::step))
        .routes(routes!(run::seek))
        .routes(routes!(run::pace))
        .routes(routes!(run::reset))
        .routes(routes!(run::end))
        .routes(routes!(motion::stop_all))
        .routes(routes!(motion::stop))
        .routes(routes!(motion::clear_stop))
        .routes(routes!(motion::leases))
        .routes(routes!(motion::grant, motion::release))
        .routes(routes!(motion::heartbeat))
        .routes(routes!(motion::request))
        .routes(routes!(status::metrics))
        .routes(routes!(stream::stream))
        .routes(routes!(foxglove::code))
        .merge(companion::talk())
}

/// What does not.
fn open() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(status::health))
        .routes(routes!(page::sign_in))
        .merge(companion::hooks())
}

/// Everything that the server answers.
pub(crate) fn router(server: Arc<Server>, companions: Companions) -> Result<Router, String> {
    let of_run = from_fn_with_state(server.clone(), of_run);
    let resources = Router::new()
        .fallback_service(resources(server.clone()))
        .layer(of_run)
        .layer(Extension(companions));
    let ask = Ask::Here(resources.clone());
    let gate = server.gate.clone();
    let mcp = mcp::router(ask.clone()).layer(from_fn_with_state(gate.clone(), gate::admitted));
    let grpc = grpc::router(ask.clone(), server)?;
    Ok(grpc
        .merge(mcp)
        .fallback_service(resources)
        .layer(Extension(ask))
        .layer(from_fn_with_state(gate, gate::ours))
        .layer(from_fn(finish)))
}

/// The resources and the page.
fn resources(server: Arc<Server>) -> Router {
    let closed = closed()
        .layer(from_fn_with_state(
            server.replies.clone(),
            idempotency::once,
        ))
        .layer(from_fn(idempotency::bounded))
        .layer(from_fn_with_state(server.gate.clone(), gate::known));
    let (v1, mut api) = OpenApiRouter::with_openapi(Description::openapi())
        .nest("/v1", closed)
        .nest("/v1", open().layer(from_fn(idempotency::bounded)))
        .split_for_parts();
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let description = described(&api);
    let describe =
        move || async move { ([(header::CONTENT_TYPE, "application/json")], description) };
    v1.route("/v1/openapi.json", get(describe))
        .merge(page::router())
        .merge(foxglove::router())
        .fallback(missing)
        .method_not_allowed_fallback(no_method)
        .with_state(server)
}

/// `/v1/runs/{run}/agents` is `/v1/agents` of the only run.
async fn of_run(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = request.uri().path_and_query().map(|path| path.as_str());
    let Some(rest) = path.and_then(|path| path.strip_prefix("/v1/runs/")) else {
        return Ok(next.run(request).await);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (run, rest) = rest.split_at(end);
    let run = percent_encoding::percent_decode_str(run).decode_utf8_lossy();
    if run != server.name {
        return Err(Problem::not_found(format!(
            "found no run of this name; expected `{}`",
            server.name
        )));
    }
    let rest = match rest.strip_prefix('/') {
        Some(rest) => format!("/v1/{rest}"),
        None => format!("/v1/run{rest}"),
    };
    *request.uri_mut() = rest
        .parse()
        .map_err(|_| Problem::bad("expected a path behind the name of the run"))?;
    Ok(next.run(request).await)
}

/// The description, with what its derivation leaves out: each answer is described, kinds of requests have names and no
/// other fields, a goal is a place or a position, and a watch has the fields of its kind.
pub(crate) fn described(api: &utoipa::openapi::OpenApi) -> String {
    let mut api = serde_json::to_value(api).unwrap_or_default();
    let kinds = api.pointer_mut("/components/schemas/Asked/oneOf");
    if let Some(kinds) = kinds.and_then(Value::as_array_mut) {
        *kinds = kinds.drain(..).flat_map(named).collect();
    }
    if let Some(asked) = api.pointer_mut("/components/schemas/WatchAsked") {
        *asked = of_watches::schema();
    }
    let paths = members(api.get_mut("paths"));
    let operations = paths.flat_map(|path| members(Some(path)));
    for responses in operations.filter_map(|operation| operation.get_mut("responses")) {
        for (status, response) in responses.as_object_mut().into_iter().flatten() {
            // OpenAPI requires it; utoipa leaves out an empty one.
            if response.get("description").is_none() {
                let status = status.parse::<StatusCode>().ok();
                let reason = status.and_then(|status| status.canonical_reason());
                response["description"] = json!(reason.unwrap_or("An answer"));
            }
        }
    }
    serde_json::to_string_pretty(&api).unwrap_or_default()
}

/// Values of the members of an object.
fn members(object: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    let object = object.and_then(Value::as_object_mut);
    object.into_iter().flat_map(serde_json::Map::values_mut)
}

/// A kind of request with its name as title, by which generators of clients name its class. A goal is two kinds: of a
/// `oneOf` within a kind, generators drop the fields beside it.
fn named(mut kind: Value) -> Vec<Value> {
    let name = kind.pointer("/properties/kind/enum/0");
    let name = name.and_then(Value::as_str).unwrap_or_default().to_owned();
    kind["additionalProperties"] = json!(false);
    if kind.pointer("/properties/place").is_none() {
        kind["title"] = json!(name);
        return vec![kind];
    }
    let goal = |which: &str, of: &str, given: &[&str], left_out: &[&str]| {
        let mut kind = kind.clone();
        kind["title"] = json!(format!("{name}_{which}"));
        kind["required"] = json!([given, &["kind"]].concat());
        for field in given {
            kind["properties"][field]["type"] = json!(of);
        }
        for field in left_out {
            kind["properties"][field] = json!({"type": "null"});
        }
        kind
    };
    vec![
        goal("place", "string", &["place"], &["x_m", "y_m"]),
        goal("position", "number", &["x_m", "y_m"], &["place"]),
    ]
}

pub(crate) async fn missing() -> Problem {
    Problem::not_found("found nothing at this address; expected one of /v1/openapi.json")
}

pub(crate) async fn no_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "found another method; expected one of /v1/openapi.json",
    )
}

/// Largest answer that has an `ETag`.
const MAX_TAGGED: u64 = 1 << 20;

/// Headers of every answer, and `304` where a client has the content.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let is_get = request.method() == axum::http::Method::GET;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache"));
    let size = axum::body::HttpBody::size_hint(response.body()).exact();
    if !is_get || response.status() != StatusCode::OK || size.is_none_or(|size| size > MAX_TAGGED) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())) {
        let is_known = known.is_some_and(|known| {
            let known = known.to_str().unwrap_or_default().split(',');
            known
                .map(|k| k.trim().trim_start_matches("W/"))
                .any(|k| k == "*" || k.as_bytes() == tag.as_bytes())
        });
        parts.headers.insert(header::ETAG, tag);
        if is_known {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.status = StatusCode::NOT_MODIFIED;
            return Response::from_parts(parts, Body::empty());
        }
    }
    Response::from_parts(parts, Body::from(body)).into_response()
}
