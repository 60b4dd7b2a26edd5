//! ROS messages by the schema in their file:
//!
//! - `definition`: message types; `msg`, `idl`: their two notations; `standard`: types of the common packages.
//! - `wire`: numbers in a serialised message, of ROS 1 or of ROS 2 (CDR).

mod definition;
mod idl;
mod msg;
mod standard;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use definition::Definition;
pub(crate) use wire::{Wire, visit};

/// Notation of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    Msg,
    Idl,
}

/// Parses definitions as in MCAP files and bags: the message, and the types that it uses, separated by `===` lines.
/// Types of ROS 2 that the text lacks are those of the common packages.
///
/// # Errors
///
/// The cause, such as a type that is not defined.
pub(crate) fn parse(
    name: &str,
    text: &str,
    notation: Notation,
    wire: Wire,
) -> Result<Definition, String> {
    let mut types = match notation {
        Notation::Idl => idl::parse(text)?,
        Notation::Msg => msg::parse(name, text)?,
    };
    if wire == Wire::Cdr {
        types.add_known(|name| msg::parse(name, &standard::text(name)?).ok());
    }
    types.link(name)
}

/// Type of the common packages of ROS 2, such as `sensor_msgs/msg/Imu`; `None` if it is of another package.
pub(crate) fn standard(name: &str) -> Option<Definition> {
    let text = standard::text(&definition::plain_name(name))?;
    parse(name, &text, Notation::Msg, Wire::Cdr).ok()
}
