//! Other commands of the program, each in a process of its own, with a limit of time.

use crate::problem::Problem;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Commands at once.
const AT_ONCE: usize = 2;

/// The program.
pub(super) struct Program {
    file: PathBuf,
    room: Arc<Semaphore>,
}

impl Program {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// A command, without the secrets of this process.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.env_remove(crate::token::TOKEN_VARIABLE).env(
            crate::place::PARENT_VARIABLE,
            std::process::id().to_string(),
        );
        command
    }

    /// Runs a command to its end.
    pub(super) async fn output(
        &self,
        arguments: Vec<String>,
        within: Duration,
    ) -> Result<Output, Problem> {
        // Until the process has ended, also where nobody waits for it any more.
        let place = self.room.clone().acquire_owned().await;
        let mut command = self.command();
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let run = move || -> std::io::Result<Option<Output>> {
            let _place = place;
            let process = command.spawn()?;
            let id = rustix::process::Pid::from_raw(process.id().cast_signed());
            let (done, is_done) = std::sync::mpsc::channel::<()>();
            let watch = std::thread::spawn(move || {
                let late = is_done
                    .recv_timeout(within)
                    .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout);
                if late && let Some(id) = id {
                    let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
                }
                late
            });
            let output = process.wait_with_output();
            drop(done);
            let late = watch.join().unwrap_or(false);
            Ok(if late { None } else { Some(output?) })
        };
        let done = tokio::task::spawn_blocking(run).await;
        match done.map_err(|e| Problem::unavailable(e.to_string()))? {
            Ok(Some(output)) => Ok(output),
            Ok(None) => Err(Problem::unavailable(format!(
                "found no result within {} s",
                within.as_secs()
            ))),
            Err(error) => Err(Problem::unavailable(error.to_string())),
        }
    }
}
