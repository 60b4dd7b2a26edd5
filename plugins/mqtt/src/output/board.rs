//! What the tick and the thread of the connection have in common: the newest state, and commands that wait.

use super::command::Command;
use becomingone_components::request::RequestKind;
use becomingone_components::view::AgentState;
use bevy_ecs::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Commands, and refusals, that wait.
const MAX_WAITING: usize = 256;

/// Shared between the tick and the thread; neither waits for the other longer than for a copy.
#[derive(Resource, Clone, Default)]
pub(super) struct Board(Arc<Mutex<Content>>);

#[derive(Default)]
pub(super) struct Content {
    /// Newest state of each agent.
    pub(super) agents: Vec<AgentState>,
    /// Whether an alarm changed since it was published.
    pub(super) is_urgent: bool,
    commands: VecDeque<(String, Command)>,
    refusals: VecDeque<(String, String)>,
}

impl Board {
    pub(super) fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// A command for the agent with this id.
    pub(super) fn command(&mut self, id: String, command: Command) {
        if self.commands.len() < MAX_WAITING {
            self.commands.push_back((id, command));
        } else {
            self.refuse(id, "found too many commands at once".to_owned());
        }
    }

    /// All commands that wait, stops first.
    pub(super) fn take_commands(&mut self) -> Vec<(String, Command)> {
        let mut commands: Vec<_> = self.commands.drain(..).collect();
        commands.sort_by_key(|(_, command)| command.what != RequestKind::Stop);
        commands
    }

    /// A command for the agent with this id is not followed.
    pub(super) fn refuse(&mut self, id: String, reason: String) {
        if self.refusals.len() < MAX_WAITING {
            self.refusals.push_back((id, reason));
        }
    }

    pub(super) fn next_refusal(&mut self) -> Option<(String, String)> {
        self.refusals.pop_front()
    }
}
