//! `.msg` notation: a field or a constant a line. Specification: `index.ros.org/p/rosidl_adapter`, `wiki.ros.org/msg`.

use super::definition::{Field, Kind, MAX_TYPES, Many, Message, Primitive, Types, plain_name};

/// Parses a message and the types that it uses, after lines `===` and `MSG: package/Type`.
pub(super) fn parse(name: &str, text: &str) -> Result<Types, String> {
    let mut types = Types::default();
    let mut current = plain_name(name);
    let mut message = Message::default();
    let mut starts = false;
    for line in text.lines() {
        let line = line.trim();
        if line.len() >= 3 && line.bytes().all(|b| b == b'=') {
            types
                .messages
                .insert(current.clone(), std::mem::take(&mut message));
            starts = true;
        } else if let Some(next) = line.strip_prefix("MSG:").filter(|_| starts) {
            current = plain_name(next);
            starts = false;
        } else if let Some(field) = field(line, &current)? {
            message.fields.push(field);
        }
        if types.messages.len() > MAX_TYPES || message.fields.len() > MAX_TYPES {
            return Err(format!(
                "its schema has more than {MAX_TYPES} types or fields"
            ));
        }
    }
    // The first definition of a name counts: that of the message itself.
    types.messages.entry(current).or_insert(message);
    Ok(types)
}

/// Field of a line; `None` for a comment or a constant.
fn field(line: &str, message: &str) -> Result<Option<Field>, String> {
    let line = line.split('#').next().unwrap_or_default().trim();
    if line.is_empty() {
        return Ok(None);
    }
    let invalid = || format!("its schema has the line `{line}` in `{message}`");
    let (kind, rest) = line.split_once(char::is_whitespace).ok_or_else(invalid)?;
    let rest = rest.trim_start();
    let name_ends = rest
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(rest.len());
    let (name, value) = rest.split_at(name_ends);
    if value.trim_start().starts_with('=') {
        return Ok(None);
    }
    let (kind, many) = match kind.split_once('[') {
        None => (kind, Many::One),
        Some((kind, size)) => {
            let size = size.strip_suffix(']').ok_or_else(invalid)?;
            let many = if size.is_empty() || size.starts_with("<=") {
                Many::Sequence
            } else {
                Many::Fixed(size.parse().map_err(|_| invalid())?)
            };
            (kind, many)
        }
    };
    // Bounds of texts do not change how they are written.
    let kind = kind.split("<=").next().unwrap_or_default();
    let kind = match kind {
        "bool" => Kind::Primitive(Primitive::Bool),
        "byte" | "char" | "uint8" => Kind::Primitive(Primitive::U8),
        "int8" => Kind::Primitive(Primitive::I8),
        "int16" => Kind::Primitive(Primitive::I16),
        "uint16" => Kind::Primitive(Primitive::U16),
        "int32" => Kind::Primitive(Primitive::I32),
        "uint32" => Kind::Primitive(Primitive::U32),
        "int64" => Kind::Primitive(Primitive::I64),
        "uint64" => Kind::Primitive(Primitive::U64),
        "float32" => Kind::Primitive(Primitive::F32),
        "float64" => Kind::Primitive(Primitive::F64),
        "string" => Kind::Primitive(Primitive::Text),
        "wstring" => Kind::Primitive(Primitive::WideText),
        "time" => Kind::Time,
        "duration" => Kind::Duration,
        "Header" => Kind::Named("std_msgs/Header".to_owned()),
        other if other.contains('/') => Kind::Named(plain_name(other)),
        other => {
            let package = message.split('/').next().unwrap_or_default();
            Kind::Named(format!("{package}/{other}"))
        }
    };
    Ok(Some(Field {
        name: name.to_owned(),
        kind,
        many,
    }))
}
