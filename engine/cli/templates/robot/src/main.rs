//! The robot `my_robot`: the command line of `becomingone`, with a behaviour of its own.
//!
//! ```text
//! cargo run --release -- run scene.ron
//! ```

use becomingone::prelude::*;
use becomingone_cli::Cli;
use std::process::ExitCode;

/// The robot's own systems.
struct MyRobot;

impl Plugin for MyRobot {
    fn build(&self, app: &mut App) {
        // In the set of controllers, after the engine's own, which write the same command.
        let systems = wander.in_set(TickSystems::Decide).after(ControlSystems);
        app.add_systems(Tick, systems);
    }
}

/// Half of the field of view ahead (rad).
const AHEAD_RAD: f32 = 0.6;
/// Distance below which it turns (m).
const NEAR_M: f32 = 1.0;

/// Drives ahead, and turns to the left where something is near.
fn wander(lidars: Query<&Reading<Scan>>, mut drives: Query<&mut ActuatorTarget<Twist2>>) {
    let Some(scan) = lidars.iter().find_map(Reading::latest) else {
        return;
    };
    let scan = &scan.value;
    let is_blocked = scan.ranges_m.iter().enumerate().any(|(k, range_m)| {
        let angle_rad = scan.angle_min_rad + k as f32 * scan.angle_step_rad;
        angle_rad.abs() < AHEAD_RAD && *range_m < NEAR_M
    });
    for mut command in &mut drives {
        command.0 = Twist2 {
            linear_m_s: if is_blocked { 0.0 } else { 0.5 },
            angular_rad_s: if is_blocked { 0.8 } else { 0.0 },
        };
    }
}

fn main() -> ExitCode {
    Cli::new().add_plugin(MyRobot).main()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_wanders_without_a_collision() {
        let builder = CoherenceEngine::builder().add_plugin(MyRobot);
        let mut engine = builder.scene("scene.ron").unwrap_or_else(|e| panic!("{e}"));
        let summary = engine.run_for(Duration::from_secs(30)).unwrap();
        let rover = &summary.agents[0];
        assert_eq!(rover.collisions, 0);
        assert!(rover.distance_m > 5.0, "{} m", rover.distance_m);
    }
}
