//! An engine of instruments on a Bluetooth device that a peer program plays, on a bus of its own.

use becomingone_bluetooth::{BluetoothKind, BluetoothPlugin};
use becomingone_components::link::{Config, Link, LinkState, Queue, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{Column, Reading, ValueRow};
use becomingone_components::time::SimTime;
use becomingone_systems::EnginePlugin;
use becomingone_systems::index::EntityIndex;
use becomingone_systems::links::{
    DriverKind as _, Endpoint, OpenLinks, Port, PortSource, SourceSite,
};
use becomingone_systems::sensing::Values;
use becomingone_systems::spawn::build_scene;
use becomingone_systems::tick::{self, Tick, TickSystems};
use bevy_app::App;
use bevy_ecs::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);
const ON_BUS: &str = "BECOMINGONE_TEST_BUS";

/// Runs a test on a bus of its own: starts this program once more there, for the test of this name.
pub(crate) fn on_a_bus(name: &str, test: fn()) {
    if std::env::var_os(ON_BUS).is_some() {
        log::set_logger(&LOG).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        return test();
    }
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        eprintln!("skipped, no BECOMINGONE_PYTHON: a Python with PyPI dbus-fast");
        return;
    };
    let import = Command::new(&python)
        .args(["-c", "import dbus_fast"])
        .output();
    if !import.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped, BECOMINGONE_PYTHON has no dbus_fast: pip install dbus-fast");
        return;
    }
    if Command::new("dbus-run-session")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped, no dbus-run-session: apt-get install dbus");
        return;
    }
    // The bus of a session, in the place of the system's.
    let script = "DBUS_SYSTEM_BUS_ADDRESS=$DBUS_SESSION_BUS_ADDRESS exec \"$@\"";
    let done = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(ON_BUS, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
    for line in text.lines().filter(|line| line.starts_with("measured: ")) {
        eprintln!("{line}");
    }
}

/// Warnings of this program.
struct Warnings(Mutex<Vec<String>>);
static LOG: Warnings = Warnings(Mutex::new(Vec::new()));

impl log::Log for Warnings {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

/// Warnings that contain this.
pub(crate) fn warnings(part: &str) -> Vec<String> {
    let all = LOG.0.lock().unwrap();
    all.iter()
        .filter(|text| text.contains(part))
        .cloned()
        .collect()
}

/// The peer, with a device of these services.
pub(crate) struct Bluez {
    process: Child,
    commands: ChildStdin,
    lines: mpsc::Receiver<String>,
    /// Lines that came before the answer to a command.
    earlier: VecDeque<String>,
}

impl Bluez {
    pub(crate) fn start(services: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/fake_bluez.py");
        let mut process = Command::new(std::env::var_os("BECOMINGONE_PYTHON").unwrap())
            .args([script, services])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().try_for_each(|line| send.send(line.unwrap())));
        let mut peer = Self {
            commands: process.stdin.take().unwrap(),
            process,
            lines,
            earlier: VecDeque::new(),
        };
        peer.wait("ready");
        peer
    }

    /// Waits for a line; those before it are skipped.
    pub(crate) fn wait(&mut self, wanted: &str) {
        let earlier = std::mem::take(&mut self.earlier);
        let mut rest = earlier.into_iter().skip_while(|line| line != wanted);
        if rest.next().is_some() {
            self.earlier = rest.collect();
            return;
        }
        while self.lines.recv_timeout(LIMIT).expect(wanted) != wanted {}
    }

    /// Gives a command.
    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        loop {
            let line = self.lines.recv_timeout(LIMIT).expect(command);
            if line == "done" {
                return;
            }
            self.earlier.push_back(line);
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Stops it, so that no request is answered.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }
}

impl Drop for Bluez {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[derive(Resource, Default)]
struct Rows(BTreeMap<Entity, Vec<Vec<f64>>>);

fn collect(mut rows: ResMut<Rows>, sensors: Query<(Entity, &Reading<ValueRow>)>) {
    for (sensor, reading) in &sensors {
        let batch = reading.batch().map(|s| s.value.numbers.to_vec());
        rows.0.entry(sensor).or_default().extend(batch);
    }
}

/// Instruments of an agent `box`, by name: their numbers, and options of their sources beside `device`.
pub(crate) struct Rig {
    links: Option<OpenLinks>,
    app: App,
}

impl Rig {
    pub(crate) fn new(sensors: &[(&str, &[&str], &str)], queue: Queue) -> Self {
        let source = |options: &str| format!("(device: \"aa:bb:cc:dd:ee:ff\", {options})");
        let spec = |&(name, fields, options): &(&str, &[&str], &str)| {
            let column = |name: &&str| Column {
                name: (*name).to_owned(),
                unit: "1".to_owned(),
            };
            let kind = Values {
                fields: fields.iter().map(column).collect(),
            };
            let mut sensor = SensorSpec::new(name, kind, 50.0);
            sensor.source = Source::Driver("bluetooth".to_owned(), Config(source(options)));
            sensor.silence.after_s = Some(1e6);
            sensor
        };
        let agent = AgentSpec {
            name: "box".to_owned(),
            coherence: CoherenceSpec::Off,
            sensors: sensors.iter().map(spec).collect(),
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
        app.add_plugins((EnginePlugin, BluetoothPlugin))
            .init_resource::<Rows>()
            .add_systems(Tick, collect.in_set(TickSystems::Publish))
            .insert_resource(LoadedScene {
                scene,
                agents: vec![LoadedAgent::default()],
                meshes: Vec::new(),
                track: None,
                written: BTreeMap::new(),
            });
        app.finish();
        app.cleanup();
        let world = app.world_mut();
        tick::build(world).unwrap();
        build_scene(world).unwrap();
        let site = |fields: &[&str]| SourceSite {
            fields: fields.iter().map(|&f| f.to_owned()).collect(),
            ..SourceSite::default()
        };
        for (_, fields, options) in sensors {
            BluetoothKind
                .check(&source(options), &site(fields))
                .unwrap();
        }
        let port = Port {
            name: "bluetooth",
            kind: Arc::new(BluetoothKind),
            port: BluetoothKind
                .port(&source(sensors[0].2), Endpoint::Sensor("box/s"))
                .unwrap(),
            sources: sensors
                .iter()
                .map(|(name, fields, options)| PortSource {
                    name: format!("box/{name}"),
                    queue,
                    config: source(options),
                    site: site(fields),
                })
                .collect(),
        };
        let links = OpenLinks::open(world, vec![port], Vec::new(), false).unwrap();
        Self {
            links: Some(links),
            app,
        }
    }

    fn sensor(&self, name: &str) -> Entity {
        let index = self.app.world().resource::<EntityIndex>();
        index.entity(&format!("box/{name}")).unwrap()
    }

    pub(crate) fn link(&self, name: &str) -> Link {
        *self.app.world().get::<Link>(self.sensor(name)).unwrap()
    }

    /// All readings so far.
    pub(crate) fn rows(&self, name: &str) -> Vec<Vec<f64>> {
        let rows = &self.app.world().resource::<Rows>().0;
        rows.get(&self.sensor(name)).cloned().unwrap_or_default()
    }

    pub(crate) fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            assert!(
                begun.elapsed() < LIMIT,
                "waited in vain: {what}; {:?}",
                warnings("")
            );
            let SimTime {
                now_ns, tick_ns, ..
            } = *self.app.world().resource::<SimTime>();
            let links = self.links.as_ref().unwrap();
            links.clock.tick(now_ns, tick_ns, Instant::now());
            self.app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn until_state(&mut self, name: &str, state: LinkState) {
        self.until(&format!("{name} is {state:?}"), |rig| {
            rig.link(name).state == state
        });
    }

    pub(crate) fn until_rows(&mut self, name: &str, rows: usize) {
        self.until(&format!("{rows} readings"), |rig| {
            rig.rows(name).len() >= rows
        });
    }

    /// Ends the run; returns how long that took.
    pub(crate) fn end(&mut self) -> Duration {
        let begun = Instant::now();
        self.links = None;
        begun.elapsed()
    }
}
