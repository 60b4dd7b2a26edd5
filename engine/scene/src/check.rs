//! Semantic checks of a scene: ranges of numbers, unique names.

mod agent;
mod coherence;

use super::diagnostic::Diagnostics;
use becomingone_components::check::{Checks, MAX_COORDINATE_M, MAX_ENTRIES, MAX_EXTENT_M};
use becomingone_components::fault::{DRIVE, FaultSpec};
use becomingone_components::fleet::{FLEET, FleetSpec, Law};
use becomingone_components::geodesy::Geodetic;
use becomingone_components::randomise::RandomiseSpec;
use becomingone_components::scene::{ObstacleSpec, SceneSpec, SensorSpec};
use becomingone_components::sensor::SensorContext;
use becomingone_components::time::NS_PER_S;
use becomingone_components::world::PlaceSpec;
use becomingone_systems::control::orbit::is_in_fleet;
use std::collections::HashSet;
use std::fmt;

/// Most numbers in the readings of all sensors of a scene: some 100 MB.
const MAX_NUMBERS: u64 = 10_000_000;
/// Longest tick of a scene with bodies (ns): longer ones make the physics invalid.
const PHYSICS_TICK_NS: u64 = 50_000_000;
/// Longest tick of any scene: a day.
const LONGEST_TICK_NS: u64 = 86_400 * NS_PER_S;

/// Names of the ground, of every agent's drive, and of the fleet.
const RESERVED: [&str; 3] = ["ground", DRIVE, FLEET];

/// Whether a character is valid in a name, which is also part of a path.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_-. ".contains(c)
}

/// A valid name made of any text; `or` where nothing is left of it.
pub(super) fn plain_name(text: &str, or: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    match plain.trim_matches(['.', ' ']) {
        "" => or.to_owned(),
        name => name.to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    let inside = name.trim_matches(['.', ' ']);
    !inside.is_empty() && name.trim() == name && name.chars().all(is_plain)
}

/// Checks all values; returns whether the scene is small enough to read the files that it names.
pub(super) fn check(scene: &SceneSpec, diagnostics: &mut Diagnostics<'_, '_>) -> bool {
    let mut check = Check {
        diagnostics,
        bounded: true,
    };
    check.scene(scene);
    check.bounded
}

/// Context of the checks of a sensor's kind.
fn sensor_context<'a>(
    scene: &'a SceneSpec,
    sensor: &SensorSpec,
    driven: bool,
) -> SensorContext<'a> {
    SensorContext {
        world: &scene.world,
        rate_hz: sensor.rate_hz,
        driven,
        encoded: None,
    }
}

struct Check<'a, 'n, 's> {
    diagnostics: &'a mut Diagnostics<'n, 's>,
    bounded: bool,
}

impl Check<'_, '_, '_> {
    fn wrong(&mut self, path: &str, found: impl fmt::Display, expected: &str) {
        self.diagnostics.wrong(path, found, expected);
    }

    fn within(&mut self, path: &str, x: f64, low: f64, high: f64, expected: &str) {
        if !(x >= low && x <= high) {
            self.wrong(path, x, expected);
        }
    }

    fn positive(&mut self, path: &str, x: f64) {
        self.within(
            path,
            x,
            f64::MIN_POSITIVE,
            1e9,
            "a positive number up to 1e9",
        );
    }

    fn not_negative(&mut self, path: &str, x: f64) {
        self.within(path, x, 0.0, 1e9, "a number from 0 to 1e9");
    }

    fn position(&mut self, path: &str, p: &[f64]) {
        for (k, &x) in p.iter().enumerate() {
            self.within(
                &format!("{path}[{k}]"),
                x,
                -MAX_COORDINATE_M,
                MAX_COORDINATE_M,
                "metres within 1000",
            );
        }
    }

    fn angle(&mut self, path: &str, x: f64) {
        self.within(path, x, -1e3, 1e3, "radians within 1000");
    }

    fn name(&mut self, path: &str, name: &str) {
        if !is_name(name) {
            let found = format!("`{}`", name.escape_debug());
            self.wrong(
                path,
                found,
                "a name of letters, digits, `_`, `-`, `.` and spaces inside",
            );
        }
    }

    fn count(&mut self, path: &str, n: usize) {
        if n > MAX_ENTRIES {
            self.wrong(path, format!("{n} entries"), "at most 100000");
            self.bounded = false;
        }
    }

    fn scene(&mut self, scene: &SceneSpec) {
        self.name("name", &scene.name);
        let bodies = scene.agents.iter().any(|a| a.model.is_some());
        let longest = if bodies {
            PHYSICS_TICK_NS
        } else {
            LONGEST_TICK_NS
        };
        if !(1..=longest).contains(&scene.tick_ns) {
            let expected = if bodies {
                "1 to 50000000 ns where there are bodies"
            } else {
                "1 to 86400000000000 ns (a day)"
            };
            self.wrong("tick_ns", scene.tick_ns, expected);
        }
        if let Some(duration_s) = scene.duration_s {
            self.positive("duration_s", duration_s);
        }
        for (k, &g) in scene.world.gravity_m_s2.iter().enumerate() {
            self.within(
                &format!("world.gravity_m_s2[{k}]"),
                g,
                -1e3,
                1e3,
                "m/s² within 1000",
            );
        }
        if let Some(field_t) = &scene.world.magnetic_field_t {
            self.checks("world", |checks| {
                checks.flux_density("magnetic_field_t", field_t);
            });
        }
        if let Some(origin) = scene.world.origin {
            let Geodetic {
                latitude_deg,
                longitude_deg,
                height_m,
            } = origin;
            for (name, x, low, high, expected) in [
                (
                    "latitude_deg",
                    latitude_deg,
                    -90.0,
                    90.0,
                    "degrees north, -90 to 90",
                ),
                (
                    "longitude_deg",
                    longitude_deg,
                    -180.0,
                    180.0,
                    "degrees east, -180 to 180",
                ),
                (
                    "height_m",
                    height_m,
                    -12e3,
                    1e6,
                    "metres over the ellipsoid, -12000 to 1000000",
                ),
            ] {
                self.within(&format!("world.origin.{name}"), x, low, high, expected);
            }
        }
        if let Some(ground) = scene.world.ground {
            self.within(
                "world.ground.friction",
                ground.friction,
                0.0,
                10.0,
                "a coefficient from 0 to 10",
            );
        }
        self.count("world.obstacles", scene.world.obstacles.len());
        self.count("agents", scene.agents.len());
        if scene.agents.is_empty() {
            self.wrong("agents", "none", "at least one agent");
        }
        let numbers: u64 = scene
            .agents
            .iter()
            .flat_map(|agent| agent.sensors.iter())
            .filter_map(|sensor| {
                let context = sensor_context(scene, sensor, true);
                sensor.kind.value()?.numbers(&context)
            })
            .map(|numbers| numbers as u64)
            .sum();
        if numbers > MAX_NUMBERS {
            self.wrong(
                "agents",
                format!("{numbers} numbers of all sensors' readings"),
                "at most 10000000",
            );
            self.bounded = false;
        }
        super::track::check(scene, MAX_COORDINATE_M, &mut |path, found, expected| {
            self.wrong(path, found, expected);
        });
        self.places(&scene.world.places);
        let mut names = HashSet::new();
        for (k, obstacle) in scene.world.obstacles.iter().enumerate().take(MAX_ENTRIES) {
            let path = format!("world.obstacles[{k}]");
            self.unique(&mut names, &format!("{path}.name"), obstacle.name());
            self.obstacle(&path, obstacle);
        }
        for (k, agent) in scene.agents.iter().enumerate().take(MAX_ENTRIES) {
            let path = format!("agents[{k}]");
            self.unique(&mut names, &format!("{path}.name"), &agent.name);
            self.agent(&path, agent, scene);
        }
        if let Some(fleet) = &scene.fleet {
            self.fleet(fleet, scene);
        }
        self.count("faults", scene.faults.len());
        for (k, fault) in scene.faults.iter().enumerate().take(MAX_ENTRIES) {
            self.fault(&format!("faults[{k}]"), fault);
        }
        if let Some(randomise) = &scene.randomise {
            self.randomise(randomise);
        }
    }

    fn randomise(&mut self, spec: &RandomiseSpec) {
        let ranges = [
            ("mass", spec.mass, 0.01),
            ("friction", spec.friction, 0.0),
            ("noise", spec.noise, 0.0),
        ];
        for (name, range, least) in ranges {
            let Some([from, to]) = range else { continue };
            let path = format!("randomise.{name}");
            let expected = format!("factors from {least} to 100");
            self.within(&path, from, least, 100.0, &expected);
            self.within(&path, to, least, 100.0, &expected);
            if from > to {
                self.wrong(&path, format!("({from}, {to})"), "the smaller factor first");
            }
        }
        let metres = "metres from 0 to 1000";
        self.within("randomise.position_m", spec.position_m, 0.0, 1e3, metres);
        let turn = "radians from 0 to 3.2";
        self.within("randomise.yaw_rad", spec.yaw_rad, 0.0, 3.2, turn);
        let share = "a share of the runs, from 0 to 1";
        self.within("randomise.fault_share", spec.fault_share, 0.0, 1.0, share);
        self.not_negative("randomise.fault_spread_s", spec.fault_spread_s);
        self.count("randomise.faults", spec.faults.len());
        for (k, fault) in spec.faults.iter().enumerate().take(MAX_ENTRIES) {
            self.fault(&format!("randomise.faults[{k}]"), fault);
        }
        if spec.fault_share > 0.0 && spec.faults.is_empty() {
            let expected = "`faults`, one of which those runs have";
            self.wrong("randomise.fault_share", spec.fault_share, expected);
        }
    }

    /// Checks the named places: their names are apart from all others.
    fn places(&mut self, places: &[PlaceSpec]) {
        self.count("world.places", places.len());
        let mut names = HashSet::new();
        for (k, place) in places.iter().enumerate().take(MAX_ENTRIES) {
            let path = format!("world.places[{k}]");
            self.name(&format!("{path}.name"), &place.name);
            if !names.insert(&place.name) {
                let found = format!("`{}` a second time", place.name);
                self.wrong(&format!("{path}.name"), found, "a name that is not taken");
            }
            self.position(&format!("{path}.position_m"), &place.position_m);
            self.angle(&format!("{path}.yaw_rad"), place.yaw_rad);
        }
    }

    fn fleet(&mut self, fleet: &FleetSpec, scene: &SceneSpec) {
        let Law::Uniform {
            mean_hz,
            half_width_hz,
        } = fleet.law;
        for (name, x) in [("mean_hz", mean_hz), ("half_width_hz", half_width_hz)] {
            let at = format!("fleet.law.{name}");
            self.within(&at, x, 0.0, 100.0, "turns a second from 0 to 100");
        }
        self.within(
            "fleet.coupling_rad_s",
            fleet.coupling_rad_s,
            0.0,
            1e3,
            "rad/s from 0 to 1000",
        );
        self.not_negative("fleet.from_s", fleet.from_s);
        let robots = scene.agents.iter().filter(|a| is_in_fleet(a)).count();
        // A controller that cannot be read is reported as such.
        let controllers = scene.agents.iter().filter_map(|a| a.controller.as_ref());
        let all_known = controllers.into_iter().all(|c| c.value().is_some());
        if robots < 2 && all_known {
            self.wrong(
                "fleet",
                format!("a fleet of {robots}"),
                "at least two agents with `controller: Orbit(..)` and no `rate_hz` of their own",
            );
        }
    }

    /// Checks the numbers of a fault; its target is checked once the wheels are counted.
    fn fault(&mut self, path: &str, fault: &FaultSpec) {
        if let Some(kind) = fault.kind.value() {
            self.checks(format!("{path}.kind"), |checks| kind.check(checks));
        }
        self.not_negative(&format!("{path}.at_s"), fault.at_s);
        if let Some(for_s) = fault.for_s {
            self.positive(&format!("{path}.for_s"), for_s);
        }
    }

    fn unique(&mut self, names: &mut HashSet<String>, path: &str, name: &str) {
        self.name(path, name);
        if RESERVED.contains(&name) {
            self.wrong(
                path,
                format!("`{name}`, which the engine uses itself"),
                "another name",
            );
        } else if !names.insert(name.to_owned()) {
            self.wrong(
                path,
                format!("`{name}` a second time"),
                "a name that is not taken",
            );
        }
    }

    fn obstacle(&mut self, path: &str, obstacle: &ObstacleSpec) {
        let (ObstacleSpec::Box { rgb, .. }
        | ObstacleSpec::Ramp { rgb, .. }
        | ObstacleSpec::Mesh { rgb, .. }) = obstacle;
        for (k, &c) in rgb.iter().enumerate() {
            self.within(
                &format!("{path}.rgb[{k}]"),
                f64::from(c),
                0.0,
                1.0,
                "0 to 1",
            );
        }
        if let Some(friction) = obstacle.friction() {
            let at = format!("{path}.friction");
            self.within(&at, friction, 0.0, 10.0, "a coefficient from 0 to 10");
        }
        let (position, yaw) = match obstacle {
            ObstacleSpec::Box {
                position_m,
                size_m,
                yaw_rad,
                ..
            }
            | ObstacleSpec::Ramp {
                position_m,
                size_m,
                yaw_rad,
                ..
            } => {
                for (k, &x) in size_m.iter().enumerate() {
                    let at = format!("{path}.size_m[{k}]");
                    self.within(&at, x, 1e-4, MAX_EXTENT_M, "metres from 0.0001 to 2000");
                }
                (position_m, yaw_rad)
            }
            ObstacleSpec::Mesh {
                position_m,
                yaw_rad,
                scale,
                ..
            } => {
                self.within(
                    &format!("{path}.scale"),
                    *scale,
                    1e-9,
                    1e9,
                    "a positive number",
                );
                (position_m, yaw_rad)
            }
        };
        self.position(&format!("{path}.position_m"), position);
        self.angle(&format!("{path}.yaw_rad"), *yaw);
    }

    fn rate(&mut self, path: &str, rate_hz: f64, tick_ns: u64) {
        let most = NS_PER_S as f64 / tick_ns.max(1) as f64;
        // A rate of one reading per tick may be rounded up.
        if !(rate_hz >= 1e-6 && rate_hz <= most * (1.0 + 1e-9)) {
            let expected = format!("0.000001 to {most} Hz: at most one a tick of {tick_ns} ns");
            self.wrong(path, rate_hz, &expected);
        }
    }

    /// Runs the checks of a kind.
    fn checks(&mut self, path: impl Into<String>, run: impl FnOnce(&mut Checks<'_>)) {
        let diagnostics = &mut *self.diagnostics;
        let mut report = |path: &str, found: String, expected: &str| {
            diagnostics.wrong(path, found, expected);
        };
        let mut checks = Checks::new(path, &mut report);
        run(&mut checks);
        if checks.overflow {
            self.bounded = false;
        }
    }
}
