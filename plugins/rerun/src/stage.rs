//! What a run shows from the start: gathered at each reset, told to the viewer once.

use becomingone_components::body::{Geometry, Pose, RobotModel, Shape};
use glam::{Mat3, Vec2, Vec3};
use std::fmt::Write as _;
use std::sync::Arc;

/// An entity path, as parts that are not escaped.
pub(crate) type Path = Vec<String>;

/// An agent.
#[derive(Debug)]
pub(crate) struct StageAgent {
    pub(crate) name: String,
    /// None where it has no body.
    pub(crate) model: Option<Arc<RobotModel>>,
    /// Where its links start.
    pub(crate) poses: Vec<Pose>,
    /// Where it wants to go (m).
    pub(crate) goals_m: Vec<[f64; 2]>,
    /// Yaw of its forward direction in its root frame (rad).
    pub(crate) forward_yaw_rad: f64,
    /// The place in its root frame that odometry and plans go by (m).
    pub(crate) centre_m: Vec3,
    /// Places of the track and the speeds planned there (m, m/s).
    pub(crate) planned: Vec<([f32; 3], f32)>,
    /// Whether a kernel hears it.
    pub(crate) kernel: bool,
    /// Whether a self-model foresees its readings.
    pub(crate) witness: bool,
    /// Whether it is driven.
    pub(crate) driven: bool,
}

/// A line of the table of sensors.
#[derive(Debug)]
pub(crate) struct StageSensor {
    /// Stable name: `rover/imu`.
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// Readings a second.
    pub(crate) rate_hz: Option<f64>,
}

/// A track, and how fast it is to be driven.
#[derive(Debug)]
pub(crate) struct StageTrack {
    /// Left and right (m).
    pub(crate) edges_m: [Vec<[f32; 3]>; 2],
    pub(crate) closed: bool,
}

/// A lidar, whose points are drawn.
#[derive(Debug)]
pub(crate) struct StageLidar {
    pub(crate) path: Path,
    /// Index into the agents.
    pub(crate) agent: usize,
}

/// A sensor whose single readings are drawn.
#[derive(Debug)]
pub(crate) struct StageMark {
    pub(crate) path: Path,
    /// Index into the agents.
    pub(crate) agent: usize,
    /// Where its places are shown on a map, none where it has none.
    pub(crate) on_map: Option<Path>,
}

/// What a run shows from the start.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Length of a tick (ns).
    pub(crate) tick_ns: u64,
    pub(crate) seed: u64,
    /// Of the scene's origin.
    pub(crate) latitude_deg: f64,
    /// The resolved scene (RON).
    pub(crate) scene: String,
    /// Whether there is a ground plane.
    pub(crate) ground: bool,
    pub(crate) obstacles: Vec<(String, Geometry)>,
    pub(crate) track: Option<StageTrack>,
    pub(crate) agents: Vec<StageAgent>,
    pub(crate) lidars: Vec<StageLidar>,
    pub(crate) marks: Vec<StageMark>,
    pub(crate) sensors: Vec<StageSensor>,
    /// Whether a fleet is coupled.
    pub(crate) fleet: bool,
    /// Numbers over time.
    pub(crate) series: Vec<Path>,
}

impl Stage {
    /// Adds a series, and says its index.
    pub(crate) fn series(&mut self, path: Path) -> u32 {
        self.series.push(path);
        (self.series.len() - 1) as u32
    }

    /// The box that holds all obstacles, starts and goals; none where there is nothing.
    pub(crate) fn bounds_m(&self) -> Option<[Vec3; 2]> {
        let obstacles = self.obstacles.iter().map(|(_, g)| span(g, Pose::IDENTITY));
        around(obstacles.chain(self.acted_m()))
    }

    /// The box in which something happens: starts, goals and the track; all there is where nobody acts.
    pub(crate) fn focus_m(&self) -> Option<[Vec3; 2]> {
        around(self.acted_m()).or_else(|| self.bounds_m())
    }

    /// Where agents start and want to go, and the track.
    fn acted_m(&self) -> impl Iterator<Item = [Vec3; 2]> {
        let bodies = self.agents.iter().flat_map(|agent| {
            let links = agent.model.iter().flat_map(|m| &m.links).zip(&agent.poses);
            links.flat_map(|(link, pose)| link.colliders.iter().map(|g| span(g, *pose)))
        });
        let goals = self.agents.iter().flat_map(|agent| {
            let at = agent.goals_m.iter();
            at.map(|[x, y]| [Vec3::new(*x as f32, *y as f32, 0.0); 2])
        });
        let edges = self.track.iter().flat_map(|t| t.edges_m.iter().flatten());
        let track = edges.map(|&p| [Vec3::from(p); 2]);
        bodies.chain(goals).chain(track)
    }

    /// What this is, for a reader (Markdown).
    pub(crate) fn about(&self, scene_name: &str) -> String {
        let mut text = format!("# {scene_name}\n\n");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "Seed {}, tick {} ms, BecomingONE {}.\n",
            self.seed,
            self.tick_ns as f64 / 1e6,
            env!("CARGO_PKG_VERSION"),
        );
        text += "| agent | model | mass | links |\n|---|---|---|---|\n";
        for agent in &self.agents {
            let _ = match &agent.model {
                Some(m) => writeln!(
                    text,
                    "| {} | {} | {:.2} kg | {} |",
                    agent.name,
                    m.file,
                    m.mass_kg(),
                    m.links.len()
                ),
                None => writeln!(text, "| {} | | | |", agent.name),
            };
        }
        if !self.sensors.is_empty() {
            text += "\n| sensor | kind | rate | source |\n|---|---|---|---|\n";
            for sensor in &self.sensors {
                let rate = sensor.rate_hz.map_or(String::new(), |r| format!("{r} Hz"));
                let _ = writeln!(
                    text,
                    "| {} | {} | {rate} | simulated |",
                    sensor.name, sensor.kind
                );
            }
        }
        let warnings = self.agents.iter().filter_map(|a| a.model.as_ref());
        for warning in warnings.flat_map(|m| &m.warnings) {
            let _ = write!(text, "\n- {warning}");
        }
        text
    }
}

/// The box around boxes.
fn around(boxes: impl Iterator<Item = [Vec3; 2]>) -> Option<[Vec3; 2]> {
    boxes
        .filter(|[low, high]| low.is_finite() && high.is_finite())
        .reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])
}

/// The box about a geometry that stands here.
fn span(geometry: &Geometry, on: Pose) -> [Vec3; 2] {
    let pose = on * geometry.pose;
    let ball = |r: f32| Vec3::splat(r);
    let half = match &geometry.shape {
        Shape::Box { half_extents_m } => {
            let turn = Mat3::from_quat(pose.rotation);
            turn.x_axis.abs() * half_extents_m.x
                + turn.y_axis.abs() * half_extents_m.y
                + turn.z_axis.abs() * half_extents_m.z
        }
        Shape::Cylinder { radius_m, length_m } => {
            ball(Vec2::new(*radius_m, length_m / 2.0).length())
        }
        Shape::Capsule { radius_m, length_m } => ball(radius_m + length_m / 2.0),
        Shape::Sphere { radius_m } => ball(*radius_m),
        Shape::Mesh(mesh) => {
            let points = mesh.vertices_m.iter().map(|&v| pose.point(Vec3::from(v)));
            return points.fold([Vec3::INFINITY, Vec3::NEG_INFINITY], |[low, high], p| {
                [low.min(p), high.max(p)]
            });
        }
    };
    [pose.translation_m - half, pose.translation_m + half]
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Quat;

    #[test]
    fn a_turned_box_spans_its_corners() {
        let geometry = Geometry {
            pose: Pose::new(
                Vec3::new(1.0, 0.0, 0.0),
                Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
            ),
            shape: Shape::Box {
                half_extents_m: Vec3::new(2.0, 1.0, 0.5),
            },
            rgba: [1.0; 4],
        };
        let [low, high] = span(&geometry, Pose::IDENTITY);
        assert!((low - Vec3::new(0.0, -2.0, -0.5)).length() < 1e-5, "{low}");
        assert!((high - Vec3::new(2.0, 2.0, 0.5)).length() < 1e-5, "{high}");
    }
}
