//! UBX: binary messages of u-blox receivers.
//!
//! | message | numbers |
//! |---|---|
//! | NAV-PVT | `latitude`, `longitude` (deg), `height` over the ellipsoid, `altitude` over sea level (m), `velocity_east`, `velocity_north`, `velocity_up` (m/s), `speed` (m/s), `course` (deg), `horizontal_accuracy`, `vertical_accuracy` (m), `speed_accuracy` (m/s), `satellites`, `pdop`, `fix_type` |
//! | NAV-SAT | `satellites_visible`, `satellites_used`, `cno_mean`, `cno_max` (dBHz, of those in use) |
//!
//! A `Gnss` takes NAV-PVT. Without a valid fix its place and velocity have no value. Sentences of NMEA between the
//! messages, which many receivers send by default, are skipped without being counted as garbage.

use super::nmea::{self, LineEnd};
use super::{Message, Protocol, Scan, Verdict, named};
use chrono::{DateTime, Utc};
use ublox::nav_pvt::common::{NavPvtFlags, NavPvtValidFlags};
use ublox::proto23::{PacketRef, Proto23};
use ublox::{GnssFixType, UbxProtocol as _};

/// Sync bytes.
const SYNC: [u8; 2] = [0xB5, 0x62];
/// Sync, class, id and length; and checksum (bytes).
const HEADER: usize = 6;
const CHECKSUM: usize = 2;
/// Longest payload that is waited for (bytes): NAV-SAT and RXM-RAWX with all satellites are shorter.
const MAX_PAYLOAD: usize = 4096;

/// UBX messages.
#[derive(Default)]
pub struct Ubx {
    line_end: LineEnd,
}

impl Protocol for Ubx {
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        if self.line_end.is_one(bytes[0]) {
            return Scan::Between(1);
        }
        match bytes {
            [0xB5] => Scan::More,
            [0xB5, 0x62, rest @ ..] => {
                let &[_, _, low, high, ..] = rest else {
                    return Scan::More;
                };
                let payload = usize::from(u16::from_le_bytes([low, high]));
                let length = HEADER + payload + CHECKSUM;
                match bytes.len() {
                    _ if payload > MAX_PAYLOAD => Scan::Skip(SYNC.len()),
                    n if n < length => Scan::More,
                    _ => Scan::Frame(length),
                }
            }
            [b'$', ..] => nmea::scan(bytes),
            [_, rest @ ..] => {
                let next = rest.iter().position(|b| [SYNC[0], b'$'].contains(b));
                Scan::Skip(1 + next.unwrap_or(rest.len()))
            }
            [] => Scan::More,
        }
    }

    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict {
        if frame.first() == Some(&b'$') {
            if nmea::checked(frame).is_none() {
                return Verdict::BadChecksum { skip: 1 };
            }
            self.line_end.may_come();
            return Verdict::Valid;
        }
        let (Some(body), Some(&[a, b])) = (
            frame.get(SYNC.len()..frame.len() - CHECKSUM),
            frame.last_chunk::<CHECKSUM>(),
        ) else {
            return Verdict::BadChecksum { skip: 1 };
        };
        // Fletcher's checksum of 8 bits (RFC 1145).
        let sums = body.iter().fold([0u8; 2], |[a, b], byte| {
            let a = a.wrapping_add(*byte);
            [a, b.wrapping_add(a)]
        });
        let &[class, id, _, _, ref payload @ ..] = body else {
            return Verdict::BadChecksum { skip: 1 };
        };
        if sums != [a, b] {
            return Verdict::BadChecksum { skip: SYNC.len() };
        }
        match Proto23::match_packet(class, id, payload) {
            Ok(packet) => {
                messages.extend(message(&packet));
                Verdict::Valid
            }
            Err(error) => Verdict::Unreadable(format!("message {class:#04x} {id:#04x}: {error}")),
        }
    }
}

fn message(packet: &PacketRef<'_>) -> Option<Message> {
    match packet {
        PacketRef::NavPvt(pvt) => {
            let is_fix = pvt.flags().contains(NavPvtFlags::GPS_FIX_OK)
                && matches!(
                    pvt.fix_type(),
                    GnssFixType::Fix3D | GnssFixType::Fix2D | GnssFixType::GPSPlusDeadReckoning
                );
            let fix = |x: f64| if is_fix { x } else { f64::NAN };
            let numbers = vec![
                named("latitude", fix(pvt.latitude())),
                named("longitude", fix(pvt.longitude())),
                named("height", fix(pvt.height_above_ellipsoid())),
                named("altitude", fix(pvt.height_msl())),
                named("velocity_east", fix(pvt.vel_east())),
                named("velocity_north", fix(pvt.vel_north())),
                named("velocity_up", fix(-pvt.vel_down())),
                named("speed", fix(pvt.ground_speed_2d())),
                named("course", fix(pvt.heading_motion())),
                named("horizontal_accuracy", pvt.horizontal_accuracy()),
                named("vertical_accuracy", pvt.vertical_accuracy()),
                named("speed_accuracy", pvt.speed_accuracy()),
                named("satellites", f64::from(pvt.num_satellites())),
                named("pdop", pvt.pdop()),
                named("fix_type", f64::from(pvt.fix_type_raw())),
            ];
            let dated = NavPvtValidFlags::VALID_DATE | NavPvtValidFlags::VALID_TIME;
            let at = Some(pvt).filter(|pvt| pvt.valid().contains(dated));
            let at = at.and_then(|pvt| DateTime::<Utc>::try_from(pvt).ok()?.timestamp_nanos_opt());
            Some(Message {
                stamp_ns: at.and_then(|ns| u64::try_from(ns).ok()),
                ..Message::new("NAV-PVT", numbers)
            })
        }
        PacketRef::NavSat(sat) => {
            let (mut visible, mut used, mut sum, mut max) = (0u32, 0u32, 0.0, f64::NAN);
            for satellite in sat.svs() {
                visible += 1;
                if satellite.flags().sv_used() {
                    let cno = f64::from(satellite.cno());
                    (used, sum, max) = (used + 1, sum + cno, cno.max(max));
                }
            }
            let numbers = vec![
                named("satellites_visible", f64::from(visible)),
                named("satellites_used", f64::from(used)),
                named("cno_mean", sum / f64::from(used)),
                named("cno_max", max),
            ];
            Some(Message::new("NAV-SAT", numbers))
        }
        _ => None,
    }
}

/// Names of all numbers.
pub const NAMES: &[&str] = &[
    "latitude",
    "longitude",
    "height",
    "altitude",
    "velocity_east",
    "velocity_north",
    "velocity_up",
    "speed",
    "course",
    "horizontal_accuracy",
    "vertical_accuracy",
    "speed_accuracy",
    "satellites",
    "pdop",
    "fix_type",
    "satellites_visible",
    "satellites_used",
    "cno_mean",
    "cno_max",
];
