//! The page of a run that serves, in Chromium: what people see and do, and what it reports where something is dead.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::served::Served as Hub;
use becomingone_tests::{binary, finish, folder, root, say, tool};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(240);
/// A browser is started at a time: people's times are measured.
static ONE: Mutex<()> = Mutex::new(());
const TOKEN: &str = "owner-0123456789abcdef";

/// A rover that patrols, one that only circles, and a dock.
fn two_rovers() -> String {
    let model = root().join("assets/rover.urdf");
    format!(
        "(version: 1, duration_s: 6000.0,
          world: (places: [(name: \"dock\", position_m: (2.0, 1.0))]),
          agents: [
            (name: \"rover\", model: {model:?}, drive: Auto,
              sensors: [
                (name: \"encoders\", kind: Encoders(), rate_hz: 100.0),
                (name: \"imu\", kind: Imu(), rate_hz: 100.0),
                (name: \"lidar\", kind: Lidar(rays: 180, fov_rad: 4.7, range_max_m: 8.0), rate_hz: 10.0, position_m: (0.1, 0, 0.3)),
              ],
              controller: Patrol(waypoints_m: [(6, 0), (6, 6), (0, 6), (0, 0)], laps: None, speed_m_s: 0.4)),
            (name: \"turner\", model: {model:?}, drive: Auto, position_m: (-1.2, -4, 0),
              controller: Orbit(centre_m: (-2, -4), radius_m: 0.8, rate_hz: 0.05, localisation: Truth)),
          ])"
    )
}

/// The warehouse with a fault of an encoder, and an instrument whose readings come by UDP.
fn warehouse(port: u16) -> String {
    let text = std::fs::read_to_string(root().join("scenes/warehouse_robot.ron")).unwrap();
    let at = |text: &str, file: &str| {
        let asset = root().join("assets").join(file);
        text.replace(&format!("\"{file}\""), &format!("{asset:?}"))
    };
    let meter = format!(
        "agents: [(name: \"tank\", coherence: off, sensors: [(name: \"meter\",
            kind: Values(fields: [(name: \"level\", unit: \"m\")]), rate_hz: 50.0,
            source: Driver(\"udp\", (listen: {port})))]),"
    );
    let text = text.replacen("agents: [", &meter, 1);
    let fault = "(sensor: \"rover/encoders/0\", kind: Scale(1.3), at_s: 30)";
    let text = text.trim_end().strip_suffix(')').unwrap().to_owned();
    at(&at(&text, "rover.urdf"), "bollard.obj") + &format!("faults: [{fault}])")
}

/// A run that serves.
struct Served {
    child: Child,
    page: String,
    folder: TempDir,
}

impl Served {
    fn new(scene: &str, arguments: &[&str]) -> Self {
        let folder = folder(&[("s.ron", scene)]);
        tool(folder.path(), "mkdir -m 700 runtime");
        let errors = File::create(folder.path().join("errors")).unwrap();
        let mut child = Command::new(binary())
            .args(["run", "s.ron", "--serve=0"])
            .args(arguments)
            .current_dir(folder.path())
            .env("XDG_RUNTIME_DIR", folder.path().join("runtime"))
            .env("BECOMINGONE_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let page = lines.find_map(|line| line.unwrap().strip_prefix("page: ").map(str::to_owned));
        let page = page.unwrap_or_else(|| {
            panic!(
                "{}",
                std::fs::read_to_string(folder.path().join("errors")).unwrap()
            )
        });
        // What it prints later is not read, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            page,
            folder,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The scenario in a browser, in this folder; none where something is missing, which is said.
fn browser(scenario: &str, folder: &Path) -> Option<Command> {
    let python: Option<OsString> = std::env::var_os("BECOMINGONE_PYTHON");
    let Some(python) = python.filter(|_| Path::new("/usr/bin/chromium").is_file()) else {
        say(&format!(
            "skipped: {scenario}: the page in a browser, without BECOMINGONE_PYTHON or chromium"
        ));
        return None;
    };
    let axe = std::env::var_os("BECOMINGONE_AXE");
    if axe.is_none() {
        say(&format!(
            "skipped: {scenario}: axe-core, as BECOMINGONE_AXE is not set"
        ));
    }
    let mut command = Command::new(python);
    command
        .arg(root().join("tests/peers/page.py"))
        .arg(scenario)
        .arg(axe.unwrap_or_else(|| "-".into()))
        .env("BECOMINGONE_TOKEN", TOKEN)
        .current_dir(folder);
    Some(command)
}

/// Runs a scenario to its end; `BECOMINGONE_PICTURES` names a folder in which its pictures and measured times are kept.
fn play(scenario: &str, mut command: Command, folder: &Path) {
    let ran = finish(&mut command, LIMIT);
    if let Some(kept) = std::env::var_os("BECOMINGONE_PICTURES") {
        std::fs::create_dir_all(&kept).unwrap();
        let figures = Path::new(&kept).join(format!("{scenario}.txt"));
        std::fs::write(figures, &ran.stdout).unwrap();
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap();
            if file.path().extension().is_some_and(|kind| kind == "png") {
                std::fs::copy(file.path(), Path::new(&kept).join(file.file_name())).unwrap();
            }
        }
    }
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn goals_are_dragged_and_reached_a_stop_takes_a_tick_and_a_dead_stream_is_said() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let run = Served::new(
        &two_rovers(),
        &["--real-time", "--rerun", "off", "--record", "run.mcap"],
    );
    let Some(mut command) = browser("drives", run.folder.path()) else {
        return;
    };
    command.arg(&run.page).arg(run.child.id().to_string());
    play("drives", command, run.folder.path());
}

#[test]
fn the_page_shows_an_alarm_with_its_cause_a_link_that_is_stale_and_the_viewer() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let run = Served::new(&warehouse(port), &["--rate", "2", "--rerun", "serve=0"]);
    let Some(mut command) = browser("kernel", run.folder.path()) else {
        return;
    };
    command
        .arg(&run.page)
        .arg(run.child.id().to_string())
        .env("UDP_PORT", port.to_string());
    play("kernel", command, run.folder.path());
}

#[test]
fn the_page_talks_with_the_assistant_beside_the_run() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let assistant = ["--assistant=Solaria", "--assistant-stay"];
    let files = ["--assistant-folder", "files", "--rerun", "off"];
    let run = Served::new(&two_rovers(), &[&assistant[..], &files].concat());
    let Some(mut command) = browser("talks", run.folder.path()) else {
        return;
    };
    command.arg(&run.page);
    play("talks", command, run.folder.path());
}

#[test]
fn the_page_lists_runs_and_scenes_and_starts_opens_and_ends_them() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let hub = Hub::start(&["serve", "scenes", "--port=0"]);
    let Some(mut command) = browser("runs", hub.folder.path()) else {
        return;
    };
    command.arg(&hub.page);
    play("runs", command, hub.folder.path());
}
