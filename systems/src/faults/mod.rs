//! Faults begin and end. Those of sensors stand between what is simulated and its reading: what a sensor says is bent,
//! the truth is not.

use crate::sensing::gnss::GnssModel;
use crate::tick::{Tick, TickSystems};
use becomingone_components::event::{Happening, What};
use becomingone_components::fault::{Fault, Faults};
use becomingone_components::link::Muted;
use becomingone_components::sensor::{Gnss, Measurement, Reading, SensorStats, Truth};
use becomingone_components::time::SimTime;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Simulated sensors, in [`TickSystems::Sense`]: what they write, faults bend.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampleSystems;

/// Faults of each kind of measurement, after [`SampleSystems`]. A sensor has one kind, so that their order is none.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BendSystems;

/// Begins and ends faults. Kinds of measurement add their own [`bend`].
pub struct FaultsPlugin;

impl Plugin for FaultsPlugin {
    fn build(&self, app: &mut App) {
        app.configure_sets(
            Tick,
            (
                SampleSystems.in_set(TickSystems::Sense),
                BendSystems
                    .in_set(TickSystems::Sense)
                    .after(SampleSystems)
                    .after(begin_and_end),
            ),
        )
        .add_systems(
            Tick,
            (
                begin_and_end.in_set(TickSystems::Sense),
                // Beside the bending of other kinds, and after that of its own.
                follow_metres
                    .in_set(BendSystems)
                    .after(bend::<Gnss>)
                    .ambiguous_with(BendSystems),
            ),
        );
    }
}

/// Lets faults bend this kind of measurement.
pub(crate) fn register<T: Measurement>(app: &mut App) {
    app.add_systems(
        Tick,
        bend::<T>.in_set(BendSystems).ambiguous_with(BendSystems),
    );
}

/// Faults begin and end with the tick that has reached their time.
pub fn begin_and_end(
    time: Res<SimTime>,
    mut faulty: Query<(&ChildOf, &mut Faults)>,
    agents: Query<&Name>,
    mut happenings: MessageWriter<Happening>,
) {
    for (of, mut faults) in &mut faulty {
        let turns = |f: &Fault| f.active != (f.from_ns..f.until_ns).contains(&time.now_ns);
        if !faults.all.iter().any(turns) {
            continue;
        }
        for fault in faults.all.iter_mut().filter(|f| turns(f)) {
            fault.active = !fault.active;
            let what = format!("{} {}", fault.name, fault.kind);
            happenings.write(Happening {
                now_ns: time.now_ns,
                agent: agents
                    .get(of.parent())
                    .map_or_else(|_| String::new(), ToString::to_string),
                what: if fault.active {
                    What::FaultBegan(what)
                } else {
                    What::FaultEnded(what)
                },
            });
        }
    }
}

/// Sensors that are simulated now: what comes from outside is as it is.
type Simulated<T> = (With<Truth<T>>, Without<Muted>);

/// Bends what simulated sensors have just said, and takes out what is lost.
pub fn bend<T: Measurement>(
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
                    fault.bend_counters(said.source_ns, numbers);
                } else {
                    fault.bend_state(said.source_ns, limits, numbers);
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
