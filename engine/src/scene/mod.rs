//! From a file to a scene that can run: parse, check, and read the models and meshes that it names.

mod check;
mod locate;
mod text;

use crate::assets::{Assets, BUILT_IN};
use becomingone_components::body::{Mesh, RobotModel};
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::drive::Drive;
use becomingone_components::scene::{
    AgentSpec, CoherenceSpec, DriveSpec, FORMAT_VERSION, LoadedScene, ObstacleSpec, Scene,
    SensorKind, SensorSpec, WorldSpec,
};
use becomingone_model::{
    DriveError, Files, ModelError, did_you_mean, find_drive, load_mesh, load_robot,
};
use glam::Vec3;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use check::Mistake;

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
    /// The file is no scene of this format.
    #[error("{file}:{line}:{column}: {message}")]
    Text {
        /// As the user gave it.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What was found, what is allowed, the nearest name.
        message: String,
    },
    /// The file is a scene that makes no sense: every mistake, in the order of the file.
    #[error("{}", check::listed(.0))]
    Meaning(Vec<Mistake>),
    /// A robot description.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A robot description or a mesh that a scene names.
    #[error("{place}: {cause}")]
    File {
        /// `file:line:column` of where it is named.
        place: String,
        /// What is wrong with it.
        cause: ModelError,
    },
    /// A robot that the scene wants to drive.
    #[error("{place}: {cause}")]
    Drive {
        /// `file:line:column` of the agent's drive.
        place: String,
        /// Why not.
        cause: DriveError,
    },
    /// A link, joint or file that the scene names and the robot or disk does not have.
    #[error("{place}: {message}")]
    Reference {
        /// `file:line:column`.
        place: String,
        /// What was named, what there is.
        message: String,
    },
}

/// Reads a scene file and everything that it names. `model` stands in for the model of every agent that has one.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load(path: &Path, model: Option<&Path>) -> Result<LoadedScene, SceneError> {
    let bytes = Assets
        .read_at_most(path, MAX_SCENE_BYTES)
        .map_err(|cause| SceneError::Read {
            file: path.display().to_string(),
            cause: cause.to_string(),
        })?;
    let file = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|error| {
        let (line, column) = byte_place(error.as_bytes(), error.utf8_error().valid_up_to());
        SceneError::Text {
            file: file.clone(),
            line,
            column,
            message: "found a byte that is not UTF-8 text; expected a scene in RON".to_owned(),
        }
    })?;
    let mut scene = text::parse(&text, &file)?;
    if scene.name.is_empty() {
        scene.name = path
            .file_stem()
            .map_or_else(|| "scene".to_owned(), |s| s.to_string_lossy().into_owned());
    }
    let places = locate::Places::of(&text);
    let mistakes = check::check(&scene, &file, &places);
    if !mistakes.is_empty() {
        return Err(SceneError::Meaning(mistakes));
    }
    if model.is_some() && scene.agents.iter().all(|a| a.model.is_none()) {
        return Err(SceneError::Reference {
            place: format!("{file}:1:1"),
            message: "found no agent with a model; expected one, for the other model to stand in"
                .to_owned(),
        });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    Loader {
        file,
        folder,
        places,
        model,
    }
    .read(scene)
}

/// A robot on a plane, put down undriven: what a description alone gives.
///
/// # Errors
///
/// What is wrong with the description.
pub fn dropped(path: &Path) -> Result<LoadedScene, SceneError> {
    let model = load_robot(path, &Assets)?;
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
        seed: 0,
        world: WorldSpec::default(),
        agents: vec![AgentSpec {
            name,
            model: Some(path.display().to_string()),
            // High enough to be seen falling, low enough to land well.
            position_m: [0.0, 0.0, if model.fixed_base { 0.0 } else { 0.1 }],
            yaw_rad: 0.0,
            drive: DriveSpec::Off,
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
            }],
            controller: None,
            coherence: CoherenceSpec::Auto,
        }],
    };
    Ok(LoadedScene {
        scene,
        models: vec![Some(Arc::new(model))],
        drives: vec![None],
        meshes: Vec::new(),
    })
}

/// Line and column of a byte, both from 1, the column in characters as far as it is text.
fn byte_place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// A description and its drive.
type Robot = (Arc<RobotModel>, Option<Drive>);

struct Loader<'a> {
    file: String,
    folder: &'a Path,
    places: locate::Places<'a>,
    model: Option<&'a Path>,
}

impl Loader<'_> {
    fn read(&self, mut scene: Scene) -> Result<LoadedScene, SceneError> {
        let mut models = Vec::new();
        let mut drives = Vec::new();
        // A fleet of one kind reads its description once.
        let mut known = HashMap::new();
        for (index, agent) in scene.agents.iter_mut().enumerate() {
            let robot = self.robot(agent, index, &mut known)?;
            let (model, drive) = robot.map_or((None, None), |(m, d)| (Some(m), d));
            models.push(model);
            drives.push(drive);
        }
        let mut meshes = Vec::new();
        for (index, obstacle) in scene.world.obstacles.iter().enumerate() {
            meshes.push(self.mesh(obstacle, index)?);
        }
        Ok(LoadedScene {
            scene,
            models,
            drives,
            meshes,
        })
    }

    fn robot(
        &self,
        agent: &mut AgentSpec,
        index: usize,
        known: &mut HashMap<String, Robot>,
    ) -> Result<Option<Robot>, SceneError> {
        let Some(named) = &agent.model else {
            return Ok(None);
        };
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
        let key = format!("{:?} {}", agent.drive, path.display());
        let (model, drive) = match known.get(&key) {
            Some(robot) => robot.clone(),
            None => {
                let mut model = load_robot(&path, &Assets).map_err(|cause| match self.model {
                    // The user named it, and not the scene.
                    Some(_) => SceneError::Model(cause),
                    None => SceneError::File {
                        place: self.place(&format!("agents[{index}].model")),
                        cause,
                    },
                })?;
                let drive =
                    find_drive(&mut model, &agent.drive).map_err(|cause| SceneError::Drive {
                        place: self.place(&format!("agents[{index}].drive")),
                        cause,
                    })?;
                let robot = (Arc::new(model), drive);
                known.insert(key, robot.clone());
                robot
            }
        };
        self.check_channels(agent, index, drive.as_ref())?;
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
            return Err(SceneError::Reference {
                place: self.place(&format!("agents[{index}].sensors[{k}].link")),
                message: format!(
                    "found link `{link}`; expected a link of `{}`{}",
                    model.name,
                    did_you_mean(link, names)
                ),
            });
        }
        Ok(Some((model, drive)))
    }

    /// Wheels and channels of the scene's own must find room in one kernel.
    fn check_channels(
        &self,
        agent: &AgentSpec,
        index: usize,
        drive: Option<&Drive>,
    ) -> Result<(), SceneError> {
        let CoherenceSpec::Kernel { channels, .. } = &agent.coherence else {
            return Ok(());
        };
        let encoded = agent
            .sensors
            .iter()
            .any(|s| matches!(s.kind, SensorKind::Encoders { .. }));
        let wheels = drive.filter(|_| encoded).map_or(0, |d| d.wheels.len());
        if wheels + channels.len() <= MAX_CHANNELS {
            return Ok(());
        }
        Err(SceneError::Reference {
            place: self.place(&format!("agents[{index}].coherence.channels")),
            message: format!(
                "agents[{index}].coherence.channels: found {} channels beside {wheels} wheels; expected at most {MAX_CHANNELS} in all",
                channels.len()
            ),
        })
    }

    fn mesh(&self, obstacle: &ObstacleSpec, index: usize) -> Result<Option<Arc<Mesh>>, SceneError> {
        let ObstacleSpec::Mesh { file, scale, .. } = obstacle else {
            return Ok(None);
        };
        let path = self.find(file, &format!("world.obstacles[{index}].file"))?;
        let mesh = load_mesh(&path, Vec3::splat(*scale as f32), &Assets).map_err(|cause| {
            SceneError::File {
                place: self.place(&format!("world.obstacles[{index}].file")),
                cause,
            }
        })?;
        Ok(Some(Arc::new(mesh)))
    }

    /// A file that the scene names: from the scene's folder, or among the built-in assets.
    fn find(&self, named: &str, at: &str) -> Result<PathBuf, SceneError> {
        let beside = self.folder.join(named);
        let built_in = Path::new(BUILT_IN).join("assets").join(named);
        for path in [&beside, &built_in] {
            if Assets.is_file(path) {
                return Ok(path.clone());
            }
        }
        let names = crate::assets::assets();
        Err(SceneError::Reference {
            place: self.place(at),
            message: format!(
                "found `{named}`, which is neither {} nor a built-in asset; expected a file{}",
                beside.display(),
                did_you_mean(named, names.iter().map(String::as_str))
            ),
        })
    }

    fn place(&self, path: &str) -> String {
        let (line, column) = self.places.of_path(path);
        format!("{}:{line}:{column}", self.file)
    }
}
