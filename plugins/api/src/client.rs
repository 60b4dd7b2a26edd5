//! A client of a server: `top` and `mcp` ask through it.

use crate::place::Found;
use crate::question::Question;
use crate::token::TOKEN_VARIABLE;
use axum::http::StatusCode;
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Longest wait for an answer.
const WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for what takes long: scores, and replays that are compared.
const LONG_WITHIN: Duration = Duration::from_secs(3600);
/// Largest answer.
const MAX_ANSWER: u64 = 64 << 20;

/// Asks one server, with a token.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish()
    }
}

impl Client {
    /// A client of a run that was found: with the token of the environment, or of the run's file.
    ///
    /// # Errors
    ///
    /// Where there is no token.
    pub fn of(run: &Found) -> Result<Self, String> {
        Self::at(&run.url, run.token_file.as_deref())
    }

    /// A client of the server at this address: with the token of the environment, else of this file.
    ///
    /// # Errors
    ///
    /// Where there is no token.
    pub fn at(url: &str, token_file: Option<&Path>) -> Result<Self, String> {
        let token = match (std::env::var(TOKEN_VARIABLE), token_file) {
            (Ok(token), _) => token,
            (_, Some(file)) => {
                std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?
            }
            _ => {
                return Err(format!(
                    "{url}: found no token; expected it in {TOKEN_VARIABLE}"
                ));
            }
        };
        Ok(Self::new(url, token.trim()))
    }

    /// A client of the server at this address, with this token.
    pub fn new(url: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
            url: url.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A resource as JSON.
    ///
    /// # Errors
    ///
    /// The text of the server's problem, or why there is no answer.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        serde_json::from_str(&self.text(path)?).map_err(|e| e.to_string())
    }

    /// A resource as text.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn text(&self, path: &str) -> Result<String, String> {
        let (status, bytes) = self.ask(&Question::get(path))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match status.is_success() {
            true => Ok(text),
            false => {
                let problem: Value = serde_json::from_str(&text).unwrap_or_default();
                let detail = problem["detail"].as_str().map(str::to_owned);
                Err(detail.unwrap_or_else(|| status.to_string()))
            }
        }
    }

    pub(crate) fn ask(&self, question: &Question) -> Result<(StatusCode, Vec<u8>), String> {
        let mut request = ureq::http::Request::builder()
            .method(question.method.clone())
            .uri(format!("{}{}", self.url, question.path))
            .header("Authorization", format!("Bearer {}", self.token));
        for (name, value) in [
            ("Lease", &question.lease),
            ("Idempotency-Key", &question.key),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        // What is wrong with it may be a secret.
        let wrong = |_| "expected names in an address, and ASCII".to_owned();
        let takes_long =
            question.path.starts_with("/v1/scores") || question.path.ends_with("/verify");
        let within = Some(if takes_long { LONG_WITHIN } else { WITHIN });
        let answer = match &question.body {
            None => {
                let request = self
                    .agent
                    .configure_request(request.body(()).map_err(wrong)?);
                self.agent.run(request.timeout_global(within).build())
            }
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                let request = request.body(body.to_string()).map_err(wrong)?;
                let request = self.agent.configure_request(request);
                self.agent.run(request.timeout_global(within).build())
            }
        };
        let mut answer = answer.map_err(|e| format!("{}: {e}", self.url))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        let bytes = body
            .read_to_vec()
            .map_err(|e| format!("{}: {e}", self.url))?;
        Ok((status, bytes))
    }
}
