//! A program and everything that it starts: one group of processes, which ends as a whole.

use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Duration;

/// Time between the end of its input and SIGTERM: the last command may be on its way.
const INPUT_TIMEOUT: Duration = Duration::from_millis(200);
/// Time between SIGTERM and SIGKILL.
const TERM_TIMEOUT: Duration = Duration::from_millis(1000);
/// Longest wait for a process to end after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_millis(300);
/// Time between two looks at a process that is ending.
const LOOK: Duration = Duration::from_millis(10);

pub(super) struct Group {
    child: Child,
    /// It was waited for: its id may be another's.
    is_over: bool,
}

impl Group {
    /// Starts a program in a group of its own.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn()?;
        Ok(Self {
            child,
            is_over: false,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(super) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Whether the program itself has ended. It is not waited for yet: until then, no other process gets its id.
    #[cfg(unix)]
    pub(super) fn has_ended(&mut self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let state = waitid(WaitId::Pid(Pid::from_child(&self.child)), options);
        self.is_over || !matches!(state, Ok(None))
    }

    #[cfg(not(unix))]
    pub(super) fn has_ended(&mut self) -> bool {
        self.is_over || !matches!(self.child.try_wait(), Ok(None))
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        if !self.is_over {
            // A group whose processes have all ended has no one to be signalled.
            let pid = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    #[cfg(unix)]
    fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Other systems have no request to end.
    #[cfg(not(unix))]
    fn terminate(&self) {}

    #[cfg(unix)]
    fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// How the program ended, which has; what it started and left behind is ended.
    pub(super) fn status(&mut self) -> String {
        self.kill();
        self.is_over = true;
        match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("ended: {error}"),
        }
    }

    fn ends_within(&mut self, timeout: Duration, idle: &impl Fn(Duration)) -> bool {
        for _ in 0..timeout.as_millis() / LOOK.as_millis() {
            if self.has_ended() {
                return true;
            }
            idle(LOOK);
        }
        self.has_ended()
    }

    /// Ends the group: by the end of its input if it reads any, SIGTERM, and SIGKILL after a second, while `idle` is called with the time to wait.
    pub(super) fn end(&mut self, reads: bool, idle: impl Fn(Duration), name: &str) {
        if self.is_over {
            return;
        }
        if !(reads && self.ends_within(INPUT_TIMEOUT, &idle)) {
            self.terminate();
        }
        if !self.ends_within(TERM_TIMEOUT, &idle) {
            log::warn!("{name}: did not end within 1 s after SIGTERM; ended by SIGKILL");
            self.kill();
            if !self.ends_within(KILL_TIMEOUT, &idle) {
                return log::error!("{name}: process {} does not end", self.child.id());
            }
        }
        self.status();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_over {
            self.kill();
        }
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("ended by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended".to_owned(),
    }
}
