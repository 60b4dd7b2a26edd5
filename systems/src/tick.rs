//! The order of a tick: one schedule, and sets that run one after the other.

use crate::physics;
use becomingone_components::event::AgentEvent;
use becomingone_components::time::SimTime;
use bevy_app::{App, Plugin};
use bevy_ecs::message::{MessageRegistry, Messages, message_update_system};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{
    LogLevel, ScheduleBuildError, ScheduleBuildSettings, ScheduleBuildWarning, ScheduleLabel,
    SingleThreadedExecutor,
};

/// The schedule that runs once a tick.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tick;

/// Runs after a scene was built, at the start and at every reset: whoever keeps state outside the
/// scene's entities forgets it here.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reset;

/// The sets of [`Tick`], in the order in which they run.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TickSystems {
    /// The outside enters: the only place where it does. At its head the door opens
    /// ([`ExternalInputSystems`](crate::links::ExternalInputSystems)).
    Ingest,
    /// Simulated sensors sample the world as the last tick left it.
    Sample,
    /// Readings become phases.
    Encode,
    /// The self-model foresees this sample.
    Witness,
    /// Emissary and Master hear the phases.
    Resonate,
    /// Emissary against Master.
    Synchronize,
    /// What mattered is remembered.
    Blend,
    /// Controllers turn goals into commands.
    Decide,
    /// Commands go to actuators, as far as the governor let them through after [`Decide`](Self::Decide).
    Act,
    /// Physics and the clock advance by exactly one tick.
    Step,
    /// Viewers and recorders read; they never write.
    Publish,
}

/// Sets up [`Tick`].
pub struct TickPlugin;

impl Plugin for TickPlugin {
    fn build(&self, app: &mut App) {
        use TickSystems::*;
        app.main_mut().update_schedule = Some(Tick.intern());
        app.init_resource::<MessageRegistry>();
        MessageRegistry::register_message::<AgentEvent>(app.world_mut());
        app.edit_schedule(Tick, |schedule| {
            schedule
                // Within a tick, systems run one after the other; what is parallel is inside of them.
                .set_executor(SingleThreadedExecutor::new())
                .set_build_settings(ScheduleBuildSettings {
                    ambiguity_detection: LogLevel::Error,
                    ..Default::default()
                })
                .configure_sets(
                    (
                        Ingest,
                        Sample,
                        Encode,
                        Witness,
                        Resonate,
                        Synchronize,
                        Blend,
                        Decide,
                        Act,
                        Step,
                        Publish,
                    )
                        .chain(),
                );
        });
        app.init_schedule(Reset);
        app.add_systems(Tick, message_update_system.before(Ingest))
            .add_systems(
                Tick,
                advance_clock
                    .in_set(Step)
                    .after(physics::step)
                    .before(physics::motion::track),
            );
        app.add_systems(Reset, forget_messages);
    }
}

/// Ends the tick on the clock: what is published belongs to the time that physics has reached.
pub fn advance_clock(mut time: ResMut<SimTime>) {
    time.advance();
}

fn forget_messages(mut events: ResMut<Messages<AgentEvent>>) {
    events.clear();
}

/// A tick's schedule that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Two systems touch the same thing and nothing says which goes first.
    #[error(
        "systems `{first}` and `{second}` both use {what}, and nothing says which runs first: \
         add `.before({second_short})` or `.after({second_short})` to `{first}`, or put them into different \
         `TickSystems`; where one is the engine's own controller, `.after(ControlSystems)` is meant{}",
        more_pairs(*.more)
    )]
    Ambiguous {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Its last path segment.
        second_short: String,
        /// What both use.
        what: String,
        /// How many more such pairs there are.
        more: usize,
    },
    /// Cycles, systems in contradictory sets.
    #[error("the tick's systems cannot be ordered: {0}")]
    Order(String),
}

fn more_pairs(more: usize) -> String {
    match more {
        0 => String::new(),
        _ => format!(" (and {more} more such pairs)"),
    }
}

/// Builds the tick's schedule, so that mistakes in it are errors and not panics of the first tick.
///
/// # Errors
///
/// [`ScheduleError`] names the systems and what to add.
pub fn build(world: &mut World) -> Result<(), ScheduleError> {
    // Each system runs in a span of `tracing`. As long as no subscriber was ever set, spans are told to `log`, and their
    // names are formatted whether anybody listens or not: a tenth of a microsecond for each system at each tick.
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), || ());
    world.schedule_scope(Tick, |world, schedule| {
        let Err(error) = schedule.initialize(world) else {
            return Ok(());
        };
        if let ScheduleBuildError::Elevated(ScheduleBuildWarning::Ambiguity(pairs)) = &error {
            let mut pairs: Vec<_> = pairs
                .0
                .to_string(schedule.graph(), world.components())
                .collect();
            pairs.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            let more = pairs.len().saturating_sub(1);
            // `path::to::system (in set Step)`: only the path is a name that a person can write.
            let plain = |name: &str| name.split(" (in set").next().unwrap_or(name).to_owned();
            if let Some((first, second, shared)) = pairs.into_iter().next() {
                let (first, second) = (plain(&first), plain(&second));
                let what = if shared.is_empty() {
                    "the whole world".to_owned()
                } else {
                    let mut names: Vec<_> = shared.iter().map(|n| format!("`{n}`")).collect();
                    names.sort();
                    names.join(", ")
                };
                let second_short = second.rsplit("::").next().unwrap_or(&second).to_owned();
                return Err(ScheduleError::Ambiguous {
                    first,
                    second,
                    second_short,
                    what,
                    more,
                });
            }
        }
        Err(ScheduleError::Order(
            error.to_string(schedule.graph(), world),
        ))
    })
}
