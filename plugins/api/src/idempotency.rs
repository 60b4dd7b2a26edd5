//! Requests that are sent again: one with a key that is known is answered as before, and does nothing.

use crate::gate;
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
const MAX_BODY: usize = 64 << 10;
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
    answer: Option<Answer>,
}

/// Status, media type and content.
type Answer = (StatusCode, Option<HeaderValue>, Bytes);

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
    let role = parts.extensions.get::<gate::Caller>();
    role.map(|caller| caller.role as u8).hash(&mut hasher);
    let lease = parts.headers.get("lease");
    lease.map(HeaderValue::as_bytes).hash(&mut hasher);
    body.hash(&mut hasher);
    hasher.finish()
}

/// Bounds bodies in size and time.
pub(crate) async fn bounded(request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect();
    let body = match tokio::time::timeout(BODY_WITHIN, body).await {
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
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

/// Answers requests that were answered before. Behind the gate: answers have secrets, and are of one role.
pub(crate) async fn once(
    State(replies): State<Arc<Replies>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(key) = request.headers().get(KEY).cloned() else {
        return Ok(next.run(request).await);
    };
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    // Who asks for a stop twice wants it twice.
    if is_read || gate::is_stop(&request) {
        return Ok(next.run(request).await);
    }
    let key = match key.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => key.to_owned(),
        _ => {
            return Err(Problem::bad(format!(
                "found another `Idempotency-Key`; expected 1 to {LONGEST_KEY} characters of ASCII"
            )));
        }
    };
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let body = body.map_err(|_| Problem::bad("found a body that ends early"))?;
    let asked = fingerprint(&parts, &body);
    if let Some(known) = begin(&replies, &key, asked) {
        return known;
    }
    let mut pending = Pending {
        replies: &replies,
        key: &key,
        answer: None,
    };
    let request = Request::from_parts(parts, Body::from(body));
    let (parts, body) = next.run(request).await.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    let body = body.unwrap_or_default();
    // A failure of this side may be another one next time, and who may not do it now may later.
    let may_change = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if !parts.status.is_server_error() && !may_change.contains(&parts.status) {
        let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
        pending.answer = Some((parts.status, kind, body.clone()));
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// A request that is worked on: its answer is kept in the end, or its key is forgotten, also where its client is gone.
struct Pending<'a> {
    replies: &'a Replies,
    key: &'a str,
    answer: Option<Answer>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut kept = self.replies.lock();
        match self.answer.take() {
            None => {
                kept.of.remove(self.key);
                kept.order.retain(|key| key != self.key);
            }
            Some(answer) => {
                if let Some(reply) = kept.of.get_mut(self.key) {
                    reply.answer = Some(answer);
                }
            }
        }
    }
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
