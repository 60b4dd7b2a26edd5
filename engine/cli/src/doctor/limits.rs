//! Permissions of real-time threads.

use super::finding::Finding;

/// Memory that may be locked from which on a run is not swapped out (bytes).
#[cfg(target_os = "linux")]
const LOCKED: u64 = 1 << 28;

#[cfg(unix)]
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Real-time priority and locked memory.
#[cfg(target_os = "linux")]
pub(super) fn real_time() -> Vec<Finding> {
    use rustix::process::{Resource, getrlimit};
    const WHY: &str = "ticks in time on a busy machine, with hardware in the loop";
    let fix = |item: &str| {
        format!(
            "echo \"$USER - {item}\" | sudo tee -a /etc/security/limits.d/becomingone.conf, then log out and in again"
        )
    };
    let limit = |resource| getrlimit(resource).maximum;
    let priority = match limit(Resource::Rtprio) {
        _ if is_root() => Finding::ok("real-time priority", "this user may set any"),
        None => Finding::ok("real-time priority", "without limit"),
        Some(0) => Finding::optional(
            "real-time priority",
            "not allowed for this user",
            WHY,
            fix("rtprio 50"),
        ),
        Some(most) => Finding::ok("real-time priority", format!("up to {most}")),
    };
    let memory = match limit(Resource::Memlock) {
        _ if is_root() => Finding::ok("locked memory", "this user may lock any"),
        None => Finding::ok("locked memory", "without limit"),
        Some(most) if most >= LOCKED => {
            Finding::ok("locked memory", format!("up to {} MB", most >> 20))
        }
        Some(most) => Finding::optional(
            "locked memory",
            format!("only {} MB for this user", most >> 20),
            WHY,
            fix("memlock unlimited"),
        ),
    };
    vec![priority, memory]
}

#[cfg(not(target_os = "linux"))]
pub(super) fn real_time() -> Vec<Finding> {
    Vec::new()
}
