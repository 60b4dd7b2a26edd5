//! Someone beside the run who is talked with: an assistant. Its page is that of the run; messages of other servers come to
//! `/v1/hooks/{name}`.

use crate::extract::{Body, Path, Query};
use crate::gate::Caller;
use crate::problem::Problem;
use crate::token::Role;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, OnceLock};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest sentence (bytes).
const MAX_SENTENCE: usize = 4096;

/// A message of a talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Said {
    /// Counts from 1.
    pub number: u64,
    /// Whether the assistant says it.
    pub is_reply: bool,
    /// Its text.
    pub text: String,
}

/// Why a message of another server is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no channel of this name that takes messages.
    NoSuchChannel,
    /// Its secret or signature is not right.
    NotKnown,
    /// It is not of the form that is expected.
    Form(String),
    /// It cannot be kept now.
    Later(String),
}

/// Someone who is talked with through a server.
pub trait Companion: Send + Sync {
    /// Takes a sentence of the page.
    ///
    /// # Errors
    ///
    /// Why it cannot be kept: nothing is done.
    fn say(&self, text: &str) -> Result<(), String>;

    /// What was said on the page after a number, oldest first.
    fn said(&self, after: u64) -> Vec<Said>;

    /// Takes a message of another server for the channel of this name. `header` finds a header of it.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    fn hook(
        &self,
        name: &str,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<(), Refused>;
}

/// The place of a server's companion; it may come after the start.
#[derive(Clone, Default)]
pub struct Companions(Arc<OnceLock<Arc<dyn Companion>>>);

impl fmt::Debug for Companions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Companions")
            .field(&self.0.get().is_some())
            .finish()
    }
}

impl Companions {
    /// Lets the server answer for this one; the first of several stays.
    pub fn set(&self, companion: Arc<dyn Companion>) {
        let _ = self.0.set(companion);
    }

    fn get(&self) -> Result<Arc<dyn Companion>, Problem> {
        self.0.get().cloned().ok_or_else(|| {
            Problem::not_found("found no assistant beside the run; expected one: run --assistant")
        })
    }
}

/// The resources of a talk, which need a token.
pub(crate) fn talk<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new().routes(routes!(said, say))
}

/// Messages of other servers, which have secrets of their own.
pub(crate) fn hooks<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new().routes(routes!(hook))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    #[serde(default)]
    after: u64,
}

/// Messages of a talk.
#[derive(Serialize, ToSchema)]
pub(crate) struct Talk {
    /// Whether an assistant is beside the run.
    is_there: bool,
    /// Oldest first.
    messages: Vec<Said>,
}

/// A sentence.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sentence {
    /// At most 4096 bytes.
    text: String,
}

/// What was said on the page, and replied. It is the owner's talk: an answer to a question may grant a lease.
#[utoipa::path(
    get, path = "/talk", tag = "talk",
    params(("after" = Option<u64>, Query, description = "Only messages with a higher number")),
    responses(
        (status = 200, body = Talk),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn said(
    Extension(companions): Extension<Companions>,
    Extension(caller): Extension<Caller>,
    Query(After { after }): Query<After>,
) -> Result<Json<Talk>, Problem> {
    caller.needs(Role::Owner)?;
    if i64::try_from(after).is_err() {
        return Err(Problem::bad("expected `after` below 2^63"));
    }
    let companion = companions.0.get();
    Ok(Json(Talk {
        is_there: companion.is_some(),
        messages: companion.map_or_else(Vec::new, |companion| companion.said(after)),
    }))
}

/// Says a sentence to the assistant; the reply is among the messages of the talk.
#[utoipa::path(
    post, path = "/talk", tag = "talk", request_body = Sentence,
    responses(
        (status = 202, description = "It is kept, and will be replied to"),
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
pub(crate) async fn say(
    Extension(companions): Extension<Companions>,
    Extension(caller): Extension<Caller>,
    Body(Sentence { text }): Body<Sentence>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Owner)?;
    let companion = companions.get()?;
    let text = text.trim().to_owned();
    if text.is_empty() || text.len() > MAX_SENTENCE {
        return Err(Problem::bad(format!(
            "found a sentence of {} bytes; expected 1 to {MAX_SENTENCE}",
            text.len()
        )));
    }
    waits(move || companion.say(&text))
        .await?
        .map_err(Problem::unavailable)?;
    Ok(StatusCode::ACCEPTED)
}

/// Takes a message of another server, as a channel of the assistant expects it.
#[utoipa::path(
    post, path = "/hooks/{name}", tag = "talk", security(()),
    params(("name" = String, Path, description = "The channel")),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 204, description = "It is kept, and will be replied to"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn hook(
    Extension(companions): Extension<Companions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let companion = companions.get()?;
    let taken = waits(move || {
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        companion.hook(&name, &header, &body)
    });
    match taken.await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(Refused::NoSuchChannel) => Err(Problem::not_found(
            "found no channel of this name that takes messages",
        )),
        Err(Refused::NotKnown) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "expected the secret of the channel",
        )),
        Err(Refused::Form(what)) => Err(Problem::bad(what)),
        Err(Refused::Later(what)) => Err(Problem::unavailable(what)),
    }
}

/// Does what waits for a disk, beside the other requests.
async fn waits<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::unavailable(error.to_string()))
}
