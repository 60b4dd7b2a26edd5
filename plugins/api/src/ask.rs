//! Questions to the resources below `/v1` from within: gRPC, MCP and the stream have the rules of REST, and no others.

use crate::client::Client;
use crate::problem::Problem;
use crate::question::Question;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt as _;

/// What answers questions.
#[derive(Clone)]
pub(crate) enum Ask {
    /// This server.
    Here(Router),
    /// Another process.
    There(Arc<Client>),
}

impl Ask {
    /// The answer to a question of the caller with these headers: JSON, text, null, or the base64 of what is no text.
    pub(crate) async fn ask(
        &self,
        caller: &HeaderMap,
        question: Question,
    ) -> Result<Value, Problem> {
        let (status, bytes) = match self {
            Self::Here(router) => {
                let request = question.request(caller)?;
                let Ok(response) = router.clone().oneshot(request).await;
                let status = response.status();
                let body = response.into_body().collect().await;
                let body = body.map_err(|e| Problem::unavailable(e.to_string()))?;
                (status, body.to_bytes().to_vec())
            }
            Self::There(client) => {
                let client = client.clone();
                let asked = tokio::task::spawn_blocking(move || client.ask(&question)).await;
                asked
                    .map_err(|e| Problem::unavailable(e.to_string()))?
                    .map_err(Problem::unavailable)?
            }
        };
        if bytes.is_empty() && status.is_success() {
            return Ok(Value::Null);
        }
        let content = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let text = String::from_utf8(bytes);
            Value::from(text.unwrap_or_else(|no| BASE64.encode(no.into_bytes())))
        });
        match status.is_success() {
            true => Ok(content),
            false => Err(problem(status, &content)),
        }
    }
}

fn problem(status: StatusCode, content: &Value) -> Problem {
    let detail = content["detail"].as_str().or_else(|| content.as_str());
    Problem::new(status, detail.unwrap_or_default())
}
