//! The example `own_kinds`: a crate outside the workspace, with its own kinds and the whole command line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{Ran, binary, finish, root, say};
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

fn folder() -> PathBuf {
    root().join("engine/core/examples/own_kinds")
}

/// Program of the example: built by `cargo xtask test`, else here.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let name = format!("own_kinds{}", std::env::consts::EXE_SUFFIX);
        let program = binary().with_file_name(name);
        if !program.is_file() {
            fs::copy(root().join("Cargo.lock"), folder().join("Cargo.lock")).unwrap();
            let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
            let target = program.parent().and_then(Path::parent).unwrap();
            build
                .args([
                    "build",
                    "--release",
                    "--features",
                    "becomingone/camera",
                    "--target-dir",
                ])
                .arg(target)
                .arg("--config")
                .arg(root().join("tests/outside.toml"))
                .current_dir(folder());
            assert!(build.status().unwrap().success());
        }
        program
    })
}

fn run(here: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(program());
    finish(
        command.current_dir(here).args(args),
        Duration::from_secs(120),
    )
}

fn scene() -> String {
    folder().join("own_kinds.ron").to_str().unwrap().to_owned()
}

#[test]
fn own_kinds_are_listed_checked_and_resolved_as_built_in_ones() {
    let here = tempfile::tempdir().unwrap();
    for (what, name) in [
        ("sensors", "Altimeter"),
        ("controllers", "WallFollower"),
        ("faults", "Hum"),
        ("drivers", "line"),
        ("systems", "own_kinds::wall_follower::follow"),
    ] {
        let ran = run(here.path(), &["list", what]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains(name), "{what}: {}", ran.stdout);
    }
    let resolved = run(here.path(), &["check", "--resolved", &scene()]);
    assert_eq!(resolved.code, Some(0), "{}", resolved.stderr);
    for text in [
        "kind: Altimeter(\n                        noise: (\n",
        "controller: WallFollower(\n                gap_m: 0.8,\n                speed_m_s: 0.5,\n            ),\n",
        "kind: Hum(\n                amplitude: 0.6,\n                frequency_hz: 2.0,\n            ),\n",
    ] {
        assert!(resolved.stdout.contains(text), "{}", resolved.stdout);
    }
    fs::write(here.path().join("again.ron"), &resolved.stdout).unwrap();
    let again = run(here.path(), &["check", "--resolved", "again.ron"]);
    assert_eq!(again.stdout, resolved.stdout, "{}", again.stderr);
    // The shipped program refuses them, and lists its own kinds.
    let mut shipped = Command::new(binary());
    let shipped = finish(shipped.args(["check", &scene()]), Duration::from_secs(60));
    assert_eq!(shipped.code, Some(2));
    for kind in [
        "sensor kind `Altimeter`",
        "controller kind `WallFollower`",
        "fault kind `Hum`",
    ] {
        assert!(
            shipped.stderr.contains(&format!("found unknown {kind}")),
            "{}",
            shipped.stderr
        );
    }
    let wrong = run(
        here.path(),
        &[
            "check",
            &scene(),
            "--set",
            "agents.rover.controller.gap_m=0",
        ],
    );
    assert!(
        wrong
            .stderr
            .contains("controller.gap_m: found 0; expected metres from 0.1 to 10"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn own_kinds_support_runs_faults_alarms_recording_replay_and_viewer() {
    let here = tempfile::tempdir().unwrap();
    let args = [
        "run",
        &scene(),
        "--quiet",
        "--record",
        "run.mcap",
        "--rerun",
        "save=run.rrd",
        "--summary",
        "run.json",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(here.path().join("run.json")).unwrap()).unwrap();
    let rover = &summary["agents"][0];
    assert!(rover["distance_m"].as_f64().unwrap() > 10.0, "{rover}");
    assert_eq!(rover["collisions"], 0, "{rover}");
    // The alarm follows the fault at 25 s, and isolates the altimeter.
    let alarms = rover["kernel"]["witness"]["alarms"].as_array().unwrap();
    let first = alarms.first().expect("an alarm");
    let from_s = first["from_s"].as_f64().unwrap();
    assert!((25.0..30.0).contains(&from_s), "{alarms:?}");
    assert!(
        first["cause"].as_str().unwrap().starts_with("altimeter/"),
        "{alarms:?}"
    );
    let replayed = run(here.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(
        replayed.code,
        Some(0),
        "{}{}",
        replayed.stdout,
        replayed.stderr
    );
    assert!(replayed.stdout.contains("verified"), "{}", replayed.stdout);
    let info = run(here.path(), &["info", "run.mcap"]);
    assert!(info.stdout.contains("/rover/altimeter"), "{}", info.stdout);
    // The viewer's file has its time series.
    let drawn = fs::read(here.path().join("run.rrd")).unwrap();
    let series = b"altimeter";
    assert!(drawn.windows(series.len()).any(|w| w == series));
}

#[test]
fn the_own_driver_feeds_the_sensor_from_a_server() {
    let here = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut k = 0;
        while writeln!(client, "{}", 100 + k).is_ok() {
            k += 1;
            thread::sleep(Duration::from_millis(10));
        }
    });
    let source = format!(
        "agents.rover.sensors.altimeter.source=Driver(\"line\", (connect: \"127.0.0.1:{port}\"))"
    );
    let args = [
        "run",
        &scene(),
        "--set",
        &source,
        "--duration",
        "3s",
        "--quiet",
        "--rerun",
        "off",
        "--summary",
        "run.json",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(here.path().join("run.json")).unwrap()).unwrap();
    let sensors = summary["agents"][0]["sensors"].to_string();
    assert!(sensors.contains("altimeter"), "{sensors}");
    let wrong = source.replace("connect", "conect");
    let ran = run(here.path(), &["check", &scene(), "--set", &wrong]);
    assert!(
        ran.stderr.contains("found unknown key `conect`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("did you mean `connect`?"),
        "{}",
        ran.stderr
    );
}

/// Sends images of 64 x 48 pixels, one grey each.
const CAMERA: &str = "
import base64, io, json, socket, sys, time
from PIL import Image
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for k in range(10_000):
    png = io.BytesIO()
    Image.new('L', (64, 48), k % 256).save(png, 'PNG')
    reading = dict(sensor='rover/camera', sequence=k, values=[0.01], bytes=base64.b64encode(png.getvalue()).decode())
    to.sendto(json.dumps(reading).encode(), ('127.0.0.1', int(sys.argv[1])))
    time.sleep(0.05)
";

/// Prints the sizes and greys of the recorded images: of the journal, then of the viewer's file.
const IMAGES: &str = "
import io, sys
from mcap.reader import make_reader
from PIL import Image
import rerun.experimental as rr
def show(what, pngs):
    images = [Image.open(io.BytesIO(png)) for png in pngs]
    greys = [image.getpixel((9, 9)) for image in images]
    assert greys and all(image.size == (64, 48) and image.mode == 'L' for image in images)
    assert greys == sorted(greys), greys
    print(what, len(greys))
with open('run.mcap', 'rb') as f:
    found = list(make_reader(f).iter_messages(topics=['/rover/camera/image']))
assert all(schema.name == 'foxglove.CompressedImage' for schema, _, _ in found)
show('mcap', [m.data[m.data.index(b'\\x89PNG'):] for _, _, m in found])
chunks = [c.to_record_batch() for c in rr.RrdReader('run.rrd').stream().to_chunks() if c.entity_path == '/images/rover/camera']
blobs = [b for c in chunks for b in c.column('EncodedImage:blob').to_pylist() if b]
show('rrd', [bytes(b[0]) for b in blobs])
";

#[test]
fn images_of_a_camera_are_recorded_replayed_and_drawn() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        say("skipped: a camera, as BECOMINGONE_PYTHON is not set");
        return;
    };
    let here = tempfile::tempdir().unwrap();
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let port = port.port().to_string();
    let scene = format!(
        "(version: 1, agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [(
            name: \"camera\", kind: StillCamera(), rate_hz: 20,
            source: Driver(\"udp\", (listen: \"127.0.0.1:{port}\")),
        )])])"
    );
    fs::write(here.path().join("camera.ron"), scene).unwrap();
    let mut camera = Command::new(&python)
        .args(["-c", CAMERA, &port])
        .spawn()
        .unwrap();
    let ran = run(
        here.path(),
        &[
            "run",
            "camera.ron",
            "--duration",
            "3s",
            "--record",
            "run.mcap",
            "--rerun",
            "save=run.rrd",
        ],
    );
    camera.kill().unwrap();
    camera.wait().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let replayed = run(here.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
    let mut images = Command::new(&python);
    images.current_dir(here.path()).args(["-c", IMAGES]);
    let images = finish(&mut images, Duration::from_secs(60));
    assert_eq!(images.code, Some(0), "{}", images.stderr);
    // At 20 Hz, from when the camera has started.
    for line in images.stdout.lines() {
        let count: u32 = line.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(count > 5, "{}", images.stdout);
    }
    // Rows of numbers cannot replace it.
    let source = "agents.rover.sensors.camera.source=Replay(file: \"run.mcap\")";
    let refused = run(here.path(), &["run", "camera.ron", "--set", source]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("bytes (image/png)"),
        "{}",
        refused.stderr
    );
}
