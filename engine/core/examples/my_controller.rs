//! A custom controller: full speed ahead, and a turn to the freer side before obstacles nearer than 1 m.
use becomingone::prelude::*;
use std::time::Duration;

struct Wanderer;

impl Plugin for Wanderer {
    fn build(&self, app: &mut App) {
        // In the set of controllers, after the engine's own, which write the same command.
        app.add_systems(
            Tick,
            wander.in_set(TickSystems::Decide).after(ControlSystems),
        );
    }
}

fn wander(lidars: Query<&Reading<Scan>>, mut drives: Query<&mut ActuatorTarget<Twist2>>) {
    let Some(scan) = lidars.iter().find_map(Reading::latest) else {
        return;
    };
    // Ray 0 points backwards, the middle one forward; the first half is on the right.
    let ranges = &scan.value.ranges_m;
    let (right, left) = (&ranges[100..180], &ranges[180..260]);
    let nearest = |side: &[f32]| side.iter().copied().fold(f32::INFINITY, f32::min);
    let blocked = nearest(right).min(nearest(left)) < 1.0;
    let turn = if nearest(left) > nearest(right) {
        0.8
    } else {
        -0.8
    };
    for mut command in &mut drives {
        command.0 = Twist2 {
            linear_m_s: if blocked { 0.0 } else { 0.6 },
            angular_rad_s: if blocked { turn } else { 0.0 },
        };
    }
}

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() -> Result<(), EngineError> {
    let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    let summary = engine
        .add_plugin(Wanderer)
        .run_for(Duration::from_secs(60))?;
    println!("{summary}");
    Ok(())
}
