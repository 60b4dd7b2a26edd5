//! Loads a vehicle: YAML or RON by extension, with a check of each number's range.

use super::diagnostic::SceneError;
use super::diagnostic::{Diagnostic, Diagnostics, byte_place};
use super::read::Reader;
use super::tree::{Node, Source, Span};
use super::{text, yaml};
use becomingone_components::body::RobotModel;
use becomingone_components::vehicle::{CHASSIS, Suspension, VehicleModel, VehicleWheel};
use becomingone_model::Files;
use serde::Deserialize;
use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest description that is read (bytes).
pub const MAX_VEHICLE_BYTES: u64 = 1 << 20;
/// Most boxes and most wheels of a vehicle.
const MANY: usize = 1000;
/// Largest height difference of the wheels of a level vehicle (m).
const LEVEL_M: f64 = 0.005;

/// Vehicle, with its body and wheels as links.
pub(super) type Loaded = (Arc<VehicleModel>, Arc<RobotModel>);

/// Whether a file name is that of a vehicle description, not of a robot's.
pub(super) fn is_vehicle(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| {
        ["yaml", "yml", "ron"]
            .iter()
            .any(|y| e.eq_ignore_ascii_case(y))
    })
}

/// Reads a vehicle description.
pub(super) fn load(files: &dyn Files, path: &Path) -> Result<Loaded, SceneError> {
    let name = path.display().to_string();
    let bytes = files
        .read_at_most(path, MAX_VEHICLE_BYTES)
        .map_err(|cause| SceneError::Read {
            file: name.clone(),
            cause: cause.to_string(),
        })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = byte_place(error.as_bytes(), error.utf8_error().valid_up_to());
        let message = "found a byte that is not UTF-8 text; expected a vehicle in YAML or RON";
        Diagnostic::at(&name, at, message).alone()
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    let sources = [Source {
        name,
        text,
        folder: PathBuf::new(),
        is_file: true,
    }];
    let text = sources[0].text.as_str();
    let is_ron = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("ron"));
    let empty = Node::ron("", Span::default());
    let alone = |span: Span, message: String| {
        let mut diagnostics = Diagnostics::of(&sources, &empty);
        diagnostics.add_at(span, message);
        SceneError::Diagnostics(diagnostics.into_sorted())
    };
    let root = if is_ron {
        Node::ron(text, Span::default())
    } else {
        yaml::parse(text, 0)
            .map_err(|(offset, message)| alone(Span { source: 0, offset }, message))?
    };
    let vehicle = VehicleModel::deserialize(Reader(&root))
        .map_err(|wrong| alone(wrong.span.unwrap_or_default(), text::explain(&wrong.code)))?;
    let mut check = Check {
        diagnostics: Diagnostics::of(&sources, &root),
    };
    check.vehicle(&vehicle);
    if !check.diagnostics.is_empty() {
        return Err(SceneError::Diagnostics(check.diagnostics.into_sorted()));
    }
    let robot = vehicle.as_robot(&sources[0].name);
    Ok((Arc::new(vehicle), Arc::new(robot)))
}

struct Check<'n, 's> {
    diagnostics: Diagnostics<'n, 's>,
}

impl Check<'_, '_> {
    fn wrong(&mut self, path: &str, found: impl Display, expected: &str) {
        self.diagnostics.wrong(path, found, expected);
    }

    /// Checks a range; NaN is in none.
    fn within(&mut self, path: &str, x: f64, low: f64, high: f64, expected: &str) {
        if !(x >= low && x <= high) {
            self.wrong(path, x, expected);
        }
    }

    fn positive(&mut self, path: &str, x: f64, unit: &str) {
        let expected = format!("{unit}, positive and up to 1e9");
        self.within(path, x, 1e-9, 1e9, &expected);
    }

    fn place(&mut self, path: &str, at: &[f64]) {
        for (k, &x) in at.iter().enumerate() {
            self.within(
                &format!("{path}[{k}]"),
                x,
                -100.0,
                100.0,
                "metres within 100",
            );
        }
    }

    fn length(&mut self, path: &str, x: f64, most: f64) {
        self.within(path, x, 1e-3, most, &format!("metres from 0.001 to {most}"));
    }

    fn vehicle(&mut self, v: &VehicleModel) {
        self.positive("mass_kg", v.mass_kg, "kilograms");
        self.place("centre_of_mass_m", &v.centre_of_mass_m);
        for (k, &i) in v.inertia_kg_m2.iter().enumerate() {
            self.positive(&format!("inertia_kg_m2[{k}]"), i, "kg m²");
        }
        // Equality holds for a flat plate.
        let [x, y, z] = v.inertia_kg_m2;
        for (k, (one, others)) in [(x, y + z), (y, x + z), (z, x + y)].into_iter().enumerate() {
            if one > others * (1.0 + 1e-9) {
                let expected = "at most the sum of the other two (triangle inequality)";
                self.wrong(&format!("inertia_kg_m2[{k}]"), one, expected);
            }
        }
        self.within(
            "tyre_friction",
            v.tyre_friction,
            0.0,
            10.0,
            "a coefficient from 0 to 10",
        );
        let rolling = v.rolling_resistance;
        self.within(
            "rolling_resistance",
            rolling,
            0.0,
            1.0,
            "a coefficient from 0 to 1",
        );
        self.within(
            "drag_area_m2",
            v.drag_area_m2,
            0.0,
            100.0,
            "m² from 0 to 100",
        );
        self.positive("engine.max_force_n", v.engine.max_force_n, "newtons");
        self.positive("engine.max_power_w", v.engine.max_power_w, "watts");
        self.positive("brake_force_n", v.brake_force_n, "newtons");
        // At a right angle the turning circle would be centred on the axle.
        let most = v.steering.max_angle_rad;
        self.within(
            "steering.max_angle_rad",
            most,
            1e-3,
            1.4,
            "radians from 0.001 to 1.4",
        );
        self.positive(
            "steering.max_rate_rad_s",
            v.steering.max_rate_rad_s,
            "rad/s",
        );
        if v.bodies.is_empty() || v.bodies.len() > MANY {
            self.wrong("bodies", v.bodies.len(), "1 to 1000 boxes");
        }
        for (k, body) in v.bodies.iter().enumerate().take(MANY) {
            self.place(&format!("bodies[{k}].position_m"), &body.position_m);
            for (axis, &size) in body.size_m.iter().enumerate() {
                self.length(&format!("bodies[{k}].size_m[{axis}]"), size, 100.0);
            }
            for (c, &share) in body.rgb.iter().enumerate() {
                let at = format!("bodies[{k}].rgb[{c}]");
                self.within(&at, f64::from(share), 0.0, 1.0, "0 to 1");
            }
        }
        if !(3..=MANY).contains(&v.wheels.len()) {
            self.wrong(
                "wheels",
                v.wheels.len(),
                "3 to 1000 wheels (fewer are unstable)",
            );
            return;
        }
        let mut names = HashSet::new();
        for (k, wheel) in v.wheels.iter().enumerate() {
            let path = format!("wheels[{k}]");
            if wheel.name.trim().is_empty() || wheel.name == CHASSIS {
                let found = format!("`{}`", wheel.name.escape_debug());
                self.wrong(&format!("{path}.name"), found, "a name, and not `chassis`");
            } else if !names.insert(wheel.name.as_str()) {
                let found = format!("`{}` a second time", wheel.name.escape_debug());
                self.wrong(&format!("{path}.name"), found, "a name that is not taken");
            }
            self.wheel(&path, wheel);
        }
        for (what, any) in [
            ("driven", v.wheels.iter().any(|w| w.driven)),
            ("steered", v.wheels.iter().any(|w| w.steered)),
            ("braked", v.wheels.iter().any(|w| w.braked)),
        ] {
            if !any {
                let found = format!("no {what} wheel");
                self.wrong(
                    "wheels",
                    found,
                    &format!("at least one with `{what}: true`"),
                );
            }
        }
        // The following checks need valid numbers.
        if self.diagnostics.is_empty() {
            self.stance(v);
        }
    }

    fn wheel(&mut self, path: &str, wheel: &VehicleWheel) {
        self.place(&format!("{path}.position_m"), &wheel.position_m);
        self.length(&format!("{path}.radius_m"), wheel.radius_m, 10.0);
        self.length(&format!("{path}.width_m"), wheel.width_m, 10.0);
        let Suspension {
            rest_length_m,
            travel_m,
            stiffness_n_m,
            compression_damping_n_s_m,
            rebound_damping_n_s_m,
            max_force_n,
        } = wheel.suspension;
        let spring = |leaf: &str| format!("{path}.suspension.{leaf}");
        self.length(&spring("rest_length_m"), rest_length_m, 10.0);
        self.length(&spring("travel_m"), travel_m, 10.0);
        if travel_m > rest_length_m {
            let expected = "at most rest_length_m: a spring has no length below zero";
            self.wrong(&spring("travel_m"), travel_m, expected);
        }
        self.positive(&spring("stiffness_n_m"), stiffness_n_m, "N/m");
        let damping = [
            ("compression_damping_n_s_m", compression_damping_n_s_m),
            ("rebound_damping_n_s_m", rebound_damping_n_s_m),
        ];
        for (leaf, x) in damping {
            self.within(&spring(leaf), x, 0.0, 1e9, "N s/m from 0 to 1e9");
        }
        self.positive(&spring("max_force_n"), max_force_n, "newtons");
    }

    /// Checks that the vehicle stands on its wheels.
    fn stance(&mut self, v: &VehicleModel) {
        let ground = |w: &VehicleWheel| w.position_m[2] - w.radius_m;
        let lowest = v.wheels.iter().map(ground).fold(f64::INFINITY, f64::min);
        let touching = v.bodies.iter().filter(|b| b.touches);
        let belly = touching
            .map(|b| b.position_m[2] - b.size_m[2] / 2.0)
            .fold(f64::INFINITY, f64::min);
        for (k, wheel) in v.wheels.iter().enumerate() {
            let path = format!("wheels[{k}].position_m[2]");
            let low = ground(wheel);
            if low >= belly {
                let found = format!(
                    "{}, so that the wheel ends at {low:.3} m",
                    wheel.position_m[2]
                );
                let expected =
                    format!("a wheel that reaches below the body, which begins at {belly:.3} m");
                self.wrong(&path, found, &expected);
            } else if low > lowest + LEVEL_M {
                let found = format!(
                    "{}, so that the wheel ends at {low:.3} m",
                    wheel.position_m[2]
                );
                let expected =
                    format!("one plane under all wheels; the lowest ends at {lowest:.3} m");
                self.wrong(&path, found, &expected);
            }
        }
        if v.centre_of_mass_m[2] <= lowest {
            let expected = format!("a height over the ground, which is at {lowest:.3} m");
            self.wrong("centre_of_mass_m[2]", v.centre_of_mass_m[2], &expected);
        }
        if v.wheelbase_m() < 0.01 {
            let expected = "wheels that steer before or behind those that do not";
            self.wrong(
                "wheels",
                format!("a wheelbase of {:.3} m", v.wheelbase_m()),
                expected,
            );
        }
        let Some(loads) = v.static_loads_n() else {
            self.wrong("wheels", "wheels in one line", "wheels that span an area");
            return;
        };
        for (k, (wheel, load)) in v.wheels.iter().zip(loads).enumerate() {
            let spring = &wheel.suspension;
            if load <= 0.0 {
                let found = format!("{load:.0} N on `{}` at rest", wheel.name);
                self.wrong(
                    "centre_of_mass_m",
                    found,
                    "a centre of mass among the wheels",
                );
                return;
            }
            let give = load / spring.stiffness_n_m;
            let path = format!("wheels[{k}].suspension");
            if give >= spring.travel_m {
                let found = format!(
                    "{}, though {load:.0} N at rest press {give:.3} m",
                    spring.travel_m
                );
                self.wrong(
                    &format!("{path}.travel_m"),
                    found,
                    "more travel, or a stiffer spring",
                );
            }
            if load > spring.max_force_n {
                let found = format!("{}, though {load:.0} N rest on it", spring.max_force_n);
                self.wrong(
                    &format!("{path}.max_force_n"),
                    found,
                    "more than the load at rest",
                );
            }
        }
    }
}
