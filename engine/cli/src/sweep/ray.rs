//! A sweep on a cluster of Ray, by `python -m becomingone.ray`, which does the chunks that `sweep --plan FILE --list` lists as
//! missing, each by `sweep --plan FILE --part CHUNK --to FILE` (`-`: standard output) in a task. It puts each part beside the
//! plan as `part-000012.parquet`, whole; this program merges them. A chunk that is done twice has the same rows.

use super::parts::Parts;
use crate::failure::Failure;
use crate::output::program_path;
use becomingone::trials::CancelToken;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wait_timeout::ChildExt as _;

const INSTALL: &str = "expected Python with the module: pip install \"becomingone[ray]\"";

/// How often its process is looked after.
const POLL: Duration = Duration::from_millis(100);

/// Time in which it ends by itself after Ctrl-C, which a terminal sends to both.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// The Python side.
pub(super) struct Ray<'a> {
    program: PathBuf,
    python: PathBuf,
    address: Option<&'a str>,
}

impl<'a> Ray<'a> {
    /// Finds Python and its module.
    pub(super) fn find(address: Option<&'a str>) -> Result<Self, Failure> {
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
            Ok(status) if status.success() => Ok(Self {
                program,
                python,
                address,
            }),
            Ok(_) => Err(Failure::BadInput(format!(
                "--on ray: found {name} without the module becomingone.ray; {INSTALL}"
            ))),
            Err(error) => Err(Failure::BadInput(format!(
                "--on ray: {name}: {error}; {INSTALL}"
            ))),
        }
    }

    /// Does the missing chunks of a plan on the cluster, and waits for them.
    pub(super) fn run(
        &self,
        parts: &Parts,
        out: &Path,
        cancel: &CancelToken,
    ) -> Result<(), Failure> {
        let name = self.python.display();
        let wrong = |e: std::io::Error| Failure::Run(format!("--on ray: {name}: {e}"));
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "becomingone.ray", "--plan"])
            .arg(parts.plan());
        command.arg("--out").arg(out);
        if let Some(address) = self.address {
            command.args(["--address", address]);
        }
        command
            .arg("--program")
            .arg(&self.program)
            .stdin(Stdio::null());
        let mut child = command.spawn().map_err(wrong)?;
        let mut asked = None;
        let ended = loop {
            if let Some(ended) = child.wait_timeout(POLL).map_err(wrong)? {
                break ended;
            }
            if cancel.is_stopped() && asked.get_or_insert_with(Instant::now).elapsed() > KILL_AFTER
            {
                child.kill().map_err(wrong)?;
            }
        };
        match ended.success() {
            true => Ok(()),
            false => Err(Failure::Run(format!(
                "--on ray: {name} -m becomingone.ray: {ended}; the parts that are done are in {}, and the same command does the rest",
                parts.folder().display()
            ))),
        }
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
