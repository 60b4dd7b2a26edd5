//! Faults that are injected into an agent.

use becomingone_components::fault::{AnyFault, DRIVE};
use becomingone_components::kind::{Kind as _, Named};
use becomingone_components::scene::{AgentSpec, DriveSpec};
use becomingone_systems::faults::{Bias, Block, Delay, Drift, DropOut, Freeze, Slip, Torque};
use becomingone_systems::sensing::{Encoders, Gnss, Imu, Lidar};

/// A fault to inject.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Sensor or drive to corrupt; none where the agent has none.
    pub(super) of: Option<String>,
    pub(super) kind: Named<dyn AnyFault>,
    /// Prefix of the channels that count as isolated correctly.
    pub(super) blame: String,
}

/// All faults, as far as they apply to an agent.
pub(super) fn cases(agent: &AgentSpec) -> Vec<Case> {
    let named = |kind: &str| {
        let found = agent.sensors.iter().find(|s| s.kind.name() == kind);
        found.map(|s| s.name.as_str())
    };
    let encoders = named(Encoders::NAME);
    let imu = named(Imu::NAME);
    let gnss = named(Gnss::NAME);
    let lidar = named(Lidar::NAME);
    let wheels = encoders.filter(|_| !matches!(agent.drive, DriveSpec::Joints { .. }));
    let sensor =
        |name, sensor: Option<&str>, part: &str, kind: Named<dyn AnyFault>, seen: &str| Case {
            name,
            of: sensor.map(|s| format!("{}/{s}{part}", agent.name)),
            kind,
            blame: format!("{}{seen}", sensor.unwrap_or_default()),
        };
    // Faults of a drive are isolated on the encoders.
    let drive = |name, sensor: Option<&str>, part: &str, kind: Named<dyn AnyFault>| Case {
        name,
        of: sensor.map(|_| format!("{}/{DRIVE}{part}", agent.name)),
        kind,
        blame: format!("{}/", sensor.unwrap_or_default()),
    };
    vec![
        drive("slip 4 %", wheels, "", Slip(0.04).into()),
        drive("slip 8 %", wheels, "", Slip(0.08).into()),
        sensor("gyro frozen", imu, "/gyro", Freeze.into(), "/gyro"),
        sensor(
            "gyro delayed 60 ms",
            imu,
            "/gyro",
            Delay(0.06).into(),
            "/gyro",
        ),
        sensor(
            "gyro delayed 120 ms",
            imu,
            "/gyro",
            Delay(0.12).into(),
            "/gyro",
        ),
        sensor("GNSS pulled 0.1 m/s", gnss, "/east", Drift(0.1).into(), "/"),
        sensor("encoders lose 50 %", encoders, "", DropOut(0.5).into(), "/"),
        sensor(
            "accelerometer off 0.5 m/s²",
            imu,
            "/accelerometer_x",
            Bias(0.5).into(),
            "/accelerometer",
        ),
        sensor("lidar half blocked", lidar, "", Block(0.5).into(), "/"),
        drive("motor at half torque", encoders, "/0", Torque(0.5).into()),
    ]
}
