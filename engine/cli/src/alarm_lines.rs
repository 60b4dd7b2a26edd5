//! Lines of alarms, printed while a run goes on.

use crate::terminal;
use becomingone::CoherenceEngine;
use becomingone::systems::index::EntityIndex;
use becomingone_components::coherence::Coherence;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::time::NS_PER_S;
use bevy_ecs::message::{MessageCursor, Messages};
use std::collections::BTreeSet;
use std::io::Write as _;

/// Alarms that have a line: thousands of machines may raise them at once.
const MAX_LINES: usize = 100;

/// Prints a line when an alarm begins, and one when it ends.
///
/// It reads the events that are written with the summary's alarms; a tick without one costs nothing.
#[derive(Default)]
pub(crate) struct AlarmLines {
    events: MessageCursor<AgentEvent>,
    printed: usize,
    /// Agents with an alarm that has a line and is not over.
    open: BTreeSet<String>,
}

impl AlarmLines {
    /// Prints the alarms of the last tick.
    pub(crate) fn update(&mut self, engine: &CoherenceEngine) {
        let world = engine.world();
        let Some(messages) = world.get_resource::<Messages<AgentEvent>>() else {
            return;
        };
        let mut events = std::mem::take(&mut self.events);
        for event in events.read(messages) {
            let agent = world.resource::<EntityIndex>().entity(&event.agent);
            let coherence = agent.and_then(|agent| world.get::<Coherence>(agent));
            let surprise = coherence.and_then(|c| c.surprise);
            if let Some(line) = self.line(event, surprise.unwrap_or_default()) {
                // In one piece: another thread may draw the status line. A closed stderr does not end the run.
                let _ = terminal::LogWriter.write_all(line.as_bytes());
            }
        }
        self.events = events;
    }

    /// What is printed of an event.
    fn line(&mut self, event: &AgentEvent, surprise: f64) -> Option<String> {
        let AgentEvent {
            now_ns,
            agent,
            kind,
        } = event;
        let at_s = *now_ns as f64 / NS_PER_S as f64;
        match kind {
            EventKind::AlarmRaised { cause } if self.printed < MAX_LINES => {
                self.printed += 1;
                self.open.insert(agent.clone());
                let cause = if cause.is_empty() { "?" } else { cause };
                let last = if self.printed == MAX_LINES {
                    "further alarms are not printed; the summary counts them\n"
                } else {
                    ""
                };
                Some(format!(
                    "alarm: {at_s:.2} s, {agent}: {cause}, surprise {surprise:.1}\n{last}"
                ))
            }
            EventKind::AlarmCleared if self.open.remove(agent) => {
                Some(format!("over: {at_s:.2} s, {agent}\n"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_alarms_have_lines_and_the_end_of_each_of_them() {
        let mut lines = AlarmLines::default();
        let event = |k: usize, kind| AgentEvent {
            now_ns: 21_340_000_000,
            agent: format!("a{k}"),
            kind,
        };
        let cause = "imu/gyro".to_owned();
        let raised = EventKind::AlarmRaised { cause };
        let begun: Vec<String> = (0..1000)
            .filter_map(|k| lines.line(&event(k, raised.clone()), 3.21))
            .collect();
        assert_eq!(begun.len(), 100);
        assert_eq!(begun[7], "alarm: 21.34 s, a7: imu/gyro, surprise 3.2\n");
        assert!(begun[99].ends_with("not printed; the summary counts them\n"));
        let over: Vec<String> = (0..1000)
            .filter_map(|k| lines.line(&event(k, EventKind::AlarmCleared), 0.0))
            .collect();
        assert_eq!(over.len(), 100);
        assert_eq!(over[99], "over: 21.34 s, a99\n");
    }
}
