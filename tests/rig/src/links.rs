//! An engine of sensors and perhaps a drive, whose links are open.

use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::drive::Twist2;
use becomingone_components::link::{Config, Link, LinkState, Links, Queue, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{Column, Measurement, Reading, ValueRow};
use becomingone_components::time::SimTime;
use becomingone_systems::EnginePlugin;
use becomingone_systems::index::EntityIndex;
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
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait.
pub const LIMIT: Duration = Duration::from_secs(40);

/// Waits until this is true.
///
/// # Panics
///
/// It is not within [`LIMIT`].
pub fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
    }
}

/// An instrument of these numbers, without a unit.
pub fn instrument(name: &str, fields: &[&str], queue: Queue) -> SensorSpec {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        unit: "1".to_owned(),
    };
    let kind = Values {
        fields: fields.iter().map(column).collect(),
    };
    SensorSpec {
        queue,
        ..SensorSpec::new(name, kind, 100.0)
    }
}

/// Readings that were not taken yet.
#[derive(Resource)]
struct Readings<M>(BTreeMap<Entity, Vec<M>>);

fn collect<M: Measurement>(
    mut readings: ResMut<Readings<M>>,
    sensors: Query<(Entity, &Reading<M>)>,
) {
    for (sensor, reading) in &sensors {
        let batch = reading.batch().map(|sample| sample.value.clone());
        readings.0.entry(sensor).or_default().extend(batch);
    }
}

/// Sensors of an agent `box`, and perhaps its drive, on links of one driver. Names are without `box/`.
pub struct Rig<M> {
    links: OpenLinks,
    app: App,
    ends: BTreeMap<String, Entity>,
    measures: PhantomData<M>,
}

impl<M: Measurement> Rig<M> {
    /// Opens sensors, each with the configuration of its source, and where there is one for it, a drive.
    pub fn new<C: AsRef<str>>(
        kind: impl DriverKind,
        sensors: impl IntoIterator<Item = (SensorSpec, C)>,
        drive: Option<&str>,
        armed: bool,
    ) -> Self {
        let kind: Arc<dyn DriverKind> = Arc::new(kind);
        let driver =
            |config: &str| Source::Driver(kind.name().to_owned(), Config(config.to_owned()));
        let mut sources = Vec::new();
        let sensor = |(mut sensor, config): (SensorSpec, C)| {
            sensor.source = driver(config.as_ref());
            sensor.silence.after_s = Some(1e6);
            let schema = sensor.kind.value().unwrap().schema();
            sources.push(PortSource {
                name: format!("box/{}", sensor.name),
                queue: sensor.queue,
                config: config.as_ref().to_owned(),
                site: SourceSite {
                    fields: schema.fields,
                    is_row: schema.is_row,
                    ..SourceSite::default()
                },
            });
            sensor
        };
        let agent = AgentSpec {
            name: "box".to_owned(),
            coherence: CoherenceSpec::Off,
            sensors: sensors.into_iter().map(sensor).collect(),
            drive_source: drive.map_or(Source::Sim, driver),
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
            .insert_resource(Readings::<M>(BTreeMap::new()))
            .add_systems(Tick, collect::<M>.in_set(TickSystems::Publish));
        app.finish();
        app.cleanup();
        let world = app.world_mut();
        tick::build(world).unwrap();
        build_scene(world).unwrap();
        if let Some(config) = drive {
            add_drive(world);
            sources.push(PortSource {
                name: "box/drive".to_owned(),
                queue: Queue::default(),
                config: config.to_owned(),
                site: SourceSite::default(),
            });
        }
        let mut ports: Vec<Port> = Vec::new();
        for source in sources {
            let (name, config) = (source.name.as_str(), source.config.as_str());
            let endpoint = match name {
                "box/drive" => Endpoint::Actuator(name),
                _ => Endpoint::Sensor(name),
            };
            let port = kind.port(config, endpoint).unwrap();
            kind.check(config, &source.site).unwrap();
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
        let links = OpenLinks::open(world, ports, Vec::new(), armed).unwrap();
        let ends = world.resource::<Links>().0.iter();
        let ends = ends.filter_map(|l| Some((l.name.strip_prefix("box/")?.to_owned(), l.entity?)));
        Self {
            links,
            ends: ends.collect(),
            app,
            measures: PhantomData,
        }
    }

    /// One tick.
    pub fn tick(&mut self) {
        let SimTime {
            now_ns, tick_ns, ..
        } = *self.app.world().resource::<SimTime>();
        self.links.clock.tick(now_ns, tick_ns, Instant::now());
        self.app.update();
    }

    /// Link of a sensor, or of `drive`.
    pub fn link(&self, name: &str) -> Link {
        *self.app.world().get::<Link>(self.ends[name]).unwrap()
    }

    /// All readings of a sensor that were not taken.
    pub fn readings(&self, name: &str) -> &[M] {
        let readings = self.app.world().resource::<Readings<M>>();
        let readings = readings.0.get(&self.ends[name]);
        readings.map_or(&[], Vec::as_slice)
    }

    /// Takes the readings of a sensor since the last call.
    pub fn take(&mut self, name: &str) -> Vec<M> {
        let mut readings = self.app.world_mut().resource_mut::<Readings<M>>();
        let readings = readings.0.get_mut(&self.ends[name]);
        readings.map(std::mem::take).unwrap_or_default()
    }

    /// Ticks until this is true.
    ///
    /// # Panics
    ///
    /// It is not within [`LIMIT`].
    pub fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            assert!(
                begun.elapsed() < LIMIT,
                "waited in vain: {what}; {:?}",
                self.ends
                    .keys()
                    .map(|name| (name, self.link(name), self.readings(name).len()))
                    .collect::<Vec<_>>()
            );
            self.tick();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ticks until this is true of a link.
    pub fn until_link(&mut self, name: &str, what: &str, reached: impl Fn(&Link) -> bool) {
        self.until(what, |rig| reached(&rig.link(name)));
    }

    /// Ticks until a link is in this state.
    pub fn until_state(&mut self, name: &str, state: LinkState) {
        self.until_link(name, &format!("{name} is {state:?}"), |l| l.state == state);
    }

    /// Ticks until a sensor has so many readings.
    pub fn until_readings(&mut self, name: &str, count: usize) {
        self.until(&format!("{count} readings of {name}"), |rig| {
            rig.readings(name).len() >= count
        });
    }

    /// Ticks until so many readings have come since now, and returns them.
    pub fn next(&mut self, name: &str, count: usize) -> Vec<M> {
        let before = self.readings(name).len();
        self.until_readings(name, before + count);
        self.readings(name)[before..].to_vec()
    }

    /// A controller writes a command.
    pub fn command(&mut self, linear_m_s: f64, angular_rad_s: f64) {
        let drive = self.ends["drive"];
        let mut drive = self.app.world_mut().entity_mut(drive);
        drive.get_mut::<ActuatorTarget<Twist2>>().unwrap().0 = Twist2 {
            linear_m_s,
            angular_rad_s,
        };
    }

    /// Sends the commands of the end of a run.
    pub fn rest(&mut self) {
        rest(self.app.world_mut());
    }

    /// Ends the run; returns how long that took.
    pub fn end(self) -> Duration {
        let begun = Instant::now();
        drop(self.links);
        begun.elapsed()
    }
}

impl Rig<ValueRow> {
    /// First number of each reading of an instrument.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let rows = self.readings(name).iter();
        rows.map(|row| row.numbers[0]).collect()
    }

    /// All numbers of each reading of an instrument.
    pub fn rows(&self, name: &str) -> Vec<Vec<f64>> {
        let rows = self.readings(name).iter();
        rows.map(|row| row.numbers.clone()).collect()
    }
}

/// The actuator of `box/drive`, which is no part of a body.
fn add_drive(world: &mut World) {
    let agent = world.resource::<EntityIndex>().entity("box").unwrap();
    let tick_ns = world.resource::<SimTime>().tick_ns;
    let index = world.resource::<Links>().index("box/drive").unwrap();
    let link = Link {
        index,
        ..Link::default()
    };
    let parts = (
        ChildOf(agent),
        ActuatorTarget(Twist2::default()),
        CommandSender::new(100.0, tick_ns),
        link,
    );
    let drive = world.spawn(parts).id();
    world.resource_mut::<Links>().0[index as usize].entity = Some(drive);
}
