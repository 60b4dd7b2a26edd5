//! Speaker and microphone on a loopback: what one plays, the other measures.
#![cfg(all(unix, feature = "device"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, bounds its waits by the wall clock, and prints why it is skipped"
)]

use becomingone_audio::{AudioKind, AudioPlugin, Speaker, devices};
use becomingone_components::link::{Config, Link, LinkState, Queue, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, LoadedAgent, LoadedScene, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{Column, Reading, ValueRow};
use becomingone_components::time::SimTime;
use becomingone_systems::EnginePlugin;
use becomingone_systems::links::{
    DriverKind as _, Endpoint, OpenLinks, Port, PortSource, SourceSite,
};
use becomingone_systems::sensing::Values;
use becomingone_systems::spawn::build_scene;
use becomingone_systems::tick;
use bevy_app::App;
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// The programs of the loopback; the command that this says is missing is printed.
fn missing() -> Option<&'static str> {
    [
        "dbus-run-session",
        "pipewire",
        "wireplumber",
        "pipewire-pulse",
        "pactl",
    ]
    .into_iter()
    .find(|program| {
        Command::new("which")
            .arg(program)
            .output()
            .is_ok_and(|o| !o.status.success())
    })
}

/// Runs a test on a loopback: starts this program once more, in the loopback's session, for the test of this name.
fn on_a_loopback(name: &str, test: fn()) {
    if std::env::var_os("LOOPBACK_HOME").is_some() {
        return test();
    }
    if let Some(program) = missing() {
        eprintln!(
            "skipped, `{program}` is missing: apt-get install pipewire wireplumber pipewire-pulse pulseaudio-utils libasound2-plugins dbus"
        );
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/loopback.sh");
    let done = Command::new("dbus-run-session")
        .args(["--", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
}

/// An instrument of frequency and level.
struct Ears {
    links: OpenLinks,
    app: App,
    sensor: Entity,
}

impl Ears {
    fn new() -> Self {
        let column = |name: &str, unit: &str| Column {
            name: name.to_owned(),
            unit: unit.to_owned(),
        };
        let kind = Values {
            fields: vec![column("frequency", "Hz"), column("level", "dB")],
        };
        let config = "(device: Default)";
        let mut sensor = SensorSpec::new("ears", kind, 50.0);
        sensor.source = Source::Driver("audio".to_owned(), Config(config.to_owned()));
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
        app.add_plugins((EnginePlugin, AudioPlugin))
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
        let mut sensors = world.query_filtered::<Entity, With<Reading<ValueRow>>>();
        let sensor = sensors.single(world).unwrap();
        let port = Port {
            name: "audio",
            kind: Arc::new(AudioKind),
            port: AudioKind
                .port(config, Endpoint::Sensor("box/ears"))
                .unwrap(),
            sources: vec![PortSource {
                name: "box/ears".to_owned(),
                queue: Queue::default(),
                config: config.to_owned(),
                site: SourceSite::default(),
            }],
        };
        let links = OpenLinks::open(world, vec![port], Vec::new(), false).unwrap();
        Self { links, app, sensor }
    }

    fn link(&self) -> Link {
        *self.app.world().get::<Link>(self.sensor).unwrap()
    }

    /// Frequency and level of the last reading.
    fn sound(&self) -> Option<[f64; 2]> {
        let reading = self.app.world().get::<Reading<ValueRow>>(self.sensor)?;
        let row = &reading.latest()?.value.numbers;
        Some([row[0], row[1]])
    }

    fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !reached(self) {
            assert!(
                begun.elapsed() < LIMIT,
                "waited in vain: {what}; {:?}, {:?}",
                self.sound(),
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

    fn wait_for_tone(&mut self, frequency_hz: f64) {
        self.until(&format!("{frequency_hz} Hz"), |ears| {
            ears.sound()
                .is_some_and(|[f, level]| (f - frequency_hz).abs() < 1.0 && level > -40.0)
        });
    }
}

#[test]
fn the_microphone_measures_the_tone_of_the_speaker_within_one_hertz() {
    on_a_loopback(
        "the_microphone_measures_the_tone_of_the_speaker_within_one_hertz",
        || {
            let speaker = Speaker::new().unwrap();
            let mut ears = Ears::new();
            for frequency in [440.0, 1000.0, 441.5] {
                speaker.tone(frequency, 0.3);
                ears.wait_for_tone(f64::from(frequency));
            }
            let before = ears.link().received;
            let mut worst = 0.0f64;
            ears.until("fifty readings", |ears| {
                worst = worst.max((ears.sound().unwrap()[0] - 441.5).abs());
                ears.link().received >= before + 50
            });
            assert!(worst < 1.0, "{worst} Hz");
            eprintln!("441.5 Hz, worst of fifty readings: {worst:.3} Hz off");
        },
    );
}

/// The sound server, started again by the test; ended with it.
struct Server(std::process::Child);

impl Server {
    fn start() -> Self {
        let mut server = Command::new("pipewire-pulse");
        let server = server.env("HOME", std::env::var_os("LOOPBACK_HOME").unwrap());
        Self(server.spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_device_that_vanishes_is_found_again() {
    on_a_loopback("a_device_that_vanishes_is_found_again", || {
        let speaker = Speaker::new().unwrap();
        speaker.tone(440.0, 0.3);
        let mut ears = Ears::new();
        assert!(!devices().is_empty());
        ears.wait_for_tone(440.0);
        let server = std::env::var("LOOPBACK_SERVER").unwrap();
        assert!(Command::new("kill").arg(server).status().unwrap().success());
        ears.until("the device is gone", |ears| {
            ears.link().state == LinkState::Down
        });
        let _server = Server::start();
        let pactl = |args: &[&str]| {
            let done = Command::new("pactl").args(args).output().unwrap();
            done.status.success()
        };
        ears.until("the server", |_| pactl(&["info"]));
        let card = [
            "sink_name=spk",
            "rate=48000",
            "channels=1",
            "channel_map=mono",
        ];
        assert!(pactl(
            &[&["load-module", "module-null-sink"][..], &card].concat()
        ));
        ears.until("the card", |_| {
            pactl(&["set-default-sink", "spk"]) && pactl(&["set-default-source", "spk.monitor"])
        });
        speaker.tone(660.0, 0.3);
        ears.wait_for_tone(660.0);
    });
}
