//! Limits that a run sets to itself, for who starts many: address space, processor time, and the life of its parent.

use crate::failure::Failure;
use clap::Args;

/// Variable of the environment with the process without which this one is to end.
const PARENT: &str = "BECOMINGONE_PARENT";

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of this process")]
pub(crate) struct LimitArgs {
    /// Most address space (bytes): what needs more ends the run.
    #[arg(long, value_name = "BYTES")]
    limit_memory: Option<u64>,
    /// Most processor time (s): then the system ends the run as by a kill, and its recording is readable to its last 0.4 s.
    #[arg(long, value_name = "SECONDS")]
    limit_cpu: Option<u64>,
}

impl LimitArgs {
    /// Sets the limits.
    #[cfg(unix)]
    pub(crate) fn set(&self) -> Result<(), Failure> {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        for (flag, resource, limit) in [
            ("--limit-memory", Resource::As, self.limit_memory),
            ("--limit-cpu", Resource::Cpu, self.limit_cpu),
        ] {
            let Some(asked) = limit else { continue };
            let highest = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            let limit = Some(asked.min(highest));
            let wanted = Rlimit {
                current: limit,
                maximum: limit,
            };
            setrlimit(resource, wanted)
                .map_err(|e| Failure::BadInput(format!("{flag}: {asked}: {e}")))?;
        }
        Ok(())
    }

    #[cfg(not(unix))]
    pub(crate) fn set(&self) -> Result<(), Failure> {
        match (self.limit_memory, self.limit_cpu) {
            (None, None) => Ok(()),
            _ => Err(Failure::BadInput(
                "--limit-memory, --limit-cpu: not on this system".to_owned(),
            )),
        }
    }
}

/// Whether a server started this run.
pub(crate) fn has_parent() -> bool {
    std::env::var_os(PARENT).is_some()
}

/// Ends this process with the one that started it, also where that is killed.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_parent() -> Result<(), Failure> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let Ok(parent) = std::env::var(PARENT) else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|e| Failure::Run(format!("{PARENT}: {e}")))?;
    // It may have ended before.
    let alive = getppid().is_some_and(|id| id.as_raw_nonzero().get().to_string() == parent);
    match alive {
        true => Ok(()),
        false => Err(Failure::Run(format!(
            "the process {parent}, which started this run, has ended"
        ))),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_parent() -> Result<(), Failure> {
    Ok(())
}
