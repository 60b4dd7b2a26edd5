//! An engine of instruments and one drive on links, and a device that can be unplugged.

#![allow(dead_code, reason = "each test uses its part")]

use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::drive::Twist2;
use becomingone_components::link::{Config, Link, Links, Queue, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{Column, Reading, ValueRow};
use becomingone_components::time::SimTime;
use becomingone_serial::SerialKind;
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
use serialport::{SerialPort as _, TTYPort};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// Waits until this is true.
pub(crate) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
    }
}

/// CRC-16/MODBUS by its definition (Modbus over serial line V1.02, 6.2.2), lowest byte first.
pub(crate) fn modbus(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0xFFFFu16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xA001
            } else {
                sum >> 1
            };
        }
    }
    sum.to_le_bytes()
}

/// The device side of a pseudo-terminal, which is plugged in at a path that stays.
pub(crate) struct Device {
    folder: TempDir,
    plugged: Option<TTYPort>,
}

impl Device {
    pub(crate) fn new() -> Self {
        let mut device = Self {
            folder: tempfile::tempdir().unwrap(),
            plugged: None,
        };
        device.plug();
        device
    }

    /// Path at which it is plugged in.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// Configuration of a source on its port.
    pub(crate) fn source(&self, options: &str) -> String {
        format!("(port: {:?}, baud: 9600, {options})", self.path())
    }

    pub(crate) fn plug(&mut self) {
        let (ours, theirs) = TTYPort::pair().unwrap();
        let name = theirs.name().unwrap();
        std::os::unix::fs::symlink(name, self.path()).unwrap();
        self.plugged = Some(ours);
    }

    pub(crate) fn unplug(&mut self) {
        std::fs::remove_file(self.path()).unwrap();
        self.plugged = None;
    }

    fn plugged(&mut self) -> &mut TTYPort {
        self.plugged.as_mut().unwrap()
    }

    /// The wire, with a long time-out.
    pub(crate) fn wire(&mut self) -> &mut TTYPort {
        self.plugged().set_timeout(LIMIT).unwrap();
        self.plugged()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.wire().write_all(bytes).unwrap();
    }
}

/// Numbers of all readings that were not taken yet.
#[derive(Resource, Default)]
struct Rows(BTreeMap<Entity, Vec<f64>>);

fn collect(mut rows: ResMut<Rows>, sensors: Query<(Entity, &Reading<ValueRow>)>) {
    for (entity, reading) in &sensors {
        let numbers = reading.batch().map(|s| s.value.numbers[0]);
        rows.0.entry(entity).or_default().extend(numbers);
    }
}

/// An instrument of one number `x`.
#[derive(Clone)]
pub(crate) struct Instrument {
    /// `s` is `box/s`.
    pub(crate) name: String,
    pub(crate) config: String,
    pub(crate) queue: Queue,
}

/// Instruments of an agent `box`, and perhaps a drive `box/drive` on the port of the first.
pub(crate) struct Rig {
    links: OpenLinks,
    app: App,
    sensors: Vec<Entity>,
    drive: Option<Entity>,
}

impl Rig {
    /// An instrument `box/s`, and where there is a second source, a drive.
    pub(crate) fn new(sources: &[&str], queue: Queue, armed: bool) -> Self {
        let instrument = Instrument {
            name: "s".to_owned(),
            config: sources[0].to_owned(),
            queue,
        };
        Self::with(&[instrument], sources.get(1).copied(), armed)
    }

    pub(crate) fn with(instruments: &[Instrument], drive: Option<&str>, armed: bool) -> Self {
        let column = Column {
            name: "x".to_owned(),
            unit: "1".to_owned(),
        };
        let kind = Values {
            fields: vec![column],
        };
        let source = |config: &str| Source::Driver("serial".to_owned(), Config(config.to_owned()));
        let spec = |instrument: &Instrument| {
            let mut sensor = SensorSpec::new(&instrument.name, kind.clone(), 100.0);
            sensor.source = source(&instrument.config);
            sensor.queue = instrument.queue;
            sensor.silence.after_s = Some(1e6);
            sensor
        };
        let agent = AgentSpec {
            name: "box".to_owned(),
            coherence: CoherenceSpec::Off,
            sensors: instruments.iter().map(spec).collect(),
            drive_source: drive.map_or(Source::Sim, source),
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
        let names = world.resource::<Links>().0.clone();
        let entity = |instrument: &Instrument| {
            let name = format!("box/{}", instrument.name);
            names.iter().find(|l| l.name == name).unwrap().entity
        };
        let sensors: Vec<Entity> = instruments.iter().filter_map(entity).collect();
        let mut sources: Vec<(String, &str, Queue)> = instruments
            .iter()
            .map(|i| (format!("box/{}", i.name), i.config.as_str(), i.queue))
            .collect();
        let drive = drive.map(|config| {
            let queue = instruments[0].queue;
            sources.push(("box/drive".to_owned(), config, queue));
            add_drive(world, sensors[0])
        });
        let mut ports: BTreeMap<String, Vec<PortSource>> = BTreeMap::new();
        for (name, config, queue) in sources {
            let port = SerialKind.port(config, Endpoint::Sensor(&name));
            let port = port.or_else(|_| SerialKind.port(config, Endpoint::Actuator(&name)));
            ports.entry(port.unwrap()).or_default().push(PortSource {
                name,
                queue,
                config: config.to_owned(),
                site: SourceSite::default(),
            });
        }
        let port = |(port, sources)| Port {
            name: "serial",
            kind: Arc::new(SerialKind),
            port,
            sources,
        };
        let ports = ports.into_iter().map(port).collect();
        let links = OpenLinks::open(world, ports, Vec::new(), armed).unwrap();
        Self {
            links,
            app,
            sensors,
            drive,
        }
    }

    pub(crate) fn tick(&mut self) {
        let SimTime {
            now_ns, tick_ns, ..
        } = *self.app.world().resource::<SimTime>();
        self.links.clock.tick(now_ns, tick_ns, Instant::now());
        self.app.update();
    }

    /// Link of the first instrument.
    pub(crate) fn link(&self) -> Link {
        self.link_of(0)
    }

    /// Link of an instrument, by its place.
    pub(crate) fn link_of(&self, instrument: usize) -> Link {
        let sensor = self.sensors[instrument];
        *self.app.world().get::<Link>(sensor).unwrap()
    }

    pub(crate) fn ticks_until(&mut self, what: &str, reached: impl Fn(&Link) -> bool) {
        until(what, || {
            self.tick();
            std::thread::sleep(Duration::from_micros(200));
            reached(&self.link())
        });
    }

    /// Numbers of all readings of the first instrument.
    pub(crate) fn rows(&self) -> &[f64] {
        let rows = self.app.world().resource::<Rows>();
        rows.0.get(&self.sensors[0]).map_or(&[], Vec::as_slice)
    }

    /// Takes the numbers of an instrument's readings since the last call.
    pub(crate) fn take_rows(&mut self, instrument: usize, each: impl FnMut(f64)) {
        let mut rows = self.app.world_mut().resource_mut::<Rows>();
        let rows = rows.0.get_mut(&self.sensors[instrument]);
        rows.into_iter().flat_map(|r| r.drain(..)).for_each(each);
    }

    /// The end of a run.
    pub(crate) fn rest(&mut self) {
        rest(self.app.world_mut());
    }

    /// A controller writes a command.
    pub(crate) fn command(&mut self, linear_m_s: f64, angular_rad_s: f64) {
        let mut drive = self.app.world_mut().entity_mut(self.drive.unwrap());
        drive.get_mut::<ActuatorTarget<Twist2>>().unwrap().0 = Twist2 {
            linear_m_s,
            angular_rad_s,
        };
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
