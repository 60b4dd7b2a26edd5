//! Access to sensors and agents of a running engine by name.

use crate::engine::CoherenceEngine;
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::{Pose, TruePose, TrueTwist};
use becomingone_components::coherence::Coherence;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Odometry, Twist2};
use becomingone_components::joints::JointTargets;
use becomingone_components::localisation::Estimate;
use becomingone_components::nearest::did_you_mean;
use becomingone_components::request::{REQUEST_LIFETIME_NS, Request, RequestKind};
use becomingone_components::scene::Agent;
use becomingone_components::sensor::{Measurement, Reading, Sensor, SensorKind, Truth};
use becomingone_components::vehicle::Ackermann;
use becomingone_systems::control::requests::RequestQueue;
use becomingone_systems::index::EntityIndex;
use becomingone_systems::sensing::measurements::Measurements;
use bevy_ecs::prelude::*;

/// Error of an access by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Entities exist after `start`, which `step` and `run` call.
    #[error("found `{name}` before the run was started; expected `start` or `step` first")]
    NotStarted {
        /// The name.
        name: String,
    },
    /// Nothing has this name.
    #[error("found no {what} `{name}`; expected one of {}{}", listed(.known), did_you_mean(.name, .known.iter().map(String::as_str)))]
    Unknown {
        /// `sensor` or `agent`.
        what: &'static str,
        /// The name.
        name: String,
        /// All valid names.
        known: Vec<String>,
    },
    /// The sensor or drive is of another kind.
    #[error("`{name}`: found {found}; expected {expected}")]
    Other {
        /// The name.
        name: String,
        /// Its kind.
        found: String,
        /// The requested kind.
        expected: String,
    },
    /// The sensor is not simulated, so that there is no ground truth.
    #[error("`{name}` is not simulated: found no ground truth")]
    NoTruth {
        /// The name.
        name: String,
    },
    /// The queue of requests is full.
    #[error(
        "found a full queue at a request to `{name}`; expected at most 1024 requests between two ticks"
    )]
    Full {
        /// The name.
        name: String,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none: there are none".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// State of an agent.
#[derive(Clone, Copy, Debug)]
pub struct AgentView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its entity.
    pub entity: Entity,
    /// True pose of its root link; `None` without a body.
    pub pose: Option<Pose>,
    /// True motion.
    pub twist: Option<&'a TrueTwist>,
    /// Odometry of its wheels.
    pub odometry: Option<&'a Odometry>,
    /// Estimate of its localisation filter.
    pub estimate: Option<&'a Estimate>,
    /// Output of its kernel.
    pub coherence: Option<&'a Coherence>,
}

impl CoherenceEngine {
    /// Readings of the sensor with this name, such as `rover/imu`; `K` is its kind.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.step()?;
    /// let imu = engine.reading::<Imu>("rover/imu")?;
    /// assert!(imu.latest().is_some_and(|r| r.value.specific_force_m_s2.z.is_finite()));
    /// let error = engine.reading::<Imu>("rover/imo").unwrap_err().to_string();
    /// assert!(error.contains("did you mean `rover/imu`?"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError`] lists the valid names.
    pub fn reading<K: SensorKind>(
        &self,
        name: &str,
    ) -> Result<&Reading<K::Measurement>, NameError> {
        let sensor = self.sensor(name)?;
        let reading = self.world().get(sensor);
        reading.ok_or_else(|| self.measures_other(name, sensor, K::Measurement::KIND))
    }

    /// Ground truth of a simulated sensor at its latest reading; `K` is its kind.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.step()?;
    /// let true_rate = engine.truth::<Imu>("rover/imu")?.angular_velocity_rad_s;
    /// assert!(true_rate.length() < 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`reading`](Self::reading), and [`NameError::NoTruth`] if the sensor is not simulated.
    pub fn truth<K: SensorKind>(&self, name: &str) -> Result<&K::Measurement, NameError> {
        self.reading::<K>(name)?;
        let sensor = self.sensor(name)?;
        let truth = self.world().get::<Truth<K::Measurement>>(sensor);
        truth
            .map(|truth| &truth.0)
            .ok_or_else(|| NameError::NoTruth {
                name: name.to_owned(),
            })
    }

    /// Requests a command for half a second of simulated time, from the next tick on. It takes precedence over the
    /// agent's controller, and the governor limits it. Repeat the request before it expires to continue.
    ///
    /// ```
    /// use becomingone::prelude::*;
    /// use std::time::Duration;
    ///
    /// let scene = Scene::builder().agent(Agent::robot("rover.urdf").name("rover").drive(Drive::Auto));
    /// let mut engine = CoherenceEngine::from(scene.build()?);
    /// engine.start()?;
    /// for _ in 0..10 {
    ///     engine.command("rover", Twist2 { linear_m_s: 0.5, angular_rad_s: 0.0 })?;
    ///     engine.run_for(Duration::from_millis(100))?;
    /// }
    /// assert!(engine.agent("rover")?.pose.is_some_and(|pose| pose.translation_m.x > 0.2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError`] lists the valid names, or names the kind of the agent's drive.
    pub fn command(&mut self, agent: &str, what: impl Into<RequestKind>) -> Result<(), NameError> {
        let what = what.into();
        let view = self.agent(agent)?;
        let world = self.world();
        let drive = world.get::<DrivenBy>(view.entity).map(|driven| driven.0);
        let has = |found: Option<()>| found.is_some();
        let driven_by = match drive {
            None => "no drive",
            Some(d) if has(world.get::<ActuatorTarget<Twist2>>(d).map(drop)) => {
                "driven wheels (twist)"
            }
            Some(d) if has(world.get::<ActuatorTarget<Ackermann>>(d).map(drop)) => {
                "a vehicle (speed and steering)"
            }
            Some(d) if has(world.get::<ActuatorTarget<JointTargets>>(d).map(drop)) => {
                "servos (joints)"
            }
            Some(_) => "a drive of another kind",
        };
        let expected = match &what {
            RequestKind::Twist { .. } => "driven wheels (twist)",
            RequestKind::Ackermann { .. } => "a vehicle (speed and steering)",
            RequestKind::Joints { .. } => "servos (joints)",
            RequestKind::Stick { .. } => driven_by,
        };
        if driven_by != expected || drive.is_none() {
            return Err(NameError::Other {
                name: agent.to_owned(),
                found: driven_by.to_owned(),
                expected: expected.to_owned(),
            });
        }
        if !what.is_finite() {
            return Err(NameError::Other {
                name: agent.to_owned(),
                found: "a number that is not finite".to_owned(),
                expected: "finite numbers".to_owned(),
            });
        }
        let expires_ns = self.time().now_ns.saturating_add(REQUEST_LIFETIME_NS);
        let queued = self.world().resource::<RequestQueue>().push(Request {
            sender: "library".to_owned(),
            agent: agent.to_owned(),
            what,
            expires_ns,
        });
        if queued {
            Ok(())
        } else {
            Err(NameError::Full {
                name: agent.to_owned(),
            })
        }
    }

    /// State of the agent with this name.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.step()?;
    /// assert!(engine.agent("rover")?.odometry.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError`] lists the valid names.
    pub fn agent(&self, name: &str) -> Result<AgentView<'_>, NameError> {
        let world = self.world();
        let entity = self.named::<Agent>("agent", name)?;
        Ok(AgentView {
            name: world.get::<Name>(entity).map_or("", Name::as_str),
            entity,
            pose: world.get::<TruePose>(entity).map(|pose| pose.0),
            twist: world.get(entity),
            odometry: world.get(entity),
            estimate: world.get(entity),
            coherence: world.get(entity),
        })
    }

    /// Entity of the sensor with this name.
    fn sensor(&self, name: &str) -> Result<Entity, NameError> {
        self.named::<Sensor>("sensor", name)
    }

    fn named<T: Component>(&self, what: &'static str, name: &str) -> Result<Entity, NameError> {
        let world = self.world();
        let index = world.resource::<EntityIndex>();
        let is = |entity: &Entity| world.get::<T>(*entity).is_some();
        if let Some(entity) = index.entity(name).filter(is) {
            return Ok(entity);
        }
        if index.0.is_empty() {
            return Err(NameError::NotStarted {
                name: name.to_owned(),
            });
        }
        let known = index.0.iter().filter(|(_, entity)| is(entity));
        Err(NameError::Unknown {
            what,
            name: name.to_owned(),
            known: known.map(|(name, _)| name.clone()).collect(),
        })
    }

    fn measures_other(&self, name: &str, sensor: Entity, expected: &str) -> NameError {
        let world = self.world();
        let kinds = world.resource::<Measurements>().0.values();
        let found = kinds.clone().find(|kind| (kind.is_on)(world, sensor));
        NameError::Other {
            name: name.to_owned(),
            found: format!("a sensor of kind `{}`", found.map_or("", |kind| kind.kind)),
            expected: format!("`{expected}`"),
        }
    }
}
