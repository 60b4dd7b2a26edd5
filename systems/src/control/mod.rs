//! Controllers and drives: from goals to wheel motion.
//!
//! - [`pursuit`]: planning along the waypoints (Master, slow).
//! - [`avoidance`]: reaction to obstacles of the last scan (Emissary, fast).
//! - [`patrol`]: both, as a kind of controller.
//! - [`orbit`]: circles, and the fleet coupled on them.
//! - [`requests`]: commands from outside, which take precedence over all of them; [`stop`]: latched stops; `accept`,
//!   [`refusal`]: which requests an agent follows.
//! - [`teleop`]: a stick that sends requests.
//! - [`drive`]: a twist becomes wheel speeds, and torques of the joints' motors.
//! - [`parameters`]: numbers of controllers that requests change.
//! - [`motions`]: motions of joints, as a kind of controller.
//! - `moves`: a distance or an angle by odometry, on request.
//! - `robot`: a body, its drive and its servos.
//! - [`servo`]: motions of joints, and their servos.
//! - `located`: pose of an agent by its controller's pose source.
//! - [`governor`]: the safety supervisor, in [`TickSystems::Govern`].

pub(crate) mod accept;
pub mod avoidance;
pub mod drive;
pub mod governor;
pub(crate) mod located;
pub mod motions;
pub(crate) mod moves;
pub mod orbit;
pub mod parameters;
pub mod patrol;
pub mod pursuit;
pub mod refusal;
pub mod requests;
pub(crate) mod robot;
pub mod servo;
pub mod stop;
pub mod teleop;

use crate::hash::RegisterState as _;
use crate::index::EntityIndex;
use crate::links::{AcceptRequest, ExternalInput};
use crate::tick::{Last, Reset, ResetSystems, Tick, TickSystems};
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::joints::{JointTargets, Servos};
use becomingone_components::request::{ActiveRequest, MoveProgress, Stopped};
use becomingone_components::vehicle::Ackermann;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;

/// The engine's own controllers, in [`TickSystems::Decide`]. A controller of yours that writes the
/// same commands runs `.after(ControlSystems)`.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ControlSystems;

/// Requests from outside take precedence over controllers: they are applied after all of [`TickSystems::Decide`], so that
/// a controller of yours in that set needs no order to them.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestSystems;

/// Runs drives, servos and requests.
pub struct ControlPlugin;

impl Plugin for ControlPlugin {
    fn build(&self, app: &mut App) {
        let stops = stop::StopQueue::default();
        let queue = requests::RequestQueue::new(stops.clone());
        app.init_resource::<ExternalInput>();
        let mut input = app.world_mut().resource_mut::<ExternalInput>();
        input.add(stop::StopLink(stops.clone()));
        input.add(requests::RequestLink(queue.clone()));
        app.insert_resource(queue)
            .insert_resource(stops)
            .init_resource::<accept::RecentRefusals>()
            .insert_resource(AcceptRequest(accept::accept));
        app.configure_sets(
            Tick,
            (
                ControlSystems.in_set(TickSystems::Decide),
                RequestSystems.in_set(Last(TickSystems::Decide)),
            ),
        )
        .register_transient_state::<ActiveRequest>("request")
        .register_transient_state::<Stopped>("stopped")
        .add_systems(
            Reset,
            (
                (stop::list_agents, stop::repeat_latched).chain(),
                accept::begin,
            )
                .in_set(ResetSystems::Gather),
        )
        .add_systems(
            Tick,
            (
                (
                    moves::follow.run_if(any_with_component::<MoveProgress>),
                    requests::follow.run_if(any_with_component::<ActiveRequest>),
                )
                    .chain()
                    .in_set(RequestSystems),
                stop::list_agents
                    .in_set(Last(TickSystems::Begin))
                    .run_if(resource_changed::<EntityIndex>),
                (
                    stop::hold::<Twist2>.run_if(is_held::<Twist2>),
                    stop::hold::<Ackermann>.run_if(is_held::<Ackermann>),
                    stop::hold::<JointTargets>.run_if(is_held::<JointTargets>),
                )
                    .chain()
                    .in_set(Last(TickSystems::Govern)),
                (drive::weaken, drive::turn_wheels)
                    .chain()
                    .in_set(TickSystems::Act)
                    .run_if(any_with_component::<Drive>),
                servo::turn_joints
                    .in_set(TickSystems::Act)
                    .after(drive::turn_wheels)
                    .run_if(any_with_component::<Servos>),
            ),
        );
    }
}

/// Whether there is a stop, or a safe command of one that was cleared.
fn is_held<T: Send + Sync + 'static>(
    stopped: Query<(), With<Stopped>>,
    held: Query<(), With<stop::Held<T>>>,
) -> bool {
    !stopped.is_empty() || !held.is_empty()
}

/// Adds the systems of a kind of controller. An agent has one controller, so that kinds have no order.
pub(crate) fn register_systems(app: &mut App, systems: ScheduleConfigs<ScheduleSystem>) {
    app.configure_sets(Tick, ControlSystems.in_set(TickSystems::Decide))
        .add_systems(
            Tick,
            systems
                .in_set(ControlSystems)
                .ambiguous_with(ControlSystems),
        );
}
