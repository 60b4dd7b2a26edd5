//! Faults stand between simulated sensors and their readings: what a sensor says is bent, the truth is not.

use crate::tick::{Tick, TickSystems};
use becomingone_components::event::{Happening, What};
use becomingone_components::fault::{Fault, Faults};
use becomingone_components::link::Muted;
use becomingone_components::sensor::{Measurement, Reading, Sensor, Truth};
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
        .add_systems(Tick, begin_and_end.in_set(TickSystems::Sense));
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
    mut sensors: Query<(&Sensor, &mut Faults)>,
    agents: Query<&Name>,
    mut happenings: MessageWriter<Happening>,
) {
    for (sensor, mut faults) in &mut sensors {
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
                    .get(sensor.agent)
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

/// Bends what simulated sensors have just said.
pub fn bend<T: Measurement>(mut sensors: Query<(&mut Faults, &mut Reading<T>), Simulated<T>>) {
    for (mut faults, mut reading) in &mut sensors {
        if !reading.is_fresh() {
            continue;
        }
        let Faults { all, numbers } = &mut *faults;
        for said in reading.batch_mut() {
            numbers.clear();
            said.value.visit(&mut |x| numbers.push(x));
            for fault in &mut *all {
                if T::COUNTS {
                    fault.bend_counters(numbers);
                } else {
                    fault.bend_state(numbers);
                }
            }
            said.value.fill(numbers);
        }
    }
}
