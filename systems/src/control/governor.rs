//! Governor (safety supervisor): limits the speed while readings deviate from what was expected, excludes a faulty sensor
//! from the filter, and stops for good where the alarm lasts. It limits teleoperation too.

use crate::diagnosis::config::samples;
use crate::diagnosis::isolation::FaultIsolation;
use crate::diagnosis::witness::Witness;
use crate::estimation::localiser::EkfLocaliser;
use crate::hash::{Bits, HashState, RegisterState};
use crate::sensing::{Encoders, Gnss};
use crate::tick::{Tick, TickSystems};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::coherence::{Coherence, KernelTick, MAX_CHANNELS};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::Twist2;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::governor::{Governed, Governor, GovernorSpec};
use becomingone_components::localisation::Sensed;
use becomingone_components::scene::SensorSpec;
use becomingone_components::time::{NS_PER_S, Rate, SimTime};
use becomingone_components::vehicle::Ackermann;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Runs the governors of agents that have one.
pub struct GovernorPlugin;

impl Plugin for GovernorPlugin {
    fn build(&self, app: &mut App) {
        app.register_state::<Governor>("governor").add_systems(
            Tick,
            (govern, (limit_twists, limit_cars))
                .chain()
                .in_set(TickSystems::Govern)
                .run_if(any_with_component::<Governor>),
        );
    }
}

impl HashState for Governor {
    fn bits(&self, bits: &mut Bits) {
        bits.f64(self.limit);
        bits.u64(u64::from(self.stopped));
        bits.u64(u64::from(self.left_out));
    }
}

/// Time for which a surprise has to last to limit the speed (s), as for an alarm: fewer samples may be outliers.
const LASTING_S: f64 = 0.06;
/// Fewest samples of it.
const LASTING_SAMPLES: u32 = 3;

/// Gives an agent its governor; the actuator that it drives keeps the command before it.
pub(crate) fn spawn(world: &mut World, agent: Entity, sensors: &[SensorSpec], spec: GovernorSpec) {
    let names = sensors.iter().map(|s| s.name.clone());
    let rate_hz = world.get::<Rate>(agent).map_or(0.0, Rate::rate_hz);
    let lasting = samples(LASTING_S, rate_hz, LASTING_SAMPLES) as usize;
    let governor = Governor::new(spec, names.collect(), excludable(sensors), lasting);
    world.entity_mut(agent).insert(governor);
    let Some(&DrivenBy(actuator)) = world.get::<DrivenBy>(agent) else {
        return;
    };
    let mut actuator = world.entity_mut(actuator);
    if let Some(&ActuatorTarget::<Twist2>(rest)) = actuator.get() {
        actuator.insert(Governed(rest));
    }
    if let Some(&ActuatorTarget::<Ackermann>(rest)) = actuator.get() {
        actuator.insert(Governed(rest));
    }
}

/// Whether a filter works without each of these sensors: without wheels only where there is a GNSS.
fn excludable(sensors: &[SensorSpec]) -> Vec<bool> {
    let is_gnss = |s: &SensorSpec| s.kind.is::<Gnss>();
    let is_encoders = |s: &SensorSpec| s.kind.is::<Encoders>();
    let has_gnss = sensors.iter().any(is_gnss);
    sensors
        .iter()
        .map(|s| has_gnss || !is_encoders(s))
        .collect()
}

/// Input of a governor at a kernel tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Observation {
    now_ns: u64,
    /// Since the last kernel tick (s).
    dt_s: f64,
    /// None before the witness is trained.
    surprise: Option<f64>,
    /// Whether there is an alarm.
    alarm: bool,
    /// The sensor that the alarm names, by its index on the agent.
    faulty: Option<usize>,
    /// Whether the filter uses that sensor, and works without it at present.
    can_exclude: bool,
}

/// Decision of a governor at a kernel tick, beside its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Decision {
    /// This sensor is excluded from the filter, from now on.
    exclude: Option<usize>,
    /// The agent stops for good.
    stop: bool,
    /// The speed limit begins (true) or ends (false).
    limited: Option<bool>,
}

/// Allowed share of the commanded speed at a surprise.
fn allowed(spec: &GovernorSpec, surprise: f64) -> f64 {
    let range = spec.slowest_at - spec.slow_over;
    let over = ((surprise - spec.slow_over) / range).clamp(0.0, 1.0);
    1.0 - over * (1.0 - spec.slowest)
}

/// A kernel tick of a governor.
fn step(governor: &mut Governor, seen: &Observation) -> Decision {
    let spec = governor.spec;
    let lasted_s = |since_ns: u64| (seen.now_ns - since_ns) as f64 / NS_PER_S as f64;
    let mut decision = Decision::default();
    // A sensor that is named for long enough is excluded; without a second one there is nothing left to compare.
    if governor.since.map(|(_, sensor)| sensor) != seen.faulty {
        governor.since = seen.faulty.map(|sensor| (seen.now_ns, sensor));
    }
    let mut waits = false;
    if let (Some((since_ns, sensor)), Some(after_s)) = (governor.since, spec.fall_back_after_s)
        && seen.can_exclude
        && governor.spare.get(sensor) == Some(&true)
        && governor.left_out == 0
    {
        waits = lasted_s(since_ns) < after_s;
        if !waits {
            governor.left_out |= 1 << sensor;
            decision.exclude = Some(sensor);
        }
    }
    // An excluded sensor causes neither a stop nor a speed limit: another speed is one more thing that the self-model
    // has not learned.
    let is_excluded = |sensor: usize| governor.left_out >> sensor & 1 == 1;
    let done_without = seen.faulty.is_some_and(is_excluded);
    if !seen.alarm || done_without {
        governor.dissipated_since_ns = None;
    } else if let Some(after_s) = spec.stop_after_s
        && !governor.stopped
        && lasted_s(*governor.dissipated_since_ns.get_or_insert(seen.now_ns)) >= after_s
    {
        governor.stopped = true;
        decision.stop = true;
    }
    let surprise = seen.surprise.filter(|_| !done_without && !waits);
    governor.last.rotate_left(1);
    if let Some(last) = governor.last.last_mut() {
        *last = surprise.unwrap_or(0.0);
    }
    let lasting = governor.last.iter().copied().fold(f64::INFINITY, f64::min);
    let allowed = allowed(&spec, lasting);
    let was = governor.limit;
    governor.limit = if governor.stopped {
        0.0
    } else if allowed < was {
        (was - spec.slowing_1_s * seen.dt_s).max(allowed)
    } else {
        (was + spec.recovery_1_s * seen.dt_s).min(allowed)
    };
    if was == 1.0 && governor.limit < 1.0 && !governor.stopped {
        decision.limited = Some(true);
    } else if was < 1.0 && governor.limit == 1.0 {
        decision.limited = Some(false);
    }
    decision
}

/// At each kernel tick, sets the speed limit, excludes a faulty sensor, or stops the agent.
pub fn govern(
    time: Res<SimTime>,
    mut agents: Query<(
        &Name,
        &KernelTick,
        &Coherence,
        &mut Governor,
        Option<&mut Witness>,
        Option<(&EkfLocaliser, &mut FaultIsolation)>,
    )>,
    mut events: MessageWriter<AgentEvent>,
) {
    for (name, tick, coherence, mut governor, mut witness, filter) in &mut agents {
        let Some(dt_s) = tick.dt_s else {
            continue;
        };
        let mut emit = |kind| {
            events.write(AgentEvent {
                now_ns: time.now_ns,
                agent: name.to_string(),
                kind,
            });
        };
        let governor = &mut *governor;
        let alarm = coherence.dissipated == Some(true);
        let faulty = coherence.cause.filter(|_| alarm).and_then(|cause| {
            let localiser = filter.as_ref().map(|f| f.0);
            sensor_of(cause, witness.as_deref()?, localiser, governor)
        });
        let can_exclude =
            faulty
                .zip(filter.as_ref())
                .is_some_and(|(sensor, (localiser, isolation))| {
                    // Wheels are needed while GNSS gives no position.
                    let is_wheels = localiser.sensor_of(Sensed::Left as usize) == Some(sensor);
                    localiser.uses(sensor) && (!is_wheels || isolation.is_placed())
                });
        let seen = Observation {
            now_ns: time.now_ns,
            dt_s,
            surprise: coherence.surprise,
            alarm,
            faulty,
            can_exclude,
        };
        let decision = step(governor, &seen);
        if let (Some(sensor), Some((_, isolation))) = (decision.exclude, filter) {
            isolation.into_inner().excluded = governor.left_out;
            if let Some(monitor) = witness.as_mut().and_then(|w| w.innovations.as_mut()) {
                monitor.forget();
            }
            let sensor = governor.sensors[sensor].clone();
            log::warn!("{name}: {sensor} is faulty and is excluded from the filter");
            emit(EventKind::SensorExcluded(sensor));
        }
        if decision.stop {
            let why = coherence.cause.and_then(|c| witness.as_deref()?.name(c));
            let why = why.unwrap_or_default().to_owned();
            log::warn!("{name}: safety stop: the alarm of {why} lasts; only a reset clears it");
            emit(EventKind::SafetyStop(why));
        }
        match decision.limited {
            Some(true) => emit(EventKind::SpeedLimited),
            Some(false) => emit(EventKind::SpeedLimitLifted),
            None => {}
        }
    }
}

/// Index on the agent of the sensor of a channel.
fn sensor_of(
    cause: usize,
    witness: &Witness,
    localiser: Option<&EkfLocaliser>,
    governor: &Governor,
) -> Option<usize> {
    if let Some(sensed) = cause.checked_sub(MAX_CHANNELS) {
        return localiser?.sensor_of(sensed);
    }
    let (sensor, _) = witness.outputs.get(cause)?.split_once('/')?;
    governor.sensors.iter().position(|name| name == sensor)
}

/// Limits a new command, or the last one where the limit has changed. The write of the governor does not count as one
/// of the controller, which has a time-out.
fn limit_target<T: Copy + PartialEq + Send + Sync + 'static>(
    mut command: Mut<ActuatorTarget<T>>,
    governed: &mut Governed<T>,
    limit: impl Fn(T) -> T,
) {
    if command.is_changed() {
        governed.0 = command.0;
    }
    command.bypass_change_detection().0 = limit(governed.0);
}

/// Limits speed and yaw rate alike, so that the arc stays.
fn limit_twists(
    agents: Query<(&Governor, &DrivenBy)>,
    mut drives: Query<(&mut ActuatorTarget<Twist2>, &mut Governed<Twist2>)>,
) {
    for (governor, driven) in &agents {
        if let Ok((command, mut governed)) = drives.get_mut(driven.0) {
            limit_target(command, &mut governed, |wanted| Twist2 {
                linear_m_s: wanted.linear_m_s * governor.limit,
                angular_rad_s: wanted.angular_rad_s * governor.limit,
            });
        }
    }
}

/// Limits the speed; the steering angle is the arc.
fn limit_cars(
    agents: Query<(&Governor, &DrivenBy)>,
    mut cars: Query<(&mut ActuatorTarget<Ackermann>, &mut Governed<Ackermann>)>,
) {
    for (governor, driven) in &agents {
        if let Ok((command, mut governed)) = cars.get_mut(driven.0) {
            limit_target(command, &mut governed, |wanted| Ackermann {
                speed_m_s: wanted.speed_m_s * governor.limit,
                ..wanted
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT_S: f64 = 0.02;

    fn governor(spec: GovernorSpec) -> Governor {
        let names = ["gnss", "encoders"].map(str::to_owned);
        Governor::new(spec, names.to_vec(), vec![true, true], 3)
    }

    /// Applies this observation for so long, from a time on (s); returns the decisions with their times.
    fn during(
        governor: &mut Governor,
        from_s: f64,
        for_s: f64,
        seen: Observation,
    ) -> Vec<(f64, Decision)> {
        let ticks = (for_s / DT_S).round() as u64;
        let at = |k: u64| from_s + k as f64 * DT_S;
        let decide = |k| {
            let now_ns = (at(k) * NS_PER_S as f64).round() as u64;
            let seen = Observation {
                now_ns,
                dt_s: DT_S,
                ..seen
            };
            (at(k), step(governor, &seen))
        };
        let all = (0..ticks).map(decide);
        all.filter(|(_, d)| *d != Decision::default()).collect()
    }

    fn alarm(faulty: Option<usize>, can_exclude: bool) -> Observation {
        Observation {
            surprise: Some(3.0),
            alarm: true,
            faulty,
            can_exclude,
            ..Observation::default()
        }
    }

    #[test]
    fn the_limit_falls_with_surprise_down_to_the_least() {
        let spec = GovernorSpec::default();
        let limits = [0.0, 1.0, 1.5, 2.0, 40.0].map(|s| allowed(&spec, s));
        for (found, expected) in limits.into_iter().zip([1.0, 1.0, 0.65, 0.3, 0.3]) {
            assert!((found - expected).abs() < 1e-12, "{limits:?}");
        }
    }

    #[test]
    fn a_surprise_of_two_ticks_does_not_limit_and_a_lasting_one_does_until_it_is_over() {
        let mut governor = governor(GovernorSpec::default());
        let surprised = Observation {
            surprise: Some(1.5),
            ..Observation::default()
        };
        let calm = Observation {
            surprise: Some(0.2),
            ..Observation::default()
        };
        assert!(during(&mut governor, 0.0, 0.04, surprised).is_empty());
        assert!(during(&mut governor, 0.04, 1.0, calm).is_empty());
        assert_eq!(governor.limit, 1.0);
        let found = during(&mut governor, 2.0, 1.0, surprised);
        let limited = |limited| Decision {
            limited: Some(limited),
            ..Decision::default()
        };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, limited(true));
        assert!((governor.limit - 0.65).abs() < 1e-12);
        // It recovers by 0.2 in a second.
        let found = during(&mut governor, 3.0, 4.0, calm);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, limited(false));
        assert!((found[0].0 - 4.75).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn a_sensor_that_is_named_for_a_second_is_excluded_and_neither_slows_nor_stops() {
        let mut governor = governor(GovernorSpec::default());
        let found = during(&mut governor, 0.0, 20.0, alarm(Some(0), true));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].0 - 1.0).abs() < 1e-9);
        assert_eq!(found[0].1.exclude, Some(0));
        assert_eq!((governor.limit, governor.stopped), (1.0, false));
        // Not a second one: that alarm ends in a stop.
        let found = during(&mut governor, 20.0, 4.0, alarm(Some(1), true));
        assert!(found.iter().all(|(_, d)| d.exclude.is_none()));
        assert!(governor.stopped);
    }

    #[test]
    fn a_sensor_that_is_named_only_now_and_then_is_not_excluded() {
        let mut governor = governor(GovernorSpec::default());
        for k in 0..4 {
            let from_s = f64::from(k) * 1.0;
            let found = during(&mut governor, from_s, 0.9, alarm(Some(0), true));
            assert!(found.iter().all(|(_, d)| d.exclude.is_none()));
            during(&mut governor, from_s + 0.9, 0.1, Observation::default());
        }
        assert_eq!(governor.left_out, 0);
    }

    #[test]
    fn an_alarm_that_lasts_stops_for_good() {
        let mut governor = governor(GovernorSpec::default());
        let found = during(&mut governor, 0.0, 3.5, alarm(None, false));
        let stop = found.iter().find(|(_, d)| d.stop).unwrap();
        assert!((stop.0 - 3.0).abs() < 1e-9);
        during(&mut governor, 4.0, 10.0, Observation::default());
        assert_eq!((governor.limit, governor.stopped), (0.0, true));
    }

    #[test]
    fn without_their_times_it_neither_excludes_nor_stops() {
        let mut governor = governor(GovernorSpec {
            fall_back_after_s: None,
            stop_after_s: None,
            ..GovernorSpec::default()
        });
        during(&mut governor, 0.0, 60.0, alarm(Some(0), true));
        assert_eq!((governor.left_out, governor.stopped), (0, false));
        assert!((governor.limit - 0.3).abs() < 1e-12);
    }
}
