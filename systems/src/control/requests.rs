//! Requests from outside: they enter with external input, and take precedence over controllers until they expire.

use super::accept::dropped;
use super::stop::StopQueue;
use super::teleop::{car_command, twist};
use crate::hash::{Bits, HashState};
use crate::links::{InputLink, InputSample};
use becomingone_components::actuator::{ActuatorCommand, ActuatorTarget};
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Drive, Twist2};
use becomingone_components::event::AgentEvent;
use becomingone_components::joints::JointTargets;
use becomingone_components::link::Payload;
use becomingone_components::request::{
    ActiveRequest, GoToProgress, MoveProgress, REQUESTS, Request, RequestKind,
};
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::{Ackermann, Vehicle};
use bevy_ecs::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most requests that wait for a tick.
const MAX_WAITING: usize = 1024;

/// Requests that wait for the next tick. Clones share the queue, so that any thread may send. They are applied in the
/// order of their arrival; stops go to the [`StopQueue`].
#[derive(Resource, Clone, Default)]
pub struct RequestQueue {
    waiting: Arc<Waiting>,
    stops: StopQueue,
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<VecDeque<Request>>,
    any: AtomicBool,
}

impl RequestQueue {
    /// A queue beside this one of stops.
    pub(super) fn new(stops: StopQueue) -> Self {
        Self {
            waiting: Arc::default(),
            stops,
        }
    }

    /// Adds a request. Returns whether there was room; for a stop, whether an agent has the name.
    pub fn push(&self, request: Request) -> bool {
        if request.what == RequestKind::Stop {
            return self.stops.push(&request.agent, &request.sender).is_ok();
        }
        let mut queue = self
            .waiting
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let room = queue.len() < MAX_WAITING;
        if room {
            queue.push_back(request);
            self.waiting.any.store(true, Ordering::Release);
        }
        room
    }
}

/// Tick side of a [`RequestQueue`].
pub(super) struct RequestLink(pub(super) RequestQueue);

impl InputLink for RequestLink {
    fn link(&self) -> &str {
        REQUESTS
    }

    fn is_waiting(&self, _: u64) -> bool {
        self.0.waiting.any.load(Ordering::Acquire)
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        let waiting = &self.0.waiting;
        let mut queue = waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.any.store(false, Ordering::Release);
        for request in queue.drain(..) {
            give(InputSample {
                source_ns: now_ns,
                arrival_ns: now_ns,
                payload: Payload::Request(request),
            });
        }
    }

    fn reset(&mut self) {
        let waiting = &self.0.waiting;
        let mut queue = waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.clear();
        waiting.any.store(false, Ordering::Release);
    }
}

/// Applies the requests of agents. A request that expired leaves the safe command, unless a controller has commanded
/// already.
pub(super) fn follow(
    time: Res<SimTime>,
    agents: Query<(Entity, &Name, &ActiveRequest, &DrivenBy), Without<MoveProgress>>,
    mut wheels: Query<(&Drive, &mut ActuatorTarget<Twist2>)>,
    mut cars: Query<(&Vehicle, &mut ActuatorTarget<Ackermann>)>,
    mut servos: Query<&mut ActuatorTarget<JointTargets>>,
    mut commands: Commands,
    mut events: MessageWriter<AgentEvent>,
) {
    for (agent, name, request, driven) in &agents {
        let expired = time.now_ns >= request.expires_ns;
        if expired {
            let mut agent = commands.entity(agent);
            agent.remove::<(ActiveRequest, GoToProgress)>();
            if !request.what.is_streamed() {
                events.write(AgentEvent {
                    now_ns: time.now_ns,
                    agent: name.to_string(),
                    kind: dropped(name, request, "expired".to_owned()),
                });
            }
        }
        if let Ok((drive, target)) = wheels.get_mut(driven.0) {
            let wanted = match request.what {
                RequestKind::Twist {
                    linear_m_s,
                    angular_rad_s,
                } => Some(Twist2 {
                    linear_m_s,
                    angular_rad_s,
                }),
                RequestKind::Stick { forward, left } => Some(twist(forward, left, drive)),
                _ => None,
            };
            set(target, wanted, expired);
        } else if let Ok((car, target)) = cars.get_mut(driven.0) {
            let wanted = match request.what {
                RequestKind::Ackermann {
                    speed_m_s,
                    steering_rad,
                } => Some(Ackermann {
                    speed_m_s,
                    steering_rad,
                }),
                RequestKind::Stick { forward, left } => Some(car_command(forward, left, car)),
                _ => None,
            };
            set(target, wanted, expired);
        } else if let Ok(target) = servos.get_mut(driven.0) {
            let wanted = match &request.what {
                RequestKind::Joints {
                    positions,
                    velocities,
                } if positions.len() == target.0.positions.len()
                    && velocities.len() == target.0.velocities.len() =>
                {
                    Some(JointTargets {
                        positions: positions.clone(),
                        velocities: velocities.clone(),
                    })
                }
                _ => None,
            };
            set(target, wanted, expired);
        }
    }
}

fn set<T: ActuatorCommand>(mut target: Mut<ActuatorTarget<T>>, wanted: Option<T>, expired: bool) {
    match wanted {
        Some(wanted) if !expired => target.0 = wanted,
        Some(_) if !target.is_changed() => target.0 = target.0.safe(),
        _ => {}
    }
}

impl HashState for ActiveRequest {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.expires_ns);
        match &self.what {
            // They are in force as `Stopped`, or are done at once.
            RequestKind::Stop
            | RequestKind::ClearStop
            | RequestKind::Set { .. }
            | RequestKind::Fault { .. }
            | RequestKind::EndFaults => {}
            RequestKind::GoTo { x_m, y_m } => {
                bits.bytes(b"go to");
                bits.f64(*x_m);
                bits.f64(*y_m);
            }
            RequestKind::Move { distance_m } => {
                bits.bytes(b"move");
                bits.f64(*distance_m);
            }
            RequestKind::Turn { angle_rad } => {
                bits.bytes(b"turn");
                bits.f64(*angle_rad);
            }
            RequestKind::Twist {
                linear_m_s: a,
                angular_rad_s: b,
            }
            | RequestKind::Ackermann {
                speed_m_s: a,
                steering_rad: b,
            }
            | RequestKind::Stick {
                forward: a,
                left: b,
            } => {
                bits.f64(*a);
                bits.f64(*b);
            }
            RequestKind::Joints {
                positions,
                velocities,
            } => positions
                .iter()
                .chain(velocities)
                .for_each(|&x| bits.f64(x)),
        }
    }
}
