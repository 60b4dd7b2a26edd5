//! Requests that are sent again: one with a key that is known is answered as before, and does nothing.

use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The header with the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
const LONGEST_KEY: usize = 128;
/// Most answers that are kept; the oldest is forgotten first.
const MAX_REPLIES: usize = 1024;
/// Largest body of a request.
pub(crate) const MAX_BODY: usize = 64 << 10;
/// Longest time in which a body has to be there.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Answers by key.
#[derive(Default)]
pub(crate) struct Replies(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    of: HashMap<String, Reply>,
    order: VecDeque<String>,
}

#[derive(Clone)]
struct Reply {
    /// Of role, method, path and body.
    asked: u64,
    /// None while it is worked on.
    answer: Option<(StatusCode, Option<HeaderValue>, Bytes)>,
}

impl Replies {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fingerprint(parts: &Parts, body: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.method.as_str().hash(&mut hasher);
    parts.uri.path().hash(&mut hasher);
    parts.uri.query().hash(&mut hasher);
    let role = parts.extensions.get::<crate::gate::Caller>();
    role.map(|caller| caller.role as u8).hash(&mut hasher);
    body.hash(&mut hasher);
    hasher.finish()
}

/// Bounds bodies in size and time, and answers requests that were answered before.
pub(crate) async fn once(
    State(replies): State<Arc<Replies>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return Ok(next.run(request).await);
    }
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(BODY_WITHIN, Limited::new(body, MAX_BODY).collect()).await;
    let body = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("expected a body of at most {MAX_BODY} bytes"),
            ));
        }
        Ok(Err(_)) => return Err(Problem::bad("found a body that ends early")),
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("expected the body within {} s", BODY_WITHIN.as_secs()),
            ));
        }
    };
    let key = parts.headers.get(KEY).cloned();
    let asked = fingerprint(&parts, &body);
    let request = Request::from_parts(parts, Body::from(body));
    let Some(key) = key else {
        return Ok(next.run(request).await);
    };
    let key = match key.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => key.to_owned(),
        _ => {
            return Err(Problem::bad(format!(
                "found another `Idempotency-Key`; expected 1 to {LONGEST_KEY} characters of ASCII"
            )));
        }
    };
    if let Some(known) = begin(&replies, &key, asked) {
        return known;
    }
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    let mut kept = replies.lock();
    // A failure of this side may be another one next time.
    if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
        kept.of.remove(&key);
    } else if let Some(reply) = kept.of.get_mut(&key) {
        reply.answer = Some((parts.status, kind, body.clone()));
    }
    drop(kept);
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The known answer; none where this request is the first with its key, which is kept then.
fn begin(replies: &Replies, key: &str, asked: u64) -> Option<Result<Response, Problem>> {
    let mut kept = replies.lock();
    match kept.of.get(key) {
        Some(reply) if reply.asked != asked => Some(Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "found an `Idempotency-Key` of another request; expected a new key",
        ))),
        Some(Reply { answer: None, .. }) => Some(Err(Problem::conflict(
            "found a request with this `Idempotency-Key` that is not answered yet",
        ))),
        Some(Reply {
            answer: Some((status, kind, body)),
            ..
        }) => {
            let mut response = (*status, body.clone()).into_response();
            let headers = response.headers_mut();
            if let Some(kind) = kind {
                headers.insert(header::CONTENT_TYPE, kind.clone());
            }
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
            Some(Ok(response))
        }
        None => {
            while kept.order.len() >= MAX_REPLIES {
                if let Some(oldest) = kept.order.pop_front() {
                    kept.of.remove(&oldest);
                }
            }
            kept.order.push_back(key.to_owned());
            kept.of.insert(
                key.to_owned(),
                Reply {
                    asked,
                    answer: None,
                },
            );
            None
        }
    }
}
