//! Scenes built in code.

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
use becomingone_scene::{SceneError, SceneLoader};
use becomingone_systems::kinds::Kinds;

/// A scene that was checked and loaded, and can run. Its plain data is [`SceneSpec`].
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
    /// An empty world with a ground, without agents.
    pub fn builder() -> SceneBuilder {
        SceneBuilder::default()
    }

    /// What was loaded.
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

/// Builds a scene. Values are checked by [`build`](Self::build), as those of a file are.
#[derive(Clone, Debug, Default)]
pub struct SceneBuilder(SceneSpec);

impl SceneBuilder {
    /// Name of the scene.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Seed of every random number.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Length of a tick (ns); 1 ms if it is not set.
    #[must_use]
    pub fn tick_ns(mut self, tick_ns: u64) -> Self {
        self.0.tick_ns = tick_ns;
        self
    }

    /// Simulated time after which a run ends (s).
    #[must_use]
    pub fn duration_s(mut self, duration_s: f64) -> Self {
        self.0.duration_s = Some(duration_s);
        self
    }

    /// The plane z = 0, with this Coulomb friction coefficient.
    #[must_use]
    pub fn ground(mut self, friction: f64) -> Self {
        self.0.world.ground = Some(GroundSpec { friction });
        self
    }

    /// No ground.
    #[must_use]
    pub fn no_ground(mut self) -> Self {
        self.0.world.ground = None;
        self
    }

    /// Place on the Earth of (0, 0, 0).
    #[must_use]
    pub fn origin(mut self, origin: Geodetic) -> Self {
        self.0.world.origin = Some(origin);
        self
    }

    /// Track for vehicles.
    #[must_use]
    pub fn track(mut self, track: TrackSpec) -> Self {
        self.0.world.track = Some(track);
        self
    }

    /// An obstacle.
    #[must_use]
    pub fn obstacle(mut self, obstacle: ObstacleSpec) -> Self {
        self.0.world.obstacles.push(obstacle);
        self
    }

    /// A box on the ground: the middle of its base (m), its size along x, y, z (m).
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

    /// The whole world.
    #[must_use]
    pub fn world(mut self, world: WorldSpec) -> Self {
        self.0.world = world;
        self
    }

    /// An agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Into<AgentSpec>) -> Self {
        self.0.agents.push(agent.into());
        self
    }

    /// A fault of a sensor, a part of one, or a drive (`rover/imu/gyro_z`), from a time on (s).
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

    /// The plain data.
    pub fn spec(self) -> SceneSpec {
        self.0
    }

    /// Checks the scene, and loads the models and meshes that it names, from the working folder or the built-in assets.
    ///
    /// # Errors
    ///
    /// [`SceneError`] names the path of each wrong value: `agents[0].sensors[1].rate_hz`.
    pub fn build(self) -> Result<Scene, SceneError> {
        let kinds = Kinds::built_in();
        SceneLoader::new(&kinds).build(self.0).map(Scene)
    }
}

/// Builds an agent.
///
/// ```
/// use becomingone::prelude::*;
///
/// let rover = Agent::robot("rover.urdf")
///     .name("rover")
///     .drive(Drive::Auto)
///     .sensor("lidar", Lidar::default(), 10.0)
///     .controller(Patrol::new([[2.0, 0.0]], 0.5));
/// let summary = CoherenceEngine::from(Scene::builder().agent(rover).build()?).run()?;
/// assert_eq!(summary.agents[0].goals_reached, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Agent(AgentSpec);

impl Agent {
    /// A robot of a description (URDF or MJCF), or a vehicle (YAML or RON): a path, or a built-in asset.
    pub fn robot(model: impl Into<String>) -> Self {
        Self(AgentSpec {
            name: "robot".to_owned(),
            model: Some(model.into()),
            ..AgentSpec::default()
        })
    }

    /// A vehicle of a description (YAML or RON): a path, or a built-in asset.
    pub fn vehicle(model: impl Into<String>) -> Self {
        Self::robot(model).name("vehicle")
    }

    /// An agent without a body: a kernel alone, or an instrument.
    pub fn bare(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }

    /// Name, unique in the scene.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Where it starts (m): z is the height of its lowest point.
    #[must_use]
    pub fn position_m(mut self, position_m: [f64; 3]) -> Self {
        self.0.position_m = position_m;
        self
    }

    /// Its heading at the start (rad).
    #[must_use]
    pub fn yaw_rad(mut self, yaw_rad: f64) -> Self {
        self.0.yaw_rad = yaw_rad;
        self
    }

    /// Bolts its root link to the world.
    #[must_use]
    pub fn fixed(mut self) -> Self {
        self.0.fixed = true;
        self
    }

    /// What moves it.
    #[must_use]
    pub fn drive(mut self, drive: DriveSpec) -> Self {
        self.0.drive = drive;
        self
    }

    /// A simulated sensor in the origin of its root link, with its readings a second.
    #[must_use]
    pub fn sensor(
        self,
        name: impl Into<String>,
        kind: impl Into<Named<dyn AnySensor>>,
        rate_hz: f64,
    ) -> Self {
        self.mounted(SensorSpec::new(name, kind, rate_hz))
    }

    /// A sensor, with all that a scene says of one.
    #[must_use]
    pub fn mounted(mut self, sensor: SensorSpec) -> Self {
        self.0.sensors.push(sensor);
        self
    }

    /// Its controller.
    #[must_use]
    pub fn controller(mut self, controller: impl Into<Named<dyn AnyController>>) -> Self {
        self.0.controller = Some(controller.into());
        self
    }

    /// A localisation filter over wheels, IMU and GNSS.
    #[must_use]
    pub fn filter(mut self, filter: FilterSpec) -> Self {
        self.0.filter = Some(filter);
        self
    }

    /// Its coherence kernel.
    #[must_use]
    pub fn coherence(mut self, coherence: CoherenceSpec) -> Self {
        self.0.coherence = coherence;
        self
    }

    /// The safety supervisor of its commands.
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
