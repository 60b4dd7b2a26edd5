//! What a run answers: requests are handed to its process, with the token of the caller's role.

use super::child::{Child, State};
use crate::problem::Problem;
use crate::token::Role;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, Uri, Version, header};
use axum::response::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;

/// Longest time in which a run begins to answer; the longest of its own waits is shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Longest start of a run.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Headers of one connection, and of the caller: they are not handed on.
const NOT_HANDED_ON: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    header::ORIGIN,
    header::TE,
];

/// Hands requests on.
pub(super) struct Proxy {
    http1: Client<HttpConnector, Body>,
    http2: Client<HttpConnector, Body>,
}

impl Proxy {
    pub(super) fn new() -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        let http1 = builder.build_http();
        let http2 = builder.http2_only(true).build_http();
        Self { http1, http2 }
    }

    /// The answer of a run to a request with this path. Without a role, the run finds out itself who asks.
    pub(super) async fn ask(
        &self,
        child: &Child,
        role: Option<Role>,
        path: &str,
        mut request: Request<Body>,
    ) -> Result<Response, Problem> {
        let State::Running(host) = child.started(START_WITHIN).await else {
            return Err(Problem::conflict(format!(
                "found the run `{}`, which has ended; expected one that runs",
                child.run
            )));
        };
        let is_grpc = request.version() == Version::HTTP_2
            && request
                .headers()
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let uri: Result<Uri, _> = format!("http://{host}{path}").parse();
        *request.uri_mut() = uri.map_err(|_| Problem::bad("expected names in an address"))?;
        let headers = request.headers_mut();
        for name in NOT_HANDED_ON {
            headers.remove(name);
        }
        if let Some(role) = role {
            let bearer = format!("Bearer {}", child.token(role));
            let bearer =
                HeaderValue::from_str(&bearer).map_err(|e| Problem::unavailable(e.to_string()))?;
            headers.insert(header::AUTHORIZATION, bearer);
        }
        if is_grpc {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        *request.version_mut() = if is_grpc {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let client = if is_grpc { &self.http2 } else { &self.http1 };
        let answer = tokio::time::timeout(ANSWER_WITHIN, client.request(request)).await;
        let mut answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(Problem::unavailable(format!(
                    "found no answer of the run `{}`: {error}",
                    child.run
                )));
            }
            Err(_) => {
                return Err(Problem::unavailable(format!(
                    "found no answer of the run `{}` within {} s",
                    child.run,
                    ANSWER_WITHIN.as_secs()
                )));
            }
        };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let there = hyper::upgrade::on(&mut answer);
            tokio::spawn(async move {
                if let (Ok(here), Ok(there)) = tokio::join!(upgrade, there) {
                    let (mut here, mut there) = (TokioIo::new(here), TokioIo::new(there));
                    // Either side may be gone.
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                }
            });
        }
        Ok(answer.map(Body::new))
    }
}
