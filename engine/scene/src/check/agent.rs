//! Checks of an agent: names, sensors, their sources, drive, controller, governor.

use super::{Check, sensor_context};
use crate::vehicle::is_vehicle;
use becomingone_components::check::MAX_ENTRIES;
use becomingone_components::control::{AnyController, ControllerContext, DriveClass, Localisation};
use becomingone_components::link::{Source, WhenSilent};
use becomingone_components::scene::{AgentSpec, CoherenceSpec, DriveSpec, SceneSpec, SensorSpec};
use becomingone_systems::sensing::Encoders;
use std::collections::HashSet;
use std::path::Path;

/// Most readings queued for a tick.
const MOST_WAITING: usize = 4096;

/// Whether a sensor needs a body that carries it.
fn needs_body(sensor: &SensorSpec) -> bool {
    let is_simulated = sensor.kind.value().is_some_and(|kind| kind.is_simulated());
    is_simulated && (sensor.source.is_sim() || sensor.silence.then == WhenSilent::FallBackToSim)
}

impl Check<'_, '_, '_> {
    pub(super) fn agent(&mut self, path: &str, agent: &AgentSpec, scene: &SceneSpec) {
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
        // The default is as much as a slow tick allows.
        if agent.drive_rate_hz != AgentSpec::default().drive_rate_hz {
            self.rate(
                &format!("{path}.drive_rate_hz"),
                agent.drive_rate_hz,
                scene.tick_ns,
            );
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
        let encoding = sensor.kind.value().and_then(|kind| kind.schema().encoding);
        if let (WhenSilent::Zero, Some(encoding)) = (sensor.silence.then, encoding) {
            self.wrong(
                &format!("{path}.silence.then"),
                format!("`Zero` of readings with bytes ({encoding})"),
                "`Hold` or `Fail`",
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
}
