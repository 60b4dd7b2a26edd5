//! Warnings of starts and waypoints that a robot cannot be at: inside obstacles, below the ground, behind walls.
//!
//! Only what geometry proves is reported: boxes and ramps, and the largest circle that fits into the robot's outline. Meshes
//! are not judged, nor are boxes that the robot may drive over or under.

mod footprint;
mod grid;

use self::footprint::Footprint;
use self::grid::{Disc, Grid, Rectangle};
use super::diagnostic::Diagnostics;
use becomingone_components::scene::{AgentSpec, LoadedAgent, LoadedScene};
use becomingone_components::world::ObstacleSpec;
use becomingone_systems::control::patrol::Patrol;
use std::collections::BTreeMap;

/// Depth in an obstacle or in the ground that is no mistake: inexact numbers, thin plates (m).
const DEPTH_M: f64 = 0.05;
/// Waypoints of an agent that are judged.
const MAX_WAYPOINTS: usize = 1000;
/// Agents whose starts are compared with those of all others.
const MAX_COMPARED: usize = 2000;
/// Warnings of an agent that are printed.
const MAX_WARNINGS: usize = 5;

/// Logs all warnings, with their places.
pub(super) fn warn(loaded: &LoadedScene, diagnostics: &Diagnostics<'_, '_>) {
    let obstacles: Vec<Obstacle<'_>> = loaded
        .scene
        .world
        .obstacles
        .iter()
        .filter_map(Obstacle::of)
        .collect();
    let mut ways = Ways::new(&obstacles);
    let mut before: Vec<(&AgentSpec, Footprint)> = Vec::new();
    let agents = loaded.scene.agents.iter().zip(&loaded.agents);
    for (k, (agent, body)) in agents.enumerate() {
        if body.model.is_none() {
            continue;
        }
        let footprint = Footprint::of(body);
        let message = start(agent, body, &footprint, loaded, &obstacles)
            .or_else(|| taken_start(agent, &footprint, &before));
        if let Some(message) = message {
            let at = format!("agents[{k}].position_m");
            diagnostics.warn(&at, format!("{}: {message}", agent.name));
        }
        let messages = goals(agent, &footprint, &mut ways);
        let more = messages.len().saturating_sub(MAX_WARNINGS);
        for (j, message) in messages.into_iter().take(MAX_WARNINGS) {
            let at = format!("agents[{k}].controller.waypoints_m[{j}]");
            diagnostics.warn(&at, format!("{}: {message}", agent.name));
        }
        if more > 0 {
            let at = format!("agents[{k}].controller.waypoints_m");
            let message = format!("{}: {more} more waypoints cannot be reached", agent.name);
            diagnostics.warn(&at, message);
        }
        if before.len() < MAX_COMPARED {
            before.push((agent, footprint));
        }
    }
}

/// Message about the start of an agent at the place of another one.
fn taken_start(
    agent: &AgentSpec,
    footprint: &Footprint,
    before: &[(&AgentSpec, Footprint)],
) -> Option<String> {
    let [x, y, base_m] = agent.position_m;
    before.iter().find_map(|(other, its)| {
        let [ox, oy, other_m] = other.position_m;
        let (dx, dy, radius_m) = (x - ox, y - oy, footprint.radius_m + its.radius_m);
        let apart = base_m >= other_m + its.height_m || other_m >= base_m + footprint.height_m;
        (dx * dx + dy * dy < radius_m * radius_m && !apart).then(|| {
            format!(
                "found a start at ({x}, {y}) inside the agent `{}`, which starts at ({ox}, {oy}); expected a free place",
                other.name
            )
        })
    })
}

/// An obstacle whose extent is known.
struct Obstacle<'a> {
    name: &'a str,
    outline: Rectangle,
    bottom_m: f64,
    top_m: f64,
    drivable: bool,
    is_ramp: bool,
}

impl<'a> Obstacle<'a> {
    fn of(spec: &'a ObstacleSpec) -> Option<Self> {
        let (position_m, size_m, yaw_rad, drivable, is_ramp) = match spec {
            ObstacleSpec::Box {
                position_m,
                size_m,
                yaw_rad,
                drivable,
                ..
            } => (position_m, size_m, yaw_rad, *drivable, false),
            ObstacleSpec::Ramp {
                position_m,
                size_m,
                yaw_rad,
                ..
            } => (position_m, size_m, yaw_rad, true, true),
            ObstacleSpec::Mesh { .. } => return None,
        };
        Some(Self {
            name: spec.name(),
            outline: Rectangle::new(
                [position_m[0], position_m[1]],
                [size_m[0], size_m[1]],
                *yaw_rad,
            ),
            bottom_m: position_m[2],
            top_m: position_m[2] + size_m[2],
            drivable,
            is_ramp,
        })
    }

    /// Height of its surface at a place within its outline (m).
    fn surface_m(&self, at_m: [f64; 2]) -> f64 {
        if !self.is_ramp {
            return self.top_m;
        }
        let along = self.outline.local(at_m)[0] / self.outline.size_m[0] + 0.5;
        self.bottom_m + along.clamp(0.0, 1.0) * (self.top_m - self.bottom_m)
    }
}

/// Message about the start of an agent, if it cannot be there.
fn start(
    agent: &AgentSpec,
    body: &LoadedAgent,
    footprint: &Footprint,
    loaded: &LoadedScene,
    obstacles: &[Obstacle<'_>],
) -> Option<String> {
    let [x, y, base_m] = agent.position_m;
    let fixed = agent.fixed || body.model.as_ref().is_some_and(|m| m.fixed_base);
    if loaded.scene.world.ground.is_some() && base_m < -DEPTH_M && !fixed {
        return Some(format!(
            "found a start {} m below the ground; expected z of at least 0, the height of its lowest point",
            -base_m
        ));
    }
    let top_m = base_m + footprint.height_m;
    obstacles.iter().find_map(|o| {
        let distance_m = o.outline.distance_m([x, y]);
        let deep = o.surface_m([x, y]) - base_m > DEPTH_M.max(footprint.climb_m);
        (distance_m < footprint.radius_m.max(1e-9) && deep && o.bottom_m < top_m).then(|| {
            let inside = if distance_m > 0.0 {
                format!(
                    "{distance_m:.2} m from the obstacle `{}`, inside its own radius of {:.2} m",
                    o.name, footprint.radius_m
                )
            } else {
                format!("inside the obstacle `{}`", o.name)
            };
            format!("found a start at ({x}, {y}) {inside}; expected a free place")
        })
    })
}

/// Messages about the waypoints that an agent cannot reach, with their indices.
fn goals(
    agent: &AgentSpec,
    footprint: &Footprint,
    ways: &mut Ways<'_, '_>,
) -> Vec<(usize, String)> {
    let Some(patrol) = agent.controller.as_ref().and_then(|c| c.get::<Patrol>()) else {
        return Vec::new();
    };
    let [x, y, base_m] = agent.position_m;
    let grid = ways.grid(footprint, base_m);
    let mut messages = Vec::new();
    for (j, &goal) in patrol.waypoints_m.iter().enumerate().take(MAX_WAYPOINTS) {
        let [gx, gy] = goal;
        let around = Disc {
            centre_m: goal,
            radius_m: patrol.tolerance_m,
        };
        let blocking = ways.blocking(footprint, base_m);
        let nearest = blocking
            .map(|o| (o.outline.distance_m(goal), o.name))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let message = match (nearest, &grid) {
            (Some((0.0, name)), _) => format!(
                "found the waypoint ({gx}, {gy}) inside the obstacle `{name}`; expected a free place"
            ),
            (Some((near_m, name)), Some(grid)) if !grid.has_room(&around) => format!(
                "found the waypoint ({gx}, {gy}) {near_m:.2} m from the obstacle `{name}`: it cannot be reached within its tolerance of {} m by a robot of radius {:.2} m",
                patrol.tolerance_m, footprint.radius_m
            ),
            (_, Some(grid)) if !grid.leads([x, y], &around) => format!(
                "found the waypoint ({gx}, {gy}), which cannot be reached from the start ({x}, {y}): obstacles enclose one of them; expected a way for a robot of radius {:.2} m",
                footprint.radius_m
            ),
            _ => continue,
        };
        messages.push((j, message));
    }
    messages
}

/// Obstacles, and grids of the free places of robots of a size.
struct Ways<'o, 'a> {
    obstacles: &'o [Obstacle<'a>],
    /// Height of the highest surface that a robot may drive on (m).
    highest_m: f64,
    grids: BTreeMap<[u64; 4], Option<std::rc::Rc<Grid>>>,
}

/// Grids of different robots that are computed, which bounds the time of large scenes.
const MAX_GRIDS: usize = 8;

impl<'o, 'a> Ways<'o, 'a> {
    fn new(obstacles: &'o [Obstacle<'a>]) -> Self {
        let drivable = obstacles.iter().filter(|o| o.drivable);
        Self {
            obstacles,
            highest_m: drivable.map(|o| o.top_m).fold(f64::MIN, f64::max),
            grids: BTreeMap::new(),
        }
    }

    /// Obstacles that stop a robot, at whatever height it drives.
    fn blocking(
        &self,
        footprint: &Footprint,
        base_m: f64,
    ) -> impl Iterator<Item = &'o Obstacle<'a>> + use<'o, 'a> {
        let over_m = self.highest_m.max(base_m) + DEPTH_M.max(footprint.climb_m);
        let below_m = base_m + footprint.height_m;
        self.obstacles
            .iter()
            .filter(move |o| !o.drivable && o.top_m > over_m && o.bottom_m < below_m)
    }

    /// Free places of a robot; none where the obstacles are too many or too far apart to tell.
    fn grid(&mut self, footprint: &Footprint, base_m: f64) -> Option<std::rc::Rc<Grid>> {
        let key = [
            footprint.radius_m,
            footprint.height_m,
            footprint.climb_m,
            base_m,
        ]
        .map(f64::to_bits);
        if let Some(known) = self.grids.get(&key) {
            return known.clone();
        }
        if self.grids.len() >= MAX_GRIDS {
            return None;
        }
        let outlines: Vec<Rectangle> = self
            .blocking(footprint, base_m)
            .map(|o| o.outline)
            .collect();
        let grid = Grid::new(&outlines, footprint.radius_m).map(std::rc::Rc::new);
        self.grids.insert(key, grid.clone());
        grid
    }
}
