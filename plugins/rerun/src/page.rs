//! Event memory of all agents, as a Markdown page.

use crate::batch::{MemoryEntry, MemoryFrame};
use crate::blueprint::PLOTTED;
use std::fmt::Write as _;

/// Number of memories listed for one agent, strongest first.
const LISTED: usize = 12;
/// Length of the bar at full strength (characters).
const BAR: usize = 10;

/// Event memory page, in its latest state.
pub(crate) struct MemoryPage {
    /// Name and text of each agent.
    agents: Vec<(String, String)>,
}

impl MemoryPage {
    pub(crate) fn new(names: impl Iterator<Item = String>) -> Self {
        Self {
            agents: names.map(|name| (name, String::new())).collect(),
        }
    }

    /// Replaces the section of an agent.
    pub(crate) fn update(&mut self, frame: &MemoryFrame, memories: &[MemoryEntry]) {
        let Some((name, text)) = self.agents.get_mut(frame.agent as usize) else {
            return;
        };
        text.clear();
        // Writing to a string cannot fail.
        let _ = match &frame.likeness {
            Some(like) => writeln!(
                text,
                "## {name}\n\nMost similar event: **{}** ({:.0} %)\n",
                like.label,
                like.similarity * 100.0
            ),
            None => writeln!(text, "## {name}\n\nNo similar event in memory\n"),
        };
        let mut strongest: Vec<&MemoryEntry> = memories.iter().collect();
        strongest.sort_by(|a, b| {
            b.strength
                .total_cmp(&a.strength)
                .then(b.serial.cmp(&a.serial))
        });
        *text += "| strength | | event |\n|---|---|---|\n";
        for memory in strongest.iter().take(LISTED) {
            let bar = "=".repeat((memory.strength * BAR as f64).round() as usize);
            let _ = writeln!(
                text,
                "| {:.2} | {bar} | {} |",
                memory.strength, memory.label
            );
        }
        if memories.len() > LISTED {
            let _ = writeln!(text, "\nand {} weaker events", memories.len() - LISTED);
        }
    }

    pub(crate) fn text(&self) -> String {
        let texts = self.agents.iter().map(|(_, text)| text.as_str());
        let sections: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        sections[..sections.len().min(PLOTTED)].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_systems::coherence::memory::Likeness;

    #[test]
    fn strongest_memories_are_listed_first_and_the_rest_is_counted() {
        let mut page = MemoryPage::new(["a", "b"].map(str::to_owned).into_iter());
        let memories: Vec<_> = (0..20)
            .map(|k| MemoryEntry {
                label: format!("00:{k:02}.0 touched wall").into(),
                serial: k,
                position_m: None,
                strength: k as f64 / 20.0,
            })
            .collect();
        let likeness = Some(Likeness {
            serial: 3,
            label: memories[3].label.clone(),
            similarity: 0.937,
        });
        let frame = MemoryFrame {
            agent: 1,
            len: 20,
            likeness,
        };
        page.update(&frame, &memories);
        let text = page.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "## b");
        assert_eq!(
            lines[2],
            "Most similar event: **00:03.0 touched wall** (94 %)"
        );
        assert_eq!(lines[6], "| 0.95 | ========== | 00:19.0 touched wall |");
        assert_eq!(lines.last(), Some(&"and 8 weaker events"));
    }
}
