//! An instrument and a drive on serial links, and a device that can be unplugged.

#![allow(dead_code, reason = "each test uses its part")]

use becomingone_components::link::Queue;
use becomingone_components::sensor::ValueRow;
use becomingone_rig::{LIMIT, instrument};
use becomingone_serial::SerialKind;
use serialport::{SerialPort as _, TTYPort};
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;

/// CRC-16/MODBUS by its definition (Modbus over serial line V1.02, 6.2.2), lowest byte first.
pub(crate) fn modbus(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0xFFFFu16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xA001
            } else {
                sum >> 1
            };
        }
    }
    sum.to_le_bytes()
}

/// The device side of a pseudo-terminal, which is plugged in at a path that stays.
pub(crate) struct Device {
    folder: TempDir,
    plugged: Option<TTYPort>,
}

impl Device {
    pub(crate) fn new() -> Self {
        let mut device = Self {
            folder: tempfile::tempdir().unwrap(),
            plugged: None,
        };
        device.plug();
        device
    }

    /// Path at which it is plugged in.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// Configuration of a source on its port.
    pub(crate) fn source(&self, options: &str) -> String {
        format!("(port: {:?}, baud: 9600, {options})", self.path())
    }

    pub(crate) fn plug(&mut self) {
        let (ours, theirs) = TTYPort::pair().unwrap();
        let name = theirs.name().unwrap();
        std::os::unix::fs::symlink(name, self.path()).unwrap();
        self.plugged = Some(ours);
    }

    pub(crate) fn unplug(&mut self) {
        std::fs::remove_file(self.path()).unwrap();
        self.plugged = None;
    }

    fn plugged(&mut self) -> &mut TTYPort {
        self.plugged.as_mut().unwrap()
    }

    /// The wire, with a long time-out.
    pub(crate) fn wire(&mut self) -> &mut TTYPort {
        self.plugged().set_timeout(LIMIT).unwrap();
        self.plugged()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.wire().write_all(bytes).unwrap();
    }
}

/// Instruments, and perhaps a drive on the port of the first.
pub(crate) type Rig = becomingone_rig::Rig<ValueRow>;

/// An instrument `s` of one number `x`, and where there is a second source, a drive.
pub(crate) fn open(sources: &[&str], queue: Queue, armed: bool) -> Rig {
    let sensor = (instrument("s", &["x"], queue), sources[0]);
    Rig::new(SerialKind, [sensor], sources.get(1).copied(), armed)
}
