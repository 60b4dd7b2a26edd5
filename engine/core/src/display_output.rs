//! A run on a display: Rerun's viewer.

use crate::engine::{CoherenceEngine, EngineError};
use crate::inputs::{Output, wrong};
use becomingone_components::scene::LoadedScene;
use becomingone_rerun::{RerunPlugin, Sink, viewer};
use std::path::PathBuf;

/// Shows a run in Rerun's viewer: in a window that it opens, in a viewer that is there, or in a file for later.
///
/// It never slows the run down. At its end, [`rerun::finish`](crate::rerun::finish) waits for what is on its way.
///
/// ```
/// use becomingone::{CoherenceEngine, DisplayOutput, rerun};
/// use std::time::Duration;
///
/// # let folder = std::env::temp_dir().join(format!("display-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let file = folder.join("run.rrd");
/// let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
/// engine.add_output(DisplayOutput::file(&file))?; // DisplayOutput::new() opens a window
/// engine.run_for(Duration::from_millis(100))?;
/// rerun::finish(engine.world_mut(), Duration::from_secs(10));
/// assert!(file.metadata()?.len() > 1000);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisplayOutput {
    /// None: a window.
    to: Option<Sink>,
}

impl DisplayOutput {
    /// A window. It needs a display, and `rerun` on the path: `becomingone doctor` says what is missing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A viewer at this address, which may start later: `rerun+http://127.0.0.1:9876/proxy`.
    pub fn viewer(url: impl Into<String>) -> Self {
        Self {
            to: Some(Sink::Viewer { url: url.into() }),
        }
    }

    /// A file for `rerun FILE`.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            to: Some(Sink::File(path.into())),
        }
    }
}

impl Output for DisplayOutput {
    fn connect(self, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
        let sink = match self.to {
            Some(sink) => sink,
            None => {
                let program = viewer::showable().map_err(|e| wrong(format!("display: {e}")))?;
                let opened = viewer::spawn(&program);
                let opened = opened.map_err(|e| wrong(format!("display: {e}")))?;
                Sink::Viewer { url: opened.url }
            }
        };
        let scene = &engine.world().resource::<LoadedScene>().scene.name;
        let plugin = RerunPlugin::new(sink, scene);
        engine.add_plugin(plugin.map_err(|e| wrong(format!("display: {e}")))?);
        Ok(())
    }
}
