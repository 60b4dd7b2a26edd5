//! Whether the server is there, which one it is, and its figures for Prometheus.

use crate::interest::Pattern;
use crate::problem::Problem;
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;
use utoipa::ToSchema;

/// That the server is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the server is there. Needs no token.
#[utoipa::path(get, path = "/health", tag = "server", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Which server this is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    /// `becomingone`.
    name: &'static str,
    /// Of the program.
    version: &'static str,
    /// Of this interface.
    api: &'static str,
    /// The scene that runs.
    scene: String,
    /// Of the process.
    process: u32,
}

/// Which server this is, and what it runs.
#[utoipa::path(
    get, path = "/version", tag = "server",
    responses((status = 200, body = Version), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn version(State(server): State<Arc<Server>>) -> Json<Version> {
    Json(Version {
        name: "becomingone",
        version: env!("CARGO_PKG_VERSION"),
        api: "v1",
        scene: server.scene.clone(),
        process: std::process::id(),
    })
}

/// Figures of the run, in the text form of Prometheus (version 0.0.4).
#[utoipa::path(
    get, path = "/metrics", tag = "server",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn metrics(
    State(server): State<Arc<Server>>,
) -> Result<impl IntoResponse, Problem> {
    let view = server.view(vec![Pattern::all()]).await?;
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, rows: Vec<(String, f64)>| {
        let _ = writeln!(
            out,
            "# HELP becomingone_{name} {help}\n# TYPE becomingone_{name} {kind}"
        );
        for (labels, value) in rows {
            let _ = writeln!(out, "becomingone_{name}{labels} {value}");
        }
    };
    family(
        "ticks_total",
        "counter",
        "Ticks of the run.",
        vec![(String::new(), view.tick as f64)],
    );
    family(
        "time_seconds",
        "gauge",
        "Time of the run.",
        vec![(String::new(), view.time_s)],
    );
    let agents = |value: &dyn Fn(&becomingone::components::view::AgentState) -> Option<f64>| {
        let rows = view
            .agents
            .iter()
            .filter_map(|a| Some((label("agent", &a.agent), value(a)?)));
        rows.collect::<Vec<_>>()
    };
    family(
        "agent_alarm",
        "gauge",
        "Whether readings deviate from the prediction.",
        agents(&|a| Some(f64::from(u8::from(a.alarm)))),
    );
    family(
        "agent_order",
        "gauge",
        "Order of the kernel, 0 to 1.",
        agents(&|a| a.kernel.map(|k| k.order)),
    );
    family(
        "agent_coherence",
        "gauge",
        "Coherence of the kernel, 0 to 1.",
        agents(&|a| a.kernel.and_then(|k| k.coherence)),
    );
    family(
        "agent_surprise",
        "gauge",
        "Surprise of the kernel, above 1 in an alarm.",
        agents(&|a| a.kernel.and_then(|k| k.surprise)),
    );
    family(
        "agent_speed_meters_per_second",
        "gauge",
        "Forward speed.",
        agents(&|a| a.velocity.map(|v| v.linear_m_s)),
    );
    let sensors = |value: &dyn Fn(&crate::view::SensorView) -> f64| {
        let rows = view
            .sensors
            .iter()
            .map(|s| (label("sensor", &s.sensor), value(s)));
        rows.collect::<Vec<_>>()
    };
    family(
        "sensor_readings_total",
        "counter",
        "Readings of a sensor.",
        sensors(&|s| s.readings as f64),
    );
    family(
        "sensor_dropped_total",
        "counter",
        "Readings lost before they were used.",
        sensors(&|s| s.dropped as f64),
    );
    family(
        "sensor_stale",
        "gauge",
        "Whether a sensor is stale.",
        sensors(&|s| f64::from(u8::from(s.is_stale))),
    );
    Ok((
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        out,
    ))
}

/// A label, its value escaped.
fn label(name: &str, value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}
