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

use becomingone_audio::{AudioKind, Speaker, devices};
use becomingone_components::link::{LinkState, Queue};
use becomingone_components::sensor::ValueRow;
use becomingone_rig::{Rig, instrument};
use std::process::Command;

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
fn ears() -> Rig<ValueRow> {
    let sensor = instrument("ears", &["frequency", "level"], Queue::default());
    Rig::new(AudioKind, [(sensor, "(device: Default)")], None, false)
}

/// Frequency (Hz) and level (dB) of the last reading.
fn sound(rig: &Rig<ValueRow>) -> Option<[f64; 2]> {
    let row = &rig.readings("ears").last()?.numbers;
    Some([row[0], row[1]])
}

fn wait_for_tone(rig: &mut Rig<ValueRow>, frequency_hz: f64) {
    rig.until(&format!("{frequency_hz} Hz"), |rig| {
        sound(rig).is_some_and(|[f, level]| (f - frequency_hz).abs() < 1.0 && level > -40.0)
    });
}

#[test]
fn the_microphone_measures_the_tone_of_the_speaker_within_one_hertz() {
    on_a_loopback(
        "the_microphone_measures_the_tone_of_the_speaker_within_one_hertz",
        || {
            let speaker = Speaker::new().unwrap();
            let mut ears = ears();
            for frequency in [440.0, 1000.0, 441.5] {
                speaker.tone(frequency, 0.3);
                wait_for_tone(&mut ears, f64::from(frequency));
            }
            let before = ears.link("ears").received;
            let mut worst = 0.0f64;
            ears.until("fifty readings", |ears| {
                worst = worst.max((sound(ears).unwrap()[0] - 441.5).abs());
                ears.link("ears").received >= before + 50
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
        let mut ears = ears();
        assert!(!devices().is_empty());
        wait_for_tone(&mut ears, 440.0);
        let server = std::env::var("LOOPBACK_SERVER").unwrap();
        assert!(Command::new("kill").arg(server).status().unwrap().success());
        ears.until("the device is gone", |ears| {
            ears.link("ears").state == LinkState::Down
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
        wait_for_tone(&mut ears, 660.0);
    });
}
