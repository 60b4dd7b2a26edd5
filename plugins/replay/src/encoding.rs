//! [`Encoding`]: message encodings, and the numbers in a message.

use crate::ros::{self, Definition, Notation, Wire};
use crate::source::{Each, Leaf, MAX_LIST, below};
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage as _, Value as Field,
};
use serde_json::Value;

/// Message encoding of a channel.
#[derive(Clone, Debug)]
pub(crate) enum Encoding {
    Json,
    Protobuf(MessageDescriptor),
    Ros(Box<Definition>, Wire),
    /// Unsupported: the reason.
    Other(String),
}

/// Schema of a channel: name, encoding, and text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) encoding: String,
    pub(crate) bytes: Vec<u8>,
}

impl Encoding {
    /// Encoding of a channel by its name, such as `cdr`, and its schema.
    pub(crate) fn of(encoding: &str, schema: Option<&Schema>) -> Self {
        let found = match encoding {
            "json" => return Self::Json,
            "protobuf" => protobuf_schema(schema).map(Self::Protobuf),
            "cdr" | "ros2" => ros_schema(encoding, schema, Wire::Cdr),
            "ros1" => ros_schema(encoding, schema, Wire::Ros1),
            "" => Err("no encoding".to_owned()),
            other => Err(other.to_owned()),
        };
        found.unwrap_or_else(Self::Other)
    }

    /// Visits the leaves of a message below a topic.
    ///
    /// # Errors
    ///
    /// The cause, if the message is not valid in its encoding.
    pub(crate) fn visit(&self, topic: &str, bytes: &[u8], each: Each<'_>) -> Result<(), String> {
        let mut path = topic.trim_start_matches('/').to_owned();
        match self {
            Self::Json => {
                let value = serde_json::from_slice(bytes).map_err(|e| format!("JSON: {e}"))?;
                json(&value, &mut path, each);
            }
            Self::Protobuf(descriptor) => {
                let message = DynamicMessage::decode(descriptor.clone(), bytes);
                let message = message.map_err(|e| format!("protobuf: {e}"))?;
                protobuf(&message, &mut path, each);
            }
            Self::Ros(definition, wire) => ros::visit(definition, *wire, bytes, &mut path, each)?,
            Self::Other(_) => {}
        }
        Ok(())
    }
}

fn protobuf_schema(schema: Option<&Schema>) -> Result<MessageDescriptor, String> {
    let schema = schema.ok_or("protobuf without a schema")?;
    let pool = DescriptorPool::decode(schema.bytes.as_slice());
    let pool = pool.map_err(|_| "protobuf with an invalid schema")?;
    let message = pool.get_message_by_name(&schema.name);
    message.ok_or_else(|| "protobuf without a schema".to_owned())
}

fn ros_schema(encoding: &str, schema: Option<&Schema>, wire: Wire) -> Result<Encoding, String> {
    let Some(schema) = schema else {
        return Err(format!("{encoding} without a schema"));
    };
    let notation = match schema.encoding.as_str() {
        "ros2msg" | "ros1msg" => Notation::Msg,
        "ros2idl" | "omgidl" => Notation::Idl,
        "" if schema.bytes.is_empty() => Notation::Msg,
        other => return Err(format!("{encoding} with a schema in {other}")),
    };
    let text = String::from_utf8_lossy(&schema.bytes);
    let definition = if text.trim().is_empty() && wire == Wire::Cdr {
        // A writer that did not find the definition leaves it empty; so is that of an empty message.
        let known = ros::standard(&schema.name);
        known.ok_or_else(|| format!("{encoding}: its schema `{}` is empty", schema.name))?
    } else {
        ros::parse(&schema.name, &text, notation, wire)
            .map_err(|cause| format!("{encoding}: {cause}"))?
    };
    Ok(Encoding::Ros(Box::new(definition), wire))
}

fn json(value: &Value, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    match value {
        Value::Null => each(path, Leaf::Missing),
        Value::Bool(on) => each(path, Leaf::Number(f64::from(u8::from(*on)))),
        Value::Number(x) => each(path, Leaf::number(x.as_f64().unwrap_or(f64::NAN))),
        Value::String(_) => each(path, Leaf::Text),
        Value::Array(items) if items.len() <= MAX_LIST => {
            for (k, item) in items.iter().enumerate() {
                below(path, &k, |path| json(item, path, each));
            }
        }
        Value::Array(_) => each(path, Leaf::LongList),
        Value::Object(fields) => {
            for (name, field) in fields {
                below(path, name, |path| json(field, path, each));
            }
        }
    }
}

fn protobuf(message: &DynamicMessage, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    for field in message.descriptor().fields() {
        let message_type = field.kind().as_message().map(|m| m.full_name().to_owned());
        let is_time = matches!(
            message_type.as_deref(),
            Some("google.protobuf.Timestamp" | "google.protobuf.Duration")
        );
        // Stamps are not readings; fields that are not set and have no default have no value.
        if is_time || (field.supports_presence() && !message.has_field(&field)) {
            continue;
        }
        let value = message.get_field(&field);
        below(path, &field.name(), |path| {
            protobuf_field(&value, path, each);
        });
    }
}

fn protobuf_field(value: &Field, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    let x = match value {
        Field::Bool(on) => f64::from(u8::from(*on)),
        Field::I32(x) => f64::from(*x),
        Field::I64(x) => *x as f64,
        Field::U32(x) => f64::from(*x),
        Field::U64(x) => *x as f64,
        Field::F32(x) => f64::from(*x),
        Field::F64(x) => *x,
        Field::EnumNumber(_) | Field::String(_) => return each(path, Leaf::Text),
        Field::Message(message) => return protobuf(message, path, each),
        Field::List(items) if items.len() <= MAX_LIST => {
            for (k, item) in items.iter().enumerate() {
                below(path, &k, |path| protobuf_field(item, path, each));
            }
            return;
        }
        Field::List(_) => return each(path, Leaf::LongList),
        Field::Map(_) | Field::Bytes(_) => return,
    };
    each(path, Leaf::number(x));
}
