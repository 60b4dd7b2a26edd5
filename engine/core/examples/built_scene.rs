//! A scene built in code: a rover goes round a box, and its gyroscope fails on the way.
use becomingone::prelude::*;
use becomingone::systems::faults;
use std::time::Duration;

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let patrol = Patrol {
        laps: None,
        ..Patrol::new([[4.0, 0.0], [4.0, 3.0], [0.0, 3.0], [0.0, 0.0]], 0.5)
    };
    let rover = Agent::robot("rover.urdf")
        .name("rover")
        .drive(Drive::Auto)
        .sensor("imu", Imu::default(), 1000.0)
        .sensor("encoders", Encoders::default(), 100.0)
        .controller(patrol);
    let scene = Scene::builder()
        .name("built_scene")
        .ground(0.9)
        .cuboid("box", [2.0, 1.5, 0.0], [1.0, 1.0, 1.0])
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
