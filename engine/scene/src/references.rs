//! Files that a scene names: models, vehicles, meshes, recordings.

use super::assets::{self, BUILT_IN};
use super::diagnostic::Diagnostics;
use super::{channels, vehicle};
use becomingone_components::body::{Mesh, RobotModel};
use becomingone_components::check::Checks;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::control::{AgentBody, DriveClass};
use becomingone_components::drive::Drive;
use becomingone_components::joints::Servos;
use becomingone_components::link::Source;
use becomingone_components::path_text::{to_path, to_text};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, DriveSpec, LoadedAgent, LoadedScene, ObstacleSpec, SceneSpec,
    WitnessSpec,
};
use becomingone_components::track::Track;
use becomingone_components::vehicle::VehicleModel;
use becomingone_model::{
    Files, MissingAllowed, did_you_mean, find_drive, find_servos, load_mesh, load_robot,
};
use becomingone_systems::faults;
use becomingone_systems::sensing::Encoders;
use glam::Vec3;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Robot description, with its drive or vehicle.
#[derive(Clone)]
struct Robot {
    model: Arc<RobotModel>,
    drive: Option<Drive>,
    vehicle: Option<Arc<VehicleModel>>,
}

/// Reads the files that a scene names, and continues after a missing one: all errors are reported together.
pub(super) struct References<'a, 'n, 's> {
    pub(super) files: &'a dyn Files,
    /// Whether recordings of sensor sources have to exist.
    pub(super) recordings: bool,
    pub(super) folder: &'a Path,
    pub(super) model: Option<&'a Path>,
    pub(super) diagnostics: &'a mut Diagnostics<'n, 's>,
}

impl References<'_, '_, '_> {
    pub(super) fn read(mut self, mut scene: SceneSpec) -> LoadedScene {
        // An invalid centre line has no track.
        let track = scene.world.track.as_ref();
        let track = track.filter(|_| self.diagnostics.is_empty());
        let track = track.map(Track::new).map(Arc::new);
        let mut loaded = Vec::new();
        // Identical agents share one description; its errors are reported once.
        let mut known = HashMap::new();
        for (index, agent) in scene.agents.iter_mut().enumerate() {
            if self.recordings {
                self.recordings(agent, index);
            }
            let mut body = LoadedAgent::default();
            if let Some(robot) = self.robot(agent, index, &mut known) {
                // The wheels of a vehicle are not joints.
                if robot.vehicle.is_none() {
                    body.servos = self.servos(agent, index, &robot.model);
                }
                body.model = Some(robot.model);
                body.drive = robot.drive;
                body.vehicle = robot.vehicle;
                self.fit_controller(agent, index, &body, track.as_deref());
            }
            channels::check(agent, index, body.encoded(), self.diagnostics);
            loaded.push(body);
        }
        let randomised = scene.randomise.iter().flat_map(|spec| &spec.faults);
        let randomised = ("randomise.faults", randomised.collect::<Vec<_>>());
        let all = [("faults", scene.faults.iter().collect()), randomised];
        let all = all.iter().flat_map(|(list, faults)| {
            let each = faults.iter().enumerate();
            each.map(move |(k, fault)| (format!("{list}[{k}]"), *fault))
        });
        for (at, fault) in all {
            if let Err(wrong) = faults::check(&scene, &loaded, fault) {
                let at = format!("{at}.{}", wrong.field);
                self.diagnostics.wrong(&at, wrong.found, &wrong.expected);
            }
        }
        let mut meshes = Vec::new();
        for (index, obstacle) in scene.world.obstacles.iter_mut().enumerate() {
            meshes.push(self.mesh(obstacle, index));
        }
        LoadedScene {
            scene,
            agents: loaded,
            meshes,
            track,
            written: BTreeMap::new(),
        }
    }

    fn robot(
        &mut self,
        agent: &mut AgentSpec,
        index: usize,
        known: &mut HashMap<String, Option<Robot>>,
    ) -> Option<Robot> {
        let named = agent.model.as_ref()?;
        let path = match self.model {
            Some(other) => other.to_path_buf(),
            None => self.find(named, &format!("agents[{index}].model"))?,
        };
        agent.model = Some(to_text(&path));
        if self.model.is_some() && matches!(agent.drive, DriveSpec::Wheels { .. }) {
            // The joints of another robot have other names.
            log::warn!(
                "{}: the wheels of the replacement model are detected automatically",
                agent.name
            );
            agent.drive = DriveSpec::Auto;
        }
        if self.model.is_some() && forget_calibration(agent) {
            log::warn!(
                "{0}: thresholds and governor are omitted: they are calibrated for the scene's own model; `--set agents.{0}.model=..` keeps them",
                agent.name
            );
        }
        agent.allow_missing |= self.files.allows_missing();
        let key = format!(
            "{:?} {} {} {}",
            agent.drive,
            agent.fixed,
            agent.allow_missing,
            path.display()
        );
        let robot = match known.get(&key) {
            Some(robot) => robot.clone(),
            None => {
                let robot = self.load(&path, agent, index);
                known.insert(key, robot.clone());
                robot
            }
        };
        let robot = robot?;
        self.check_controller(agent, index, &path, robot.vehicle.is_some());
        let wheels = robot.drive.as_ref().map_or(0, |d| d.wheels.len());
        let wheels = robot.vehicle.as_ref().map_or(wheels, |v| v.wheels.len());
        self.check_channels(agent, index, wheels);
        let model = &robot.model;
        for (k, sensor) in agent.sensors.iter_mut().enumerate() {
            let Some(link) = &sensor.link else { continue };
            if model.frame(link).is_some() {
                continue;
            }
            if self.model.is_some() {
                // The links of another robot have other names: mount the sensor on the root.
                log::warn!(
                    "`{}` has no link `{link}`: {}/{} is mounted on its root",
                    model.name,
                    agent.name,
                    sensor.name
                );
                sensor.link = None;
                continue;
            }
            let names = model.frames.iter().map(|f| f.name.as_str());
            let message = format!(
                "found link `{link}`; expected a link of `{}`{}",
                model.name,
                did_you_mean(link, names)
            );
            self.diagnostics
                .add(&format!("agents[{index}].sensors[{k}].link"), message);
        }
        for (k, sensor) in agent.sensors.iter().enumerate() {
            let frame = sensor.link.as_deref().and_then(|link| model.frame(link));
            let mut report = |path: &str, found, expected: &str| {
                self.diagnostics.wrong(path, found, expected);
            };
            let mut checks = Checks::new(format!("agents[{index}].sensors[{k}].kind"), &mut report);
            if let Some(kind) = sensor.kind.value() {
                kind.check_model(model, frame.map_or(0, |f| f.link), &mut checks);
            }
        }
        Some(robot)
    }

    /// Finds the recordings of an agent's sensor sources.
    fn recordings(&mut self, agent: &mut AgentSpec, index: usize) {
        for (k, sensor) in agent.sensors.iter_mut().enumerate() {
            if let Source::Replay { file, .. } = &mut sensor.source {
                let at = format!("agents[{index}].sensors[{k}].source.file");
                // A bag of ROS 2 is a folder.
                if let Some(path) = self.find_where(file, &at, Path::is_dir) {
                    *file = to_text(&path);
                }
            }
        }
    }

    /// Loads a description and, as far as possible, its drive.
    fn load(&mut self, path: &Path, agent: &AgentSpec, index: usize) -> Option<Robot> {
        if vehicle::is_vehicle(path) {
            return match vehicle::load(self.files, path) {
                Ok((vehicle, model)) => Some(Robot {
                    model,
                    drive: None,
                    vehicle: Some(vehicle),
                }),
                Err(cause) => {
                    // Each line has a place in the vehicle's own file.
                    for line in cause.to_string().lines() {
                        match self.model {
                            Some(_) => self.diagnostics.add_elsewhere(line.to_owned()),
                            None => self
                                .diagnostics
                                .add(&format!("agents[{index}].model"), line),
                        }
                    }
                    None
                }
            };
        }
        let files = MissingAllowed(self.files, agent.allow_missing);
        let mut model = match load_robot(path, &files) {
            Ok(model) => model,
            Err(cause) => {
                match self.model {
                    // The user gave the path, not the scene.
                    Some(_) => self.diagnostics.add_elsewhere(cause.to_string()),
                    None => self
                        .diagnostics
                        .add(&format!("agents[{index}].model"), cause.to_string()),
                }
                return None;
            }
        };
        model.fixed_base |= agent.fixed;
        let drive = find_drive(&mut model, &agent.drive).unwrap_or_else(|cause| {
            self.diagnostics
                .add(&format!("agents[{index}].drive"), cause.to_string());
            None
        });
        Some(Robot {
            model: Arc::new(model),
            drive,
            vehicle: None,
        })
    }

    /// Checks that vehicles have tracks and robots patrols; the model may have been replaced.
    fn check_controller(&mut self, agent: &AgentSpec, index: usize, path: &Path, is_vehicle: bool) {
        if is_vehicle && agent.fixed {
            self.diagnostics.wrong(
                &format!("agents[{index}].fixed"),
                "a fixed vehicle",
                "no `fixed`, or a robot: vehicles cannot be fixed",
            );
        }
        let controller = agent.controller.as_ref().and_then(|c| c.value());
        let drives = controller.map(|c| c.drives());
        let expected = match (drives, is_vehicle) {
            (Some(drives), true) if !drives.contains(&DriveClass::Vehicle) => {
                "a robot description (.urdf), or `controller: Track(..)`"
            }
            (Some([DriveClass::Vehicle]), false) => {
                "a vehicle description (.yaml), or `controller: Patrol(..)`"
            }
            _ => {
                let auto = matches!(agent.drive, DriveSpec::Off | DriveSpec::Auto);
                if is_vehicle && !auto {
                    self.diagnostics.wrong(
                        &format!("agents[{index}].drive"),
                        "a drive for a vehicle",
                        "none: its own file says which wheels are driven",
                    );
                }
                return;
            }
        };
        self.diagnostics.wrong(
            &format!("agents[{index}].controller"),
            format_args!("{} for it to drive", path.display()),
            expected,
        );
    }

    /// Fits the controller to the loaded body.
    fn fit_controller(
        &mut self,
        agent: &mut AgentSpec,
        index: usize,
        body: &LoadedAgent,
        track: Option<&Track>,
    ) {
        let Some(named) = &mut agent.controller else {
            return;
        };
        let Some(controller) = named.value() else {
            return;
        };
        let body = AgentBody {
            model: body.model.as_ref(),
            drive: body.drive.as_ref(),
            servos: body.servos.as_ref(),
            vehicle: body.vehicle.as_ref(),
            track,
        };
        let diagnostics = &mut *self.diagnostics;
        let mut report = |path: &str, found: String, expected: &str| {
            diagnostics.wrong(path, found, expected);
        };
        let mut checks = Checks::new(format!("agents[{index}].controller"), &mut report);
        let fitted = controller.fitted(&body, self.model.is_some(), &mut checks);
        named.set(fitted);
    }

    /// Servos of an agent.
    fn servos(&mut self, agent: &AgentSpec, index: usize, model: &RobotModel) -> Option<Servos> {
        find_servos(model, &agent.drive).unwrap_or_else(|cause| {
            self.diagnostics
                .add(&format!("agents[{index}].drive"), cause.to_string());
            None
        })
    }

    /// Wheels and the scene's own channels share one kernel.
    fn check_channels(&mut self, agent: &AgentSpec, index: usize, wheels: usize) {
        let CoherenceSpec::Kernel { channels, .. } = &agent.coherence else {
            return;
        };
        let encoded = agent.sensors.iter().any(|s| s.kind.is::<Encoders>());
        let wheels = if encoded { wheels } else { 0 };
        // More channels than the kernel has, without wheels, are reported already.
        if wheels > 0 && channels.len() <= MAX_CHANNELS && wheels + channels.len() > MAX_CHANNELS {
            self.diagnostics.wrong(
                &format!("agents[{index}].coherence.channels"),
                format_args!("{} channels beside {wheels} wheels", channels.len()),
                &format!("at most {MAX_CHANNELS} in all"),
            );
        }
    }

    fn mesh(&mut self, obstacle: &mut ObstacleSpec, index: usize) -> Option<Arc<Mesh>> {
        let ObstacleSpec::Mesh { file, scale, .. } = obstacle else {
            return None;
        };
        let at = format!("world.obstacles[{index}].file");
        let path = self.find(file, &at)?;
        *file = to_text(&path);
        match load_mesh(&path, Vec3::splat(*scale as f32), self.files) {
            Ok(mesh) => Some(Arc::new(mesh)),
            Err(cause) => {
                self.diagnostics.add(&at, cause.to_string());
                None
            }
        }
    }

    /// Finds a file that the scene names: in the scene's folder, or among the built-in assets.
    fn find(&mut self, named: &str, at: &str) -> Option<PathBuf> {
        self.find_where(named, at, |_| false)
    }

    /// Finds a file, or what else `is` accepts.
    fn find_where(&mut self, named: &str, at: &str, is: fn(&Path) -> bool) -> Option<PathBuf> {
        let file = to_path(named);
        let beside = self.diagnostics.folder(at).join(&file);
        let with_scene = self.folder.join(&file);
        // Also resolves the paths of a resolved scene.
        let built_in = if file.starts_with(BUILT_IN) {
            file.clone()
        } else {
            Path::new(BUILT_IN).join("assets").join(&file)
        };
        for path in [&beside, &with_scene, &built_in] {
            if self.files.is_file(path) || is(path) {
                return Some(path.clone());
            }
        }
        let names = assets::assets();
        let message = format!(
            "found `{}`, which is neither {} nor a built-in asset; expected a file{}",
            file.display(),
            beside.display(),
            did_you_mean(named, names.iter().map(String::as_str))
        );
        self.diagnostics.add(at, message);
        None
    }
}

/// Removes the calibration for another machine, and the governor that depends on it: thresholds do not transfer between
/// plants. Returns whether there was any.
fn forget_calibration(agent: &mut AgentSpec) -> bool {
    let mut calibrated = agent.governor.take().is_some();
    if let CoherenceSpec::Kernel { witness, .. } = &mut agent.coherence {
        let WitnessSpec {
            thresholds,
            lidar,
            innovations_motion,
            innovations_gnss,
            nis,
            level,
            ..
        } = witness;
        for part in [thresholds, lidar, innovations_motion, innovations_gnss] {
            calibrated |= part.take().is_some();
        }
        for part in [nis, level] {
            calibrated |= part.take().is_some();
        }
    }
    calibrated
}
