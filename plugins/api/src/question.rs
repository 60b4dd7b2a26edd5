//! A question to the resources below `/v1`.

use crate::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Headers of a caller that are handed on: who it is.
const CALLER: [HeaderName; 2] = [header::AUTHORIZATION, header::COOKIE];

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    /// `/v1/agents`.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// `id` of a lease.
    pub(crate) lease: Option<String>,
    /// Idempotency key.
    pub(crate) key: Option<String>,
}

impl Question {
    /// Asks for a resource.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
            lease: None,
            key: None,
        }
    }

    /// Tells something.
    pub(crate) fn post(path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method: Method::POST,
            body,
            ..Self::get(path)
        }
    }

    /// The same with another method.
    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The same with a lease, if there is one.
    pub(crate) fn lease(self, lease: Option<String>) -> Self {
        Self { lease, ..self }
    }

    /// The same with an idempotency key, if there is one.
    pub(crate) fn key(self, key: Option<String>) -> Self {
        Self { key, ..self }
    }

    /// The question as a request of the caller with these headers.
    pub(crate) fn request(self, caller: &HeaderMap) -> Result<Request<Body>, Problem> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for name in CALLER {
            for value in caller.get_all(&name) {
                request = request.header(name.clone(), value);
            }
        }
        for (name, value) in [("lease", self.lease), ("idempotency-key", self.key)] {
            if let Some(value) = value {
                let value = HeaderValue::from_str(&value)
                    .map_err(|_| Problem::bad(format!("expected `{name}` in ASCII")))?;
                request = request.header(name, value);
            }
        }
        let request = match self.body {
            None => request.body(Body::empty()),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
        };
        request.map_err(|_| Problem::bad("expected names in an address"))
    }
}

/// What is escaped in a part of a path: a dot as well, as two of them are another folder.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

/// A name as a part of the path of a resource, escaped: `/v1/agents/{name}`.
pub fn part(name: &str) -> String {
    utf8_percent_encode(name, ESCAPED).to_string()
}
