//! An engine of one camera, whose readings are collected.

use becomingone_camera::CameraKind;
use becomingone_components::link::{Config, Link, Links, Queue, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{Picture, Reading};
use becomingone_components::time::SimTime;
use becomingone_systems::EnginePlugin;
use becomingone_systems::links::{
    DriverKind as _, Endpoint, OpenLinks, Port, PortSource, SourceSite,
};
use becomingone_systems::sensing::Camera;
use becomingone_systems::spawn::build_scene;
use becomingone_systems::tick::{self, Tick, TickSystems};
use bevy_app::App;
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(40);

#[derive(Resource, Default)]
struct Pictures(Vec<Picture>);

fn collect(mut pictures: ResMut<Pictures>, sensors: Query<&Reading<Picture>>) {
    for reading in &sensors {
        pictures.0.extend(reading.batch().map(|s| s.value.clone()));
    }
}

/// A camera `box/eye`.
pub(crate) struct Rig {
    links: OpenLinks,
    app: App,
    sensor: Entity,
}

impl Rig {
    pub(crate) fn new(config: &str) -> Self {
        let queue = Queue::DropOldest(200);
        let mut sensor = SensorSpec::new("eye", Camera {}, 100.0);
        sensor.source = Source::Driver("camera".to_owned(), Config(config.to_owned()));
        sensor.queue = queue;
        sensor.silence.after_s = Some(1000.0);
        let agent = AgentSpec {
            name: "box".to_owned(),
            coherence: CoherenceSpec::Off,
            sensors: vec![sensor],
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
            .init_resource::<Pictures>()
            .add_systems(Tick, collect.in_set(TickSystems::Publish));
        app.finish();
        app.cleanup();
        let world = app.world_mut();
        tick::build(world).unwrap();
        build_scene(world).unwrap();
        let links = &world.resource::<Links>().0;
        let eye = links.iter().find(|l| l.name == "box/eye").unwrap();
        let sensor = eye.entity.unwrap();
        let port = Port {
            name: "camera",
            kind: Arc::new(CameraKind),
            port: CameraKind
                .port(config, Endpoint::Sensor("box/eye"))
                .unwrap(),
            sources: vec![PortSource {
                name: "box/eye".to_owned(),
                queue,
                config: config.to_owned(),
                site: SourceSite::default(),
            }],
        };
        let links = OpenLinks::open(world, vec![port], Vec::new(), false).unwrap();
        Self { links, app, sensor }
    }

    pub(crate) fn link(&self) -> Link {
        *self.app.world().get::<Link>(self.sensor).unwrap()
    }

    /// All pictures so far.
    pub(crate) fn pictures(&self) -> &[Picture] {
        &self.app.world().resource::<Pictures>().0
    }

    /// Ticks until this is true.
    pub(crate) fn until(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            let count = self.pictures().len();
            assert!(
                begun.elapsed() < LIMIT,
                "waited in vain: {what}; {count} pictures, {:?}",
                self.link()
            );
            let SimTime {
                now_ns, tick_ns, ..
            } = *self.app.world().resource::<SimTime>();
            self.links.clock.tick(now_ns, tick_ns, Instant::now());
            self.app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ticks until this many pictures have come since now, and returns them.
    pub(crate) fn next(&mut self, count: usize) -> Vec<Picture> {
        let before = self.pictures().len();
        self.until("pictures", |rig| rig.pictures().len() >= before + count);
        self.pictures()[before..].to_vec()
    }
}
