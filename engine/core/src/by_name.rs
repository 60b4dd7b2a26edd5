//! Access to sensors and agents of a running engine by name.

use crate::engine::CoherenceEngine;
use becomingone_components::body::{Pose, TruePose, TrueTwist};
use becomingone_components::coherence::Coherence;
use becomingone_components::drive::Odometry;
use becomingone_components::localisation::Estimate;
use becomingone_components::nearest::did_you_mean;
use becomingone_components::request::{
    ActiveRequest, GoToProgress, MoveProgress, Request, RequestKind, Stopped,
};
use becomingone_components::scene::{Agent, LoadedScene};
use becomingone_components::sensor::{Measurement, Reading, Sensor, SensorKind, Truth};
use becomingone_components::world::PlaceSpec;
use becomingone_systems::control::refusal::{Refusal, check};
use becomingone_systems::control::requests::RequestQueue;
use becomingone_systems::control::stop::{StopQueue, UnknownAgent};
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
        /// `sensor`, `agent` or `place`.
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
    /// The agent cannot follow the request.
    #[error("`{name}`: {why}")]
    Refused {
        /// The name.
        name: String,
        /// Why.
        why: Refusal,
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
    /// Request in force.
    pub request: Option<&'a ActiveRequest>,
    /// Its latched stop.
    pub stopped: Option<&'a Stopped>,
    /// Progress to a requested place.
    pub go_to: Option<&'a GoToProgress>,
    /// Progress of a requested move or turn.
    pub moving: Option<&'a MoveProgress>,
}

/// Destination of an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Destination<'a> {
    /// A place of the scene, by its name.
    Place(&'a str),
    /// A world position (m).
    Position([f64; 2]),
}

impl<'a> From<&'a str> for Destination<'a> {
    fn from(name: &'a str) -> Self {
        Self::Place(name)
    }
}

impl From<[f64; 2]> for Destination<'_> {
    fn from(position_m: [f64; 2]) -> Self {
        Self::Position(position_m)
    }
}

/// Sender of the requests of this library.
const SENDER: &str = "library";

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
    /// agent's controller, and the governor limits it. Repeat the request before it expires to continue. Requests that end by
    /// themselves, [`RequestKind::GoTo`], [`Move`](RequestKind::Move) and [`Turn`](RequestKind::Turn), expire after an
    /// hour.
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
        check(self.world(), view.entity, &what).map_err(|why| NameError::Refused {
            name: agent.to_owned(),
            why,
        })?;
        let expires_ns = self.time().now_ns.saturating_add(what.lifetime_ns());
        let queued = self.request_queue().push(Request {
            sender: SENDER.to_owned(),
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

    /// Sends an agent to a place of the scene, or to a position (m). The request takes precedence over the waypoints of its
    /// controller until the place is reached or given up; an event has the result.
    ///
    /// ```
    /// use becomingone::prelude::*;
    /// use std::time::Duration;
    ///
    /// let rover = Agent::robot("rover.urdf")
    ///     .name("rover")
    ///     .drive(Drive::Auto)
    ///     .sensor("encoders", Encoders::default(), 100.0)
    ///     .controller(Patrol::new([[9.0, 0.0]], 0.5));
    /// let scene = Scene::builder().place("dock", [0.0, 2.0], 0.0).agent(rover).build()?;
    /// let mut engine = CoherenceEngine::from(scene);
    /// engine.start()?;
    /// engine.go_to("rover", "dock")?;
    /// engine.run_for(Duration::from_secs(1))?;
    /// let left_m = engine.agent("rover")?.go_to.and_then(|progress| progress.distance_m);
    /// assert!(left_m.is_some_and(|left_m| left_m < 2.0));
    /// engine.run_for(Duration::from_secs(9))?; // and back to its waypoint
    /// assert!(engine.agent("rover")?.go_to.is_none());
    /// engine.go_to("rover", [1.0, 1.0])?;
    /// let error = engine.go_to("rover", "dok").unwrap_err().to_string();
    /// assert!(error.contains("did you mean `dock`?"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError::Unknown`] lists the valid names; [`NameError::Refused`] as for [`can_go_to`](Self::can_go_to).
    pub fn go_to<'a>(
        &mut self,
        agent: &str,
        to: impl Into<Destination<'a>>,
    ) -> Result<(), NameError> {
        let [x_m, y_m] = match to.into() {
            Destination::Place(name) => self.place(name)?.position_m,
            Destination::Position(position_m) => position_m,
        };
        self.command(agent, RequestKind::GoTo { x_m, y_m })
    }

    /// Whether an agent can be sent to places: its controller can plan, and it is not stopped.
    ///
    /// # Errors
    ///
    /// [`NameError::Refused`] has the reason; [`NameError`] lists the valid names.
    pub fn can_go_to(&self, agent: &str) -> Result<(), NameError> {
        let view = self.agent(agent)?;
        let [x_m, y_m] = [0.0; 2];
        let checked = check(self.world(), view.entity, &RequestKind::GoTo { x_m, y_m });
        checked.map_err(|why| NameError::Refused {
            name: agent.to_owned(),
            why,
        })
    }

    /// Stops an agent from the next tick on. The stop latches: its actuators get their safe commands, and requests to it
    /// are refused, until [`clear_stop`](Self::clear_stop); a reset keeps the stop. It also works before the start.
    ///
    /// ```
    /// use becomingone::prelude::*;
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.run_for(Duration::from_secs(2))?;
    /// engine.stop_agent("rover")?;
    /// engine.run_for(Duration::from_secs(2))?;
    /// let rover = engine.agent("rover")?;
    /// assert_eq!(rover.stopped.map(|stopped| stopped.sender.as_str()), Some("library"));
    /// assert!(rover.twist.is_some_and(|twist| twist.linear_m_s.length() < 0.01));
    /// let error = engine.command("rover", Twist2::default()).unwrap_err().to_string();
    /// assert_eq!(error, "`rover`: found a stop of library; expected a `ClearStop` first");
    /// engine.clear_stop("rover")?;
    /// engine.run_for(Duration::from_secs(1))?; // the patrol goes on
    /// assert!(engine.agent("rover")?.twist.is_some_and(|twist| twist.linear_m_s.length() > 0.1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError`] lists the valid names.
    pub fn stop_agent(&mut self, agent: &str) -> Result<(), NameError> {
        let stopped = self.stop_queue().push(agent, SENDER);
        stopped.map_err(|UnknownAgent { name, known }| NameError::Unknown {
            what: "agent",
            name,
            known,
        })
    }

    /// Clears the stop of an agent from the next tick on; its controller resumes.
    ///
    /// # Errors
    ///
    /// [`NameError::Refused`] without a latched stop; a stop in the same tick keeps the agent stopped, with an event.
    pub fn clear_stop(&mut self, agent: &str) -> Result<(), NameError> {
        self.command(agent, RequestKind::ClearStop)
    }

    /// Queue of stops, for other threads.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    /// use std::{thread, time::Duration};
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// let stops = engine.stop_queue();
    /// thread::spawn(move || stops.push("rover", "button")).join().expect("no panic")?;
    /// engine.run_for(Duration::from_secs(1))?;
    /// assert_eq!(engine.stop_queue().stopped_by("rover").as_deref(), Some("button"));
    /// assert!(engine.summary().agents[0].distance_m < 0.05);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop_queue(&self) -> StopQueue {
        self.world().resource::<StopQueue>().clone()
    }

    /// Queue of requests, for other threads. What an agent cannot follow is refused with an event.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    /// use becomingone::components::request::{Request, RequestKind};
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.start()?;
    /// let queued = engine.request_queue().push(Request {
    ///     sender: "page".to_owned(),
    ///     agent: "rover".to_owned(),
    ///     what: RequestKind::Twist { linear_m_s: 0.2, angular_rad_s: 0.0 },
    ///     expires_ns: 500_000_000,
    /// });
    /// engine.step()?;
    /// let request = engine.agent("rover")?.request;
    /// assert!(queued && request.is_some_and(|request| request.sender == "page"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request_queue(&self) -> RequestQueue {
        self.world().resource::<RequestQueue>().clone()
    }

    /// The named place of the scene, also before the start.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let scene = Scene::builder().place("dock", [2.0, 1.0], 0.0).agent(Agent::robot("rover.urdf"));
    /// let engine = CoherenceEngine::from(scene.build()?);
    /// assert_eq!(engine.place("dock")?.position_m, [2.0, 1.0]);
    /// let error = engine.place("dok").unwrap_err().to_string();
    /// assert_eq!(error, "found no place `dok`; expected one of `dock`; did you mean `dock`?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError::Unknown`] lists the valid names.
    pub fn place(&self, name: &str) -> Result<&PlaceSpec, NameError> {
        let world = &self.world().resource::<LoadedScene>().scene.world;
        world.place(name).ok_or_else(|| NameError::Unknown {
            what: "place",
            name: name.to_owned(),
            known: world.places.iter().map(|p| p.name.clone()).collect(),
        })
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
            request: world.get(entity),
            stopped: world.get(entity),
            go_to: world.get(entity),
            moving: world.get(entity),
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
