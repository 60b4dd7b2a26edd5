//! Static content of a run: collected at each reset, sent once.

use becomingone_components::body::{Geometry, Pose, RobotModel, Shape};
use glam::{Mat3, Vec2, Vec3};
use std::fmt::Write as _;
use std::sync::Arc;

/// Entity path, as unescaped parts.
pub(crate) type Path = Vec<String>;

/// Parts of a path; a stable name such as `rover/imu` is two parts.
pub(crate) fn path(root: &str, name: &str, leaf: &[&str]) -> Vec<String> {
    let parts = std::iter::once(root).chain(name.split('/'));
    parts
        .chain(leaf.iter().copied())
        .map(str::to_owned)
        .collect()
}

/// Static content of an agent.
#[derive(Debug)]
pub(crate) struct StageAgent {
    pub(crate) name: String,
    /// `None` if it has no body.
    pub(crate) model: Option<Arc<RobotModel>>,
    /// Initial poses of its links.
    pub(crate) poses: Vec<Pose>,
    /// Goal positions (m).
    pub(crate) goals_m: Vec<[f64; 2]>,
    /// Yaw of its forward direction in its root frame (rad).
    pub(crate) forward_yaw_rad: f64,
    /// Reference point of odometry and path following, in its root frame (m).
    pub(crate) centre_m: Vec3,
    /// Planned speed profile: stations of the track and their speeds (m, m/s).
    pub(crate) planned: Vec<([f32; 3], f32)>,
    /// Whether it has a coherence kernel.
    pub(crate) kernel: bool,
    /// Whether it has a self-model (witness).
    pub(crate) witness: bool,
    /// Whether it has a drive.
    pub(crate) driven: bool,
}

/// Row of the sensor table.
#[derive(Debug)]
pub(crate) struct StageSensor {
    /// Stable name: `rover/imu`.
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// Sample rate (Hz).
    pub(crate) rate_hz: Option<f64>,
}

/// Edges of a track.
#[derive(Debug)]
pub(crate) struct StageTrack {
    /// Left and right edge (m).
    pub(crate) edges_m: [Vec<[f32; 3]>; 2],
    pub(crate) closed: bool,
}

/// Lidar whose points are drawn.
#[derive(Debug)]
pub(crate) struct StageLidar {
    pub(crate) path: Path,
    /// Index into the agents.
    pub(crate) agent: usize,
}

/// Sensor whose single readings are drawn.
#[derive(Debug)]
pub(crate) struct StageMark {
    pub(crate) path: Path,
    /// Index into the agents.
    pub(crate) agent: usize,
    /// Entity path on the map; `None` for sensors without geographic positions.
    pub(crate) on_map: Option<Path>,
}

/// Sensor whose readings are encoded images.
#[derive(Debug)]
pub(crate) struct StageImage {
    pub(crate) path: Path,
    /// Media type: `image/jpeg`.
    pub(crate) encoding: &'static str,
}

/// Static content of a run.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Length of a tick (ns).
    pub(crate) tick_ns: u64,
    pub(crate) seed: u64,
    /// Latitude of the scene's origin.
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
    pub(crate) images: Vec<StageImage>,
    pub(crate) sensors: Vec<StageSensor>,
    /// Whether a fleet is phase-coupled.
    pub(crate) fleet: bool,
    /// Entity paths of scalar time series.
    pub(crate) series: Vec<Path>,
}

impl Stage {
    /// Adds a series and returns its index.
    pub(crate) fn series(&mut self, path: Path) -> u32 {
        self.series.push(path);
        (self.series.len() - 1) as u32
    }

    /// Bounding box of obstacles, agents, goals and the track; `None` if there are none.
    pub(crate) fn bounds_m(&self) -> Option<[Vec3; 2]> {
        let obstacles = self
            .obstacles
            .iter()
            .map(|(_, g)| bounds(g, Pose::IDENTITY));
        union(obstacles.chain(self.active_m()))
    }

    /// Bounding box of agents, goals and the track; of all content if there are none.
    pub(crate) fn focus_m(&self) -> Option<[Vec3; 2]> {
        union(self.active_m()).or_else(|| self.bounds_m())
    }

    /// Bounding boxes of agents at their start, of goals and of the track.
    fn active_m(&self) -> impl Iterator<Item = [Vec3; 2]> {
        let bodies = self.agents.iter().flat_map(|agent| {
            let links = agent.model.iter().flat_map(|m| &m.links).zip(&agent.poses);
            links.flat_map(|(link, pose)| link.colliders.iter().map(|g| bounds(g, *pose)))
        });
        let goals = self.agents.iter().flat_map(|agent| {
            let at = agent.goals_m.iter();
            at.map(|[x, y]| [Vec3::new(*x as f32, *y as f32, 0.0); 2])
        });
        let edges = self.track.iter().flat_map(|t| t.edges_m.iter().flatten());
        let track = edges.map(|&p| [Vec3::from(p); 2]);
        bodies.chain(goals).chain(track)
    }

    /// Overview of the run, as Markdown.
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

/// Union of bounding boxes.
fn union(boxes: impl Iterator<Item = [Vec3; 2]>) -> Option<[Vec3; 2]> {
    boxes
        .filter(|[low, high]| low.is_finite() && high.is_finite())
        .reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])
}

/// Bounding box of a geometry on this pose.
fn bounds(geometry: &Geometry, on: Pose) -> [Vec3; 2] {
    let pose = on * geometry.pose;
    let sphere = |r: f32| Vec3::splat(r);
    let half = match &geometry.shape {
        Shape::Box { half_extents_m } => {
            let turn = Mat3::from_quat(pose.rotation);
            turn.x_axis.abs() * half_extents_m.x
                + turn.y_axis.abs() * half_extents_m.y
                + turn.z_axis.abs() * half_extents_m.z
        }
        Shape::Cylinder { radius_m, length_m } => {
            sphere(Vec2::new(*radius_m, length_m / 2.0).length())
        }
        Shape::Capsule { radius_m, length_m } => sphere(radius_m + length_m / 2.0),
        Shape::Sphere { radius_m } => sphere(*radius_m),
        Shape::Mesh(mesh) => {
            let points = mesh.vertices_m.iter().map(|&v| pose.point(Vec3::from(v)));
            return points.fold([Vec3::INFINITY, Vec3::NEG_INFINITY], |[low, high], p| {
                [low.min(p), high.max(p)]
            });
        }
        Shape::HeightField(field) => {
            let points = field.points().map(|p| pose.point(p));
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
    fn bounds_of_a_rotated_box_contain_its_corners() {
        let geometry = Geometry {
            pose: Pose::new(
                Vec3::new(1.0, 0.0, 0.0),
                Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
            ),
            shape: Shape::Box {
                half_extents_m: Vec3::new(2.0, 1.0, 0.5),
            },
            rgba: [1.0; 4],
            contacts: becomingone_components::contact_mask::ContactMask::default(),
        };
        let [low, high] = bounds(&geometry, Pose::IDENTITY);
        assert!((low - Vec3::new(0.0, -2.0, -0.5)).length() < 1e-5, "{low}");
        assert!((high - Vec3::new(2.0, 2.0, 0.5)).length() < 1e-5, "{high}");
    }
}
