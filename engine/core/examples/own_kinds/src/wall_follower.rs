//! `WallFollower`: drives along the wall on its right.

use becomingone::prelude::*;
use serde::{Deserialize, Serialize};

/// Scene: `controller: WallFollower(gap_m: 0.8)`.
#[derive(Component, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WallFollower {
    /// Distance to the wall that is kept (m).
    pub gap_m: f32,
    /// Speed (m/s).
    #[serde(default = "walking_pace")]
    pub speed_m_s: f64,
}

fn walking_pace() -> f64 {
    0.5
}

impl Kind for WallFollower {
    const NAME: &'static str = "WallFollower";
    const ABOUT: &'static str = "drives along the wall on its right, by the lidar";
}

impl ControllerKind for WallFollower {
    const DRIVES: &'static [DriveClass] = &[DriveClass::Wheels];

    fn check(&self, _: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        let expected = "metres from 0.1 to 10";
        checks.within("gap_m", f64::from(self.gap_m), 0.1, 10.0, expected);
        checks.positive("speed_m_s", self.speed_m_s);
    }

    fn numbers(&mut self) -> Vec<(&'static str, &mut f64)> {
        vec![("speed_m_s", &mut self.speed_m_s)]
    }

    fn tune(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        self.spawn(agent, body);
    }

    fn spawn(&self, agent: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {
        agent.insert(self.clone());
    }

    fn systems() -> ScheduleConfigs<ScheduleSystem> {
        follow.run_if(any_with_component::<WallFollower>)
    }
}

/// Turns towards the gap in proportion to its error, and away from obstacles ahead; runs at each scan.
fn follow(
    agents: Query<(Entity, &WallFollower, &DrivenBy)>,
    lidars: Query<(&Sensor, &Reading<Scan>)>,
    mut drives: Query<&mut ActuatorTarget<Twist2>>,
) {
    for (agent, follower, driven) in &agents {
        let lidar = lidars.iter().find(|(sensor, _)| sensor.agent == agent);
        let Some((_, reading)) = lidar.filter(|(_, reading)| reading.is_fresh()) else {
            continue;
        };
        let (Some(scan), Ok(mut command)) = (reading.latest(), drives.get_mut(driven.0)) else {
            continue;
        };
        let nearest = |from_rad: f32, to_rad: f32| {
            let scan = &scan.value;
            let rays = scan.ranges_m.iter().enumerate();
            let within = rays.filter(|(k, _)| {
                let angle = scan.angle_min_rad + *k as f32 * scan.angle_step_rad;
                (from_rad..to_rad).contains(&angle)
            });
            within.fold(scan.range_max_m, |nearest, (_, &m)| nearest.min(m))
        };
        let (right, ahead) = (nearest(-1.9, -1.2), nearest(-0.4, 0.4));
        let away = if ahead < 2.0 * follower.gap_m {
            1.0
        } else {
            0.0
        };
        command.0 = Twist2 {
            linear_m_s: follower.speed_m_s * (1.0 - 0.7 * away),
            angular_rad_s: away + f64::from((follower.gap_m - right).clamp(-0.5, 0.5)),
        };
    }
}
