//! Leases: the right to move one agent for a time. It ends by itself, by a lost heartbeat, or by release.

use crate::token::Secret;
use becomingone::components::request::RequestKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Longest lease.
const LONGEST_S: f64 = 3600.0;
/// Heartbeat where nothing else is asked for (s).
const HEARTBEAT_S: f64 = 5.0;

/// A lease, as an owner asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// It ends after this time (s).
    #[schema(exclusive_minimum = 0.0, maximum = 3600.0)]
    pub for_s: f64,
    /// It ends after this time without a request or a heartbeat of its holder (s); none: 5 s.
    #[serde(default)]
    #[schema(exclusive_minimum = 0.0, maximum = 3600.0)]
    pub heartbeat_s: Option<f64>,
    /// Largest speed that may be asked for (m/s); none: the drive's own.
    #[serde(default)]
    #[schema(minimum = 0.0)]
    pub max_linear_m_s: Option<f64>,
    /// Largest yaw rate that may be asked for (rad/s); none: the drive's own.
    #[serde(default)]
    #[schema(minimum = 0.0)]
    pub max_angular_rad_s: Option<f64>,
}

/// A lease that was granted. Who moves the agent sends its `id`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Granted {
    /// Secret of its holder.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// It ends after this time (s).
    pub ends_in_s: f64,
    /// It ends after this time without a request or a heartbeat (s).
    pub heartbeat_s: f64,
}

/// A lease without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Shown {
    /// The agent.
    pub agent: String,
    /// It ends after this time (s).
    pub ends_in_s: f64,
    /// Largest speed (m/s).
    pub max_linear_m_s: Option<f64>,
    /// Largest yaw rate (rad/s).
    pub max_angular_rad_s: Option<f64>,
}

struct Lease {
    number: u64,
    id: Secret,
    ends: Instant,
    heartbeat: Duration,
    beat: Instant,
    max_linear_m_s: Option<f64>,
    max_angular_rad_s: Option<f64>,
}

impl Lease {
    fn is_over(&self, now: Instant) -> bool {
        now >= self.ends || now >= self.beat + self.heartbeat
    }
}

/// Why a lease does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LeaseError {
    #[error("found a lease of `{agent}` that ends in {ends_in_s} s; expected its release first")]
    Taken { agent: String, ends_in_s: u64 },
    #[error(
        "found no lease of `{0}`; expected one that an owner grants: POST /v1/agents/{0}/lease"
    )]
    None(String),
    #[error("found another lease than that of `{0}`")]
    Other(String),
    #[error("found {found} {unit}; expected at most {limit} {unit}, the limit of this lease")]
    Beyond {
        found: String,
        limit: String,
        unit: &'static str,
    },
    #[error(
        "found a lease with a limit of speed, and a command that states none; expected `drive`, or of a lease without a limit of the yaw rate `car`"
    )]
    Unlimited,
    #[error("{0}")]
    Wanted(String),
}

/// The leases of a run, at most one an agent.
#[derive(Default)]
pub(crate) struct Leases {
    of: BTreeMap<String, Lease>,
    /// Number of the next lease.
    next: u64,
    /// Those that ended, whose requests are to end: agent and number.
    ended: Vec<(String, u64)>,
}

impl Leases {
    /// Grants the lease of an agent.
    pub(crate) fn grant(
        &mut self,
        agent: &str,
        wanted: Wanted,
        now: Instant,
    ) -> Result<Granted, LeaseError> {
        let time = |name: &str, s: f64| match s > 0.0 && s <= LONGEST_S {
            true => Ok(Duration::from_secs_f64(s)),
            false => Err(LeaseError::Wanted(format!(
                "found \"{name}\": {s}; expected more than 0, and at most {LONGEST_S} s"
            ))),
        };
        let heartbeat_s = wanted.heartbeat_s.unwrap_or(HEARTBEAT_S);
        let length = time("for_s", wanted.for_s)?;
        let heartbeat = time("heartbeat_s", heartbeat_s)?;
        for (name, limit) in [
            ("max_linear_m_s", wanted.max_linear_m_s),
            ("max_angular_rad_s", wanted.max_angular_rad_s),
        ] {
            if limit.is_some_and(|limit| !limit.is_finite() || limit < 0.0) {
                return Err(LeaseError::Wanted(format!(
                    "found a negative \"{name}\"; expected 0 or more"
                )));
            }
        }
        if let Some(lease) = self.of.get(agent).filter(|lease| !lease.is_over(now)) {
            return Err(LeaseError::Taken {
                agent: agent.to_owned(),
                ends_in_s: (lease.ends - now).as_secs() + 1,
            });
        }
        let id = Secret::random().map_err(LeaseError::Wanted)?;
        let granted = Granted {
            id: id.reveal().to_owned(),
            agent: agent.to_owned(),
            ends_in_s: wanted.for_s,
            heartbeat_s,
        };
        // What was asked for by one that is over, and was not looked at since, ends now.
        self.end(agent);
        self.next += 1;
        let lease = Lease {
            number: self.next,
            id,
            ends: now + length,
            heartbeat,
            beat: now,
            max_linear_m_s: wanted.max_linear_m_s,
            max_angular_rad_s: wanted.max_angular_rad_s,
        };
        self.of.insert(agent.to_owned(), lease);
        Ok(granted)
    }

    /// The lease of an agent, if this is its secret; it has a heartbeat by that.
    fn held(&mut self, agent: &str, id: &str, now: Instant) -> Result<&mut Lease, LeaseError> {
        let none = || LeaseError::None(agent.to_owned());
        let lease = self.of.get_mut(agent).filter(|lease| !lease.is_over(now));
        let lease = lease.ok_or_else(none)?;
        if !bool::from(lease.id.is(id)) {
            return Err(LeaseError::Other(agent.to_owned()));
        }
        lease.beat = now;
        Ok(lease)
    }

    /// Whether this is the secret of the lease of an agent; no heartbeat.
    pub(crate) fn is_held(&self, agent: &str, id: &str, now: Instant) -> bool {
        let lease = self.of.get(agent).filter(|lease| !lease.is_over(now));
        lease.is_some_and(|lease| bool::from(lease.id.is(id)))
    }

    /// A heartbeat.
    pub(crate) fn beat(&mut self, agent: &str, id: &str, now: Instant) -> Result<(), LeaseError> {
        self.held(agent, id, now).map(drop)
    }

    /// Ends a lease.
    pub(crate) fn release(
        &mut self,
        agent: &str,
        id: &str,
        now: Instant,
    ) -> Result<(), LeaseError> {
        self.held(agent, id, now)?;
        self.end(agent);
        Ok(())
    }

    /// Ends a lease, for an owner.
    pub(crate) fn revoke(&mut self, agent: &str, now: Instant) -> Result<(), LeaseError> {
        let lease = self.of.get(agent).filter(|lease| !lease.is_over(now));
        let found = lease.map(drop);
        self.end(agent);
        found.ok_or_else(|| LeaseError::None(agent.to_owned()))
    }

    /// Removes the lease of an agent, whether it is over or not.
    fn end(&mut self, agent: &str) {
        if let Some(lease) = self.of.remove(agent) {
            self.ended.push((agent.to_owned(), lease.number));
        }
    }

    /// Whether the holder of this lease may ask for this; how long the lease lasts, and its number.
    pub(crate) fn allows(
        &mut self,
        agent: &str,
        id: &str,
        what: &RequestKind,
        now: Instant,
    ) -> Result<(Duration, u64), LeaseError> {
        let lease = self.held(agent, id, now)?;
        let limits = [
            ("m/s", lease.max_linear_m_s),
            ("rad/s", lease.max_angular_rad_s),
        ];
        let wanted = match what {
            RequestKind::Twist {
                linear_m_s,
                angular_rad_s,
            } => [*linear_m_s, *angular_rad_s],
            // Its yaw rate depends on the car.
            RequestKind::Ackermann { speed_m_s, .. } if lease.max_angular_rad_s.is_none() => {
                [*speed_m_s, 0.0]
            }
            // Speeds of these are the drive's, unknown here.
            _ if limits.iter().any(|(_, limit)| limit.is_some()) => {
                return Err(LeaseError::Unlimited);
            }
            _ => [0.0; 2],
        };
        for ((unit, limit), found) in limits.into_iter().zip(wanted) {
            if let Some(limit) = limit
                && found.abs() > limit
            {
                return Err(LeaseError::Beyond {
                    found: found.to_string(),
                    limit: limit.to_string(),
                    unit,
                });
            }
        }
        Ok((lease.ends - now, lease.number))
    }

    /// Leases that ended since the last call, by their agents and numbers.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(String, u64)> {
        let over = self.of.iter().filter(|(_, lease)| lease.is_over(now));
        let over: Vec<String> = over.map(|(agent, _)| agent.clone()).collect();
        for agent in &over {
            self.end(agent);
        }
        std::mem::take(&mut self.ended)
    }

    /// All leases, without their secrets.
    pub(crate) fn shown(&self, now: Instant) -> Vec<Shown> {
        let leases = self.of.iter().filter(|(_, lease)| !lease.is_over(now));
        let shown = leases.map(|(agent, lease)| Shown {
            agent: agent.clone(),
            ends_in_s: (lease.ends - now).as_secs_f64(),
            max_linear_m_s: lease.max_linear_m_s,
            max_angular_rad_s: lease.max_angular_rad_s,
        });
        shown.collect()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "leases last by the wall clock")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WANTED: Wanted = Wanted {
        for_s: 10.0,
        heartbeat_s: Some(2.0),
        max_linear_m_s: Some(0.5),
        max_angular_rad_s: None,
    };

    fn twist(linear_m_s: f64) -> RequestKind {
        RequestKind::Twist {
            linear_m_s,
            angular_rad_s: 0.0,
        }
    }

    #[test]
    fn a_lease_ends_by_time_by_silence_and_by_release() {
        let begun = Instant::now();
        let at = |s: f64| begun + Duration::from_secs_f64(s);
        let mut leases = Leases::default();
        let none = LeaseError::None("rover".to_owned());
        assert_eq!(
            leases.allows("rover", "", &twist(0.1), begun),
            Err(none.clone())
        );
        let id = leases.grant("rover", WANTED, begun).unwrap().id;
        let mut may = |s: f64| {
            let allowed = leases.allows("rover", &id, &twist(0.5), at(s));
            allowed.map(|(left, _)| left)
        };
        // Each request is a heartbeat.
        for k in 0..10 {
            assert_eq!(may(f64::from(k)), Ok(at(10.0) - at(f64::from(k))));
        }
        assert_eq!(may(10.0), Err(none.clone()));
        assert_eq!(leases.expire(at(10.0)), [("rover".to_owned(), 1)]);

        let id = leases.grant("rover", WANTED, at(20.0)).unwrap().id;
        assert_eq!(leases.beat("rover", &id, at(21.9)), Ok(()));
        assert_eq!(leases.expire(at(23.8)), []);
        assert_eq!(leases.beat("rover", &id, at(23.9)), Err(none.clone()));

        let id = leases.grant("rover", WANTED, at(30.0)).unwrap().id;
        let taken = leases.grant("rover", WANTED, at(30.0)).unwrap_err();
        assert!(taken.to_string().contains("ends in 11 s"), "{taken}");
        assert_eq!(leases.shown(at(30.0)).len(), 1);
        assert_eq!(leases.release("rover", &id, at(30.0)), Ok(()));
        // The second was over when the third was granted: what it asked for ends, too.
        let ended = leases.expire(at(30.0));
        assert_eq!(ended, [("rover".to_owned(), 2), ("rover".to_owned(), 3)]);
        // So is one that is over when its owner ends it.
        leases.grant("rover", WANTED, at(40.0)).unwrap();
        assert_eq!(leases.revoke("rover", at(60.0)), Err(none.clone()));
        assert_eq!(leases.expire(at(60.0)), [("rover".to_owned(), 4)]);
        assert_eq!(leases.beat("rover", &id, at(30.0)), Err(none));
    }

    #[test]
    fn a_lease_has_limits_and_is_of_one_agent_and_one_holder() {
        let now = Instant::now();
        let mut leases = Leases::default();
        let id = leases.grant("rover", WANTED, now).unwrap().id;
        let error = leases.allows("rover", &id, &twist(0.51), now).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("found 0.51 m/s; expected at most 0.5"),
            "{error}"
        );
        let error = leases.allows("rover", &id, &twist(-0.51), now).unwrap_err();
        assert!(matches!(error, LeaseError::Beyond { .. }));
        let stick = RequestKind::Stick {
            forward: 1.0,
            left: 0.0,
        };
        assert_eq!(
            leases.allows("rover", &id, &stick, now),
            Err(LeaseError::Unlimited)
        );
        let other = Err(LeaseError::Other("rover".to_owned()));
        assert_eq!(leases.allows("rover", &id[1..], &twist(0.1), now), other);
        assert_eq!(
            leases.allows("crane", &id, &twist(0.1), now),
            Err(LeaseError::None("crane".to_owned()))
        );
        for (for_s, heartbeat_s) in [
            (0.0, 1.0),
            (-1.0, 1.0),
            (f64::NAN, 1.0),
            (3601.0, 1.0),
            (1.0, 0.0),
        ] {
            let wanted = Wanted {
                for_s,
                heartbeat_s: Some(heartbeat_s),
                ..WANTED
            };
            let error = leases.grant("crane", wanted, now).unwrap_err();
            assert!(
                error.to_string().contains("expected more than 0"),
                "{error}"
            );
        }
    }

    proptest! {
        /// Whatever is asked for, in any order: nobody moves without a lease in force, or beyond its limit.
        #[test]
        fn nothing_moves_without_a_lease(
            steps in prop::collection::vec((0..5u8, 0.0..4.0f64, -2.0..2.0f64), 1..200)
        ) {
            let mut now = Instant::now();
            let mut leases = Leases::default();
            let mut held: Option<(String, Instant, Instant)> = None;
            for (what, dt, speed) in steps {
                now += Duration::from_secs_f64(dt);
                let is_held = |held: &Option<(String, Instant, Instant)>| {
                    held.as_ref().is_some_and(|(_, ends, beat)| now < *ends && now < *beat + Duration::from_secs(2))
                };
                let id = held.as_ref().map_or_else(String::new, |(id, ..)| id.clone());
                match what {
                    0 => {
                        let granted = leases.grant("rover", WANTED, now);
                        prop_assert_eq!(granted.is_ok(), !is_held(&held));
                        if let Ok(granted) = granted {
                            held = Some((granted.id, now + Duration::from_secs(10), now));
                        }
                    }
                    1 => {
                        let was_held = is_held(&held);
                        prop_assert_eq!(leases.release("rover", &id, now).is_ok(), was_held);
                        if was_held { held = None; }
                    }
                    2 => {
                        leases.expire(now);
                    }
                    3 => prop_assert!(leases.allows("rover", "0", &twist(speed), now).is_err()),
                    _ => {
                        let was_held = is_held(&held);
                        let allowed = leases.allows("rover", &id, &twist(speed), now);
                        prop_assert_eq!(allowed.is_ok(), was_held && speed.abs() <= 0.5);
                        if was_held && let Some((_, _, beat)) = &mut held { *beat = now; }
                    }
                }
            }
        }
    }
}
