//! Faults begin and end. Those of sensors stand between what is simulated and its reading: what a sensor says is bent,
//! the truth is not.

use crate::sensing::gnss::GnssModel;
use crate::tick::{Tick, TickSystems};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::fault::{Fault, Faults};
use becomingone_components::link::SimulationDisabled;
use becomingone_components::sensor::{Gnss, Measurement, Reading, SensorStats, Truth};
use becomingone_components::time::SimTime;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Simulated sensors, in [`TickSystems::Sample`]: what they write, faults bend.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SensorSystems;

/// Faults of each kind of measurement, after [`SensorSystems`]. A sensor has one kind, so that their order is none.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultInjectionSystems;

/// Begins and ends faults. Kinds of measurement add their own [`inject`].
pub struct FaultsPlugin;

impl Plugin for FaultsPlugin {
    fn build(&self, app: &mut App) {
        app.configure_sets(
            Tick,
            (
                SensorSystems.in_set(TickSystems::Sample),
                FaultInjectionSystems
                    .in_set(TickSystems::Inject)
                    .after(begin_and_end),
            ),
        )
        .add_systems(
            Tick,
            (
                begin_and_end.in_set(TickSystems::Inject),
                // Beside the bending of other kinds, and after that of its own.
                follow_metres
                    .in_set(FaultInjectionSystems)
                    .after(inject::<Gnss>)
                    .ambiguous_with(FaultInjectionSystems),
            ),
        );
    }
}

/// Lets faults bend this kind of measurement.
pub(crate) fn register<T: Measurement>(app: &mut App) {
    app.add_systems(
        Tick,
        inject::<T>
            .in_set(FaultInjectionSystems)
            .ambiguous_with(FaultInjectionSystems),
    );
}

/// Faults begin and end with the tick that has reached their time.
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
            let what = format!("{} {}", fault.name, fault.kind);
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

/// Sensors that are simulated now: what comes from outside is as it is.
type Simulated<T> = (With<Truth<T>>, Without<SimulationDisabled>);

/// Bends what simulated sensors have just said, and takes out what is lost.
pub fn inject<T: Measurement>(
    mut sensors: Query<(&mut Faults, &mut Reading<T>, &mut SensorStats), Simulated<T>>,
) {
    for (mut faults, mut reading, mut stats) in &mut sensors {
        if !reading.is_fresh() {
            continue;
        }
        let Faults { all, numbers } = &mut *faults;
        reading.retain(|said| {
            if all.iter_mut().any(Fault::loses) {
                stats.readings -= 1;
                stats.dropped += 1;
                return false;
            }
            numbers.clear();
            said.value.visit(&mut |x| numbers.push(x));
            let limits = said.value.limits();
            for fault in &mut *all {
                if T::COUNTS {
                    fault.inject_counters(said.source_ns, numbers);
                } else {
                    fault.inject_state(said.source_ns, limits, numbers);
                }
            }
            said.value.fill(numbers);
            true
        });
    }
}

/// Where the metres of a place are bent, the place on the Earth is that of the bent metres.
pub fn follow_metres(
    mut receivers: Query<(&Faults, &GnssModel, &mut Reading<Gnss>), Simulated<Gnss>>,
) {
    for (faults, model, mut reading) in &mut receivers {
        let metres = Gnss::METRES;
        let bends =
            |f: &Fault| f.active && f.numbers.start < metres.end && f.numbers.end > metres.start;
        if reading.is_fresh() && faults.all.iter().any(bends) {
            reading.retain(|said| {
                said.value.place = model.place(said.value.position_m);
                true
            });
        }
    }
}
