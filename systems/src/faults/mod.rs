//! Faults of sensors and drives begin and end; those of sensors corrupt simulated readings. Ground truth is untouched.
//!
//! - `target`: targets of faults; [`check`](mod@check): whether they exist; [`request`]: faults that begin on request.
//! - a file each for the engine's own kinds, with `counter` for incremental sensors.

mod bias;
mod block;
pub mod check;
mod counter;
mod delay;
mod drift;
mod drop_out;
mod freeze;
pub mod request;
mod scale;
mod slip;
mod target;
#[cfg(test)]
mod tests;
mod torque;

pub use bias::Bias;
pub use block::Block;
pub use check::check;
pub use counter::CounterOffset;
pub use delay::Delay;
pub use drift::Drift;
pub use drop_out::DropOut;
pub use freeze::Freeze;
pub use scale::Scale;
pub use slip::Slip;
pub use target::{FaultTargetError, Target, target};
pub use torque::Torque;

use crate::sensing::{Gnss, Simulated};
use crate::tick::{MeasurementSystems, Tick, TickSystems};
use becomingone_components::drive::DRIVE_RATE_HZ;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::fault::{DRIVE, Fault, Faults};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::scene::SceneSpec;
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::sensor::{GnssFix, Measurement, Reading, SensorStats, Truth};
use becomingone_components::time::SimTime;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Faults of each kind of measurement, in [`TickSystems::Inject`]. A sensor has one kind, so that kinds have no order.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultInjectionSystems;

/// Begins and ends faults. Kinds of measurement add their own [`inject`].
pub struct FaultsPlugin;

impl Plugin for FaultsPlugin {
    fn build(&self, app: &mut App) {
        app.configure_sets(
            Tick,
            FaultInjectionSystems
                .in_set(TickSystems::Inject)
                .after(begin_and_end)
                .run_if(any_with_component::<Faults>),
        )
        .add_systems(
            Tick,
            (
                begin_and_end
                    .in_set(TickSystems::Inject)
                    .run_if(any_with_component::<Faults>),
                // In no order with other kinds, and after the injection into its own.
                follow_metres
                    .in_set(FaultInjectionSystems)
                    .after(inject::<GnssFix>)
                    .ambiguous_with(FaultInjectionSystems),
            ),
        );
    }
}

/// Adds fault injection for this kind of measurement.
pub(crate) fn register<T: Measurement>(app: &mut App) {
    app.add_systems(
        Tick,
        inject::<T>
            .in_set(FaultInjectionSystems)
            .in_set(MeasurementSystems(T::KIND))
            .ambiguous_with(FaultInjectionSystems),
    );
}

/// Begins and ends faults, at the tick that has reached their time.
pub fn begin_and_end(
    time: Res<SimTime>,
    mut faulty: Query<(&ChildOf, &mut Faults)>,
    agents: Query<&Name>,
    mut events: MessageWriter<AgentEvent>,
) {
    for (of, mut faults) in &mut faulty {
        let turns = |f: &Fault| f.active != (f.from_ns..f.until_ns).contains(&time.now_ns);
        if !faults.all.iter().any(turns) {
            continue;
        }
        for fault in faults.all.iter_mut().filter(|f| turns(f)) {
            fault.active = !fault.active;
            let what = format!("{} {}", fault.name, fault.description);
            events.write(AgentEvent {
                now_ns: time.now_ns,
                agent: agents
                    .get(of.parent())
                    .map_or_else(|_| String::new(), ToString::to_string),
                kind: if fault.active {
                    EventKind::FaultBegan(what)
                } else {
                    EventKind::FaultEnded(what)
                },
            });
        }
    }
}

/// Sensors that are simulated now: faults do not act on external readings.
type IsSimulated<T> = (With<Truth<T>>, Without<SimulationDisabled>);

/// Corrupts the fresh readings of simulated sensors, and removes lost ones.
pub fn inject<T: Measurement>(
    mut sensors: Query<(&mut Faults, &mut Reading<T>, &mut SensorStats), IsSimulated<T>>,
) {
    for (mut faults, mut reading, mut stats) in &mut sensors {
        if !reading.is_fresh() {
            continue;
        }
        let Faults { all, numbers } = &mut *faults;
        reading.retain(|stamped| {
            if all.iter_mut().any(Fault::loses) {
                stats.readings -= 1;
                stats.dropped += 1;
                return false;
            }
            numbers.clear();
            stamped.value.visit(&mut |x| numbers.push(x));
            let limits = stamped.value.limits();
            for fault in &mut *all {
                fault.inject(stamped.source_ns, T::COUNTS, limits, numbers);
            }
            stamped.value.fill(numbers);
            true
        });
    }
}

/// Recomputes the WGS84 position of a fix from its corrupted metres.
pub fn follow_metres(
    mut receivers: Query<(&Faults, &Simulated<Gnss>, &mut Reading<GnssFix>), IsSimulated<GnssFix>>,
) {
    for (faults, model, mut reading) in &mut receivers {
        let metres = GnssFix::METRES;
        let is_corrupted =
            |f: &Fault| f.active && f.numbers.start < metres.end && f.numbers.end > metres.start;
        if reading.is_fresh() && faults.all.iter().any(is_corrupted) {
            reading.retain(|stamped| {
                stamped.value.place = model.0.place(stamped.value.position_m);
                true
            });
        }
    }
}

/// Adds the faults of sensors and drives; the loader has checked the targets.
pub(crate) fn spawn(world: &mut World, scene: &SceneSpec, named: &[(String, Entity)]) {
    let seed = RunSeed(scene.seed);
    for spec in &scene.faults {
        let Ok(target) = target(&scene.agents, &spec.sensor) else {
            continue;
        };
        let agent = &scene.agents[target.agent];
        let sensor = target.sensor.map(|k| &agent.sensors[k]);
        let (of, rate_hz) = sensor.map_or((DRIVE, DRIVE_RATE_HZ), |s| (&s.name, s.rate_hz));
        let name = format!("{}/{of}", agent.name);
        let Ok(index) = named.binary_search_by(|(n, _)| n.as_str().cmp(&name)) else {
            continue;
        };
        let mut faulty = world.entity_mut(named[index].1);
        let mut faults = faulty.entry::<Faults>().or_default();
        let all = &mut faults.get_mut().all;
        let rng = Rng::for_name(seed, &format!("{name}/faults/{}", all.len()));
        all.extend(Fault::new(spec, target.name, target.numbers, rate_hz, rng));
    }
}
