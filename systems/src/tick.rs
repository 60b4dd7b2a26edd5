//! The order of a tick: one schedule, and sets that run one after the other.

use becomingone_components::event::AgentEvent;
use becomingone_components::time::SimTime;
use bevy_app::{App, Plugin};
use bevy_ecs::message::{MessageRegistry, Messages, message_update_system};
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{
    LogLevel, ScheduleBuildError, ScheduleBuildSettings, ScheduleBuildWarning, ScheduleLabel,
    Schedules, SingleThreadedExecutor,
};
use bevy_time::{Fixed, Time};
use std::collections::HashMap;
use std::time::Duration;

/// The schedule that runs once a tick.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tick;

/// Runs after a scene was built, at the start and at every reset: systems that keep state outside the scene's
/// entities clear it here.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reset;

/// Runs while a run is paused, about twenty times a second: copies for those who watch it. It changes nothing that a
/// tick reads.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Paused;

/// The sets of [`Reset`], in the order in which they run.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetSystems {
    /// Plugins spawn entities of their own.
    Spawn,
    /// Entities are indexed by their names.
    Index,
    /// Recorders and viewers collect the scene's entities.
    Gather,
}

/// The sets of [`Tick`], in the order in which they run. Every system of the engine is in one of them.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TickSystems {
    /// Message buffers and batches of readings are cleared.
    Begin,
    /// External input enters: drivers, recordings, requests. It enters nowhere else.
    Ingest,
    /// Simulated sensors sample the world as the last tick left it.
    Sample,
    /// Faults corrupt simulated readings; ground truth is untouched.
    Inject,
    /// Readings become features and phases.
    Encode,
    /// Odometry and localisation filters.
    Estimate,
    /// The self-model predicts this sample; the residual is the innovation.
    Witness,
    /// Emissary and Master take the phases.
    Resonate,
    /// Emissary is compared with Master.
    Synchronize,
    /// Detection statistics, isolation, alarm.
    Diagnose,
    /// Events are stored, decay, and are reinforced when they recur.
    Blend,
    /// Controllers turn goals into commands.
    Decide,
    /// The governor limits commands; stops latch, and replace all commands by the safe ones.
    Govern,
    /// Commands go to actuators, simulated or real.
    Act,
    /// Physics and the clock advance by exactly one tick.
    Step,
    /// The state hash.
    Seal,
    /// Viewers and recorders read; they never write.
    Publish,
}

impl TickSystems {
    /// All sets, in the order in which they run.
    pub const ALL: [Self; 17] = [
        Self::Begin,
        Self::Ingest,
        Self::Sample,
        Self::Inject,
        Self::Encode,
        Self::Estimate,
        Self::Witness,
        Self::Resonate,
        Self::Synchronize,
        Self::Diagnose,
        Self::Blend,
        Self::Decide,
        Self::Govern,
        Self::Act,
        Self::Step,
        Self::Seal,
        Self::Publish,
    ];
}

/// Hook that runs before all systems of a set of [`Tick`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct First(pub TickSystems);

/// Hook that runs after all systems of a set of [`Tick`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Last(pub TickSystems);

/// Sets up [`Tick`].
pub struct TickPlugin;

impl Plugin for TickPlugin {
    fn build(&self, app: &mut App) {
        use TickSystems::*;
        app.main_mut().update_schedule = Some(Tick.intern());
        app.init_schedule(Paused).init_resource::<MessageRegistry>();
        MessageRegistry::register_message::<AgentEvent>(app.world_mut());
        app.edit_schedule(Tick, |schedule| {
            schedule
                // Within a tick, systems run in sequence; parallel work is inside of them.
                .set_executor(SingleThreadedExecutor::new())
                .set_build_settings(ScheduleBuildSettings {
                    ambiguity_detection: LogLevel::Error,
                    ..Default::default()
                });
            for set in TickSystems::ALL {
                schedule.configure_sets((First(set), set, Last(set)).chain());
            }
            for pair in TickSystems::ALL.windows(2) {
                schedule.configure_sets((Last(pair[0]), First(pair[1])).chain());
            }
        });
        app.init_schedule(Reset).configure_sets(
            Reset,
            (
                ResetSystems::Spawn,
                ResetSystems::Index,
                ResetSystems::Gather,
            )
                .chain(),
        );
        app.init_resource::<Time>()
            .init_resource::<Time<Fixed>>()
            .add_systems(
                Tick,
                (message_update_system, set_bevy_time).chain().in_set(Begin),
            )
            .add_systems(Reset, reset_bevy_time)
            .add_systems(Tick, advance_clock.in_set(Step));
        app.add_systems(Reset, forget_messages);
    }
}

/// Advances the clock at the end of a tick: published data belongs to the time that physics has reached.
pub fn advance_clock(mut time: ResMut<SimTime>) {
    time.advance();
}

/// Sets bevy's clocks from the run's, for users' systems: length of a tick and time since the start.
fn set_bevy_time(sim: Res<SimTime>, mut time: ResMut<Time>, mut fixed: ResMut<Time<Fixed>>) {
    let now = Duration::from_nanos(sim.now_ns);
    // The first tick begins at zero: its length has not passed yet, and neither has that of any other.
    time.advance_to(now);
    fixed.advance_to(now);
}

fn reset_bevy_time(sim: Res<SimTime>, mut time: ResMut<Time>, mut fixed: ResMut<Time<Fixed>>) {
    *time = Time::default();
    *fixed = Time::from_duration(Duration::from_nanos(sim.tick_ns.max(1)));
}

fn forget_messages(mut events: ResMut<Messages<AgentEvent>>) {
    events.clear();
}

/// A system of the built schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledSystem {
    /// The set that it is in: `Sample`, `First(Sample)`; none for a system outside of all sets.
    pub set: Option<String>,
    /// Path of the system, without the name of the engine's crate.
    pub name: String,
}

/// The systems of [`Tick`] in the order in which they run; none before [`build`].
pub fn scheduled(world: &World) -> Vec<ScheduledSystem> {
    let Some(schedule) = world.get_resource::<Schedules>().and_then(|s| s.get(Tick)) else {
        return Vec::new();
    };
    let sets = TickSystems::ALL.into_iter().flat_map(|set| {
        [
            (format!("First({set:?})"), First(set).intern()),
            (format!("{set:?}"), set.intern()),
            (format!("Last({set:?})"), Last(set).intern()),
        ]
    });
    let mut set_of = HashMap::new();
    for (name, set) in sets {
        for &key in schedule.graph().systems_in_set(set).into_iter().flatten() {
            set_of.insert(key, name.clone());
        }
    }
    let systems = schedule.systems().into_iter().flatten();
    systems
        .map(|(key, system)| {
            let name = system.name().to_string();
            ScheduledSystem {
                set: set_of.get(&key).cloned(),
                name: short(&name),
            }
        })
        .collect()
}

/// Path of a system or type, without the names of the engine's crates.
pub(crate) fn short(path: &str) -> String {
    path.replace("becomingone_systems::", "")
        .replace("becomingone_components::", "")
}

/// A tick's schedule that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// Two systems access the same data without an order.
    #[error(
        "systems `{first}` and `{second}` both access {what}, in no defined order: \
         add `.before({second_short})` or `.after({second_short})` to `{first}`, or put them into different \
         `TickSystems`; where one is the engine's own controller, `.after(ControlSystems)` is meant{}",
        more_pairs(*.more)
    )]
    Ambiguous {
        /// First system.
        first: String,
        /// Second system.
        second: String,
        /// Its last path segment.
        second_short: String,
        /// Data that both access.
        what: String,
        /// Number of further pairs.
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
    // Each system runs in a span of `tracing`. Until a subscriber is set, spans go to `log`, and their names are
    // formatted without any logger too: a tenth of a microsecond for each system at each tick.
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
            // `path::to::system (in set Step)`: only the path is a name in code.
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

/// All systems of a kind of measurement, by its name: they run if any entity has readings of it at the beginning of the
/// tick.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MeasurementSystems(pub &'static str);
