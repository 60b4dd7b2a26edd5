//! A scene built in code: a rover drives around a box, and its gyroscope fails on the way.
use becomingone::prelude::*;
use becomingone::systems::faults;
use std::time::Duration;

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Laps around the box, so that the warm-up contains the motion of all later laps.
    let circle = [
        [1.4, 0.6],
        [2.0, 2.0],
        [1.4, 3.4],
        [0.0, 4.0],
        [-1.4, 3.4],
        [-2.0, 2.0],
        [-1.4, 0.6],
        [0.0, 0.0],
    ];
    let patrol = Patrol {
        laps: None,
        ..Patrol::new(circle, 0.5)
    };
    let white = |white_sd| Noise {
        white_sd,
        ..Noise::default()
    };
    let imu = Imu {
        gyro: white(0.0077),
        accelerometer: white(0.054),
    };
    let encoders = Encoders {
        noise: white(1.0e-4),
    };
    let rover = Agent::robot("rover.urdf")
        .name("rover")
        .drive(Drive::Auto)
        .sensor("imu", imu, 1000.0)
        .sensor("encoders", encoders, 100.0)
        .controller(patrol);
    let scene = Scene::builder()
        .name("built_scene")
        .ground(0.9)
        .cuboid("box", [0.0, 2.0, 0.0], [1.0, 1.0, 1.0])
        .agent(rover)
        .fault("rover/imu/gyro_z", faults::Bias(0.3), 40.0)
        .build()?;

    let mut engine = CoherenceEngine::from(scene);
    let summary = engine.run_for(Duration::from_secs(50))?;
    println!("{summary}");

    let reading = engine.reading::<Imu>("rover/imu")?.latest();
    let measured = reading.map_or(f32::NAN, |r| r.value.angular_velocity_rad_s.z);
    let truth = engine.truth::<Imu>("rover/imu")?.angular_velocity_rad_s.z;
    println!("yaw rate: measured {measured:.2} rad/s, true {truth:.2} rad/s");
    Ok(())
}
