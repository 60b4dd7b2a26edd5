//! The Witness of an agent, W = G\[W\]: its self-model (one-step linear predictor), and the detectors beside it.

use super::alarm::Alarms;
use super::config::DiagnosisConfig;
use super::features::{Consumer, FeatureExtractor};
use super::innovations::InnovationMonitor;
use super::isolation::{Evidence, FaultIsolation, decide, suspect};
use super::level::LevelMonitor;
use super::predictor::{AgentModel, Statistics, SubsetMonitor, samples_at_own_rate, thresholds};
use super::statistics::{Detection, INNOVATIONS, LEVEL, READINGS, SURROUNDINGS, strongest};
use super::stuck::StuckDetector;
use super::transient::TransientDetector;
use crate::events::EventCollector;
use crate::threads::{Workers, prefetch};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::coherence::{Average, Coherence, KernelTick, MAX_CHANNELS};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::DriveState;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::joints::JointTargets;
use becomingone_components::scene::WitnessSpec;
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{Ackermann, VehicleState};
use becomingone_components::witness::{MAX_INPUTS, warm_up_ticks};
use becomingone_kernel::{ConfigError, SelfModelConfig};
use bevy_ecs::prelude::*;
use std::{fmt, slice};

/// The Witness of an agent.
#[derive(Component, Clone, Debug)]
pub struct Witness {
    /// Names of the outputs (predicted channels), in the order of the channels.
    pub outputs: Vec<String>,
    /// Names of the inputs (commands).
    pub inputs: Vec<String>,
    /// Sensors that the outputs come from.
    pub sensors: Vec<Entity>,
    /// Means of the commands since the last kernel tick; their products are computed at the kernel tick.
    pub commands: Vec<Average>,
    /// Sample of each output at this kernel tick.
    pub samples: [Option<f64>; MAX_CHANNELS],
    /// Outputs that are accelerations of the machine, as bits.
    pub accelerations: u32,
    /// Outputs that an acceleration transient affects: these, and pitch rates, as bits.
    pub transient_channels: u32,
    /// Outputs that are wheel speeds, as bits; none without wheels.
    pub wheels: u32,
    /// Transients of the accelerometers.
    pub transient: TransientDetector,
    /// Stuck outputs.
    pub stuck: StuckDetector,
    /// The energy of each acceleration at the tick before, see [`AgentModel::energy`].
    energies: [f64; MAX_CHANNELS],
    /// Kernel ticks of the warm-up.
    pub warm_up_ticks: u32,
    /// The self-model, of all outputs but those of `surroundings`.
    pub model: AgentModel,
    /// Its verdict on the last kernel tick; none before it is trained.
    pub verdict: Option<Statistics>,
    /// The self-model of lidar visibility: the last outputs.
    pub surroundings: Option<SubsetMonitor<MAX_CHANNELS>>,
    /// Monitor of the filter's innovations, where the agent has a filter.
    pub innovations: Option<Box<InnovationMonitor>>,
    /// Detector of the level of stationary outputs, where there are any.
    pub level: Option<Box<LevelMonitor>>,
    /// Detections of the last kernel tick: by the self-model of readings, by that of surroundings, by those of
    /// innovations of motion and of GNSS, by the innovations' energy, by the level.
    pub detections: [Option<Detection>; 6],
    /// Alarms since the start.
    pub alarms: Alarms,
}

/// Outputs of lidar visibility, at the end of a [`Witness`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LidarOutputs {
    /// Count.
    pub count: usize,
    /// Rate of the fastest lidar (Hz): the self-model ticks when one of them has a scan.
    pub rate_hz: f64,
}

impl Witness {
    /// A witness of these outputs and inputs, before the first sample. The first `commands` inputs are commands, the
    /// others are products of them.
    ///
    /// # Errors
    ///
    /// A number of the scene out of range; scenes are checked for that.
    pub fn new(
        outputs: Vec<String>,
        inputs: Vec<String>,
        commands: usize,
        lidars: LidarOutputs,
        config: &DiagnosisConfig,
        spec: &WitnessSpec,
        rate_hz: f64,
    ) -> Result<Self, ConfigError> {
        // Without other outputs, these count as readings.
        let seen = if lidars.count < outputs.len() {
            lidars.count
        } else {
            0
        };
        let of_readings = outputs.len() - seen;
        let ticks = warm_up_ticks(spec, rate_hz);
        let surroundings = (seen > 0).then(|| {
            let scans = samples_at_own_rate(ticks, lidars.rate_hz / rate_hz);
            SubsetMonitor::new((of_readings, seen), 0, spec.lidar, scans)
        });
        let model = SelfModelConfig {
            outputs: of_readings,
            inputs: inputs.len(),
            warm_up_samples: ticks,
            thresholds: spec.thresholds.map(thresholds),
            ..SelfModelConfig::default()
        };
        Ok(Self {
            accelerations: 0,
            transient_channels: 0,
            wheels: 0,
            transient: TransientDetector::new(&config.transient, rate_hz),
            stuck: StuckDetector::new(&config.stuck, rate_hz),
            energies: [0.0; MAX_CHANNELS],
            warm_up_ticks: ticks,
            surroundings: surroundings.transpose()?,
            model: AgentModel::new(model)?,
            sensors: Vec::new(),
            commands: vec![Average::default(); commands],
            samples: [None; MAX_CHANNELS],
            outputs,
            inputs,
            verdict: None,
            innovations: None,
            level: None,
            detections: [None; 6],
            alarms: Alarms::default(),
        })
    }

    /// Number of outputs of the self-model of readings: all but those of surroundings.
    pub fn of_readings(&self) -> usize {
        self.outputs.len() - self.surroundings.as_ref().map_or(0, SubsetMonitor::count)
    }

    /// Passes the self-model's energies of a kernel tick to the transient detector.
    fn update_transient(&mut self) {
        if self.accelerations == 0 {
            return;
        }
        let mut most: Option<f64> = None;
        for k in (0..MAX_CHANNELS).filter(|k| self.accelerations >> k & 1 == 1) {
            let (was, is) = (self.energies[k], self.model.energy(k));
            self.energies[k] = is;
            // Contribution of this tick to an exponential mean, up to the rounding of an `f32`.
            let added = was + (is - was) / ENERGY_GAIN - ROUNDED * was;
            most = Some(most.map_or(added, |most| most.max(added)));
        }
        if let Some(most) = most {
            self.transient.push(most);
        }
    }

    /// The stuck output with the largest share of the surprise, if one has any.
    fn stuck_output(&self) -> Option<usize> {
        match self.stuck.channels() {
            0 => None,
            stuck => self.model.most_blamed(stuck),
        }
    }

    /// Part of an output in the energy of its self-model's residual: its mean over ten samples, 1 while healthy; see
    /// [`SelfModel::energy`](becomingone_kernel::SelfModel::energy). None before that self-model is trained, and for
    /// outputs that were constant during warm-up.
    pub fn energy(&self, output: usize) -> Option<f64> {
        let (is_constant, energy) = match output.checked_sub(self.of_readings()) {
            None => {
                self.verdict?;
                (self.model.is_constant(output), self.model.energy(output))
            }
            Some(seen) => {
                let surroundings = self.surroundings.as_ref()?;
                surroundings.verdict?;
                let model = &surroundings.model;
                (model.is_constant(seen), model.energy(seen))
            }
        };
        (!is_constant).then_some(energy)
    }

    /// Result of all detectors together; none before the witness is trained.
    pub fn detection(&self) -> Option<Detection> {
        strongest(&self.detections)
    }

    /// Name of a channel: one of the self-model's, or from [`MAX_CHANNELS`] on one of the filter's.
    pub fn name(&self, cause: usize) -> Option<&str> {
        let name = match cause.checked_sub(MAX_CHANNELS) {
            None => self.outputs.get(cause),
            Some(k) => self.innovations.as_ref()?.names.get(k),
        };
        name.map(String::as_str)
    }

    /// Name of the isolated channel; none without an alarm.
    pub fn cause(&self) -> Option<&str> {
        self.name(self.detection().filter(|d| d.dissipated)?.cause?)
    }
}

/// 1 - e^(-1/10): [`AgentModel::energy`] is a mean over ten samples.
const ENERGY_GAIN: f64 = 0.095_162_581_964_040_43;

/// Rounding of an energy in `f32`, as a share of it: half a step at both ticks, over [`ENERGY_GAIN`].
const ROUNDED: f64 = f32::EPSILON as f64 / ENERGY_GAIN;

/// Outputs and inputs in one line.
impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outputs.join(", "))?;
        if !self.inputs.is_empty() {
            write!(f, " by {}", self.inputs.join(", "))?;
        }
        Ok(())
    }
}

/// Collects the setpoints of drives, after their own ramps and limits.
pub fn collect_commands(
    mut witnesses: Query<(&DrivenBy, &mut Witness)>,
    drives: Query<&DriveState>,
    vehicles: Query<(&ActuatorTarget<Ackermann>, &VehicleState)>,
    servos: Query<&ActuatorTarget<JointTargets>>,
) {
    for (by, mut witness) in &mut witnesses {
        let mut commands = witness.commands.iter_mut();
        let mut add = |x: f64| {
            if let Some(average) = commands.next() {
                average.add(x);
            }
        };
        if let Ok(drive) = drives.get(by.0) {
            add(drive.setpoint.linear_m_s);
            add(drive.setpoint.angular_rad_s);
        } else if let Ok((command, state)) = vehicles.get(by.0) {
            add(command.0.speed_m_s);
            add(state.steering_rad);
            add(state.drive_n - state.brake_n);
        } else if let Ok(targets) = servos.get(by.0) {
            targets.0.positions.iter().copied().for_each(add);
        }
    }
}

/// At each kernel tick, collects the samples of the sensors.
///
/// Apart from [`predict`], to overlap the memory accesses of many agents' sensors.
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
        for extractor in sensors.iter_many(&witness.sensors).flatten() {
            for (channel, mean) in extractor.samples(Consumer::Witness) {
                witness.samples[channel] = mean;
            }
        }
    });
}

/// At each kernel tick, predicts the samples, compares, and isolates faults.
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
        |(tick, mut witness, isolation)| {
            let Some(dt_s) = tick.dt_s else {
                return;
            };
            let witness = &mut *witness;
            let mut inputs = [None; MAX_INPUTS];
            let commands = witness.commands.len();
            for (input, command) in inputs.iter_mut().zip(&mut witness.commands) {
                *input = command.take();
            }
            // The product of speed and turn.
            if witness.inputs.len() > commands
                && let [Some(speed), Some(turn), ..] = inputs
            {
                inputs[commands] = Some(speed * turn);
            }
            // A counter has no rate yet; a channel that is missing once counts as one that may be missing.
            if tick.count == 1 {
                return;
            }
            let inputs = &inputs[..witness.inputs.len()];
            let learning = witness.verdict.is_none();
            if let Some(level) = &mut witness.level {
                witness.detections[LEVEL] = level.push(&witness.samples, learning);
            }
            let outputs = &witness.samples[..witness.of_readings()];
            witness.verdict = witness.model.push(outputs, inputs, dt_s);
            witness.update_transient();
            witness
                .stuck
                .push(&witness.samples, witness.verdict.is_none());
            witness.detections[READINGS] = witness.verdict.map(|v| Detection {
                surprise: v.surprise,
                dissipated: v.dissipated,
                cause: suspect(
                    witness.stuck_output(),
                    v.cause,
                    |k| witness.transient_channels >> k & 1 == 1 && witness.transient.is_over(),
                    || witness.model.most_blamed(witness.wheels),
                ),
            });
            if let Some(surroundings) = &mut witness.surroundings {
                witness.detections[SURROUNDINGS] = surroundings.push(&witness.samples, dt_s);
            }
            if let (Some(monitor), Some(isolation)) = (&mut witness.innovations, isolation) {
                let learning = witness.verdict.is_none();
                let done = (tick.count as f64 / f64::from(witness.warm_up_ticks)).min(0.999);
                let found = monitor.push(&isolation.white, dt_s, learning.then_some(done));
                witness.detections[INNOVATIONS..LEVEL].copy_from_slice(&found);
                for detection in witness.detections[INNOVATIONS..LEVEL].iter_mut().flatten() {
                    let sensed = detection.cause.and_then(|c| c.checked_sub(MAX_CHANNELS));
                    detection.cause = sensed.map(|s| MAX_CHANNELS + isolation.after_transient(s));
                }
                isolate(witness, isolation);
            }
        },
    );
}

/// Sets the causes of the detectors, where an agent has a filter.
fn isolate(witness: &mut Witness, isolation: &FaultIsolation) {
    let Some(monitor) = &witness.innovations else {
        return;
    };
    // Whether the filter uses the sensor of an output.
    let uses = |output: usize| {
        let names = monitor.names.iter().enumerate();
        let mut used = names.filter(|(k, _)| isolation.masked >> k & 1 == 0);
        let name = witness.outputs.get(output);
        name.is_some_and(|name| used.any(|(_, n)| same_sensor(n, name)))
    };
    let readings = witness.detections[READINGS];
    let certain = readings.filter(|d| d.surprise > isolation.config.min_surprise);
    let predicted = certain.and_then(|d| d.cause).filter(|&k| uses(k));
    let mut innovations = witness.detections[INNOVATIONS..LEVEL].iter().flatten();
    let evidence = Evidence {
        stuck: witness.stuck_output().filter(|&k| uses(k)),
        isolated: isolation.isolated(),
        predicted,
        readings_alarm: readings.is_some_and(|d| d.dissipated),
        is_acceleration: predicted.is_some_and(|k| witness.accelerations >> k & 1 == 1),
        innovations_alarm: innovations.any(|d| d.dissipated),
        sensors_agree: isolation.is_calm(),
        wheel: witness.model.most_blamed(witness.wheels),
    };
    let mut detections = witness.detections;
    if let Some((rule, channel)) = decide(&evidence) {
        rule.apply(channel, &mut detections, uses);
    }
    witness.detections = detections;
}

/// Publishes the result of a kernel tick in the agent's [`Coherence`], and raises and clears its alarm.
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
            witness.alarms.update(&found, was, time.now_ns);
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

/// Whether two channels are of one sensor, as `encoders/0` and `encoders/left` are; the rate of readings is excluded.
fn same_sensor(a: &str, b: &str) -> bool {
    match (a.split_once('/'), b.split_once('/')) {
        (Some((a, _)), Some((b, part))) => a == b && part != "count",
        _ => false,
    }
}
