//! Lines of JSON with the state of each agent.

use crate::engine::{CoherenceEngine, EngineError};
use crate::inputs::Output;
use becomingone_components::scene::Agent;
use becomingone_components::time::{NS_PER_S, SimTime};
use becomingone_systems::tick::{Tick, TickSystems};
use becomingone_systems::view::agent_state;
use bevy_app::App;
use bevy_ecs::prelude::*;
use std::io::Write;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Lines that wait for the writer.
const WAITING: usize = 1024;

/// Writes the state of each agent as a line of JSON, ten times a second of simulated time: pose, velocity, kernel, alarm.
///
/// A thread writes; a tick never waits for it. Lines for which there is no room are lost, and their number is in the log.
///
/// ```
/// use becomingone::CoherenceEngine;
/// use becomingone::TextOutput;
/// use std::time::Duration;
///
/// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
/// engine.add_output(TextOutput::new(std::io::stdout()).rate_hz(2.0))?;
/// engine.run_for(Duration::from_secs(1))?;
/// # Ok::<(), becomingone::EngineError>(())
/// ```
pub struct TextOutput {
    to: Box<dyn Write + Send>,
    rate_hz: f64,
}

impl TextOutput {
    /// Lines to this writer.
    pub fn new(to: impl Write + Send + 'static) -> Self {
        Self {
            to: Box::new(to),
            rate_hz: 10.0,
        }
    }

    /// Another rate of simulated time (Hz).
    #[must_use]
    pub fn rate_hz(self, rate_hz: f64) -> Self {
        Self { rate_hz, ..self }
    }
}

impl Output for TextOutput {
    fn connect(self, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
        let Self { mut to, rate_hz } = self;
        if !(rate_hz > 0.0 && rate_hz <= 1e6) {
            return Err(crate::inputs::wrong(format!(
                "found a text output at {rate_hz} Hz; expected more than 0, and at most 1000000"
            )));
        }
        let (lines, waiting) = sync_channel::<String>(WAITING);
        let thread = std::thread::Builder::new().name("text".to_owned());
        let thread = thread.spawn(move || {
            for line in waiting {
                let written = writeln!(to, "{line}").and_then(|()| to.flush());
                if let Err(error) = written {
                    log::error!("text output: {error}; the run goes on without it");
                    return;
                }
            }
        });
        let thread = thread.map_err(|error| {
            crate::inputs::wrong(format!("no thread for the text output: {error}"))
        })?;
        let lines = Lines {
            to: Mutex::new(Some(lines)),
            thread: Some(thread),
            period_ns: (NS_PER_S as f64 / rate_hz) as u64,
            lost: 0,
        };
        let lines = Mutex::new(Some(lines));
        engine.add_plugin(move |app: &mut App| {
            let taken = lines.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(lines) = taken {
                app.insert_resource(lines).add_systems(
                    Tick,
                    write
                        .in_set(TickSystems::Publish)
                        // It only reads what others have.
                        .ambiguous_with_all(),
                );
            }
        });
        Ok(())
    }
}

/// The lines of an engine; all are written when it ends.
#[derive(Resource)]
struct Lines {
    to: Mutex<Option<SyncSender<String>>>,
    thread: Option<JoinHandle<()>>,
    period_ns: u64,
    lost: u64,
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.to.get_mut().map(Option::take));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if self.lost > 0 {
            log::warn!("text output: {} lines lost, as it was too slow", self.lost);
        }
    }
}

fn write(world: &mut World) {
    let &SimTime {
        now_ns, tick_ns, ..
    } = world.resource::<SimTime>();
    let period_ns = world.resource::<Lines>().period_ns.max(1);
    // The first tick at or after each multiple of the period.
    if now_ns / period_ns == now_ns.saturating_sub(tick_ns) / period_ns {
        return;
    }
    let mut agents = world.query_filtered::<(Entity, &Name), With<Agent>>();
    let mut agents: Vec<_> = agents
        .iter(world)
        .map(|(entity, name)| (name.to_string(), entity))
        .collect();
    agents.sort();
    let states = agents
        .iter()
        .map(|(_, entity)| agent_state(world, *entity, None));
    let texts: Vec<_> = states
        .filter_map(|state| serde_json::to_string(&state).ok())
        .collect();
    let mut lines = world.resource_mut::<Lines>();
    let mut lost = 0;
    if let Ok(Some(to)) = lines.to.get_mut() {
        for text in texts {
            if let Err(TrySendError::Full(_)) = to.try_send(text) {
                lost += 1;
            }
        }
    }
    lines.lost += lost;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_comes_for_each_period_and_all_are_written_at_the_end() {
        let text = Shared::default();
        let mut engine =
            CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron").unwrap();
        let output = TextOutput::new(text.clone()).rate_hz(20.0);
        engine.add_output(output).unwrap();
        engine.run_for(Duration::from_secs(1)).unwrap();
        drop(engine);
        let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[19]["agent"], "rover");
        assert_eq!(lines[19]["time_s"], 1.0);
    }

    #[test]
    fn a_rate_that_is_none_is_refused() {
        let mut engine = CoherenceEngine::new();
        let error = engine.add_output(TextOutput::new(std::io::sink()).rate_hz(0.0));
        assert!(
            error
                .err()
                .unwrap()
                .to_string()
                .contains("found a text output at 0 Hz")
        );
    }
}
