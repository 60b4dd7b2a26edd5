//! MAVLink 2: autopilots, by the messages of the dialect `common`.
//!
//! | message | numbers |
//! |---|---|
//! | HEARTBEAT | `armed`, `system_status`, `custom_mode`, `autopilot`, `vehicle_type` |
//! | ATTITUDE | `roll`, `pitch`, `yaw` (rad), `roll_rate`, `pitch_rate`, `yaw_rate` (rad/s) |
//! | `RAW_IMU`, `SCALED_IMU`, `HIGHRES_IMU` | `angular_velocity_x` to `_z` (rad/s), `specific_force_x` to `_z` (m/s²) |
//! | `GPS_RAW_INT`, `GLOBAL_POSITION_INT` | `latitude`, `longitude` (deg), `height` (m), `velocity_east`, `velocity_north`, `velocity_up` (m/s); the former also `satellites`, `hdop`, `fix_type` |
//! | `SYS_STATUS` | `voltage` (V), `current` (A), `remaining` (%) |
//! | `SERVO_OUTPUT_RAW` | `servo_1` to `servo_8` (µs) |
//!
//! An `Imu` is in our axes (x forward, y left, z up), not in MAVLink's (y right, z down). `RAW_IMU` has no units in
//! MAVLink: those of ArduPilot are taken, mG and mrad/s. `roll`, `pitch` and `yaw` are MAVLink's own: from north over
//! east, pitch up positive. `GPS_RAW_INT` has no vertical velocity: it is 0.
//!
//! Messages of other dialects cannot be checked; they are skipped where the next message follows them.

use super::{Body, Message, Protocol, Scan, Verdict, east_north, named};
use mavlink::dialects::common::{
    GLOBAL_POSITION_INT_DATA, GPS_RAW_INT_DATA, GpsFixType, MavFrame as FrameOfReference,
    MavMessage, MavModeFlag, PositionTargetTypemask, SET_POSITION_TARGET_LOCAL_NED_DATA,
};
use mavlink::{MAVLinkV2MessageRaw, MavHeader, MavlinkVersion, Message as _};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// First byte of a message.
const START: u8 = 0xFD;
/// Start, length, flags, number, system, component, message (bytes); and checksum.
const HEADER: usize = 10;
const CHECKSUM: usize = 2;
/// Flag of a signed message, and the length of its signature.
const SIGNED: u8 = 1;
const SIGNATURE: usize = 13;
/// Standard gravity (m/s²).
const GRAVITY_M_S2: f64 = 9.806_65;

/// MAVLink 2 messages.
#[derive(Default)]
pub struct Mavlink {
    /// Next number by system and component.
    next: BTreeMap<(u8, u8), u8>,
    missing: u64,
}

impl Protocol for Mavlink {
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        if bytes[0] != START {
            let next = bytes.iter().position(|b| *b == START);
            return Scan::Skip(next.unwrap_or(bytes.len()));
        }
        let Some(&[_, payload, flags, _, _, system, _, low, middle, high]) =
            bytes.first_chunk::<HEADER>()
        else {
            return Scan::More;
        };
        // Other flags mean an unknown format; system 0 is the broadcast.
        if flags & !SIGNED != 0 || system == 0 {
            return Scan::Skip(1);
        }
        let signature = if flags & SIGNED == 0 { 0 } else { SIGNATURE };
        let length = HEADER + usize::from(payload) + CHECKSUM + signature;
        let id = u32::from_le_bytes([low, middle, high, 0]);
        let is_known = MavMessage::default_message_from_id(id).is_some();
        match bytes.get(length) {
            _ if bytes.len() < length => Scan::More,
            _ if is_known => Scan::Frame(length),
            None => Scan::More,
            Some(&START) if high == 0 => Scan::Frame(length),
            Some(_) => Scan::Skip(1),
        }
    }

    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict {
        let mut raw = MAVLinkV2MessageRaw::new();
        let Some(into) = raw.as_mut_slice().get_mut(..frame.len()) else {
            return Verdict::BadChecksum { skip: 1 };
        };
        into.copy_from_slice(frame);
        let id = raw.message_id();
        let sender = (frame[5], frame[6]);
        let number = raw.sequence();
        if MavMessage::default_message_from_id(id).is_none() {
            self.next.insert(sender, number.wrapping_add(1));
            return Verdict::Valid;
        }
        if !raw.has_valid_crc::<MavMessage>() {
            return Verdict::BadChecksum { skip: 1 };
        }
        if let Some(expected) = self.next.insert(sender, number.wrapping_add(1)) {
            self.missing += u64::from(number.wrapping_sub(expected));
        }
        match MavMessage::parse(MavlinkVersion::V2, id, raw.payload()) {
            Ok(message) => {
                messages.extend(numbers(&message));
                Verdict::Valid
            }
            Err(error) => Verdict::Unreadable(format!("message {id}: {error}")),
        }
    }

    fn missing(&self) -> u64 {
        self.missing
    }

    fn interrupted(&mut self) {
        self.next.clear();
    }
}

fn numbers(message: &MavMessage) -> Option<Message> {
    let name = message.message_name();
    // Stamps are of the autopilot's start or of 1970, in the unit of the message.
    let (stamp_ns, numbers) = match message {
        MavMessage::HEARTBEAT(m) => (
            None,
            vec![
                named(
                    "armed",
                    f64::from(u8::from(
                        m.base_mode
                            .contains(MavModeFlag::MAV_MODE_FLAG_SAFETY_ARMED),
                    )),
                ),
                named("system_status", f64::from(m.system_status as u32)),
                named("custom_mode", f64::from(m.custom_mode)),
                named("autopilot", f64::from(m.autopilot as u32)),
                named("vehicle_type", f64::from(m.mavtype as u32)),
            ],
        ),
        MavMessage::ATTITUDE(m) => (
            ms(m.time_boot_ms),
            vec![
                named("roll", m.roll.into()),
                named("pitch", m.pitch.into()),
                named("yaw", m.yaw.into()),
                named("roll_rate", m.rollspeed.into()),
                named("pitch_rate", m.pitchspeed.into()),
                named("yaw_rate", m.yawspeed.into()),
            ],
        ),
        MavMessage::RAW_IMU(m) => (
            us(m.time_usec),
            scaled([m.xgyro, m.ygyro, m.zgyro], [m.xacc, m.yacc, m.zacc]),
        ),
        MavMessage::SCALED_IMU(m) => (
            ms(m.time_boot_ms),
            scaled([m.xgyro, m.ygyro, m.zgyro], [m.xacc, m.yacc, m.zacc]),
        ),
        MavMessage::HIGHRES_IMU(m) => (
            us(m.time_usec),
            imu(
                [m.xgyro, m.ygyro, m.zgyro].map(f64::from),
                [m.xacc, m.yacc, m.zacc].map(f64::from),
            ),
        ),
        MavMessage::GPS_RAW_INT(m) => (us(m.time_usec), receiver(m)),
        MavMessage::GLOBAL_POSITION_INT(m) => (ms(m.time_boot_ms), estimate(m)),
        MavMessage::SYS_STATUS(m) => (
            None,
            vec![
                named(
                    "voltage",
                    unless(
                        m.voltage_battery == u16::MAX,
                        f64::from(m.voltage_battery) / 1e3,
                    ),
                ),
                named(
                    "current",
                    unless(m.current_battery == -1, f64::from(m.current_battery) / 1e2),
                ),
                named(
                    "remaining",
                    unless(m.battery_remaining == -1, f64::from(m.battery_remaining)),
                ),
            ],
        ),
        MavMessage::SERVO_OUTPUT_RAW(m) => (
            us(m.time_usec.into()),
            vec![
                named("servo_1", m.servo1_raw.into()),
                named("servo_2", m.servo2_raw.into()),
                named("servo_3", m.servo3_raw.into()),
                named("servo_4", m.servo4_raw.into()),
                named("servo_5", m.servo5_raw.into()),
                named("servo_6", m.servo6_raw.into()),
                named("servo_7", m.servo7_raw.into()),
                named("servo_8", m.servo8_raw.into()),
            ],
        ),
        _ => return None,
    };
    Some(Message {
        name,
        layout: 0,
        stamp_ns,
        sequence: None,
        body: Body::Numbers(numbers),
    })
}

fn us(us: u64) -> Option<u64> {
    us.checked_mul(1000)
}

fn ms(ms: u32) -> Option<u64> {
    Some(u64::from(ms) * 1_000_000)
}

fn unless(unknown: bool, x: f64) -> f64 {
    if unknown { f64::NAN } else { x }
}

/// From mrad/s and thousandths of gravity.
fn scaled(gyro: [i16; 3], acc: [i16; 3]) -> Vec<(Cow<'static, str>, f64)> {
    imu(
        gyro.map(|x| f64::from(x) / 1e3),
        acc.map(|x| f64::from(x) / 1e3 * GRAVITY_M_S2),
    )
}

/// From the axes x forward, y right, z down.
fn imu([wx, wy, wz]: [f64; 3], [fx, fy, fz]: [f64; 3]) -> Vec<(Cow<'static, str>, f64)> {
    vec![
        named("angular_velocity_x", wx),
        named("angular_velocity_y", -wy),
        named("angular_velocity_z", -wz),
        named("specific_force_x", fx),
        named("specific_force_y", -fy),
        named("specific_force_z", -fz),
    ]
}

fn receiver(m: &GPS_RAW_INT_DATA) -> Vec<(Cow<'static, str>, f64)> {
    let is_fix = !matches!(
        m.fix_type,
        GpsFixType::GPS_FIX_TYPE_NO_GPS | GpsFixType::GPS_FIX_TYPE_NO_FIX
    );
    let no_velocity = !is_fix || m.vel == u16::MAX || m.cog == u16::MAX;
    let [east, north] = east_north(f64::from(m.vel) / 1e2, f64::from(m.cog) / 1e2);
    // Not sent by older autopilots: then the height over sea level.
    let height_mm = if m.alt_ellipsoid == 0 {
        m.alt
    } else {
        m.alt_ellipsoid
    };
    vec![
        named("latitude", unless(!is_fix, f64::from(m.lat) / 1e7)),
        named("longitude", unless(!is_fix, f64::from(m.lon) / 1e7)),
        named("height", unless(!is_fix, f64::from(height_mm) / 1e3)),
        named("altitude", unless(!is_fix, f64::from(m.alt) / 1e3)),
        named("velocity_east", unless(no_velocity, east)),
        named("velocity_north", unless(no_velocity, north)),
        named("velocity_up", unless(no_velocity, 0.0)),
        named(
            "satellites",
            unless(m.satellites_visible == u8::MAX, m.satellites_visible.into()),
        ),
        named("hdop", unless(m.eph == u16::MAX, f64::from(m.eph) / 1e2)),
        named("fix_type", f64::from(m.fix_type as u32)),
    ]
}

fn estimate(m: &GLOBAL_POSITION_INT_DATA) -> Vec<(Cow<'static, str>, f64)> {
    vec![
        named("latitude", f64::from(m.lat) / 1e7),
        named("longitude", f64::from(m.lon) / 1e7),
        named("height", f64::from(m.alt) / 1e3),
        named("velocity_east", f64::from(m.vy) / 1e2),
        named("velocity_north", f64::from(m.vx) / 1e2),
        named("velocity_up", -f64::from(m.vz) / 1e2),
    ]
}

/// Commands to an autopilot.
#[derive(Default)]
pub struct Pilot {
    sequence: u8,
}

impl Pilot {
    /// A heartbeat of a ground station, which autopilots expect once a second.
    pub fn heartbeat(&mut self) -> Vec<u8> {
        let heartbeat = mavlink::dialects::common::HEARTBEAT_DATA {
            custom_mode: 0,
            mavtype: mavlink::dialects::common::MavType::MAV_TYPE_GCS,
            autopilot: mavlink::dialects::common::MavAutopilot::MAV_AUTOPILOT_INVALID,
            base_mode: MavModeFlag::empty(),
            system_status: mavlink::dialects::common::MavState::MAV_STATE_ACTIVE,
            mavlink_version: 3,
        };
        self.encode(&MavMessage::HEARTBEAT(heartbeat))
    }

    /// A forward velocity (m/s) and a yaw rate (rad/s, left positive), in the axes of the vehicle
    /// (`SET_POSITION_TARGET_LOCAL_NED`).
    #[expect(deprecated, reason = "ArduPilot takes no other frame of the vehicle")]
    pub fn twist(&mut self, now_ns: u64, linear_m_s: f64, angular_rad_s: f64) -> Vec<u8> {
        type Mask = PositionTargetTypemask;
        let target = SET_POSITION_TARGET_LOCAL_NED_DATA {
            time_boot_ms: (now_ns / 1_000_000) as u32,
            vx: linear_m_s as f32,
            // MAVLink turns to the right.
            yaw_rate: -angular_rad_s as f32,
            type_mask: Mask::POSITION_TARGET_TYPEMASK_X_IGNORE
                | Mask::POSITION_TARGET_TYPEMASK_Y_IGNORE
                | Mask::POSITION_TARGET_TYPEMASK_Z_IGNORE
                | Mask::POSITION_TARGET_TYPEMASK_AX_IGNORE
                | Mask::POSITION_TARGET_TYPEMASK_AY_IGNORE
                | Mask::POSITION_TARGET_TYPEMASK_AZ_IGNORE
                | Mask::POSITION_TARGET_TYPEMASK_YAW_IGNORE,
            target_system: 1,
            target_component: 1,
            coordinate_frame: FrameOfReference::MAV_FRAME_BODY_NED,
            ..SET_POSITION_TARGET_LOCAL_NED_DATA::default()
        };
        self.encode(&MavMessage::SET_POSITION_TARGET_LOCAL_NED(target))
    }

    fn encode(&mut self, message: &MavMessage) -> Vec<u8> {
        let header = MavHeader {
            system_id: 255,
            component_id: 190,
            sequence: self.sequence,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut raw = MAVLinkV2MessageRaw::new();
        raw.serialize_message(header, message);
        raw.raw_bytes().to_vec()
    }
}

/// Names of all numbers.
pub const NAMES: &[&str] = &[
    "armed",
    "system_status",
    "custom_mode",
    "autopilot",
    "vehicle_type",
    "roll",
    "pitch",
    "yaw",
    "roll_rate",
    "pitch_rate",
    "yaw_rate",
    "angular_velocity_x",
    "angular_velocity_y",
    "angular_velocity_z",
    "specific_force_x",
    "specific_force_y",
    "specific_force_z",
    "latitude",
    "longitude",
    "height",
    "altitude",
    "velocity_east",
    "velocity_north",
    "velocity_up",
    "satellites",
    "hdop",
    "fix_type",
    "voltage",
    "current",
    "remaining",
    "servo_1",
    "servo_2",
    "servo_3",
    "servo_4",
    "servo_5",
    "servo_6",
    "servo_7",
    "servo_8",
];
