//! State of the agents of a run, published to a broker, and commands from there.
//!
//! - [`copy`]: systems that copy the state, and pass commands on as requests.
//! - [`discovery`]: description of an agent for Home Assistant.
//! - [`command`]: the JSON of a command.
//! - [`topics`]: names of topics. [`board`]: what both sides have in common.
//! - [`publisher`]: the thread of the connection.

mod board;
mod command;
mod copy;
mod discovery;
mod publisher;
mod topics;

use crate::config::Publication;
use crate::topics::check_topic;
use becomingone_systems::links::{Running, SourceSite, read_config};
use becomingone_systems::tick::{Paused, Tick, TickSystems};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use board::Board;
use publisher::Publisher;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use topics::{Topics, id};

/// Publishes the state of each agent of a run, and takes commands for them: see the crate's README.
pub struct MqttOutput {
    board: Board,
    /// Runs until the world is dropped.
    running: Mutex<Option<Running>>,
}

/// The thread, which ends with the world.
#[derive(Resource)]
struct Thread(#[expect(dead_code, reason = "dropping it ends the thread")] Mutex<Option<Running>>);

impl MqttOutput {
    /// Starts the connection: `options` is the address of a broker, or the file of options; `scene` is the name of the
    /// scene, of which topics are made. `commands`: whether clients may move agents, as the file of options may say, too; a stop
    /// is always taken. A broker that is not there is no error: it is tried again until the run ends.
    ///
    /// # Errors
    ///
    /// Found and expected; never a password.
    pub fn new(options: &str, scene: &str, commands: bool) -> Result<Self, String> {
        let is_address = options.contains("://");
        let (text, folder) = match is_address {
            true => (format!("(broker: {options:?})"), None),
            false => {
                let text = std::fs::read_to_string(options);
                let text = text.map_err(|e| format!("{options}: {e}"))?;
                (text, Path::new(options).parent())
            }
        };
        let site = SourceSite {
            folder: folder.map(Path::to_owned).unwrap_or_default(),
            ..SourceSite::default()
        };
        // An address is not repeated: it may have a password.
        let place = |e: String| match is_address {
            true => e,
            false => format!("{options}: {e}"),
        };
        let config: Publication = read_config(&text).map_err(|e| place(e.to_string()))?;
        let broker = config.broker().map_err(place)?;
        let every_s = config.every_s.unwrap_or(1.0);
        if !(0.01..=3600.0).contains(&every_s) {
            return Err(place(format!(
                "found `every_s: {every_s}`; expected 0.01 to 3600"
            )));
        }
        let discovery = config
            .discovery
            .unwrap_or_else(|| "homeassistant".to_owned());
        let base = config
            .prefix
            .unwrap_or_else(|| format!("becomingone/{}", id(scene)));
        check_topic(&base).map_err(place)?;
        if !discovery.is_empty() {
            check_topic(&discovery).map_err(place)?;
        }
        let topics = Topics {
            base,
            discovery,
            scene: scene.to_owned(),
            takes_commands: commands || config.commands.unwrap_or(false),
        };
        let board = Board::default();
        let name = format!("mqtt {}", broker.address);
        let every = Duration::from_secs_f64(every_s);
        let publisher =
            Publisher::new(broker, site, topics, board.clone(), every).map_err(place)?;
        let running = Running::alone(name, Box::new(publisher));
        let running = running.map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(Self {
            board,
            running: Mutex::new(Some(running)),
        })
    }
}

impl Plugin for MqttOutput {
    fn build(&self, app: &mut App) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        app.insert_resource(self.board.clone())
            .insert_resource(Thread(Mutex::new(running)))
            .init_resource::<copy::Causes>()
            .add_systems(
                Tick,
                // They only read what others have, and change the queue of the next tick.
                (copy::copy, copy::take_commands)
                    .chain()
                    .in_set(TickSystems::Publish)
                    .ambiguous_with_all(),
            )
            .add_systems(Paused, copy::take_commands);
    }
}
