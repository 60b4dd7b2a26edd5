//! The governor: commands are limited by coherence, a hand's on the stick too; a sensor that is to blame is left out;
//! what lasts ends in a stop.

use crate::hash::{Bits, HashState, RegisterState};
use crate::localisation::EkfLocaliser;
use crate::tick::{Tick, TickSystems};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::coherence::{Coherence, KernelTick, MAX_CHANNELS};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::Twist2;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::governor::{Governed, Governor};
use becomingone_components::localisation::{FaultIsolation, ISOLATION_TICKS, Sensed};
use becomingone_components::time::{NS_PER_S, SimTime};
use becomingone_components::vehicle::Ackermann;
use becomingone_components::witness::Witness;
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

/// Decides how much is let through, what is left out, and when it is enough.
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
        let lasted_s = |since_ns: u64| (time.now_ns - since_ns) as f64 / NS_PER_S as f64;
        let blamed = coherence
            .cause
            .filter(|_| coherence.dissipated == Some(true))
            .and_then(|cause| {
                let localiser = filter.as_ref().map(|f| f.0);
                sensor_of(cause, witness.as_deref()?, localiser, governor)
            });
        let left_out = |governor: &Governor, sensor: usize| governor.left_out >> sensor & 1 == 1;
        // One sensor to blame for long enough is left out; without a second one there is nothing left to compare.
        if governor.since.map(|(_, sensor)| sensor) != blamed {
            governor.since = blamed.map(|sensor| (time.now_ns, sensor));
        }
        let mut waits = false;
        if let (Some((since_ns, sensor)), Some(after_s), Some((localiser, innovated))) =
            (governor.since, governor.spec.fall_back_after_s, filter)
            && governor.spare.get(sensor) == Some(&true)
            && localiser.listens_to(sensor)
            // Wheels are needed while nobody else says where it is.
            && (localiser.sensor_of(Sensed::Left as usize) != Some(sensor)
                || f64::from(innovated.unplaced_ticks) < ISOLATION_TICKS)
            && governor.left_out == 0
        {
            waits = lasted_s(since_ns) < after_s;
            if !waits {
                governor.left_out |= 1 << sensor;
                innovated.into_inner().excluded = governor.left_out;
                if let Some(insight) = witness.as_mut().and_then(|w| w.insight.as_mut()) {
                    insight.forget();
                }
                let sensor = governor.sensors[sensor].clone();
                log::warn!("{name}: {sensor} is to blame, the filter leaves it out");
                emit(EventKind::SensorExcluded(sensor));
            }
        }
        // What the filter does without is no reason to stop, nor to be slow: that would be one more thing that the
        // self-model does not know.
        let done_without = blamed.is_some_and(|sensor| left_out(governor, sensor));
        let trouble = coherence.dissipated == Some(true) && !done_without;
        if !trouble {
            governor.dissipated_since_ns = None;
        } else if let Some(after_s) = governor.spec.stop_after_s
            && !governor.stopped
            && lasted_s(*governor.dissipated_since_ns.get_or_insert(time.now_ns)) >= after_s
        {
            governor.stopped = true;
            let why = coherence.cause.and_then(|c| witness.as_deref()?.name(c));
            let why = why.unwrap_or_default().to_owned();
            log::warn!("{name}: stopped for good, {why} was not as foreseen for too long");
            emit(EventKind::SafetyStop(why));
        }
        let [_, before, last] = governor.last;
        let surprise = coherence.surprise.filter(|_| !done_without && !waits);
        governor.last = [before, last, surprise.unwrap_or(0.0)];
        let lasting = governor.last.into_iter().fold(f64::INFINITY, f64::min);
        let allowed = governor.allowed(lasting);
        let was = governor.limit;
        governor.limit = if governor.stopped {
            0.0
        } else if allowed < was {
            (was - governor.spec.slowing_1_s * dt_s).max(allowed)
        } else {
            (was + governor.spec.recovery_1_s * dt_s).min(allowed)
        };
        if was == 1.0 && governor.limit < 1.0 && !governor.stopped {
            emit(EventKind::SpeedLimited);
        } else if was < 1.0 && governor.limit == 1.0 {
            emit(EventKind::SpeedLimitLifted);
        }
    }
}

/// Index on the agent of the sensor that a channel is of.
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

/// What is let through of a new command, or of the last one where the limit has changed. The governor's own writing is no
/// word of the controller's, whose silence is watched.
fn through<T: Copy + PartialEq + Send + Sync + 'static>(
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
            through(command, &mut governed, |wanted| Twist2 {
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
            through(command, &mut governed, |wanted| Ackermann {
                speed_m_s: wanted.speed_m_s * governor.limit,
                ..wanted
            });
        }
    }
}
