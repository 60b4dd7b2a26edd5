//! A sweep on a cluster of Ray, by `python -m becomingone.ray`, which does the chunks that `sweep --plan FILE --list` lists as
//! missing, each by `sweep --plan FILE --part CHUNK --to FILE` (`-`: standard output) in a task. It puts each part beside the
//! plan as `part-000012.parquet`, whole; this program merges them. A chunk that is done twice has the same rows.

use super::parts::Parts;
use crate::failure::Failure;
use crate::on_ray::RayPython;
use becomingone::trials::CancelToken;
use std::path::Path;
use std::time::{Duration, Instant};
use wait_timeout::ChildExt as _;

/// How often its process is looked after.
const POLL: Duration = Duration::from_millis(100);

/// Time in which it ends by itself after Ctrl-C, which a terminal sends to both.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// Does the missing chunks of a plan on the cluster, and waits for them.
pub(super) fn run(
    python: &RayPython,
    address: Option<&str>,
    quiet: bool,
    parts: &Parts,
    out: &Path,
    cancel: &CancelToken,
) -> Result<(), Failure> {
    let name = python.name();
    let wrong = |e: std::io::Error| Failure::Run(format!("--on ray: {name}: {e}"));
    let mut command = python.command(address, quiet);
    command.arg("--plan").arg(parts.plan());
    command.arg("--out").arg(out);
    let mut child = command.spawn().map_err(wrong)?;
    let mut asked = None;
    let ended = loop {
        if let Some(ended) = child.wait_timeout(POLL).map_err(wrong)? {
            break ended;
        }
        if cancel.is_stopped() && asked.get_or_insert_with(Instant::now).elapsed() > KILL_AFTER {
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
