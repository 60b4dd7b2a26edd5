//! From a file to a scene that can run: parse, check, and read the models and meshes that it names.
//!
//! - [`overlay`](Overlays): the texts and how they are laid over each other, with `yaml` and `merge`.
//! - `tree`, `read`: values with their places, and how they become a [`Scene`].
//! - `text`, `check`: what is wrong with the words, what with their meaning.
//! - `time_scale`: all times of a scene by one number.
//! - `faults`, `senses`: whether faults and self-models have sensors.
//! - `vehicle`, `track`: vehicle descriptions, and what a track must be.
//! - `resolved`: the whole as one text again.

pub mod assets;
mod check;
mod diagnostic;
mod faults;
mod merge;
mod overlay;
mod read;
mod resolved;
mod senses;
mod text;
mod time_scale;
mod track;
mod tree;
mod vehicle;
mod yaml;

use crate::assets::{Assets, BUILT_IN, MemoryFiles};
use becomingone_components::body::{Mesh, RobotModel};
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::drive::Drive;
use becomingone_components::joints::Servos;
use becomingone_components::link::{Queue, Silence, Source};
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, ControllerSpec, DriveSpec, FORMAT_VERSION, LoadedScene, ObstacleSpec,
    Scene, SensorKind, SensorSpec, SourceSpan, WitnessSpec, WorldSpec,
};
use becomingone_components::track::Track;
use becomingone_components::vehicle::VehicleModel;
use becomingone_model::{
    Files, ModelError, did_you_mean, find_drive, find_servos, load_mesh, load_robot,
};
use glam::Vec3;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diagnostic::Diagnostics;
pub use diagnostic::{Diagnostic, Place};
pub use overlay::Overlays;
pub use resolved::{held, resolved, to_ron};
pub use text::explain;
use tree::{Node, Shape};
pub use vehicle::MAX_VEHICLE_BYTES;

/// Largest scene file that is read (bytes).
pub const MAX_SCENE_BYTES: u64 = 64 << 20;

/// Why a scene cannot run. Its text names file, line and column, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// The file cannot be read.
    #[error("{file}: {cause}")]
    Read {
        /// As the user gave it.
        file: String,
        /// Why.
        cause: String,
    },
    /// What is wrong with the text or its meaning, or with a file, link or joint that it names: all that
    /// was found, in the order of the text.
    #[error("{}", diagnostic::listed(.0))]
    Diagnostics(Vec<Diagnostic>),
    /// A robot description that was given alone.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Reads a scene file and everything that it names. `model` stands in for the model of every agent that has one.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load(path: &Path, model: Option<&Path>) -> Result<LoadedScene, SceneError> {
    load_with(path, model, &Overlays::default())
}

/// Reads a scene file with overlays laid over it, and everything that these name. A file that one of
/// them names is looked for beside it (in the working folder for a single value), then beside the
/// scene, then among the built-in assets.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load_with(
    path: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
) -> Result<LoadedScene, SceneError> {
    load_from(&Assets, path, model, overlays)
}

/// [`load_with`], with all files from elsewhere.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load_from(
    files: &dyn Files,
    path: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
) -> Result<LoadedScene, SceneError> {
    read(files, path, model, overlays, true)
}

/// A scene from a journal, which holds every file that it is made of, but none that its sensors were fed from: what
/// these gave is in the journal itself.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load_held(held: &MemoryFiles, path: &Path) -> Result<LoadedScene, SceneError> {
    read(held, path, None, &Overlays::default(), false)
}

fn read(
    files: &dyn Files,
    path: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
    recordings: bool,
) -> Result<LoadedScene, SceneError> {
    let sources = overlay::read(files, path, overlays)?;
    let root = overlay::resolve(&sources)?;
    let mut scene = text::read(&root, &sources)?;
    if scene.name.is_empty() {
        scene.name = path
            .file_stem()
            .map_or_else(|| "scene".to_owned(), |s| s.to_string_lossy().into_owned());
    }
    let mut diagnostics = Diagnostics::of(&sources, &root);
    time_scale::apply(&mut scene, &mut diagnostics);
    let sound = check::check(&scene, &mut diagnostics);
    if model.is_some() && scene.agents.iter().all(|a| a.model.is_none()) {
        diagnostics.add(
            "",
            "found no agent with a model; expected one, for the other model to stand in",
        );
    }
    let written = written(&scene, &root, &diagnostics);
    let loaded = if sound {
        let loader = Loader {
            files,
            recordings,
            folder: path.parent().unwrap_or(Path::new("")),
            model,
            diagnostics: &mut diagnostics,
        };
        Some(loader.read(scene))
    } else {
        None
    };
    match loaded {
        Some(loaded) if diagnostics.is_empty() => Ok(LoadedScene { written, ..loaded }),
        _ => Err(SceneError::Diagnostics(diagnostics.told())),
    }
}

/// Where every source that has a link was written, by the stable name of its sensor or drive.
fn written(
    scene: &Scene,
    root: &Node<'_>,
    diagnostics: &Diagnostics<'_, '_>,
) -> BTreeMap<String, SourceSpan> {
    let mut all = BTreeMap::new();
    let mut keep = |name: String, source: &Source, path: String| {
        if !source.has_link() {
            return;
        }
        let span = root.span_of(&path);
        let config = match (source, root.at(&path).map(Node::shape)) {
            (
                Source::Driver(..),
                Some(Shape::Variant {
                    inside: Some(inside),
                    ..
                }),
            ) => match inside.shape() {
                Shape::List { items, .. } => items.get(1).map(|c| c.render().from),
                _ => None,
            },
            _ => None,
        };
        let pieces = config.into_iter().flatten();
        let placed = |span| diagnostics.place(span);
        all.insert(
            name,
            SourceSpan {
                source: placed(span),
                config: pieces
                    .map(|(at, span)| {
                        let (file, place) = placed(span);
                        (at, file, place)
                    })
                    .collect(),
            },
        );
    };
    for (i, agent) in scene.agents.iter().enumerate() {
        for (k, sensor) in agent.sensors.iter().enumerate() {
            keep(
                format!("{}/{}", agent.name, sensor.name),
                &sensor.source,
                format!("agents[{i}].sensors[{k}].source"),
            );
        }
        keep(
            format!("{}/drive", agent.name),
            &agent.drive_source,
            format!("agents[{i}].drive_source"),
        );
    }
    all
}

/// A robot on a plane, put down undriven: what a description alone gives.
///
/// # Errors
///
/// What is wrong with the description.
pub fn dropped(path: &Path) -> Result<LoadedScene, SceneError> {
    dropped_from(&Assets, path)
}

/// [`dropped`], with all files from elsewhere.
///
/// # Errors
///
/// As [`dropped`].
pub fn dropped_from(files: &dyn Files, path: &Path) -> Result<LoadedScene, SceneError> {
    let (model, vehicle) = if vehicle::is_vehicle(path) {
        let (vehicle, robot) = vehicle::load(files, path)?;
        (robot, Some(vehicle))
    } else {
        (Arc::new(load_robot(path, files)?), None)
    };
    // A name is also part of a file's name.
    let plain = model
        .name
        .chars()
        .map(|c| if check::is_plain(c) { c } else { '_' });
    let name = match plain.collect::<String>() {
        name if name.trim_matches(['.', ' ']).is_empty() => "robot".to_owned(),
        name => name,
    };
    let scene = Scene {
        version: FORMAT_VERSION,
        name: name.clone(),
        tick_ns: 1_000_000,
        duration_s: Some(5.0),
        time_scale: 1.0,
        seed: 0,
        world: WorldSpec::default(),
        agents: vec![AgentSpec {
            name,
            model: Some(path.display().to_string()),
            // High enough to be seen falling, low enough to land well.
            position_m: [0.0, 0.0, if model.fixed_base { 0.0 } else { 0.1 }],
            yaw_rad: 0.0,
            fixed: false,
            drive: DriveSpec::Off,
            drive_source: Source::Sim,
            sensors: vec![SensorSpec {
                name: "imu".to_owned(),
                kind: SensorKind::Imu {
                    gyro: Default::default(),
                    accelerometer: Default::default(),
                },
                rate_hz: 100.0,
                link: None,
                position_m: [0.0; 3],
                rotation: [0.0, 0.0, 0.0, 1.0],
                source: Source::Sim,
                queue: Queue::default(),
                silence: Silence::default(),
            }],
            filter: None,
            controller: None,
            coherence: CoherenceSpec::Auto,
            governor: None,
        }],
        fleet: None,
        faults: Vec::new(),
    };
    Ok(LoadedScene {
        scene,
        models: vec![Some(model)],
        drives: vec![None],
        servos: vec![None],
        vehicles: vec![vehicle],
        meshes: Vec::new(),
        track: None,
        written: BTreeMap::new(),
    })
}

/// A description, and its drive or the vehicle that it is.
#[derive(Clone)]
struct Robot {
    model: Arc<RobotModel>,
    drive: Option<Drive>,
    vehicle: Option<Arc<VehicleModel>>,
}

/// Reads what a scene names, and goes on where something is missing: all mistakes are told at once.
struct Loader<'a, 'n, 's> {
    files: &'a dyn Files,
    /// Whether recordings that sensors come from are there.
    recordings: bool,
    folder: &'a Path,
    model: Option<&'a Path>,
    diagnostics: &'a mut Diagnostics<'n, 's>,
}

impl Loader<'_, '_, '_> {
    fn read(mut self, mut scene: Scene) -> LoadedScene {
        // A line that makes no sense has no track.
        let track = scene.world.track.as_ref();
        let track = track.filter(|_| self.diagnostics.is_empty());
        let track = track.map(Track::new).map(Arc::new);
        let mut models = Vec::new();
        let mut drives = Vec::new();
        let mut servos = Vec::new();
        let mut vehicles = Vec::new();
        // A fleet of one kind reads its description once; a bad one is told once.
        let mut known = HashMap::new();
        for (index, agent) in scene.agents.iter_mut().enumerate() {
            if self.recordings {
                self.recordings(agent, index);
            }
            let robot = self.robot(agent, index, &mut known);
            let (drive, vehicle) = robot
                .as_ref()
                .map_or((None, None), |r| (r.drive.clone(), r.vehicle.clone()));
            let model = robot.map(|r| r.model);
            servos.push(match vehicle {
                None => self.servos(agent, index, model.as_deref()),
                // Its wheels are no joints.
                Some(_) => None,
            });
            let of_servos = servos.last().and_then(Option::as_ref);
            let encoded = match (&vehicle, &drive, of_servos) {
                (Some(vehicle), ..) => vehicle.wheels.len(),
                (_, Some(drive), _) => drive.wheels.len(),
                (.., Some(Servos(servos))) => servos.len(),
                _ => 0,
            };
            senses::check(agent, index, encoded, self.diagnostics);
            models.push(model);
            drives.push(drive);
            vehicles.push(vehicle);
        }
        let encoded = |index: usize| {
            let of_drive = drives[index].as_ref().map(|d: &Drive| d.wheels.len());
            let of_servos = servos[index].as_ref().map(|s: &Servos| s.0.len());
            let of_vehicle = vehicles[index]
                .as_ref()
                .map(|v: &Arc<VehicleModel>| v.wheels.len());
            of_vehicle.or(of_drive).or(of_servos)
        };
        let powered = |index: usize| {
            // A model that could not be read has been told of.
            if models[index].is_none() && scene.agents[index].model.is_some() {
                return None;
            }
            let wheels = match (&vehicles[index], &drives[index]) {
                (Some(vehicle), _) => vehicle.wheels.iter().map(|w| w.driven).collect(),
                (None, Some(drive)) => vec![true; drive.wheels.len()],
                (None, None) => Vec::new(),
            };
            let joints = servos[index].as_ref().map_or(0, |s: &Servos| s.0.len());
            Some(faults::DrivenParts { wheels, joints })
        };
        faults::check(&scene, encoded, powered, self.diagnostics);
        let mut meshes = Vec::new();
        for (index, obstacle) in scene.world.obstacles.iter_mut().enumerate() {
            meshes.push(self.mesh(obstacle, index));
        }
        LoadedScene {
            scene,
            models,
            drives,
            servos,
            vehicles,
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
        agent.model = Some(path.display().to_string());
        if self.model.is_some() && matches!(agent.drive, DriveSpec::Wheels { .. }) {
            // Another robot's joints have other names.
            log::warn!(
                "{}: the wheels of the other model are found by themselves",
                agent.name
            );
            agent.drive = DriveSpec::Auto;
        }
        if self.model.is_some() && forget_calibration(agent) {
            log::warn!(
                "{0}: thresholds and governor are of the scene's own model, and left out with another; with `--set agents.{0}.model=..` they stay",
                agent.name
            );
        }
        let key = format!("{:?} {} {}", agent.drive, agent.fixed, path.display());
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
                // Another robot's links have other names: the sensor moves to the root.
                log::warn!(
                    "`{}` has no link `{link}`: {}/{} sits on its root",
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
        Some(robot)
    }

    /// Finds the recordings that an agent's sensors come from.
    fn recordings(&mut self, agent: &mut AgentSpec, index: usize) {
        for (k, sensor) in agent.sensors.iter_mut().enumerate() {
            if let Source::Replay { file, .. } = &mut sensor.source {
                let at = format!("agents[{index}].sensors[{k}].source.file");
                if let Some(path) = self.find(file, &at) {
                    *file = path.display().to_string();
                }
            }
        }
    }

    /// A description, and what drives it as far as that can be.
    fn load(&mut self, path: &Path, agent: &AgentSpec, index: usize) -> Option<Robot> {
        if vehicle::is_vehicle(path) {
            return match vehicle::load(self.files, path) {
                Ok((vehicle, model)) => Some(Robot {
                    model,
                    drive: None,
                    vehicle: Some(vehicle),
                }),
                Err(cause) => {
                    // Each says where in the vehicle's own file.
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
        let mut model = match load_robot(path, self.files) {
            Ok(model) => model,
            Err(cause) => {
                match self.model {
                    // The user named it, and not the scene.
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

    /// Tracks are for vehicles, patrols for robots; the model may be another one than the scene's.
    fn check_controller(&mut self, agent: &AgentSpec, index: usize, path: &Path, is_vehicle: bool) {
        if is_vehicle && agent.fixed {
            self.diagnostics.wrong(
                &format!("agents[{index}].fixed"),
                "a vehicle that stands still",
                "a robot, or nothing: vehicles roll",
            );
        }
        let expected = match &agent.controller {
            Some(
                ControllerSpec::Patrol { .. }
                | ControllerSpec::Orbit { .. }
                | ControllerSpec::Joints { .. },
            ) if is_vehicle => "a robot description (.urdf), or `controller: Track(..)`",
            Some(ControllerSpec::Track { .. }) if !is_vehicle => {
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

    /// The servos of an agent, and whether its controller's motions are theirs.
    fn servos(
        &mut self,
        agent: &mut AgentSpec,
        index: usize,
        model: Option<&RobotModel>,
    ) -> Option<Servos> {
        let model = model?;
        let servos = find_servos(model, &agent.drive).unwrap_or_else(|cause| {
            self.diagnostics
                .add(&format!("agents[{index}].drive"), cause.to_string());
            None
        })?;
        let Some(ControllerSpec::Joints { motions, .. }) = &mut agent.controller else {
            return Some(servos);
        };
        let servo_of = |name: &str| {
            let joint = model.joint(name)?;
            servos.0.iter().find(|s| s.joint == joint)
        };
        if self.model.is_some() {
            motions.retain(|m| {
                let known = servo_of(&m.joint).is_some();
                if !known {
                    // Another robot's joints have other names.
                    log::warn!(
                        "`{}` has no servo on a joint `{}`: it is not moved",
                        model.name,
                        m.joint
                    );
                }
                known
            });
        }
        for (k, motion) in motions.iter().enumerate() {
            let at = format!("agents[{index}].controller.motions[{k}]");
            let Some(servo) = servo_of(&motion.joint) else {
                let joints = servos.0.iter().map(|s| &model.joints[s.joint]);
                let names: Vec<&str> = joints.map(|j| j.name.as_str()).collect();
                let expected = format!(
                    "a joint of `{}` with a servo: {}{}",
                    model.name,
                    names.join(", "),
                    did_you_mean(&motion.joint, names.iter().copied())
                );
                let found = format_args!("`{}`", motion.joint);
                self.diagnostics
                    .wrong(&format!("{at}.joint"), found, &expected);
                continue;
            };
            let start = f64::from(model.joints[servo.joint].start);
            let middle = motion.position.unwrap_or(start);
            let [lower, upper] = servo.range;
            if middle - motion.amplitude < lower || middle + motion.amplitude > upper {
                self.diagnostics.wrong(
                    &at,
                    format_args!("{middle} ± {}", motion.amplitude),
                    &format!(
                        "what stays within the limits of `{}`, {lower} to {upper}",
                        motion.joint
                    ),
                );
            }
        }
        Some(servos)
    }

    /// Wheels and channels of the scene's own must find room in one kernel.
    fn check_channels(&mut self, agent: &AgentSpec, index: usize, wheels: usize) {
        let CoherenceSpec::Kernel { channels, .. } = &agent.coherence else {
            return;
        };
        let encoded = agent
            .sensors
            .iter()
            .any(|s| matches!(s.kind, SensorKind::Encoders { .. }));
        let wheels = if encoded { wheels } else { 0 };
        if wheels + channels.len() > MAX_CHANNELS {
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
        *file = path.display().to_string();
        match load_mesh(&path, Vec3::splat(*scale as f32), self.files) {
            Ok(mesh) => Some(Arc::new(mesh)),
            Err(cause) => {
                self.diagnostics.add(&at, cause.to_string());
                None
            }
        }
    }

    /// A file that the scene names: from the scene's folder, or among the built-in assets.
    fn find(&mut self, named: &str, at: &str) -> Option<PathBuf> {
        let beside = self.diagnostics.folder(at).join(named);
        let with_scene = self.folder.join(named);
        // A path that a resolved scene spells out leads here too.
        let built_in = if Path::new(named).starts_with(BUILT_IN) {
            PathBuf::from(named)
        } else {
            Path::new(BUILT_IN).join("assets").join(named)
        };
        for path in [&beside, &with_scene, &built_in] {
            if self.files.is_file(path) {
                return Some(path.clone());
            }
        }
        let names = assets::assets();
        let message = format!(
            "found `{named}`, which is neither {} nor a built-in asset; expected a file{}",
            beside.display(),
            did_you_mean(named, names.iter().map(String::as_str))
        );
        self.diagnostics.add(at, message);
        None
    }
}

/// Leaves out what was calibrated on another machine, and the governor that would act on it: thresholds do not transfer
/// between plants. Says whether there was any.
fn forget_calibration(agent: &mut AgentSpec) -> bool {
    let mut calibrated = agent.governor.take().is_some();
    if let CoherenceSpec::Kernel { witness, .. } = &mut agent.coherence {
        let WitnessSpec {
            thresholds,
            surroundings,
            innovations,
            places,
            nis,
            ..
        } = witness;
        for part in [thresholds, surroundings, innovations, places] {
            calibrated |= part.take().is_some();
        }
        calibrated |= nis.take().is_some();
    }
    calibrated
}
