//! Recording of a run: `run --record`.

use crate::failure::Failure;
#[cfg(feature = "record")]
use crate::output::program;
use crate::overlays::OverlayArgs;
use becomingone::CoherenceEngine;
use becomingone::components::scene::LoadedScene;
use std::collections::BTreeMap;
use std::path::Path;

/// Command line of a run, kept in the recording's metadata.
#[cfg_attr(
    not(feature = "record"),
    expect(dead_code, reason = "nothing is recorded")
)]
pub(crate) struct Origin<'a> {
    pub(crate) what: &'a Path,
    pub(crate) model: Option<&'a Path>,
    pub(crate) overlays: &'a OverlayArgs,
    pub(crate) threads: u16,
    /// The agent that is driven by hand.
    pub(crate) teleop_agent: Option<&'a str>,
}

/// A recording: opened before the engine exists, then attached to it.
pub(crate) struct Recording {
    #[cfg(feature = "record")]
    plugin: Option<becomingone::record::RecordPlugin>,
    #[cfg(feature = "record")]
    file: std::path::PathBuf,
}

#[cfg(not(feature = "record"))]
impl Recording {
    pub(crate) fn open(
        _file: &Path,
        _: &Origin<'_>,
        _loaded: &LoadedScene,
        _read: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, Failure> {
        Err(Failure::BadInput(
            "this binary was built without recordings; build it with --features record".to_owned(),
        ))
    }

    pub(crate) fn begin(self, _engine: &mut CoherenceEngine) -> Self {
        self
    }

    pub(crate) fn end(self, _engine: &mut CoherenceEngine, _stopped: bool, _quiet: bool) -> bool {
        true
    }
}

#[cfg(feature = "record")]
impl Recording {
    /// Creates the file. `read` are the files that the scene was loaded from.
    pub(crate) fn open(
        file: &Path,
        origin: &Origin<'_>,
        loaded: &LoadedScene,
        read: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, Failure> {
        use becomingone::record::{Opening, RecordPlugin, SCENE_ATTACHMENT};
        let list = |items: Vec<String>| items.join("\n");
        let paths = |items: &[std::path::PathBuf]| {
            list(items.iter().map(|p| p.display().to_string()).collect())
        };
        let mut metadata = BTreeMap::from(
            [
                ("engine", env!("CARGO_PKG_VERSION").to_owned()),
                ("scene", loaded.scene.name.clone()),
                ("scene_version", loaded.scene.version.to_string()),
                ("threads", origin.threads.to_string()),
                ("what", origin.what.display().to_string()),
                ("profile", paths(&origin.overlays.profile)),
                ("config", paths(&origin.overlays.config)),
                ("set", list(origin.overlays.set.clone())),
                (
                    "platform",
                    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
                ),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        if let Some(model) = origin.model {
            metadata.insert("model".to_owned(), model.display().to_string());
        }
        // For the reader only: the stick's inputs are among the frames.
        if let Some(agent) = origin.teleop_agent {
            metadata.insert("teleop".to_owned(), agent.to_owned());
        }
        metadata.retain(|_, value| !value.is_empty());
        let text = becomingone::scene::held(&loaded.scene).into_bytes();
        let mut attachments = vec![(SCENE_ATTACHMENT.to_owned(), text)];
        attachments.extend(read);
        let opening = Opening {
            name: file.display().to_string(),
            metadata,
            attachments,
        };
        let plugin =
            RecordPlugin::new(file, opening).map_err(|e| Failure::BadInput(e.to_string()))?;
        Ok(Self {
            plugin: Some(plugin),
            file: file.to_owned(),
        })
    }

    /// Attaches it to an engine.
    pub(crate) fn begin(mut self, engine: &mut CoherenceEngine) -> Self {
        if let Some(plugin) = self.plugin.take() {
            engine.add_plugin(plugin);
        }
        self
    }

    /// Closes it and reports its path and its losses. Returns whether it was written completely.
    pub(crate) fn end(self, engine: &mut CoherenceEngine, stopped: bool, quiet: bool) -> bool {
        // A stopped run ends within two seconds, of which Rerun takes one. A finished run waits for the disk.
        let limit = std::time::Duration::from_secs(if stopped { 1 } else { 60 });
        let Some(report) = becomingone::record::finish(engine.world_mut(), limit) else {
            return true;
        };
        let file = self.file.display();
        if report.dropped > 0 {
            print_err!(
                "warning: {file} lacks {} of {} ticks: the disk was too slow; replay stops at the first missing tick",
                report.dropped,
                report.dropped + report.ticks
            );
        }
        if let Some(why) = &report.lost {
            let name = format!("{file}: ");
            let why = why.strip_prefix(&name).unwrap_or(why);
            print_err!("error: the recording {file} is incomplete: {why}");
        } else if !quiet {
            print_out!(
                "recorded {file}; to replay it and compare each tick:\n    {} replay {file} --verify\n",
                program()
            );
        }
        report.lost.is_none()
    }
}
