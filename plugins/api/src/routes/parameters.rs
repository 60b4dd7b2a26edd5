//! Parameters and faults of an agent: what a request of the kinds `set`, `fault` and `end_faults` changes.

use crate::extract::Path;
use crate::problem::Problem;
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use becomingone::components::fault::Faults;
use becomingone::systems::control::parameters;
use becomingone::systems::index::EntityIndex;
use bevy_ecs::hierarchy::Children;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Numbers of an agent's controller.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParameterList {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// Its name.
    agent: String,
    /// Those that a request of the kind `set` may change.
    parameters: Vec<ParameterView>,
}

/// A number of a controller.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParameterView {
    /// `controller.speed_m_s`.
    name: String,
    /// In the unit that its name ends with, as in the scene.
    value: f64,
}

/// The numbers of an agent's controller that a request may change.
#[utoipa::path(
    get, path = "/agents/{agent}/parameters", tag = "agents", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = ParameterList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Path(agent): Path<String>,
) -> Result<Json<ParameterList>, Problem> {
    let list = server.of_agent(&agent, |world, name, time| {
        let agent = world.resource::<EntityIndex>().entity(name)?;
        let all = parameters::parameters(world, agent).into_iter();
        Some(ParameterList {
            tick: time.tick,
            time_s: time.now_s(),
            agent: name.to_owned(),
            parameters: all
                .map(|(name, value)| ParameterView { name, value })
                .collect(),
        })
    });
    Ok(Json(list.await?))
}

/// Faults of an agent's simulated sensors and drive.
#[derive(Serialize, ToSchema)]
pub(crate) struct FaultList {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// Its name.
    agent: String,
    /// Also those that are over, and those to come.
    faults: Vec<FaultView>,
}

/// A fault of a simulated sensor or drive.
#[derive(Serialize, ToSchema)]
pub(crate) struct FaultView {
    /// Sensor or drive, and the part: `imu/gyro_z`.
    target: String,
    /// Its effect: `off by 0.1`.
    effect: String,
    /// Begin (s).
    from_s: f64,
    /// End (s); null where it does not end.
    until_s: Option<f64>,
    /// Whether it acts now.
    is_active: bool,
    /// Whether a request began it; the scene otherwise.
    is_requested: bool,
}

/// Faults of an agent's simulated sensors and drive.
#[utoipa::path(
    get, path = "/agents/{agent}/faults", tag = "agents", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = FaultList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn faults(
    State(server): State<Arc<Server>>,
    Path(agent): Path<String>,
) -> Result<Json<FaultList>, Problem> {
    let list = server.of_agent(&agent, |world, name, time| {
        let agent = world.resource::<EntityIndex>().entity(name)?;
        let parts = world.get::<Children>(agent).into_iter().flatten();
        let faulty = parts.filter_map(|part| world.get::<Faults>(*part));
        let faults = faulty.flat_map(|faults| &faults.all);
        Some(FaultList {
            tick: time.tick,
            time_s: time.now_s(),
            agent: name.to_owned(),
            faults: faults
                .map(|fault| FaultView {
                    target: fault.name.clone(),
                    effect: fault.description.clone(),
                    from_s: fault.from_ns as f64 * 1e-9,
                    until_s: (fault.until_ns != u64::MAX).then_some(fault.until_ns as f64 * 1e-9),
                    is_active: fault.active,
                    is_requested: fault.is_requested,
                })
                .collect(),
        })
    });
    Ok(Json(list.await?))
}
