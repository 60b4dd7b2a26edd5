//! The run as a whole: pace, pause, steps, reset, end.

use crate::extract::Body;
use crate::gate::Caller;
use crate::playback::Playback;
use crate::problem::Problem;
use crate::server::Server;
use crate::token::Role;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use becomingone::Pace;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Most ticks of one step.
const MAX_STEPS: u64 = 1_000_000;

/// A run of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunEntry {
    /// Its name: resources of it are below `/v1/runs/{run}`.
    pub(crate) run: String,
    /// The scene that it was started with.
    pub(crate) scene: String,
    /// `starting`, `running`, `paused` or `ended`.
    pub(crate) state: &'static str,
    /// Its process, while it lives.
    pub(crate) process: Option<u32>,
    /// Exit status of its process, where it has ended by itself.
    pub(crate) exit: Option<i32>,
    /// Name of its recording, of a server of several runs.
    pub(crate) recording: Option<String>,
}

/// Runs of the server.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunList {
    /// In the order of their names.
    pub(crate) runs: Vec<RunEntry>,
}

/// All runs of the server: one.
#[utoipa::path(
    get, path = "/runs", tag = "run",
    responses((status = 200, body = RunList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn runs(State(server): State<Arc<Server>>) -> Json<RunList> {
    let state = match server.run.is_paused() {
        true => "paused",
        false => "running",
    };
    Json(RunList {
        runs: vec![RunEntry {
            run: server.name.clone(),
            scene: server.scene.clone(),
            state,
            process: Some(std::process::id()),
            exit: None,
            recording: None,
        }],
    })
}

/// State of the run.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunView {
    /// Name of the scene.
    scene: String,
    /// Whether it is paused.
    is_paused: bool,
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// State hash, 16 hexadecimal digits.
    state_hash: String,
    /// Address to which Rerun viewers connect; null without `--rerun serve`.
    viewer: Option<String>,
    /// Address of Rerun's web viewer; null where `rerun` is not installed, too.
    viewer_page: Option<String>,
    /// Of a recording that is played; null of a run.
    playback: Option<PlaybackView>,
}

/// Place in a recording that is played. Times are those of all runs of the recording, one after the other.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlaybackView {
    /// Where it is (s).
    at_s: f64,
    /// Length of the recording (s).
    length_s: f64,
    /// Whether it is at its end, and paused.
    is_over: bool,
}

impl PlaybackView {
    fn new(playback: &Playback) -> Self {
        Self {
            at_s: playback.at_ns() as f64 * 1e-9,
            length_s: playback.length_ns() as f64 * 1e-9,
            is_over: playback.is_over(),
        }
    }
}

/// State of the run.
#[utoipa::path(
    get, path = "/run", tag = "run",
    responses(
        (status = 200, body = RunView),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn state(State(server): State<Arc<Server>>) -> Result<Json<RunView>, Problem> {
    let view = server.view(Vec::new()).await?;
    Ok(Json(RunView {
        scene: server.scene.clone(),
        is_paused: server.run.is_paused(),
        tick: view.tick,
        time_s: view.time_s,
        state_hash: view.state_hash.clone(),
        viewer: server.viewer.address.clone(),
        viewer_page: server.viewer.page.clone(),
        playback: server.playback.as_ref().map(PlaybackView::new),
    }))
}

/// Pauses the run after the tick that is on its way.
#[utoipa::path(
    post, path = "/run/pause", tag = "run",
    responses(
        (status = 204, description = "It is paused"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn pause(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    server.run.pause();
    Ok(StatusCode::NO_CONTENT)
}

/// Goes on after a pause.
#[utoipa::path(
    post, path = "/run/resume", tag = "run",
    responses(
        (status = 204, description = "It goes on"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn resume(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    server.run.resume();
    Ok(StatusCode::NO_CONTENT)
}

/// Ticks of a paused run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// How many.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 1000000)]
    ticks: u64,
}

/// A whole number, in any notation of JSON: `5.0` is one.
pub(crate) fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = f64::deserialize(from)?;
    match number.fract() == 0.0 && (0.0..=1e15).contains(&number) {
        true => Ok(number as u64),
        false => Err(D::Error::custom(format!(
            "found {number}; expected a whole number, 0 or more"
        ))),
    }
}

/// Runs some ticks of a paused run.
#[utoipa::path(
    post, path = "/run/step", tag = "run", request_body = Step,
    responses(
        (status = 204, description = "They will be run"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn step(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Body(step): Body<Step>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    if !(1..=MAX_STEPS).contains(&step.ticks) {
        return Err(Problem::bad(format!("expected 1 to {MAX_STEPS} ticks")));
    }
    if !server.run.is_paused() {
        return Err(Problem::conflict(
            "found a run that is not paused; expected POST /v1/run/pause first",
        ));
    }
    server.run.step(step.ticks);
    Ok(StatusCode::NO_CONTENT)
}

/// A time of a recording.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seek {
    /// In the times of all runs of the recording (s); at most its length.
    #[schema(minimum = 0.0, maximum = 1000000000.0)]
    to_s: f64,
}

/// Sends a recording that is played to another time. The ticks up to there are computed again, as fast as they can be.
/// One that is paused stays so.
#[utoipa::path(
    post, path = "/run/seek", tag = "run", request_body = Seek,
    responses(
        (status = 204, description = "It goes there"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn seek(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Body(seek): Body<Seek>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    if !(0.0..=1e9).contains(&seek.to_s) {
        return Err(Problem::bad("expected `to_s` from 0 to 1e9"));
    }
    server.seek((seek.to_s * 1e9) as u64)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Speed of the run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Speed {
    /// Multiple of real time; null: as fast as possible.
    // Null, and not missing.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(minimum = 0.001, maximum = 1000000.0, required)]
    factor: Option<f64>,
}

/// Sets the speed of the run.
#[utoipa::path(
    post, path = "/run/pace", tag = "run", request_body = Speed,
    responses(
        (status = 204, description = "It has this speed from the next tick on"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn pace(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    Body(speed): Body<Speed>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    server.run.set_pace(match speed.factor {
        None => Pace::Fast,
        Some(factor) if (1e-3..=1e6).contains(&factor) => Pace::Rate(factor),
        Some(factor) => {
            return Err(Problem::bad(format!(
                "found the factor {factor}; expected 0.001 to 1000000, or null"
            )));
        }
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Begins the scene anew. Stops that are latched stay so.
#[utoipa::path(
    post, path = "/run/reset", tag = "run",
    responses(
        (status = 204, description = "It begins anew"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn reset(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Operator)?;
    server.run.reset();
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the run: recordings are closed, and the program ends.
#[utoipa::path(
    post, path = "/run/end", tag = "run",
    responses(
        (status = 204, description = "It ends"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn end(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    caller.needs(Role::Owner)?;
    server.run.stop();
    Ok(StatusCode::NO_CONTENT)
}
