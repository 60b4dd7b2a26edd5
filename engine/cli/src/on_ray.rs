//! Work on a cluster of Ray: where it is done, and the Python that has it done, `python -m becomingone.ray`.

use crate::failure::Failure;
use crate::output::program_path;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const INSTALL: &str = "expected Python with the module: pip install \"becomingone[ray]\"";

/// Variable with the process without which another one is to end.
const PARENT: &str = "BECOMINGONE_PARENT";

/// Where the runs are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// Threads of this process.
    Threads,
    /// A cluster of Ray.
    Ray,
}

impl On {
    /// Refuses an address without a cluster.
    pub(crate) fn check(self, address: Option<&str>) -> Result<(), Failure> {
        match address {
            Some(_) if self != Self::Ray => Err(Failure::BadInput(
                "found --address without --on ray; expected both".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// Python with the module, and this program.
pub(crate) struct RayPython {
    program: PathBuf,
    python: PathBuf,
}

impl RayPython {
    /// Finds Python and its module.
    pub(crate) fn find() -> Result<Self, Failure> {
        const LOOK: &str =
            "import importlib.util as u, sys; sys.exit(not u.find_spec('becomingone.ray'))";
        let program = program_path()
            .map_err(|e| Failure::Run(format!("--on ray: the path of this program: {e}")))?;
        let python = python(&program)?;
        let mut look = Command::new(&python);
        look.args(["-c", LOOK])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let name = python.display();
        match look.status() {
            Ok(status) if status.success() => Ok(Self { program, python }),
            Ok(_) => Err(Failure::BadInput(format!(
                "--on ray: found {name} without the module becomingone.ray; {INSTALL}"
            ))),
            Err(error) => Err(Failure::BadInput(format!(
                "--on ray: {name}: {error}; {INSTALL}"
            ))),
        }
    }

    /// The command: it ends with this process.
    pub(crate) fn command(&self, address: Option<&str>, quiet: bool) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "becomingone.ray", "--program"])
            .arg(&self.program)
            .env(PARENT, std::process::id().to_string())
            .stdin(Stdio::null());
        if let Some(address) = address {
            command.args(["--address", address]);
        }
        if quiet {
            command.arg("--quiet");
        }
        command
    }

    /// Its name in errors.
    pub(crate) fn name(&self) -> String {
        self.python.display().to_string()
    }
}

/// Python: that of the environment, else the one beside this program, else the first of `PATH`.
fn python(program: &Path) -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("BECOMINGONE_PYTHON").filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = program.parent().map(Path::to_owned);
    let folders = beside.into_iter().chain(std::env::split_paths(&path));
    let mut files = folders.flat_map(|folder| {
        ["python3", "python"].map(|name| {
            folder
                .join(name)
                .with_extension(std::env::consts::EXE_EXTENSION)
        })
    });
    files.find(|file| file.is_file()).ok_or_else(|| {
        Failure::BadInput(format!(
            "--on ray: found no Python on this machine; {INSTALL}"
        ))
    })
}
