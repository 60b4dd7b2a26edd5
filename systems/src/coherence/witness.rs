//! The witness: readings and commands are heard, the self-model foresees them, its surprise is stated.

use super::EventCollector;
use crate::threads::{Workers, prefetch};
use crate::tick::{Tick, TickSystems};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::coherence::{Coherence, KernelTick, MAX_CHANNELS};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::DriveState;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::joints::JointTargets;
use becomingone_components::localisation::{FaultIsolation, SENSED_MOTION};
use becomingone_components::sensor::{Measurement, Reading};
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{Ackermann, VehicleState};
use becomingone_components::witness::{
    Alarm, Consumer, Detection, FeatureExtractor, MAX_ALARMS, MAX_CAUSES, MAX_INPUTS, Witness,
};
use bevy_app::App;
use bevy_ecs::prelude::*;
use std::slice;

/// Hearing of each kind of measurement. A sensor has one kind, so that their order is none.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FeatureSystems;

/// Lets self-models hear this kind of measurement.
pub(crate) fn register<T: Measurement>(app: &mut App) {
    app.configure_sets(Tick, FeatureSystems.in_set(TickSystems::Encode))
        .add_systems(
            Tick,
            extract_features::<T>
                .in_set(FeatureSystems)
                .ambiguous_with(FeatureSystems),
        );
}

/// Takes what sensors have just said. At each kernel tick, it is what came since the last.
pub fn extract_features<T: Measurement>(
    workers: Res<Workers>,
    ticks: Query<&KernelTick>,
    mut sensors: Query<(&Reading<T>, &mut FeatureExtractor)>,
) {
    let ask = |(_, feeds): &(_, Mut<FeatureExtractor>)| {
        prefetch(&feeds.all);
        prefetch(&feeds.samples);
    };
    workers.for_each_prefetched(sensors.iter_mut(), ask, |(reading, mut feeds)| {
        let feeds = &mut *feeds;
        for said in reading.batch() {
            feeds.numbers.clear();
            said.value.visit(&mut |x| feeds.numbers.push(x));
            feeds.extract(said.source_ns);
        }
        if let Some(dt_s) = ticks.get(feeds.agent).ok().and_then(|tick| tick.dt_s) {
            feeds.end(dt_s);
        }
    });
}

/// Takes what drives are told, after their own ramps and limits: what they carry out.
pub fn collect_commands(
    mut witnesses: Query<(&DrivenBy, &mut Witness)>,
    drives: Query<&DriveState>,
    vehicles: Query<(&ActuatorTarget<Ackermann>, &VehicleState)>,
    servos: Query<&ActuatorTarget<JointTargets>>,
) {
    for (by, mut witness) in &mut witnesses {
        let mut commands = witness.commands.iter_mut();
        let mut extract_features = |x: f64| {
            if let Some(average) = commands.next() {
                average.add(x);
            }
        };
        if let Ok(drive) = drives.get(by.0) {
            extract_features(drive.setpoint.linear_m_s);
            extract_features(drive.setpoint.angular_rad_s);
        } else if let Ok((command, state)) = vehicles.get(by.0) {
            extract_features(command.0.speed_m_s);
            extract_features(state.steering_rad);
            extract_features(state.drive_n - state.brake_n);
        } else if let Ok(targets) = servos.get(by.0) {
            targets
                .0
                .positions
                .iter()
                .copied()
                .for_each(extract_features);
        }
    }
}

/// At each kernel tick, takes what came since the last.
///
/// Apart from [`predict`], so that many agents' sensors, which lie anywhere, are waited for at the same time.
pub fn collect(
    workers: Res<Workers>,
    mut witnesses: Query<(&KernelTick, &mut Witness)>,
    sensors: Query<&FeatureExtractor>,
) {
    workers.each(witnesses.iter_mut(), |(tick, mut witness)| {
        if tick.dt_s.is_none() {
            return;
        }
        let witness = &mut *witness;
        witness.samples = [None; MAX_CHANNELS];
        for feeds in sensors.iter_many(&witness.sensors).flatten() {
            for (channel, mean) in feeds.samples(Consumer::Witness) {
                witness.samples[channel] = mean;
            }
        }
    });
}

/// At each kernel tick, the self-model is told what came.
pub fn predict(
    workers: Res<Workers>,
    mut witnesses: Query<(&KernelTick, &mut Witness, Option<&FaultIsolation>)>,
) {
    let ask = |(tick, witness, _): &(&KernelTick, Mut<Witness>, _)| {
        if tick.dt_s.is_some() {
            prefetch(slice::from_ref(&**witness));
        }
    };
    workers.for_each_prefetched(
        witnesses.iter_mut(),
        ask,
        |(tick, mut witness, innovated)| {
            let Some(dt_s) = tick.dt_s else {
                return;
            };
            let witness = &mut *witness;
            let mut inputs = [None; MAX_INPUTS];
            let heard = witness.commands.len();
            for (input, command) in inputs.iter_mut().zip(&mut witness.commands) {
                *input = command.take();
            }
            // The one that is made of others: the product of speed and turn.
            if witness.inputs.len() > heard
                && let [Some(speed), Some(turn), ..] = inputs
            {
                inputs[heard] = Some(speed * turn);
            }
            // A counter has no rate yet; a channel that is missing once is learned as one that may be missing.
            if tick.count == 1 {
                return;
            }
            let inputs = &inputs[..witness.inputs.len()];
            let outputs = &witness.samples[..witness.heard()];
            witness.verdict = witness.model.push(outputs, inputs, dt_s);
            witness.update_transient();
            witness
                .stuck
                .push(&witness.samples, witness.verdict.is_none());
            witness.detections[0] = witness.verdict.map(|v| Detection {
                surprise: v.surprise,
                dissipated: v.dissipated,
                cause: witness
                    .stuck_channels()
                    .or(v.cause.map(|c| witness.after_transient(c))),
            });
            if let Some(surroundings) = &mut witness.surroundings {
                witness.detections[1] = surroundings.push(&witness.samples, dt_s);
            }
            if let (Some(insight), Some(innovated)) = (&mut witness.insight, innovated) {
                let learning = witness.verdict.is_none();
                let done = (tick.count as f64 / f64::from(witness.warm_up_ticks)).min(0.999);
                let found = insight.push(&innovated.white, dt_s, learning.then_some(done));
                witness.detections[2..].copy_from_slice(&found);
                for detection in witness.detections[2..].iter_mut().flatten() {
                    let sensed = detection.cause.and_then(|c| c.checked_sub(MAX_CHANNELS));
                    detection.cause = sensed.map(|s| MAX_CHANNELS + innovated.after_transient(s));
                }
                blame(witness, innovated);
            }
        },
    );
}

/// Least surprise of the readings' self-model, half of what raises an alarm, that tells sensors apart where the filter
/// cannot.
const MIN_SURPRISE: f64 = 0.5;

/// Settles whom the findings blame, where an agent has a filter.
fn blame(witness: &mut Witness, innovated: &FaultIsolation) {
    let Some(insight) = &witness.insight else {
        return;
    };
    let heard = |output: usize| {
        let heard = insight.names.iter().enumerate();
        let mut heard = heard.filter(|(k, _)| innovated.masked >> k & 1 == 0);
        let name = witness.outputs.get(output);
        name.is_some_and(|name| heard.any(|(_, n)| same_sensor(n, name)))
    };
    if let Some(frozen) = witness.stuck_channels().filter(|&k| heard(k)) {
        for detection in witness.detections[2..].iter_mut().flatten() {
            detection.cause = Some(frozen);
        }
        return;
    }
    // Among the sensors that the filter listens to, it knows best whose fault explains all.
    if let Some(isolated) = innovated.isolated() {
        let of_filter = |cause: Option<usize>| cause.is_none_or(|k| k >= MAX_CHANNELS || heard(k));
        let ours = witness
            .detections
            .map(|f| f.is_some_and(|f| of_filter(f.cause)));
        for (detection, _) in witness
            .detections
            .iter_mut()
            .zip(ours)
            .filter(|(_, ours)| *ours)
        {
            if let Some(detection) = detection {
                detection.cause = Some(MAX_CHANNELS + isolated);
            }
        }
        return;
    }
    let Some(read) = witness.detections[0].filter(|f| f.surprise > MIN_SURPRISE) else {
        return;
    };
    let Some(cause) = read.cause.filter(|&k| heard(k)) else {
        return;
    };
    let contradicted = witness.detections[2..]
        .iter()
        .flatten()
        .any(|f| f.dissipated);
    if contradicted {
        // Two faults explain it equally: the readings tell by what each sensor should have said. Of places they know nothing.
        let motion = MAX_CHANNELS..MAX_CHANNELS + SENSED_MOTION;
        for detection in witness.detections[2..].iter_mut().flatten() {
            detection.cause = detection
                .cause
                .map(|k| if motion.contains(&k) { cause } else { k });
        }
    } else if read.dissipated && witness.accelerations >> cause & 1 == 1 && innovated.is_calm() {
        // It does not accelerate as it was told to, and its sensors agree that it does not: the drive is to blame.
        let wheel = witness.model.most_blamed(witness.wheels);
        if let Some(detection) = &mut witness.detections[0] {
            detection.cause = wheel.or(detection.cause);
        }
    }
}

/// States the verdict, and when what came in is dissipated.
pub fn update_alarm(
    time: Res<SimTime>,
    workers: Res<Workers>,
    mut witnesses: Query<(&Name, &KernelTick, &mut Witness, &mut Coherence)>,
    mut events: MessageWriter<AgentEvent>,
) {
    let collected = EventCollector::default();
    let witnesses = witnesses.iter_mut().enumerate();
    workers.each(
        witnesses,
        |(agent, (name, tick, mut witness, mut coherence))| {
            if tick.dt_s.is_none() {
                return;
            }
            let witness = &mut *witness;
            let (Some(verdict), Some(found)) = (&witness.verdict, witness.detection()) else {
                return;
            };
            let was = coherence.dissipated == Some(true);
            coherence.surprise = Some(found.surprise);
            coherence.coherence = Some(1.0 / (1.0 + found.surprise));
            coherence.k1 = verdict.k1;
            coherence.k2 = Some(verdict.k2);
            coherence.k3 = Some(verdict.k3);
            coherence.dissipated = Some(found.dissipated);
            coherence.cause = found.cause.filter(|_| found.dissipated);
            if found.dissipated && !was {
                witness.alarmed += 1;
                if witness.alarms.len() < MAX_ALARMS {
                    witness.alarms.push(Alarm {
                        from_ns: time.now_ns,
                        until_ns: None,
                        blame: [0.0; MAX_CAUSES],
                    });
                }
            }
            let open = witness.alarms.last_mut().filter(|a| a.until_ns.is_none());
            if let Some(alarm) = open {
                if found.dissipated {
                    if let Some(blamed) = found.cause.and_then(|c| alarm.blame.get_mut(c)) {
                        *blamed += 1.0;
                    }
                } else {
                    alarm.until_ns = Some(time.now_ns);
                }
            }
            if found.dissipated != was {
                let cause = found.cause.and_then(|c| witness.name(c));
                collected.note(
                    agent,
                    AgentEvent {
                        now_ns: time.now_ns,
                        agent: name.to_string(),
                        kind: if found.dissipated {
                            EventKind::AlarmRaised {
                                cause: cause.unwrap_or_default().to_owned(),
                            }
                        } else {
                            EventKind::AlarmCleared
                        },
                    },
                );
            }
        },
    );
    collected.write(&mut events);
}

/// Whether two channels are of one sensor, as `encoders/0` and `encoders/left` are; how often it is heard is another thing.
fn same_sensor(a: &str, b: &str) -> bool {
    match (a.split_once('/'), b.split_once('/')) {
        (Some((a, _)), Some((b, part))) => a == b && part != "heard",
        _ => false,
    }
}
