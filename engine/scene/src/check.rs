//! Semantic checks of a scene: ranges of numbers, unique names.

use super::diagnostic::Diagnostics;
use super::vehicle::is_vehicle;
use becomingone_components::check::{Checks, MAX_COORDINATE_M, MAX_ENTRIES, MAX_EXTENT_M};
use becomingone_components::coherence::PYRAMID_LAGS;
use becomingone_components::control::{AnyController, ControllerContext, DriveClass, Localisation};
use becomingone_components::fault::{DRIVE, FaultSpec};
use becomingone_components::fleet::{FLEET, FleetSpec, Law};
use becomingone_components::geodesy::Geodetic;
use becomingone_components::link::{Source, WhenSilent};
use becomingone_components::scene::{
    AgentSpec, BlendSpec, CoherenceSpec, DriveSpec, MasterSpec, ObstacleSpec, SceneSpec,
    SensorSpec, Signal, ThresholdSpec, WitnessSpec,
};
use becomingone_components::sensor::SensorContext;
use becomingone_components::time::NS_PER_S;
use becomingone_kernel::MIN_WARM_UP;
use becomingone_systems::control::orbit::is_in_fleet;
use becomingone_systems::sensing::Encoders;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

/// Most numbers in the readings of all sensors of a scene: some 100 MB.
const MAX_NUMBERS: u64 = 10_000_000;
/// Longest tick of a scene with bodies (ns): longer ones make the physics invalid.
const PHYSICS_TICK_NS: u64 = 50_000_000;
/// Longest tick of any scene: a day.
const LONGEST_TICK_NS: u64 = 86_400 * NS_PER_S;

/// Most readings queued for a tick.
const MOST_WAITING: usize = 4096;

/// Whether a sensor needs a body that carries it.
fn needs_body(sensor: &SensorSpec) -> bool {
    let is_simulated = sensor.kind.value().is_some_and(|kind| kind.is_simulated());
    is_simulated && (sensor.source.is_sim() || sensor.silence.then == WhenSilent::FallBackToSim)
}

/// Names of the ground, of every agent's drive, and of the fleet.
const RESERVED: [&str; 3] = ["ground", DRIVE, FLEET];

/// Whether a character is valid in a name, which is also part of a path.
pub(super) fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_-. ".contains(c)
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
        if robots < 2 {
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

    fn agent(&mut self, path: &str, agent: &AgentSpec, scene: &SceneSpec) {
        self.position(&format!("{path}.position_m"), &agent.position_m);
        self.angle(&format!("{path}.yaw_rad"), agent.yaw_rad);
        self.count(&format!("{path}.sensors"), agent.sensors.len());
        if agent.model.is_none() && agent.sensors.iter().any(needs_body) {
            self.wrong(
                &format!("{path}.sensors"),
                "sensors without a body",
                "a `model` to carry them, or a `source` other than `Sim`",
            );
        }
        // The description of a vehicle includes its drive; `--model` may replace the model of a robot.
        let vehicle = agent
            .model
            .as_ref()
            .is_some_and(|m| is_vehicle(Path::new(m)));
        let driven = vehicle || agent.drive != Default::default();
        if let DriveSpec::Joints { stiffness, damping } = agent.drive {
            for (name, gain) in [("stiffness", stiffness), ("damping", damping)] {
                if let Some(gain) = gain {
                    self.positive(&format!("{path}.drive.{name}"), gain);
                }
            }
        }
        let mut names = HashSet::new();
        for (k, sensor) in agent.sensors.iter().enumerate().take(MAX_ENTRIES) {
            let at = format!("{path}.sensors[{k}]");
            self.unique(&mut names, &format!("{at}.name"), &sensor.name);
            self.sensor(&at, sensor, scene, driven);
            self.source(&at, sensor);
        }
        let at = format!("{path}.drive_source");
        match agent.drive_source {
            Source::Sim => {}
            Source::Replay { .. } => {
                self.wrong(
                    &at,
                    "a recording for a drive",
                    "`Sim`, `Off` or `Driver(..)`",
                );
            }
            Source::Off | Source::Driver(..) if !driven => self.wrong(
                &at,
                "a source of an agent without a drive",
                "`drive: Auto`, `drive: Wheels(..)` or `drive: Joints()` on the agent",
            ),
            Source::Off | Source::Driver(..) => {}
        }
        if let Some(controller) = agent.controller.as_ref().and_then(|c| c.value()) {
            self.controller(&format!("{path}.controller"), controller, agent, scene);
            let by = controller.localisation();
            if by == Some(Localisation::Filter) && agent.filter.is_none() {
                self.wrong(
                    &format!("{path}.controller.localisation"),
                    "`Filter` of an agent without one",
                    "`filter: ()` on the agent, or `Odometry`",
                );
            }
        }
        if let Some(governor) = &agent.governor {
            let at = format!("{path}.governor");
            self.not_negative(&format!("{at}.slow_over"), governor.slow_over);
            let usable = governor.slowest_at > governor.slow_over && governor.slowest_at <= 1e9;
            if !usable {
                let expected = format!(
                    "more than slow_over, which is {}, and at most 1e9",
                    governor.slow_over
                );
                self.wrong(&format!("{at}.slowest_at"), governor.slowest_at, &expected);
            }
            let share = "a share from 0 to 1";
            self.within(&format!("{at}.slowest"), governor.slowest, 0.0, 1.0, share);
            self.positive(&format!("{at}.slowing_1_s"), governor.slowing_1_s);
            self.positive(&format!("{at}.recovery_1_s"), governor.recovery_1_s);
            for (name, s) in [
                ("fall_back_after_s", governor.fall_back_after_s),
                ("stop_after_s", governor.stop_after_s),
            ] {
                if let Some(s) = s {
                    self.not_negative(&format!("{at}.{name}"), s);
                }
            }
            if matches!(agent.coherence, CoherenceSpec::Off) {
                self.wrong(
                    &at,
                    "a governor of an agent whose `coherence` is `Off`",
                    "`coherence: Auto` or `coherence: Kernel(..)`",
                );
            }
        }
        if let Some(filter) = &agent.filter {
            let at = format!("{path}.filter");
            for (name, share, most) in [
                ("wheel_scale_sd", filter.wheel_scale_sd, 0.5),
                ("track_scale_sd", filter.track_scale_sd, 2.0),
            ] {
                let expected = format!("a share from 0 to {most}");
                self.within(&format!("{at}.{name}"), share, 0.0, most, &expected);
            }
            for (name, sd) in [
                ("wheel_sd_m_s", filter.wheel_sd_m_s),
                ("gyro_sd_rad_s", filter.gyro_sd_rad_s),
                ("forward_sd_m_s2", filter.forward_sd_m_s2),
                ("sideways_sd_m_s2", filter.sideways_sd_m_s2),
            ] {
                self.positive(&format!("{at}.{name}"), sd);
            }
            let wheels = |s: &SensorSpec| s.kind.is::<Encoders>();
            let rolls = matches!(agent.drive, DriveSpec::Auto | DriveSpec::Wheels { .. })
                || agent
                    .controller
                    .as_ref()
                    .and_then(|c| c.value())
                    .is_some_and(|c| c.drives() == [DriveClass::Vehicle]);
            if !rolls || !agent.sensors.iter().any(wheels) {
                self.wrong(
                    &at,
                    "a filter of an agent without wheels to count",
                    "`drive: Auto`, `drive: Wheels(..)` or a vehicle's `controller: Track(..)`, and a sensor of kind `Encoders`",
                );
            }
        }
        self.coherence(
            &format!("{path}.coherence"),
            &agent.coherence,
            scene.tick_ns,
        );
    }

    fn rate(&mut self, path: &str, rate_hz: f64, tick_ns: u64) {
        let most = NS_PER_S as f64 / tick_ns.max(1) as f64;
        // A rate of one reading per tick may be rounded up.
        if !(rate_hz >= 1e-6 && rate_hz <= most * (1.0 + 1e-9)) {
            let expected = format!("0.000001 to {most} Hz: at most one a tick of {tick_ns} ns");
            self.wrong(path, rate_hz, &expected);
        }
    }

    fn sensor(&mut self, path: &str, sensor: &SensorSpec, scene: &SceneSpec, driven: bool) {
        self.rate(&format!("{path}.rate_hz"), sensor.rate_hz, scene.tick_ns);
        self.position(&format!("{path}.position_m"), &sensor.position_m);
        let norm = sensor.rotation.iter().map(|c| c * c).sum::<f64>().sqrt();
        if !(0.99..=1.01).contains(&norm) {
            let found = format!("a quaternion of length {norm}");
            self.wrong(&format!("{path}.rotation"), found, "x, y, z, w of length 1");
        }
        if let Some(kind) = sensor.kind.value() {
            let context = sensor_context(scene, sensor, driven);
            self.checks(format!("{path}.kind"), |checks| {
                kind.check(&context, checks);
            });
        }
    }

    /// Checks the source of a sensor, and its link options.
    fn source(&mut self, path: &str, sensor: &SensorSpec) {
        let is_simulated = sensor.kind.value().is_none_or(|kind| kind.is_simulated());
        if sensor.source.is_sim() && !is_simulated {
            self.wrong(
                &format!("{path}.source"),
                "`Sim`, but an instrument cannot be simulated",
                "`source: Replay(..)`, `Driver(..)` or `Off`",
            );
        }
        let waiting = sensor.queue.capacity();
        if !(1..=MOST_WAITING).contains(&waiting) {
            self.wrong(
                &format!("{path}.queue"),
                format!("a queue of {waiting}"),
                "1 to 4096 readings",
            );
        }
        if let Some(after_s) = sensor.silence.after_s {
            self.positive(&format!("{path}.silence.after_s"), after_s);
        }
    }

    fn controller(
        &mut self,
        path: &str,
        controller: &dyn AnyController,
        agent: &AgentSpec,
        scene: &SceneSpec,
    ) {
        let drives = controller.drives();
        let fits = match agent.drive {
            DriveSpec::Auto | DriveSpec::Wheels { .. } => drives.contains(&DriveClass::Wheels),
            DriveSpec::Joints { .. } => drives.contains(&DriveClass::Joints),
            DriveSpec::Off => false,
        };
        // Whether a model is a vehicle is determined after loading.
        if agent.model.is_none() || !(fits || drives.contains(&DriveClass::Vehicle)) {
            let expected: Vec<&str> = drives
                .iter()
                .map(|drive| match drive {
                    DriveClass::Wheels => "a `model`, and `drive: Auto` or `drive: Wheels(..)`",
                    DriveClass::Vehicle => "a vehicle description (.yaml) as its `model`",
                    DriveClass::Joints => "a `model`, and `drive: Joints()`",
                })
                .collect();
            self.wrong(
                path,
                "a controller without its drive",
                &expected.join("; or "),
            );
        }
        let context = ControllerContext {
            world: &scene.world,
            fleet: scene.fleet.is_some(),
        };
        self.checks(path, |checks| controller.check(&context, checks));
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

    fn blend(&mut self, path: &str, blend: &BlendSpec) {
        let BlendSpec {
            half_life_s,
            protection,
            recall,
            forget_below,
            similarity,
        } = *blend;
        if let Some(half_life_s) = half_life_s {
            self.positive(&format!("{path}.half_life_s"), half_life_s);
        }
        for (name, x) in [("protection", protection), ("forget_below", forget_below)] {
            let below = 1.0 - f64::EPSILON;
            self.within(
                &format!("{path}.{name}"),
                x,
                0.0,
                below,
                "a share from 0 to below 1",
            );
        }
        for (name, x) in [("recall", recall), ("similarity", similarity)] {
            self.within(
                &format!("{path}.{name}"),
                x,
                0.0,
                1.0,
                "a share from 0 to 1",
            );
        }
    }

    /// Checks the numbers of a self-model; its channels are checked once the wheels are counted.
    fn witness(&mut self, path: &str, witness: &WitnessSpec, rate_hz: f64) {
        if let Some(warm_up_s) = witness.warm_up_s {
            let at = format!("{path}.warm_up_s");
            self.within(&at, warm_up_s, 0.0, 1e9, "seconds up to 1e9");
            let ticks = warm_up_s * rate_hz;
            if rate_hz > 0.0 && warm_up_s >= 0.0 && ticks < f64::from(MIN_WARM_UP) {
                let expected = format!(
                    "at least {MIN_WARM_UP} kernel ticks to learn from, {} s",
                    f64::from(MIN_WARM_UP) / rate_hz
                );
                self.wrong(
                    &at,
                    format!("{warm_up_s} s, {ticks:.0} kernel ticks"),
                    &expected,
                );
            }
        }
        for (part, spec) in [
            ("lidar", witness.lidar),
            ("innovations_motion", witness.innovations_motion),
            ("innovations_gnss", witness.innovations_gnss),
        ] {
            let numbers = spec.map(|t| [("k1", t.k1), ("k2", t.k2), ("k3", t.k3)]);
            for (name, x) in numbers.into_iter().flatten() {
                self.positive(&format!("{path}.{part}.{name}"), x);
            }
        }
        if let Some(nis) = witness.nis {
            self.positive(&format!("{path}.nis"), nis);
        }
        if let Some(ThresholdSpec { k1, k2, k3 }) = witness.thresholds {
            for (name, x) in [("k1", k1), ("k2", k2), ("k3", k3)] {
                self.positive(&format!("{path}.thresholds.{name}"), x);
            }
        }
    }

    fn master(&mut self, path: &str, master: MasterSpec, rate_hz: f64) {
        let MasterSpec::Pyramid { from_s, to_s } = master else {
            return;
        };
        let tick_s = 1.0 / rate_hz;
        let longest_s = PYRAMID_LAGS * tick_s;
        let from = format!("a kernel tick, {tick_s} s, to {longest_s} s");
        self.within(&format!("{path}.from_s"), from_s, tick_s, longest_s, &from);
        let to = format!("from_s, {from_s} s, to {longest_s} s");
        self.within(&format!("{path}.to_s"), to_s, from_s, longest_s, &to);
    }

    fn coherence(&mut self, path: &str, coherence: &CoherenceSpec, tick_ns: u64) {
        let CoherenceSpec::Kernel {
            rate_hz,
            emissary_window_s,
            master_window_s,
            master,
            channels,
            blend,
            witness,
        } = coherence
        else {
            return;
        };
        self.blend(&format!("{path}.blend"), blend);
        self.witness(&format!("{path}.witness"), witness, *rate_hz);
        self.rate(&format!("{path}.rate_hz"), *rate_hz, tick_ns);
        self.positive(&format!("{path}.emissary_window_s"), *emissary_window_s);
        self.positive(&format!("{path}.master_window_s"), *master_window_s);
        self.master(&format!("{path}.master"), *master, *rate_hz);
        let mut names = HashSet::new();
        for (k, channel) in channels.iter().enumerate() {
            let at = format!("{path}.channels[{k}]");
            self.unique(&mut names, &format!("{at}.name"), &channel.name);
            match channel.signal {
                Signal::Tone { frequency_hz } => {
                    self.not_negative(&format!("{at}.signal.frequency_hz"), frequency_hz);
                }
                Signal::Chirp {
                    start_hz,
                    rate_hz_s,
                } => {
                    self.not_negative(&format!("{at}.signal.start_hz"), start_hz);
                    self.within(
                        &format!("{at}.signal.rate_hz_s"),
                        rate_hz_s,
                        -1e9,
                        1e9,
                        "hertz a second within 1e9",
                    );
                }
                Signal::Noise {} => {}
            }
        }
    }
}
