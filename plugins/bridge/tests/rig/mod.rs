//! An engine of one instrument and one drive on links of one driver kind.

use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::drive::Twist2;
use becomingone_components::link::{Config, Link, Links, Queue, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{Column, Reading, ValueRow};
use becomingone_components::time::SimTime;
use becomingone_systems::EnginePlugin;
use becomingone_systems::links::act::CommandSender;
use becomingone_systems::links::{
    DriverKind, Endpoint, OpenLinks, Port, PortSource, SourceSite, rest,
};
use becomingone_systems::sensing::Values;
use becomingone_systems::spawn::build_scene;
use becomingone_systems::tick::{self, Tick, TickSystems};
use bevy_app::App;
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const LIMIT: Duration = Duration::from_secs(40);

#[derive(Resource, Default)]
struct Rows(Vec<f64>);

fn collect(mut rows: ResMut<Rows>, sensors: Query<&Reading<ValueRow>>) {
    for reading in &sensors {
        rows.0.extend(reading.batch().map(|s| s.value.numbers[0]));
    }
}

/// An instrument `box/s` of one number `x`, and a drive `box/drive`, each where it has a source; armed.
pub(crate) struct Rig {
    links: OpenLinks,
    app: App,
    sensor: Entity,
    drive: Entity,
}

impl Rig {
    pub(crate) fn new(kind: impl DriverKind, sensor: Option<&str>, drive: Option<&str>) -> Self {
        let kind: Arc<dyn DriverKind> = Arc::new(kind);
        let column = Column {
            name: "x".to_owned(),
            unit: "1".to_owned(),
        };
        let values = Values {
            fields: vec![column],
        };
        let source =
            |config: &str| Source::Driver(kind.name().to_owned(), Config(config.to_owned()));
        let mut spec = SensorSpec::new("s", values, 100.0);
        spec.source = source(sensor.unwrap_or_default());
        spec.queue = Queue::DropOldest(10_000);
        spec.silence.after_s = Some(10_000.0);
        let agent = AgentSpec {
            name: "box".to_owned(),
            coherence: CoherenceSpec::Off,
            sensors: vec![spec],
            drive_source: source(drive.unwrap_or_default()),
            ..AgentSpec::default()
        };
        let scene = SceneSpec {
            world: WorldSpec {
                ground: None,
                ..WorldSpec::default()
            },
            agents: vec![agent],
            ..SceneSpec::default()
        };
        let mut app = App::new();
        app.add_plugins(EnginePlugin)
            .insert_resource(LoadedScene {
                scene,
                agents: vec![LoadedAgent::default()],
                meshes: Vec::new(),
                track: None,
                written: BTreeMap::new(),
            })
            .init_resource::<Rows>()
            .add_systems(Tick, collect.in_set(TickSystems::Publish));
        app.finish();
        app.cleanup();
        let world = app.world_mut();
        tick::build(world).unwrap();
        build_scene(world).unwrap();
        let all = world.resource::<Links>().0.clone();
        let entity = all.iter().find(|l| l.name == "box/s").unwrap().entity;
        let entity = entity.unwrap();
        let actuator = add_drive(world, entity);
        let mut ports: Vec<Port> = Vec::new();
        for (name, config, endpoint) in [
            ("box/s", sensor, Endpoint::Sensor("box/s")),
            ("box/drive", drive, Endpoint::Actuator("box/drive")),
        ] {
            let Some(config) = config else { continue };
            let port = kind.port(config, endpoint).unwrap();
            let source = PortSource {
                name: name.to_owned(),
                queue: Queue::DropOldest(10_000),
                config: config.to_owned(),
                site: SourceSite {
                    fields: match endpoint {
                        Endpoint::Sensor(_) => vec!["x".to_owned()],
                        Endpoint::Actuator(_) => Vec::new(),
                    },
                    ..SourceSite::default()
                },
            };
            match ports.iter_mut().find(|p| p.port == port) {
                Some(port) => port.sources.push(source),
                None => ports.push(Port {
                    name: kind.name(),
                    kind: kind.clone(),
                    port,
                    sources: vec![source],
                }),
            }
        }
        let links = OpenLinks::open(world, ports, Vec::new(), true).unwrap();
        Self {
            links,
            app,
            sensor: entity,
            drive: actuator,
        }
    }

    fn tick(&mut self) {
        let SimTime {
            now_ns, tick_ns, ..
        } = *self.app.world().resource::<SimTime>();
        self.links.clock.tick(now_ns, tick_ns, Instant::now());
        self.app.update();
    }

    pub(crate) fn sensor(&self) -> Link {
        *self.app.world().get::<Link>(self.sensor).unwrap()
    }

    pub(crate) fn drive(&self) -> Link {
        *self.app.world().get::<Link>(self.drive).unwrap()
    }

    /// Numbers of all readings.
    pub(crate) fn rows(&self) -> &[f64] {
        &self.app.world().resource::<Rows>().0
    }

    /// Ticks until this is true.
    pub(crate) fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            assert!(
                begun.elapsed() < LIMIT,
                "waited in vain: {what}; {:?}, {:?}",
                self.sensor(),
                self.drive()
            );
            self.tick();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A controller writes a command.
    pub(crate) fn command(&mut self, linear_m_s: f64) {
        let mut drive = self.app.world_mut().entity_mut(self.drive);
        drive.get_mut::<ActuatorTarget<Twist2>>().unwrap().0 = Twist2 {
            linear_m_s,
            angular_rad_s: 0.0,
        };
    }

    /// The end of a run.
    pub(crate) fn rest(mut self) {
        rest(self.app.world_mut());
    }
}

/// The actuator of `box/drive`, which is no part of a body.
fn add_drive(world: &mut World, sensor: Entity) -> Entity {
    let agent = world.get::<ChildOf>(sensor).unwrap().parent();
    let tick_ns = world.resource::<SimTime>().tick_ns;
    let index = world.resource::<Links>().index("box/drive").unwrap();
    let link = Link {
        index,
        ..Link::default()
    };
    let target = ActuatorTarget(Twist2::default());
    let parts = (
        ChildOf(agent),
        target,
        CommandSender::new(100.0, tick_ns),
        link,
    );
    let drive = world.spawn(parts).id();
    world.resource_mut::<Links>().0[index as usize].entity = Some(drive);
    drive
}
