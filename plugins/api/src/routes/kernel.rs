//! The kernel of an agent, its memories, and the truth of a simulated one: asked of a tick when somebody wants to know.

use crate::extract::Path;
use crate::problem::Problem;
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use becomingone::AgentSummary;
use becomingone::components::body::{TruePose, TrueTwist};
use becomingone::components::time::SimTime;
use becomingone::systems::coherence::memory::Blend;
use becomingone::systems::diagnosis::witness::Witness;
use becomingone::systems::index::EntityIndex;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// Longest wait for a tick.
const TICK_WITHIN: Duration = Duration::from_secs(1);
/// Most memories of an answer: the strongest.
const MAX_MEMORIES: usize = 256;

/// Kernel of an agent at the end of a tick.
#[derive(Serialize, ToSchema)]
pub(crate) struct KernelDetail {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// Its name.
    agent: String,
    /// As in the summary of a run: order, statistics K1 to K3 with their thresholds, outputs, alarms.
    #[schema(value_type = Object)]
    kernel: Value,
    /// Of each predicted channel: the energy of its residual, its mean over 10 samples, 1 while healthy. Without those
    /// whose self-model is not trained, and those that were constant.
    energies: BTreeMap<String, f64>,
    /// Strongest first.
    memories: Vec<MemoryView>,
}

/// A memory of an event.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemoryView {
    /// Time and event.
    label: String,
    /// Its strength now, 0 to 1.
    strength: f64,
    /// Run of the event: 0 without memories of earlier runs.
    run: u64,
    /// Time of the event (s from its run's start).
    time_s: f64,
    /// Number of events that it stands for.
    events: u64,
}

impl Server {
    /// What `read` finds of an agent at the end of the next tick.
    pub(super) async fn of_agent<T: Send + 'static>(
        &self,
        agent: &str,
        read: impl FnOnce(&bevy_ecs::world::World, &str, &SimTime) -> Option<T> + Send + 'static,
    ) -> Result<T, Problem> {
        self.agent(agent)?;
        let name = agent.to_owned();
        let found = self.board.read(TICK_WITHIN, move |world| {
            let time = world.get_resource::<SimTime>()?;
            read(world, &name, time)
        });
        match found.await {
            Some(Some(found)) => Ok(found),
            Some(None) => Err(Problem::not_found("found an agent without it")),
            None => Err(Problem::unavailable(format!(
                "found no answer of a tick within {} s: the run has not started, has ended, its ticks are long, or too many ask",
                TICK_WITHIN.as_secs()
            ))),
        }
    }
}

/// The kernel of an agent: statistics, thresholds, alarms, memories.
#[utoipa::path(
    get, path = "/agents/{agent}/kernel", tag = "agents", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = KernelDetail),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn kernel(
    State(server): State<Arc<Server>>,
    Path(agent): Path<String>,
) -> Result<Json<KernelDetail>, Problem> {
    let detail = server.of_agent(&agent, |world, name, time| {
        let summary = AgentSummary::of(world, name)?;
        let agent = world.resource::<EntityIndex>().entity(name)?;
        let held = world.get::<Blend>(agent);
        let held = held.into_iter().flat_map(Blend::memories);
        let mut memories: Vec<_> = held
            .map(|held| MemoryView {
                label: held.item.label.to_string(),
                strength: held.strength,
                run: held.item.run,
                time_s: held.item.at_ns as f64 * 1e-9,
                events: held.item.events,
            })
            .collect();
        memories.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        memories.truncate(MAX_MEMORIES);
        let kernel = serde_json::to_value(&summary.kernel).ok()?;
        let energies = world.get::<Witness>(agent).into_iter().flat_map(|witness| {
            let energy =
                |(index, name): (usize, &String)| Some((name.clone(), witness.energy(index)?));
            witness.outputs.iter().enumerate().filter_map(energy)
        });
        Some(KernelDetail {
            tick: time.tick,
            time_s: time.now_s(),
            agent: name.to_owned(),
            energies: energies.collect(),
            kernel,
            memories,
        })
    });
    Ok(Json(detail.await?))
}

/// Where a simulated agent is, without noise and faults.
#[derive(Serialize, ToSchema)]
pub(crate) struct TruthView {
    /// Ticks so far.
    tick: u64,
    /// Time of the run (s).
    time_s: f64,
    /// Its name.
    agent: String,
    /// Position of its root (m).
    position_m: [f32; 3],
    /// Its orientation: x, y, z, w of a quaternion.
    orientation: [f32; 4],
    /// Its velocity (m/s).
    linear_m_s: [f32; 3],
    /// Its angular velocity (rad/s).
    angular_rad_s: [f32; 3],
}

/// Where a simulated agent is, without noise and faults.
#[utoipa::path(
    get, path = "/agents/{agent}/truth", tag = "agents", params(("agent" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = TruthView),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn truth(
    State(server): State<Arc<Server>>,
    Path(agent): Path<String>,
) -> Result<Json<TruthView>, Problem> {
    let truth = server.of_agent(&agent, |world, name, time| {
        let agent = world.resource::<EntityIndex>().entity(name)?;
        let pose = world.get::<TruePose>(agent)?.0;
        let twist = world.get::<TrueTwist>(agent)?;
        Some(TruthView {
            tick: time.tick,
            time_s: time.now_s(),
            agent: name.to_owned(),
            position_m: pose.translation_m.to_array(),
            orientation: pose.rotation.to_array(),
            linear_m_s: twist.linear_m_s.to_array(),
            angular_rad_s: twist.angular_rad_s.to_array(),
        })
    });
    Ok(Json(truth.await?))
}
