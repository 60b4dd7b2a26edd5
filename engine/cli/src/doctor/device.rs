//! Serial ports, and the permission to open them.

use super::finding::Finding;
use becomingone::systems::kinds::Kinds;
#[cfg(unix)]
use std::path::{Path, PathBuf};

const NAME: &str = "serial ports";
const WHY: &str = "sensors and drives on a serial port";

pub(super) fn serial(kinds: &Kinds) -> Vec<Finding> {
    let Some(serial) = kinds.drivers.get("serial") else {
        return Vec::new();
    };
    let ports = match serial.devices() {
        Ok(ports) => ports,
        Err(error) => return vec![Finding::ok(NAME, error)],
    };
    let found = match ports.is_empty() {
        true => "none is plugged in".to_owned(),
        false => ports.join("; "),
    };
    let mut all = vec![Finding::ok(NAME, found)];
    #[cfg(unix)]
    all.extend(match super::limits::is_root() {
        true => Some(Finding::ok(PERMISSION, "this user may open any device")),
        false => permission(&ports, may_open, &Groups::read()),
    });
    all
}

#[cfg(unix)]
const PERMISSION: &str = "serial permission";

/// Whether ports can be opened; without one, whether their group is that of the user. Those of the board, which most
/// machines have and nobody uses, are optional.
#[cfg(unix)]
fn permission(ports: &[String], may_open: fn(&Path) -> bool, groups: &Groups) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt as _;
    let fix = |group: &str| match groups.is_listed(group) {
        true => format!("log out and in again: $USER is in the group {group} since then"),
        false => format!("sudo usermod -aG {group} $USER, then log out and in again"),
    };
    let path = |line: &String| PathBuf::from(line.split(" (").next().unwrap_or(line));
    let closed: Vec<&String> = ports.iter().filter(|p| !may_open(&path(p))).collect();
    if let Some(first) = closed.first() {
        let group = path(first).metadata().ok();
        let group = group.and_then(|m| groups.name(m.gid()));
        let names: Vec<String> = closed
            .iter()
            .map(|p| path(p).display().to_string())
            .collect();
        return Some(Finding {
            is_needed: closed.iter().any(|line| line.contains(" (usb:")),
            ..Finding::optional(
                PERMISSION,
                format!("none for {}", names.join(", ")),
                WHY,
                fix(group.as_deref().unwrap_or("dialout")),
            )
        });
    }
    if !ports.is_empty() {
        return Some(Finding::ok(PERMISSION, "all of them can be opened"));
    }
    // Debian's and Fedora's group, and Arch's.
    let (group, gid) = ["dialout", "uucp"].iter().find_map(|g| groups.id(g))?;
    Some(match groups.is_member(gid) {
        true => Finding::ok(PERMISSION, format!("this user is in the group {group}")),
        false => Finding::optional(
            PERMISSION,
            format!("this user is not in the group {group}"),
            WHY,
            fix(&group),
        ),
    })
}

/// Whether this user may open a device, which opening it would disturb: by the program `test`, which knows access lists.
#[cfg(unix)]
fn may_open(port: &Path) -> bool {
    let mut test = std::process::Command::new("test");
    test.arg("-r").arg(port).arg("-a").arg("-w").arg(port);
    test.status().is_ok_and(|status| status.success())
}

/// Lines of `/etc/group`: name, password, id, members.
#[cfg(unix)]
struct Groups(Vec<(String, u32, Vec<String>)>);

#[cfg(unix)]
impl Groups {
    fn read() -> Self {
        let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let line = |line: &str| {
            let mut parts = line.split(':');
            let name = parts.next()?.to_owned();
            let gid = parts.nth(1)?.parse().ok()?;
            let members = parts.next().unwrap_or_default().split(',');
            Some((name, gid, members.map(str::to_owned).collect()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn name(&self, gid: u32) -> Option<String> {
        let found = self.0.iter().find(|(_, id, _)| *id == gid);
        found.map(|(name, ..)| name.clone())
    }

    fn id(&self, name: &str) -> Option<(String, u32)> {
        let found = self.0.iter().find(|(group, ..)| group == name);
        found.map(|(name, id, _)| (name.clone(), *id))
    }

    /// Whether the user was added to the group, be it since this session began.
    fn is_listed(&self, group: &str) -> bool {
        let user = std::env::var("USER").unwrap_or_default();
        let found = self.0.iter().find(|(name, ..)| name == group);
        found.is_some_and(|(.., members)| members.contains(&user))
    }

    /// Whether this session has the group.
    fn is_member(&self, gid: u32) -> bool {
        let groups = rustix::process::getgroups().unwrap_or_default();
        rustix::process::getegid().as_raw() == gid || groups.iter().any(|g| g.as_raw() == gid)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_cannot_be_opened_is_missing_and_its_group_is_typed() {
        let groups = Groups(vec![("dialout".to_owned(), 20, Vec::new())]);
        let of = |ports: &[&str], may_open| {
            let ports: Vec<String> = ports.iter().map(|&port| port.to_owned()).collect();
            permission(&ports, may_open, &groups).unwrap()
        };
        let usb = "/dev/ttyUSB0 (usb:0403:6001, FTDI)";
        let closed = of(&["/dev/ttyS0", usb], |_| false);
        assert!(!closed.is_ok && closed.is_needed);
        assert_eq!(closed.found, "none for /dev/ttyS0, /dev/ttyUSB0");
        let fix = closed.fix.unwrap();
        assert!(fix.starts_with("sudo usermod -aG dialout $USER"), "{fix}");
        assert!(!of(&["/dev/ttyS0"], |_| false).is_needed);
        assert!(of(&["/dev/ttyS0", usb], |_| true).is_ok);
    }
}
