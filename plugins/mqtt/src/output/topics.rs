//! Topics of a run.

use super::command::Command;
use crate::connection::Qos;
use becomingone_components::request::RequestKind;

/// Quality of all that is published, and of commands.
pub(super) const QOS: Qos = Qos(1);

/// Topics of a run.
pub(super) struct Topics {
    /// Begin of all topics: `becomingone/warehouse_robot`.
    pub(super) base: String,
    /// Begin of Home Assistant's; empty for none.
    pub(super) discovery: String,
    /// Name of the scene.
    pub(super) scene: String,
    pub(super) takes_commands: bool,
}

impl Topics {
    /// `online` or `offline`.
    pub(super) fn availability(&self) -> String {
        format!("{}/status", self.base)
    }

    /// State of an agent.
    pub(super) fn state(&self, agent: &str) -> String {
        format!("{}/{}/state", self.base, id(agent))
    }

    /// Id of an agent at Home Assistant.
    pub(super) fn device(&self, agent: &str) -> String {
        format!("{}_{}", id(&self.base.replace('/', "-")), id(agent))
    }

    /// Description of an agent for Home Assistant.
    pub(super) fn config(&self, agent: &str) -> String {
        format!("{}/device/{}/config", self.discovery, self.device(agent))
    }

    /// A command, if this run takes it: a stop, and others where its owner allowed them at the start.
    pub(super) fn allowed(&self, command: Command) -> Result<Command, String> {
        match self.takes_commands || command.what == RequestKind::Stop {
            true => Ok(command),
            false => Err("found a run that takes no command but `stop`; expected --mqtt-commands, or `commands: true`, at its start".to_owned()),
        }
    }

    /// Commands of all agents.
    pub(super) fn commands(&self) -> String {
        format!("{}/+/command", self.base)
    }

    /// Id of the agent of a command.
    pub(super) fn commanded<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let rest = topic.strip_prefix(&self.base)?.strip_prefix('/')?;
        rest.strip_suffix("/command")
    }
}

/// A name as a level of a topic and as an id of Home Assistant: letters, digits, `_` and `-`. Different names have
/// different ids.
pub(super) fn id(name: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_part) {
        return name.to_owned();
    }
    let plain: String = name
        .chars()
        .map(|c| if is_part(c) { c } else { '_' })
        .collect();
    // FNV-1a: the same in every version of this program.
    let hash = name.bytes().fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{plain}_{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_levels_of_topics_and_different_ones_differ() {
        assert_eq!(id("rover-1_a"), "rover-1_a");
        let names = ["a b", "a/b", "a+b", "a_b", "\u{e4}b", ""];
        let ids: std::collections::BTreeSet<String> = names.map(id).into();
        assert_eq!(ids.len(), names.len());
        for id in ids {
            assert!(
                !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{id}"
            );
        }
    }
}
