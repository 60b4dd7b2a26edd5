//! Builders of scenes and agents in code.

use crate::builder::EngineBuilder;
use crate::engine::CoherenceEngine;
use becomingone_components::control::AnyController;
use becomingone_components::fault::{AnyFault, FaultSpec};
use becomingone_components::geodesy::Geodetic;
use becomingone_components::governor::GovernorSpec;
use becomingone_components::kind::Named;
use becomingone_components::localisation::FilterSpec;
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, DriveSpec, GroundSpec, LoadedScene, ObstacleSpec, SceneSpec,
    SensorSpec, WorldSpec,
};
use becomingone_components::sensor::AnySensor;
use becomingone_components::track::TrackSpec;
use becomingone_components::world::PlaceSpec;
use becomingone_scene::{SceneError, SceneLoader};
use becomingone_systems::kinds::Kinds;

/// Checked and loaded scene, ready to run. Its plain data is [`SceneSpec`].
///
/// ```
/// use becomingone::prelude::*;
///
/// let scene = Scene::builder()
///     .ground(0.9)
///     .agent(
///         Agent::robot("rover.urdf")
///             .name("rover")
///             .drive(Drive::Auto)
///             .sensor("imu", Imu::default(), 1000.0)
///             .coherence(Coherence::Auto),
///     )
///     .build()?;
/// let mut engine = CoherenceEngine::from(scene);
/// engine.step()?;
/// let imu = engine.reading::<Imu>("rover/imu")?;
/// assert!(imu.latest().is_some());
/// engine.command("rover", Twist2 { linear_m_s: 0.5, angular_rad_s: 0.0 })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scene(LoadedScene);

impl Scene {
    /// Builder of an empty world with a ground.
    ///
    /// ```
    /// use becomingone::Scene;
    ///
    /// let scene = Scene::builder().spec();
    /// assert!(scene.agents.is_empty() && scene.world.ground.is_some());
    /// ```
    pub fn builder() -> SceneBuilder {
        SceneBuilder::default()
    }

    /// The loaded scene.
    ///
    /// ```
    /// use becomingone::{Agent, Scene};
    ///
    /// let loaded = Scene::builder().agent(Agent::robot("rover.urdf")).build()?.into_loaded();
    /// assert_eq!(loaded.agents.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_loaded(self) -> LoadedScene {
        self.0
    }
}

impl From<LoadedScene> for Scene {
    fn from(loaded: LoadedScene) -> Self {
        Self(loaded)
    }
}

impl From<Scene> for CoherenceEngine {
    fn from(scene: Scene) -> Self {
        EngineBuilder::default().loaded(scene.0)
    }
}

/// Builder of a scene. [`build`](Self::build) checks all values, as for a scene file.
#[derive(Clone, Debug, Default)]
pub struct SceneBuilder(SceneSpec);

impl SceneBuilder {
    /// Sets the name of the scene.
    ///
    /// ```
    /// assert_eq!(becomingone::Scene::builder().name("yard").spec().name, "yard");
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Sets the seed of all random numbers.
    ///
    /// ```
    /// assert_eq!(becomingone::Scene::builder().seed(7).spec().seed, 7);
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Sets the length of a tick (ns); default 1 ms.
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    ///
    /// let scene = Scene::builder().tick_ns(2_000_000).agent(Agent::robot("rover.urdf"));
    /// let scene = scene.build()?;
    /// let mut engine = CoherenceEngine::from(scene);
    /// engine.step()?;
    /// assert_eq!(engine.time().now_s(), 0.002);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tick_ns(mut self, tick_ns: u64) -> Self {
        self.0.tick_ns = tick_ns;
        self
    }

    /// Sets the simulated time after which a run ends (s).
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    ///
    /// let scene = Scene::builder().duration_s(0.25).agent(Agent::robot("rover.urdf"));
    /// let mut engine = CoherenceEngine::from(scene.build()?);
    /// assert_eq!(engine.run()?.ticks, 250);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn duration_s(mut self, duration_s: f64) -> Self {
        self.0.duration_s = Some(duration_s);
        self
    }

    /// Sets the Coulomb friction coefficient of the ground plane z = 0.
    ///
    /// ```
    /// let ice = becomingone::Scene::builder().ground(0.1).spec().world.ground;
    /// assert!(ice.is_some_and(|ground| ground.friction == 0.1));
    /// ```
    #[must_use]
    pub fn ground(mut self, friction: f64) -> Self {
        self.0.world.ground = Some(GroundSpec { friction });
        self
    }

    /// Removes the ground.
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    /// use std::time::Duration;
    ///
    /// let scene = Scene::builder().no_ground().agent(Agent::robot("rover.urdf").name("rover"));
    /// let mut engine = CoherenceEngine::from(scene.build()?);
    /// engine.run_for(Duration::from_secs(1))?;
    /// assert!(engine.agent("rover")?.pose.is_some_and(|pose| pose.translation_m.z < -4.0)); // it falls
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn no_ground(mut self) -> Self {
        self.0.world.ground = None;
        self
    }

    /// Sets the geographic position of (0, 0, 0).
    ///
    /// ```
    /// use becomingone::Scene;
    /// use becomingone::components::geodesy::Geodetic;
    ///
    /// let berlin = Geodetic { latitude_deg: 52.52, longitude_deg: 13.40, height_m: 73.0 };
    /// assert_eq!(Scene::builder().origin(berlin).spec().world.origin, Some(berlin));
    /// ```
    #[must_use]
    pub fn origin(mut self, origin: Geodetic) -> Self {
        self.0.world.origin = Some(origin);
        self
    }

    /// Sets the track for vehicles.
    ///
    /// ```
    /// use becomingone::Scene;
    /// use becomingone::components::track::TrackSpec;
    ///
    /// let lane = TrackSpec {
    ///     centre_line_m: vec![[0.0, 0.0], [20.0, 0.0], [40.0, 5.0]],
    ///     width_m: 6.0,
    ///     closed: false,
    /// };
    /// assert!(Scene::builder().track(lane).spec().world.track.is_some());
    /// ```
    #[must_use]
    pub fn track(mut self, track: TrackSpec) -> Self {
        self.0.world.track = Some(track);
        self
    }

    /// Adds an obstacle.
    ///
    /// ```
    /// use becomingone::Scene;
    /// use becomingone::components::world::ObstacleSpec;
    ///
    /// let ramp = ObstacleSpec::Ramp {
    ///     name: "ramp".to_owned(),
    ///     position_m: [3.0, 0.0, 0.0],
    ///     size_m: [2.0, 1.0, 0.2],
    ///     yaw_rad: 0.0,
    ///     friction: None,
    ///     rgb: [0.5; 3],
    /// };
    /// assert_eq!(Scene::builder().obstacle(ramp).spec().world.obstacles.len(), 1);
    /// ```
    #[must_use]
    pub fn obstacle(mut self, obstacle: ObstacleSpec) -> Self {
        self.0.world.obstacles.push(obstacle);
        self
    }

    /// Adds a box on the ground: centre of its base (m), size along x, y, z (m).
    ///
    /// ```
    /// use becomingone::Scene;
    ///
    /// let wall = Scene::builder().cuboid("wall", [3.0, 0.0, 0.0], [0.2, 4.0, 1.0]);
    /// assert_eq!(wall.spec().world.obstacles.len(), 1);
    /// ```
    #[must_use]
    pub fn cuboid(self, name: impl Into<String>, position_m: [f64; 3], size_m: [f64; 3]) -> Self {
        self.obstacle(ObstacleSpec::Box {
            name: name.into(),
            position_m,
            size_m,
            yaw_rad: 0.0,
            drivable: false,
            friction: None,
            rgb: [0.55, 0.55, 0.58],
        })
    }

    /// Adds a named place, to which agents can be sent: its position (m) and the heading there (rad).
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    ///
    /// let scene = Scene::builder().place("dock", [2.0, 1.0], 0.0).agent(Agent::robot("rover.urdf"));
    /// let engine = CoherenceEngine::from(scene.build()?);
    /// assert_eq!(engine.place("dock")?.position_m, [2.0, 1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn place(mut self, name: impl Into<String>, position_m: [f64; 2], yaw_rad: f64) -> Self {
        self.0.world.places.push(PlaceSpec {
            name: name.into(),
            position_m,
            yaw_rad,
        });
        self
    }

    /// Sets the whole world.
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    /// use becomingone::components::world::WorldSpec;
    ///
    /// let moon = WorldSpec { gravity_m_s2: [0.0, 0.0, -1.62], ..WorldSpec::default() };
    /// let scene = Scene::builder().world(moon).agent(Agent::robot("rover.urdf"));
    /// let mut engine = CoherenceEngine::from(scene.build()?);
    /// engine.step()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn world(mut self, world: WorldSpec) -> Self {
        self.0.world = world;
        self
    }

    /// Adds an agent.
    ///
    /// ```
    /// use becomingone::{Agent, Scene};
    ///
    /// let scene = Scene::builder()
    ///     .agent(Agent::robot("rover.urdf").name("left").position_m([0.0, 1.0, 0.0]))
    ///     .agent(Agent::robot("rover.urdf").name("right").position_m([0.0, -1.0, 0.0]))
    ///     .build()?;
    /// assert_eq!(scene.into_loaded().agents.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn agent(mut self, agent: impl Into<AgentSpec>) -> Self {
        self.0.agents.push(agent.into());
        self
    }

    /// Adds a fault of a sensor, a part of one, or a drive (`rover/imu/gyro_z`), from this time on (s).
    ///
    /// ```
    /// use becomingone::prelude::*;
    /// use becomingone::systems::faults::Freeze;
    ///
    /// let rover = Agent::robot("rover.urdf").name("rover").sensor("imu", Imu::default(), 100.0);
    /// Scene::builder().agent(rover.clone()).fault("rover/imu", Freeze, 20.0).build()?;
    /// let wrong = Scene::builder().agent(rover).fault("rover/imo", Freeze, 20.0).build();
    /// assert!(wrong.is_err_and(|error| error.to_string().contains("rover/imo")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fault(
        mut self,
        sensor: impl Into<String>,
        kind: impl Into<Named<dyn AnyFault>>,
        at_s: f64,
    ) -> Self {
        self.0.faults.push(FaultSpec {
            sensor: sensor.into(),
            kind: kind.into(),
            at_s,
            for_s: None,
        });
        self
    }

    /// Returns the plain data.
    ///
    /// ```
    /// use becomingone::{Agent, Scene};
    ///
    /// let spec = Scene::builder().agent(Agent::bare("kernel")).spec();
    /// println!("{}", becomingone::scene::to_ron(&spec)); // as a scene file
    /// ```
    pub fn spec(self) -> SceneSpec {
        self.0
    }

    /// Checks the scene, and loads the models and meshes that it names, from the working folder or the built-in assets.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf").sensor("imu", Imu::default(), -5.0);
    /// let error = Scene::builder().agent(rover).build().map(drop).unwrap_err().to_string();
    /// assert!(error.contains("agents[0].sensors[0].rate_hz"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`SceneError`] names the path of each wrong value: `agents[0].sensors[1].rate_hz`.
    pub fn build(self) -> Result<Scene, SceneError> {
        let kinds = Kinds::built_in();
        SceneLoader::new(&kinds).build(self.0).map(Scene)
    }
}

/// Builder of an agent.
///
/// ```
/// use becomingone::prelude::*;
///
/// let rover = Agent::robot("rover.urdf")
///     .name("rover")
///     .drive(Drive::Auto)
///     .sensor("encoders", Encoders::default(), 100.0)
///     .controller(Patrol::new([[2.0, 0.0]], 0.5));
/// let summary = CoherenceEngine::from(Scene::builder().agent(rover).build()?).run()?;
/// assert_eq!(summary.agents[0].goals_reached, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Agent(AgentSpec);

impl Agent {
    /// Builder of a robot (URDF or MJCF) or vehicle (YAML or RON) from a description: a path, or a built-in asset.
    ///
    /// ```
    /// use becomingone::{Agent, Scene};
    ///
    /// Scene::builder().agent(Agent::robot("rover.urdf")).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn robot(model: impl Into<String>) -> Self {
        Self(AgentSpec {
            name: "robot".to_owned(),
            model: Some(model.into()),
            ..AgentSpec::default()
        })
    }

    /// Builder of a vehicle from a description (YAML or RON): a path, or a built-in asset.
    ///
    /// ```
    /// use becomingone::{Agent, Scene};
    ///
    /// Scene::builder().agent(Agent::vehicle("compact_car.yaml")).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn vehicle(model: impl Into<String>) -> Self {
        Self::robot(model).name("vehicle")
    }

    /// Builder of an agent without a body: a kernel alone, or an instrument.
    ///
    /// ```
    /// use becomingone::{Agent, Scene};
    ///
    /// Scene::builder().agent(Agent::bare("instrument")).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bare(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }

    /// Sets the name, unique in the scene.
    ///
    /// ```
    /// use becomingone::{Agent, components::scene::AgentSpec};
    ///
    /// assert_eq!(AgentSpec::from(Agent::robot("rover.urdf").name("rover")).name, "rover");
    /// ```
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Sets the start position (m); z is the height of the lowest point.
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    ///
    /// let rover = Agent::robot("rover.urdf").name("rover").position_m([2.0, 1.0, 0.0]);
    /// let mut engine = CoherenceEngine::from(Scene::builder().agent(rover).build()?);
    /// engine.step()?;
    /// assert!(engine.agent("rover")?.pose.is_some_and(|pose| pose.translation_m.x > 1.99));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn position_m(mut self, position_m: [f64; 3]) -> Self {
        self.0.position_m = position_m;
        self
    }

    /// Sets the start heading (rad).
    ///
    /// ```
    /// use becomingone::{Agent, components::scene::AgentSpec};
    ///
    /// let west = Agent::robot("rover.urdf").yaw_rad(std::f64::consts::PI);
    /// assert!(AgentSpec::from(west).yaw_rad > 3.14);
    /// ```
    #[must_use]
    pub fn yaw_rad(mut self, yaw_rad: f64) -> Self {
        self.0.yaw_rad = yaw_rad;
        self
    }

    /// Fixes the root link to the world.
    ///
    /// ```
    /// use becomingone::{Agent, CoherenceEngine, Scene};
    /// use std::time::Duration;
    ///
    /// let hung = Agent::robot("rover.urdf").name("rover").position_m([0.0, 0.0, 1.0]).fixed();
    /// let mut engine = CoherenceEngine::from(Scene::builder().agent(hung).build()?);
    /// engine.run_for(Duration::from_millis(500))?;
    /// assert!(engine.agent("rover")?.pose.is_some_and(|pose| pose.translation_m.z > 0.9));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fixed(mut self) -> Self {
        self.0.fixed = true;
        self
    }

    /// Sets the drive.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf").name("rover").drive(Drive::Auto);
    /// let mut engine = CoherenceEngine::from(Scene::builder().agent(rover).build()?);
    /// engine.step()?;
    /// engine.command("rover", Twist2 { linear_m_s: 0.5, angular_rad_s: 0.0 })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn drive(mut self, drive: DriveSpec) -> Self {
        self.0.drive = drive;
        self
    }

    /// Adds a simulated sensor at the origin of the root link, with its rate (Hz).
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf").name("rover").sensor("imu", Imu::default(), 1000.0);
    /// let mut engine = CoherenceEngine::from(Scene::builder().agent(rover).build()?);
    /// engine.step()?;
    /// assert!(engine.reading::<Imu>("rover/imu")?.latest().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sensor(
        self,
        name: impl Into<String>,
        kind: impl Into<Named<dyn AnySensor>>,
        rate_hz: f64,
    ) -> Self {
        self.mounted(SensorSpec::new(name, kind, rate_hz))
    }

    /// Adds a sensor with all fields of the scene.
    ///
    /// ```
    /// use becomingone::components::scene::SensorSpec;
    /// use becomingone::prelude::*;
    ///
    /// let lidar = SensorSpec {
    ///     position_m: [0.06, 0.0, 0.26],
    ///     ..SensorSpec::new("lidar", Lidar::default(), 10.0)
    /// };
    /// Scene::builder().agent(Agent::robot("rover.urdf").mounted(lidar)).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mounted(mut self, sensor: SensorSpec) -> Self {
        self.0.sensors.push(sensor);
        self
    }

    /// Sets the controller.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf")
    ///     .drive(Drive::Auto)
    ///     .controller(Patrol::new([[2.0, 0.0]], 0.5));
    /// Scene::builder().agent(rover).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn controller(mut self, controller: impl Into<Named<dyn AnyController>>) -> Self {
        self.0.controller = Some(controller.into());
        self
    }

    /// Adds a localisation filter over wheels, IMU and GNSS.
    ///
    /// ```
    /// use becomingone::components::localisation::FilterSpec;
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf")
    ///     .name("rover")
    ///     .drive(Drive::Auto)
    ///     .sensor("imu", Imu::default(), 100.0)
    ///     .sensor("encoders", Encoders::default(), 100.0)
    ///     .filter(FilterSpec::default());
    /// let mut engine = CoherenceEngine::from(Scene::builder().agent(rover).build()?);
    /// engine.step()?;
    /// assert!(engine.agent("rover")?.estimate.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn filter(mut self, filter: FilterSpec) -> Self {
        self.0.filter = Some(filter);
        self
    }

    /// Sets the coherence kernel.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf").name("rover").coherence(Coherence::Off);
    /// let mut engine = CoherenceEngine::from(Scene::builder().agent(rover).build()?);
    /// engine.step()?;
    /// assert!(engine.agent("rover")?.coherence.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn coherence(mut self, coherence: CoherenceSpec) -> Self {
        self.0.coherence = coherence;
        self
    }

    /// Adds a governor (safety supervisor).
    ///
    /// ```
    /// use becomingone::components::governor::GovernorSpec;
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf")
    ///     .drive(Drive::Auto)
    ///     .sensor("encoders", Encoders::default(), 100.0)
    ///     .governor(GovernorSpec::default());
    /// Scene::builder().agent(rover).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn governor(mut self, governor: GovernorSpec) -> Self {
        self.0.governor = Some(governor);
        self
    }
}

impl From<Agent> for AgentSpec {
    fn from(agent: Agent) -> Self {
        agent.0
    }
}
