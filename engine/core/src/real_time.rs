//! Ticks in time on a busy machine: the thread of the ticks as one that the system prefers.

#[cfg(target_os = "linux")]
use nix::errno::Errno;
use std::fmt;

/// Priority of the ticks among real-time threads (`SCHED_FIFO`, 1 to 99): that of Linux' own interrupt threads.
pub const PRIORITY: u8 = 50;

/// What the system granted to a thread of ticks, by [`prefer_this_thread`]; as text, a sentence for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferred {
    /// Priority, or why there is none.
    pub priority: Result<u8, String>,
    /// The CPU that the thread stays on, or why it does not.
    pub cpu: Result<usize, String>,
    /// Whether memory is locked: never swapped out, and present before it is used; or why it is not.
    pub memory: Result<(), String>,
}

impl fmt::Display for Preferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.priority {
            Ok(priority) => write!(f, "priority {priority} (SCHED_FIFO)")?,
            Err(why) => write!(f, "no real-time priority: {why}")?,
        }
        match &self.cpu {
            Ok(cpu) => write!(f, "; on CPU {cpu}")?,
            Err(why) => write!(f, "; on any CPU: {why}")?,
        }
        match &self.memory {
            Ok(()) => f.write_str("; memory locked"),
            Err(why) => write!(f, "; memory not locked: {why}"),
        }
    }
}

impl Preferred {
    /// Whether all was granted.
    pub fn is_whole(&self) -> bool {
        self.priority.is_ok() && self.cpu.is_ok() && self.memory.is_ok()
    }
}

/// Asks the system to prefer this thread, which is to run the ticks: real-time priority, one CPU, locked memory. What
/// is refused is said in the result, and the thread runs without it.
///
/// Without `cpu` it is the last one that this process may use. Threads that are begun later by this one inherit
/// priority and CPU: start the engine first. A thread of this priority that never waits takes its CPU from everything
/// else: for runs in real time alone.
///
/// ```no_run
/// use becomingone::{CoherenceEngine, Pace, real_time};
///
/// let mut engine = CoherenceEngine::from_scene("rover.ron")?;
/// engine.set_pace(Pace::RealTime).start()?;
/// println!("real time: {}", real_time::prefer_this_thread(None));
/// engine.run()?;
/// # Ok::<(), becomingone::EngineError>(())
/// ```
pub fn prefer_this_thread(cpu: Option<usize>) -> Preferred {
    Preferred {
        // Before the others: pages of the stack are present from here on.
        memory: lock_memory(),
        cpu: stay_on(cpu),
        priority: raise(),
    }
}

#[cfg(target_os = "linux")]
fn raise() -> Result<u8, String> {
    use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
    use thread_priority::{
        Error, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue,
        ThreadSchedulePolicy,
    };
    let value = ThreadPriorityValue::try_from(PRIORITY)?;
    let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let set = set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(value),
        fifo,
    );
    match set {
        Ok(()) => Ok(PRIORITY),
        Err(Error::OS(code)) => Err(refused(Errno::from_raw(code))),
        Err(other) => Err(format!("{other:?}")),
    }
}

#[cfg(target_os = "linux")]
fn stay_on(cpu: Option<usize>) -> Result<usize, String> {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).map_err(refused)?;
    let allowed: Vec<usize> = (0..CpuSet::count())
        .filter(|&k| allowed.is_set(k) == Ok(true))
        .collect();
    let cpu = match cpu {
        Some(cpu) if !allowed.contains(&cpu) => {
            let allowed: Vec<_> = allowed.iter().map(usize::to_string).collect();
            return Err(format!(
                "found CPU {cpu}; expected one that this process may use: {}",
                allowed.join(", ")
            ));
        }
        Some(cpu) => cpu,
        None => *allowed.last().ok_or("this process may use none")?,
    };
    let mut one = CpuSet::new();
    one.set(cpu).map_err(refused)?;
    sched_setaffinity(this, &one).map_err(refused)?;
    Ok(cpu)
}

#[cfg(target_os = "linux")]
fn lock_memory() -> Result<(), String> {
    use nix::sys::mman::{MlockAllFlags, mlockall};
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let (limit, _) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(refused)?;
    // With a limit, memory that is asked for later would be refused, and the program would end.
    if limit != RLIM_INFINITY && !nix::unistd::geteuid().is_root() {
        return Err(format!(
            "this user may lock {} MB only, and `becomingone doctor` says how to change that",
            limit >> 20
        ));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE).map_err(refused)
}

/// Why the system refused.
#[cfg(target_os = "linux")]
fn refused(error: Errno) -> String {
    match error {
        Errno::EPERM => {
            "this user may not, and `becomingone doctor` says how to change that".to_owned()
        }
        other => other.desc().to_owned(),
    }
}

#[cfg(not(target_os = "linux"))]
fn raise() -> Result<u8, String> {
    Err("only on Linux".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn stay_on(_: Option<usize>) -> Result<usize, String> {
    Err("only on Linux".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn lock_memory() -> Result<(), String> {
    Err("only on Linux".to_owned())
}
