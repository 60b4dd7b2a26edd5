//! Agents, sensors and events of the run.

use crate::extract::{Path, Query};
use crate::interest::Pattern;
use crate::problem::Problem;
use crate::server::Server;
use crate::view::{EventView, PlaceView, SensorKindView, SensorView};
use axum::Json;
use axum::extract::State;
use becomingone::components::view::{AgentState, Mode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Agents at the end of a tick.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgentList {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// In the order of their names.
    agents: Vec<AgentView>,
}

/// State of an agent.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgentView {
    /// Its name.
    agent: String,
    /// Who decides what it does: `no_drive`, `controller`, `request`, `limited`, `safety_stop` or `stopped`.
    mode: &'static str,
    /// Where it is; null without a body.
    pose: Option<PoseView>,
    /// How it moves; null without a body.
    velocity: Option<VelocityView>,
    /// Result of its kernel; null without one.
    kernel: Option<KernelView>,
    /// Whether readings deviate from the prediction of the self-model.
    alarm: bool,
    /// The isolated channel of the alarm: `imu/gyro_z`.
    cause: Option<String>,
    /// Sender of the request in force.
    request: Option<String>,
    /// The position that a request in force sends it to.
    goal: Option<GoalView>,
    /// Why it takes no `go_to` now; null where it takes one.
    goal_refusal: Option<String>,
    /// Sender of the latched stop.
    stopped_by: Option<String>,
}

/// A position that an agent is sent to.
#[derive(Serialize, ToSchema)]
struct GoalView {
    /// World position (m).
    x_m: f64,
    /// World position (m).
    y_m: f64,
    /// Straight distance left (m); null before the first plan.
    distance_m: Option<f64>,
}

/// Position and heading in the scene.
#[derive(Serialize, ToSchema)]
struct PoseView {
    /// Along x (m).
    x_m: f64,
    /// Along y (m).
    y_m: f64,
    /// Counter-clockwise from x (rad).
    yaw_rad: f64,
    /// `filter`, `odometry` or `simulation`.
    from: &'static str,
}

/// Speed along the heading, and yaw rate.
#[derive(Serialize, ToSchema)]
struct VelocityView {
    /// Forward (m/s).
    linear_m_s: f64,
    /// To the left (rad/s).
    angular_rad_s: f64,
}

/// Result of a kernel.
#[derive(Serialize, ToSchema)]
struct KernelView {
    /// Order of the Emissary, 0 to 1.
    order: f64,
    /// Order of the Master, 0 to 1.
    order_master: f64,
    /// 1/(1 + surprise), 0 to 1; null before the self-model is trained.
    coherence: Option<f64>,
    /// Above 1 in an alarm; null before the self-model is trained.
    surprise: Option<f64>,
    /// `aligned`, `apart`, `neither`, `collapsed` or `dissipated`.
    synchronization: &'static str,
}

impl From<&AgentState> for AgentView {
    fn from(state: &AgentState) -> Self {
        Self {
            agent: state.agent.clone(),
            mode: match state.mode {
                Mode::NoDrive => "no_drive",
                Mode::Controller => "controller",
                Mode::Request => "request",
                Mode::Limited => "limited",
                Mode::SafetyStop => "safety_stop",
                Mode::Stopped => "stopped",
            },
            pose: state.pose.map(|p| PoseView {
                x_m: p.x_m,
                y_m: p.y_m,
                yaw_rad: p.yaw_rad,
                from: p.from,
            }),
            velocity: state.velocity.map(|v| VelocityView {
                linear_m_s: v.linear_m_s,
                angular_rad_s: v.angular_rad_s,
            }),
            kernel: state.kernel.map(|k| KernelView {
                order: k.order,
                order_master: k.order_master,
                coherence: k.coherence,
                surprise: k.surprise,
                synchronization: k.synchronization,
            }),
            alarm: state.alarm,
            cause: state.cause.clone(),
            request: state.request.clone(),
            goal: state.goal.map(|g| GoalView {
                x_m: g.x_m,
                y_m: g.y_m,
                distance_m: g.distance_m,
            }),
            goal_refusal: state.goal_refusal.clone(),
            stopped_by: state.stopped_by.clone(),
        }
    }
}

/// All agents.
#[utoipa::path(
    get, path = "/agents", tag = "agents",
    responses(
        (status = 200, body = AgentList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn agents(State(server): State<Arc<Server>>) -> Result<Json<AgentList>, Problem> {
    let view = server.view(Vec::new()).await?;
    Ok(Json(AgentList {
        tick: view.tick,
        time_s: view.time_s,
        agents: view.agents.iter().map(AgentView::from).collect(),
    }))
}

/// An agent at the end of a tick.
#[derive(Serialize, ToSchema)]
pub(crate) struct OneAgent {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    #[serde(flatten)]
    agent: AgentView,
}

/// One agent.
#[utoipa::path(
    get, path = "/agents/{agent}", tag = "agents", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = OneAgent),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn agent(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<Json<OneAgent>, Problem> {
    server.agent(&name)?;
    let view = server.view(Vec::new()).await?;
    let state = view.agents.iter().find(|state| state.agent == name);
    let state = state.ok_or_else(|| {
        Problem::unavailable("found another run than a moment ago; expected to be asked again")
    })?;
    Ok(Json(OneAgent {
        tick: view.tick,
        time_s: view.time_s,
        agent: state.into(),
    }))
}

/// Places of the scene.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlaceList {
    /// In the order of the scene.
    places: Vec<PlaceView>,
}

/// Named places of the scene, to which agents can be sent.
#[utoipa::path(
    get, path = "/places", tag = "agents",
    responses((status = 200, body = PlaceList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn places(State(server): State<Arc<Server>>) -> Json<PlaceList> {
    Json(PlaceList {
        places: server.places.clone(),
    })
}

/// Sensors of the run.
#[derive(Serialize, ToSchema)]
pub(crate) struct SensorList {
    /// In the order of their names.
    sensors: Vec<SensorKindView>,
}

/// All sensors: what they measure.
#[utoipa::path(
    get, path = "/sensors", tag = "sensors",
    responses((status = 200, body = SensorList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
pub(crate) async fn sensors(State(server): State<Arc<Server>>) -> Json<SensorList> {
    Json(SensorList {
        sensors: server.board.sensors().to_vec(),
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// Patterns of their names, with commas between them: `rover/imu,car/*`.
    #[serde(default = "everything")]
    #[param(max_length = 1000)]
    sensors: String,
}

fn everything() -> String {
    "*".to_owned()
}

/// Readings of one tick.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadingList {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// In the order of their names; `GET /v1/sensors` has names and units of their numbers.
    sensors: Vec<SensorView>,
}

/// The latest readings of several sensors, at the end of the same tick.
#[utoipa::path(
    get, path = "/readings", tag = "sensors", params(Named),
    responses(
        (status = 200, body = ReadingList),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn readings(
    State(server): State<Arc<Server>>,
    Query(named): Query<Named>,
) -> Result<Json<ReadingList>, Problem> {
    if named.sensors.len() > 1000 {
        return Err(Problem::bad("expected `sensors` of at most 1000 bytes"));
    }
    let patterns: Vec<_> = named.sensors.split(',').map(Pattern::new).collect();
    let view = server.view(patterns.clone()).await?;
    let is_named = |sensor: &SensorView| patterns.iter().any(|p| p.fits(&sensor.sensor));
    let all = view.sensors.iter().map(|sensor| SensorView::clone(sensor));
    Ok(Json(ReadingList {
        tick: view.tick,
        time_s: view.time_s,
        sensors: all.filter(is_named).collect(),
    }))
}

/// A sensor at the end of a tick.
#[derive(Serialize, ToSchema)]
pub(crate) struct OneSensor {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// Names of its numbers; of a row of equal ones, the one name.
    fields: Vec<String>,
    /// Their units.
    units: Vec<String>,
    #[serde(flatten)]
    reading: SensorView,
}

/// The latest reading of a sensor.
#[utoipa::path(
    get, path = "/sensors/{agent}/{sensor}", tag = "sensors",
    params(("agent" = String, Path, description = "Its agent"), ("sensor" = String, Path, description = "Its name on the agent")),
    responses(
        (status = 200, body = OneSensor),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn sensor(
    State(server): State<Arc<Server>>,
    Path((agent, sensor)): Path<(String, String)>,
) -> Result<Json<OneSensor>, Problem> {
    let name = format!("{agent}/{sensor}");
    let kinds = server.board.sensors();
    let Some(kind) = kinds.iter().find(|kind| kind.sensor == name) else {
        let known: Vec<_> = kinds
            .iter()
            .map(|kind| format!("`{}`", kind.sensor))
            .collect();
        return Err(Problem::not_found(format!(
            "found no sensor of this name; expected one of {}",
            known.join(", ")
        )));
    };
    let view = server.view(vec![Pattern::new(&name)]).await?;
    let reading = view.sensors.iter().find(|reading| reading.sensor == name);
    let reading = reading.ok_or_else(|| {
        Problem::unavailable("found another run than a moment ago; expected to be asked again")
    })?;
    Ok(Json(OneSensor {
        tick: view.tick,
        time_s: view.time_s,
        fields: kind.fields.clone(),
        units: kind.units.clone(),
        reading: SensorView::clone(reading),
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// Number of the last event that is known; 0 for all that are kept.
    #[serde(default)]
    after: u64,
    /// Most events of the answer, 1 to 1000.
    #[serde(default = "hundred")]
    #[param(minimum = 1, maximum = 1000)]
    most: usize,
}

fn hundred() -> usize {
    100
}

/// Events of the run.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventList {
    /// Events after the cursor that are kept no longer.
    lost: u64,
    /// Oldest first.
    events: Vec<EventView>,
}

/// Events after a cursor.
#[utoipa::path(
    get, path = "/events", tag = "events", params(After),
    responses(
        (status = 200, body = EventList),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn events(
    State(server): State<Arc<Server>>,
    Query(after): Query<After>,
) -> Result<Json<EventList>, Problem> {
    if i64::try_from(after.after).is_err() {
        return Err(Problem::bad("expected `after` below 2^63"));
    }
    if !(1..=1000).contains(&after.most) {
        return Err(Problem::bad("expected `most` from 1 to 1000"));
    }
    let (events, lost) = server.board.events().after(after.after, after.most);
    Ok(Json(EventList { lost, events }))
}
