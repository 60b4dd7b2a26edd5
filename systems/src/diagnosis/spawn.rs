//! Adds the witness of an agent: predicted channels and commands.

use super::config::DiagnosisConfig;
use super::features::{Consumer, FeatureExtractor};
use super::innovations::InnovationMonitor;
use super::level::LevelMonitor;
use super::witness::{LidarOutputs, Witness};
use crate::sensing::{Encoders, Gnss, Imu};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::DriveState;
use becomingone_components::feature::Feature;
use becomingone_components::joints::JointTargets;
use becomingone_components::scene::{SensorSpec, WitnessSpec};
use becomingone_components::vehicle::VehicleState;
use becomingone_components::witness::{MAX_INPUTS, Output};
use becomingone_kernel::ConfigError;
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};

/// Role of an output in fault isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// An acceleration of the machine.
    Acceleration,
    /// A rate of pitch or roll, which an acceleration transient moves as well.
    PitchRate,
    /// Speed of a wheel.
    Wheel,
    /// Any other.
    Other,
}

/// Role of a feature of this sensor. `rolls`: whether the machine has wheels.
fn role(spec: &SensorSpec, feature: Feature, rolls: bool) -> Role {
    let imu = spec.kind.is::<Imu>();
    match feature {
        Feature::Value(axis @ 0..3) if imu && measures_pitch(spec, axis) => Role::PitchRate,
        Feature::Value(3..6) if imu => Role::Acceleration,
        Feature::Rate(_) if rolls && spec.kind.is::<Encoders>() => Role::Wheel,
        _ => Role::Other,
    }
}

/// Whether a gyroscope's axis is closer to the horizontal than to the vertical of an upright body.
fn measures_pitch(spec: &SensorSpec, axis: usize) -> bool {
    let rotation = Quat::from_array(spec.rotation.map(|x| x as f32)).normalize();
    (rotation * Vec3::AXES[axis]).z.abs() < std::f32::consts::FRAC_1_SQRT_2
}

/// Rate of the agent's GNSS (Hz), if it has one.
fn gnss_rate_hz(specs: &[SensorSpec]) -> Option<f64> {
    let mut sensors = specs.iter();
    sensors.find(|s| s.kind.is::<Gnss>()).map(|s| s.rate_hz)
}

/// Inputs of the self-model.
#[derive(Default)]
struct Inputs {
    names: Vec<String>,
    /// How many of them are commands; the others are products of these.
    commands: usize,
    /// Whether the machine has wheels.
    rolls: bool,
}

impl Inputs {
    /// Inputs of the agent's drive.
    fn of(world: &World, agent: Entity) -> Self {
        let Some(&DrivenBy(drive)) = world.get(agent) else {
            return Self::default();
        };
        let is_vehicle = world.get::<VehicleState>(drive).is_some();
        let turn = if world.get::<DriveState>(drive).is_some() {
            Some("angular")
        } else if is_vehicle {
            Some("steering")
        } else {
            None
        };
        if let Some(turn) = turn {
            let mut names = vec!["drive/linear".to_owned(), format!("drive/{turn}")];
            if is_vehicle {
                names.push("drive/force".to_owned());
            }
            let commands = names.len();
            // The lateral acceleration in a curve, and for a car the yaw rate, is a product; the self-model is linear.
            names.push(format!("drive/linear * drive/{turn}"));
            return Self {
                names,
                commands,
                rolls: true,
            };
        }
        let targets = world.get::<ActuatorTarget<JointTargets>>(drive);
        let commands = targets.map_or(0, |t| t.0.positions.len().min(MAX_INPUTS));
        Self {
            names: (0..commands).map(|k| format!("drive/{k}")).collect(),
            commands,
            rolls: false,
        }
    }
}

/// Adds a witness of these outputs to an agent. `filter`: names of the filter's numbers, where the agent has a
/// filter.
///
/// # Errors
///
/// A number of the scene out of range; scenes are checked for that.
pub(crate) fn spawn(
    world: &mut World,
    agent: Entity,
    outputs: &[Output],
    spec: &WitnessSpec,
    rate_hz: f64,
    (specs, sensors): (&[SensorSpec], &[Entity]),
    filter: Option<Vec<String>>,
) -> Result<(), ConfigError> {
    let config = world
        .get_resource::<DiagnosisConfig>()
        .copied()
        .unwrap_or_default();
    let inputs = Inputs::of(world, agent);
    let names = outputs.iter().map(|o| o.name.clone()).collect();
    let seen = || {
        let is_seen = |o: &&Output| matches!(o.feature, Feature::Hits(..));
        outputs.iter().filter(is_seen)
    };
    let rates = seen()
        .filter_map(|o| specs.get(o.sensor))
        .map(|s| s.rate_hz);
    let lidars = LidarOutputs {
        count: seen().count(),
        rate_hz: rates.fold(0.0, f64::max),
    };
    let mut witness = Witness::new(
        names,
        inputs.names,
        inputs.commands,
        lidars,
        &config,
        spec,
        rate_hz,
    )?;
    for (channel, output) in outputs.iter().enumerate() {
        let Some(&sensor) = sensors.get(output.sensor) else {
            continue;
        };
        let spec = specs.get(output.sensor);
        let bit = 1 << channel;
        match spec.map_or(Role::Other, |s| role(s, output.feature, inputs.rolls)) {
            Role::Acceleration => {
                witness.transient_channels |= bit;
                witness.accelerations |= bit;
            }
            Role::PitchRate => witness.transient_channels |= bit,
            Role::Wheel => witness.wheels |= bit,
            Role::Other => {}
        }
        if !witness.sensors.contains(&sensor) {
            witness.sensors.push(sensor);
        }
        let mut sensor = world.entity_mut(sensor);
        sensor
            .entry::<FeatureExtractor>()
            .or_insert_with(|| FeatureExtractor::new(agent))
            .get_mut()
            .push(Consumer::Witness, channel, output.feature);
    }
    let is_stationary = |o: &Output| {
        let kind = specs.get(o.sensor).and_then(|s| s.kind.value());
        matches!(o.feature, Feature::Value(_)) && kind.is_some_and(|k| k.schema().stationary)
    };
    let stationary: Vec<usize> = (0..outputs.len())
        .filter(|&k| is_stationary(&outputs[k]))
        .collect();
    witness.level = LevelMonitor::new(&stationary, spec.level).map(Box::new);
    if let Some(names) = filter {
        let gnss_hz = gnss_rate_hz(specs).unwrap_or(rate_hz);
        let monitor = InnovationMonitor::new(names, &config, spec, rate_hz, gnss_hz)?;
        witness.innovations = Some(Box::new(monitor));
    }
    world.entity_mut(agent).insert(witness);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::sensing::{Encoders, Gnss, Imu, Lidar, Values};
    use becomingone_components::scene::SensorSpec;
    use becomingone_components::sensor::Column;
    use becomingone_components::witness::{ChannelError, outputs};

    fn sensors() -> Vec<SensorSpec> {
        let column = |name: &str| Column {
            name: name.to_owned(),
            unit: "bar".to_owned(),
        };
        let lidar = Lidar {
            rays: 360,
            range_max_m: 5.0,
            ..Lidar::default()
        };
        let pump = Values {
            fields: vec![column("in"), column("out")],
        };
        vec![
            SensorSpec::new("lidar", lidar, 100.0),
            SensorSpec::new("encoders", Encoders::default(), 100.0),
            SensorSpec::new("imu", Imu::default(), 100.0),
            SensorSpec::new("gnss", Gnss::default(), 100.0),
            SensorSpec::new("pump", pump, 100.0),
        ]
    }

    fn names(chosen: Option<&[&str]>) -> Result<Vec<String>, (usize, ChannelError)> {
        let chosen: Option<Vec<String>> = chosen.map(|c| c.iter().map(|&s| s.to_owned()).collect());
        let all = outputs(&sensors(), 2, chosen.as_deref())?;
        Ok(all.into_iter().map(|o| o.name).collect())
    }

    #[test]
    fn default_channels_are_those_that_do_not_depend_on_the_surroundings() {
        let all = names(None).unwrap();
        assert_eq!(all[..3], ["encoders/0", "encoders/1", "encoders/count"]);
        assert_eq!(all[8..10], ["imu/accelerometer_z", "imu/count"]);
        assert_eq!(all[10..13], ["gnss/speed", "pump/in", "pump/out"]);
        assert_eq!(all[13..], ["lidar/hits_0", "lidar/hits_1"]);
    }

    #[test]
    fn a_choice_keeps_its_order_and_its_mistakes_are_reported() {
        let all = names(Some(&["imu/gyro_z", "lidar/7", "encoders", "pump"])).unwrap();
        let expected = [
            "imu/gyro_z",
            "lidar/7",
            "encoders/0",
            "encoders/1",
            "pump/in",
            "pump/out",
        ];
        assert_eq!(all, expected);
        assert_eq!(names(Some(&[])).unwrap(), [""; 0]);
        for (chosen, wrong) in [
            (&["imo"][..], (0, ChannelError::Sensor)),
            (&["imu", "imu/gyro_w"], (1, ChannelError::Part(2))),
            (&["encoders/2"], (0, ChannelError::Number(1, 2))),
            (&["imu", "imu/gyro"], (1, ChannelError::Again)),
            (&["imu", "lidar"], (1, ChannelError::TooMany)),
        ] {
            assert_eq!(names(Some(chosen)), Err(wrong));
        }
    }
}
