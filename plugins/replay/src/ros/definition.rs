//! [`Definition`]: message types of ROS, linked to each other.

use std::collections::{BTreeMap, HashMap};

/// Most types of a schema, and most fields of a type.
pub(super) const MAX_TYPES: usize = 10_000;
/// Deepest nesting of types.
const MAX_DEPTH: usize = 40;

/// Type of a field on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Text,
    WideText,
    /// Long double of IDL: 16 bytes.
    Long,
}

impl Primitive {
    /// Length (bytes); of a text: of its length.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 | Self::Text | Self::WideText => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Long => 16,
        }
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::WideText)
    }
}

/// Type of a field: by name until it is linked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Primitive(Primitive),
    /// `time` of ROS 1: two numbers of 32 bit.
    Time,
    /// `duration` of ROS 1.
    Duration,
    Named(String),
    /// Index of a message type.
    Message(usize),
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Many {
    One,
    Fixed(usize),
    Sequence,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) many: Many,
}

/// Message type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) fields: Vec<Field>,
    /// Stamps and durations: `sec` and `nanosec`.
    pub(crate) is_time: bool,
    pub(crate) is_duration: bool,
    /// `@final` of IDL: no length before it in the delimited form of CDR.
    pub(crate) is_final: bool,
}

/// Message types by name `package/Type`, not linked.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) messages: BTreeMap<String, Message>,
}

/// A message type, and those that it uses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) messages: Vec<Message>,
    pub(crate) root: usize,
    /// Whether some field is a `wstring`.
    pub(crate) has_wide_text: bool,
}

/// `package/msg/Type` and `package::msg::Type` as `package/Type`.
pub(super) fn plain_name(name: &str) -> String {
    let name = name.trim().replace("::", "/");
    let mut parts = name.split('/').filter(|p| !p.is_empty());
    match (parts.next(), parts.next_back()) {
        (Some(package), Some(last)) => format!("{package}/{last}"),
        (Some(one), None) => one.to_owned(),
        _ => String::new(),
    }
}

impl Types {
    /// Adds the types that are used and not defined, as far as `known` has them.
    pub(super) fn add_known(&mut self, known: impl Fn(&str) -> Option<Self>) {
        // Types of the common packages use each other, not very deep.
        for _ in 0..MAX_DEPTH {
            let missing: Vec<String> = self
                .messages
                .values()
                .flat_map(|m| &m.fields)
                .filter_map(|f| match &f.kind {
                    Kind::Named(name) if !self.messages.contains_key(name) => Some(name.clone()),
                    _ => None,
                })
                .collect();
            let mut added = false;
            for name in missing {
                if let Some(types) = known(&name) {
                    self.messages.extend(types.messages);
                    added = true;
                }
            }
            if !added {
                return;
            }
        }
    }

    /// Links the types to each other.
    pub(super) fn link(self, root: &str) -> Result<Definition, String> {
        let root = plain_name(root);
        let index: HashMap<String, usize> = self.messages.keys().cloned().zip(0..).collect();
        let mut messages: Vec<Message> = self.messages.into_values().collect();
        for message in &mut messages {
            for field in &mut message.fields {
                if let Kind::Named(name) = &field.kind {
                    let Some(&at) = index.get(name) else {
                        return Err(format!("its schema lacks the type `{name}`"));
                    };
                    field.kind = Kind::Message(at);
                }
            }
        }
        for (name, &at) in &index {
            messages[at].is_time = name == "builtin_interfaces/Time";
            messages[at].is_duration = name == "builtin_interfaces/Duration";
        }
        let Some(&root) = index.get(&root) else {
            return Err(format!("its schema does not define `{root}`"));
        };
        let mut deepest = vec![0; messages.len()];
        depth(&messages, root, 1, &mut deepest)?;
        let has_wide_text = messages
            .iter()
            .zip(&deepest)
            .filter(|(_, depth)| **depth > 0)
            .flat_map(|(m, _)| &m.fields)
            .any(|f| f.kind == Kind::Primitive(Primitive::WideText));
        Ok(Definition {
            messages,
            root,
            has_wide_text,
        })
    }
}

/// Visits the types below a type; an error if one contains itself.
fn depth(messages: &[Message], at: usize, now: usize, deepest: &mut [usize]) -> Result<(), String> {
    if now > MAX_DEPTH {
        return Err("its schema has types that contain themselves".to_owned());
    }
    if deepest[at] >= now {
        return Ok(());
    }
    deepest[at] = now;
    for field in &messages[at].fields {
        if let Kind::Message(below) = field.kind {
            depth(messages, below, now + 1, deepest)?;
        }
    }
    Ok(())
}
