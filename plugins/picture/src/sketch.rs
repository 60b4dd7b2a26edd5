//! What is to be seen of a run.

use crate::camera::{Camera, HALF_VIEW};
use crate::raster::Raster;
use crate::surface::{Triangle, ball, cylinder, triangles};
use crate::{Picture, PictureError, SIDES};
use becomingone_components::body::{Geometry, LinkPoses, Model, Obstacle, Pose, RobotModel};
use becomingone_components::control::Goals;
use becomingone_components::request::GoToProgress;
use becomingone_components::scene::{Agent, LoadedScene};
use becomingone_components::sensor::{Mount, Reading, Scan, Sensor};
use becomingone_components::track::Track;
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};
use std::sync::Arc;

const ROAD: Vec3 = Vec3::new(0.45, 0.46, 0.48);
const GOAL: Vec3 = Vec3::new(0.05, 0.55, 0.35);
const PLACE: Vec3 = Vec3::new(0.35, 0.40, 0.75);
const HIT: Vec3 = Vec3::new(0.85, 0.15, 0.10);
/// Height of the road above the ground (m).
const ROAD_Z_M: f32 = 0.004;
/// Widest view of a whole scene (m from its middle).
const MAX_RADIUS_M: f32 = 40.0;

/// An agent with a body.
#[derive(Clone, Debug)]
struct Body {
    name: String,
    model: Arc<RobotModel>,
    links: Vec<Pose>,
}

/// What is to be seen of a run at the end of a tick: a copy, small beside the meshes, which are shared.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    obstacles: Vec<Geometry>,
    bodies: Vec<Body>,
    /// End points of the rays that hit something (m).
    hits: Vec<Vec3>,
    goals: Vec<[f64; 2]>,
    places: Vec<[f64; 2]>,
    track: Option<Arc<Track>>,
    has_ground: bool,
}

impl Sketch {
    /// Copies what is to be seen of a world: bodies where they are in truth, scans as they are measured.
    pub fn of(world: &World) -> Self {
        let mut sketch = Self::default();
        if let Some(loaded) = world.get_resource::<LoadedScene>() {
            let scene = &loaded.scene;
            sketch.has_ground = scene.world.ground.is_some();
            sketch.track.clone_from(&loaded.track);
            let places = scene.world.places.iter();
            sketch.places = places.map(|place| place.position_m).collect();
        }
        if let Some(mut obstacles) = world.try_query::<&Obstacle>() {
            let all = obstacles.iter(world);
            sketch.obstacles = all.map(|obstacle| obstacle.geometry.clone()).collect();
        }
        type Seen<'a> = (
            &'a Name,
            &'a Model,
            &'a LinkPoses,
            Option<&'a Goals>,
            Option<&'a GoToProgress>,
        );
        if let Some(mut agents) = world.try_query_filtered::<Seen<'_>, With<Agent>>() {
            for (name, model, links, goals, request) in agents.iter(world) {
                sketch.bodies.push(Body {
                    name: name.to_string(),
                    model: model.0.clone(),
                    links: links.0.clone(),
                });
                let asked = request.map(|request| request.target_m);
                sketch
                    .goals
                    .extend(asked.or(goals.and_then(Goals::current)));
            }
        }
        sketch.bodies.sort_by(|a, b| a.name.cmp(&b.name));
        type Lidar<'a> = (&'a Sensor, &'a Mount, &'a Reading<Scan>);
        if let Some(mut lidars) = world.try_query::<Lidar<'_>>() {
            for (sensor, mount, reading) in lidars.iter(world) {
                let links = world.get::<LinkPoses>(sensor.agent);
                let Some(link) = links.and_then(|links| links.0.get(sensor.link)) else {
                    continue;
                };
                let Some(scan) = reading.latest() else {
                    continue;
                };
                let at = *link * mount.0;
                let scan = &scan.value;
                let rays = scan.ranges_m.iter().enumerate();
                let hits = rays.filter(|(_, m)| **m < scan.range_max_m);
                sketch.hits.extend(hits.map(|(k, m)| {
                    let angle = scan.angle_min_rad + k as f32 * scan.angle_step_rad;
                    at.point(Quat::from_rotation_z(angle) * Vec3::X * *m)
                }));
            }
        }
        sketch
    }

    /// Names of the agents that can be seen, in their order.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.bodies.iter().map(|body| body.name.as_str())
    }

    /// Checks the numbers of a picture, before it is drawn.
    ///
    /// # Errors
    ///
    /// [`PictureError::Size`], [`PictureError::Camera`].
    pub fn check(camera: &Camera, size: [u32; 2]) -> Result<(), PictureError> {
        if size.iter().any(|side| !SIDES.contains(side)) {
            return Err(PictureError::Size(size));
        }
        camera.check()
    }

    /// Draws it: width and height in pixels, each within [`SIDES`].
    ///
    /// # Errors
    ///
    /// [`PictureError::Size`], [`PictureError::Camera`].
    pub fn draw(&self, camera: &Camera, size: [u32; 2]) -> Result<Picture, PictureError> {
        Self::check(camera, size)?;
        let named = camera.agent.as_deref();
        if named.is_some_and(|name| self.agents().all(|agent| agent != name)) {
            return Err(PictureError::Camera(
                "expected the name of an agent with a body",
            ));
        }
        let (middle, radius_m) = self.middle(named);
        let narrow = (size[0] as f32 / size[1] as f32).min(1.0);
        let fitting_m = 1.1 * radius_m / (HALF_VIEW * narrow);
        let distance_m = camera.distance_m.map_or(fitting_m, |m| m as f32);
        let mut raster = Raster::new(size, middle, camera.axes(), distance_m);
        self.surfaces(&mut |triangle, colour| raster.triangle(triangle, colour));
        for hit in &self.hits {
            raster.dot(*hit, HIT);
        }
        Ok(raster.finish(self.has_ground))
    }

    /// Middle and radius of what is to be seen (m): of one agent, of all agents and their goals, or of the obstacles.
    fn middle(&self, agent: Option<&str>) -> (Vec3, f32) {
        let is_meant = |body: &&Body| agent.is_none_or(|name| body.name == name);
        let mut points = Vec::new();
        for body in self.bodies.iter().filter(is_meant) {
            body.surfaces(&mut |triangle, _| points.extend(triangle));
        }
        if agent.is_none() {
            let goals = self.goals.iter().chain(&self.places);
            points.extend(goals.map(|&[x, y]| Vec3::new(x as f32, y as f32, 0.0)));
        }
        if points.is_empty() {
            for obstacle in &self.obstacles {
                triangles(obstacle, Pose::IDENTITY, &mut |t| points.extend(t));
            }
        }
        points.retain(|p| p.is_finite());
        let Some(first) = points.first().copied() else {
            return (Vec3::ZERO, 2.0);
        };
        let low = points.iter().copied().fold(first, Vec3::min);
        let high = points.iter().copied().fold(first, Vec3::max);
        let radius_m = (high - low).length() / 2.0;
        // A robot alone has some of its surroundings around it.
        let wider = if agent.is_some() { 2.5 } else { 1.15 };
        (
            (low + high) / 2.0,
            (radius_m * wider).clamp(0.05, MAX_RADIUS_M),
        )
    }

    /// All triangles and their colours.
    fn surfaces(&self, give: &mut impl FnMut(Triangle, Vec3)) {
        for obstacle in &self.obstacles {
            let colour = colour(obstacle);
            triangles(obstacle, Pose::IDENTITY, &mut |t| give(t, colour));
        }
        for body in &self.bodies {
            body.surfaces(give);
        }
        if let Some(track) = &self.track {
            road(track, &mut |t| give(t, ROAD));
        }
        for (all, colour, height_m) in [(&self.places, PLACE, 0.3), (&self.goals, GOAL, 0.6)] {
            for &[x, y] in all {
                pin([x as f32, y as f32], height_m, &mut |t| give(t, colour));
            }
        }
    }
}

impl Body {
    fn surfaces(&self, give: &mut impl FnMut(Triangle, Vec3)) {
        for (link, pose) in self.model.links.iter().zip(&self.links) {
            let seen = match link.visuals.is_empty() {
                true => &link.colliders,
                false => &link.visuals,
            };
            for geometry in seen {
                let colour = colour(geometry);
                triangles(geometry, *pose, &mut |t| give(t, colour));
            }
        }
    }
}

fn colour(of: &Geometry) -> Vec3 {
    let [r, g, b, _] = of.rgba;
    Vec3::new(r, g, b).clamp(Vec3::ZERO, Vec3::ONE)
}

/// A needle with a ball on it.
fn pin([x, y]: [f32; 2], height_m: f32, give: &mut impl FnMut(Triangle)) {
    let middle = Vec3::new(x, y, height_m / 2.0);
    cylinder(0.015, height_m, &mut |t: Triangle| {
        give(t.map(|p| p + middle));
    });
    ball(0.07, Vec3::new(x, y, height_m), give);
}

fn road(track: &Track, give: &mut impl FnMut(Triangle)) {
    let half = track.width_m as f32 / 2.0;
    let edges = |k: usize| {
        let station = &track.stations[k];
        let [x, y] = station.at_m.map(|m| m as f32);
        let [tx, ty] = station.tangent.map(|t| t as f32);
        let at = Vec3::new(x, y, ROAD_Z_M);
        let left = Vec3::new(-ty, tx, 0.0) * half;
        [at - left, at + left]
    };
    let count = track.stations.len();
    let stretches = if track.closed {
        count
    } else {
        count.max(1) - 1
    };
    for k in 0..stretches {
        let [[a, b], [d, c]] = [edges(k), edges((k + 1) % count)];
        give([a, b, c]);
        give([a, c, d]);
    }
}
