//! Instruments on a Bluetooth device that a peer program plays, on a bus of its own.

use becomingone_bluetooth::BluetoothKind;
use becomingone_components::link::Queue;
use becomingone_components::sensor::ValueRow;
use becomingone_rig::{LIMIT, Rig, instrument};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, mpsc};

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

/// Instruments by name, with their numbers, and options of their sources beside `device`.
pub(crate) fn open(sensors: &[(&str, &[&str], &str)], queue: Queue) -> Rig<ValueRow> {
    let source = |options| format!("(device: \"aa:bb:cc:dd:ee:ff\", {options})");
    let sensor = |&(name, fields, options)| (instrument(name, fields, queue), source(options));
    Rig::new(BluetoothKind, sensors.iter().map(sensor), None, false)
}
