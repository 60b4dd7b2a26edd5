//! What a reply may claim.

use becomingone_api::ToolAnswer;
use serde_json::{Value, json};

/// That something was done: the tool, and the tick with which it is applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Receipt {
    tool: String,
    tick: Option<u64>,
}

impl Receipt {
    pub(crate) fn of(tool: &str, answer: &ToolAnswer) -> Self {
        Self {
            tool: tool.to_owned(),
            tick: answer.content["tick"].as_u64(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({"tool": self.tool, "tick": self.tick})
    }
}

/// A reply: its text, and what it may claim.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) receipts: Vec<Receipt>,
    /// Whether the talk is over.
    pub(crate) is_last: bool,
}

impl Reply {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}
