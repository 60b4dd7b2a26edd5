//! A picture of the run, drawn when somebody asks for it.

use crate::extract::Query;
use crate::problem::Problem;
use crate::server::Server;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use becomingone_picture::{Camera, PictureError, Sketch};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::IntoParams;

/// Longest wait for a tick.
const TICK_WITHIN: Duration = Duration::from_secs(1);
/// Longest wait for pictures of others: one is drawn at a time.
const DRAWN_WITHIN: Duration = Duration::from_secs(5);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// Agent to look at; all where it is left out.
    agent: Option<String>,
    /// Distance of the camera (m); as far as everything fits where it is left out.
    #[param(minimum = 0.05, maximum = 2000.0)]
    distance_m: Option<f64>,
    /// Direction in which it looks, counter-clockwise from x (rad).
    #[param(minimum = -1000.0, maximum = 1000.0)]
    yaw_rad: Option<f64>,
    /// How far down it looks: 0 to the horizon, 1.57 to 1.6 straight down, as a map (rad).
    #[param(minimum = 0.0, maximum = 1.6)]
    pitch_rad: Option<f64>,
    /// In pixels.
    #[serde(default = "width")]
    #[param(minimum = 16, maximum = 2048)]
    width: u32,
    /// In pixels.
    #[serde(default = "height")]
    #[param(minimum = 16, maximum = 2048)]
    height: u32,
}

fn width() -> u32 {
    800
}

fn height() -> u32 {
    600
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        Self::bad(error.to_string())
    }
}

/// A picture of the run at the end of the next tick: agents where they are in truth, obstacles, goals, places, the last
/// scans as red dots. One is drawn at a time.
#[utoipa::path(
    get, path = "/picture", tag = "run", params(Seen),
    responses(
        (status = 200, content_type = "image/png", body = Vec<u8>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn picture(
    State(server): State<Arc<Server>>,
    Query(seen): Query<Seen>,
) -> Result<impl IntoResponse, Problem> {
    let from = Camera::default();
    let camera = Camera {
        agent: seen.agent,
        distance_m: seen.distance_m,
        yaw_rad: seen.yaw_rad.unwrap_or(from.yaw_rad),
        pitch_rad: seen.pitch_rad.unwrap_or(from.pitch_rad),
    };
    if let Some(agent) = &camera.agent {
        server.agent(agent)?;
    }
    let size = [seen.width, seen.height];
    // What is wrong is found before anybody waits.
    Sketch::check(&camera, size)?;
    let turn = server.pictures.clone().acquire_owned();
    let turn = match tokio::time::timeout(DRAWN_WITHIN, turn).await {
        Ok(Ok(turn)) => turn,
        _ => {
            return Err(Problem::unavailable(
                "found too many who ask for pictures; expected a pause",
            ));
        }
    };
    let sketch = server.board.read(TICK_WITHIN, Sketch::of).await;
    let sketch = sketch.ok_or_else(|| {
        Problem::unavailable("found no tick within 1 s: the run has not started, or has ended")
    })?;
    let draw = move || {
        // It is drawn to its end, whether its client waits for it or not.
        let _turn = turn;
        sketch.draw(&camera, size)?.png()
    };
    let drawn = tokio::task::spawn_blocking(draw).await;
    let file = drawn.map_err(|e| Problem::unavailable(e.to_string()))??;
    Ok(([(header::CONTENT_TYPE, "image/png")], file))
}
