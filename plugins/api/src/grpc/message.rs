//! Descriptions of messages, and messages as JSON.

use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions,
    ServiceDescriptor,
};
use serde_json::Value;

/// Description of all messages: a `google.protobuf.FileDescriptorSet`.
pub(super) const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.bin"));

/// The operations and their messages.
#[derive(Clone)]
pub(super) struct Messages {
    pub(super) service: ServiceDescriptor,
}

impl Messages {
    pub(super) fn new() -> Result<Self, String> {
        let pool = DescriptorPool::decode(DESCRIPTION).map_err(|e| e.to_string())?;
        let service = pool.get_service_by_name("becomingone.v1.Engine");
        Ok(Self {
            service: service.ok_or("no service")?,
        })
    }
}

/// A message as JSON with the names of its description; fields that are not set are left out.
pub(super) fn to_json(message: &DynamicMessage) -> Result<Value, String> {
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(false)
        .use_proto_field_name(true)
        .skip_default_fields(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|e| e.to_string())
}

/// A message from JSON, whose other fields are not of it.
pub(super) fn from_json(
    of: MessageDescriptor,
    mut content: Value,
) -> Result<DynamicMessage, String> {
    numbers(&mut content);
    if content.is_null() {
        return Ok(DynamicMessage::new(of));
    }
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    DynamicMessage::deserialize_with_options(of, content, &options).map_err(|e| e.to_string())
}

/// Numbers of lists that are not there are NaN: messages have no null in lists.
fn numbers(content: &mut Value) {
    match content {
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Null => *item = Value::from("NaN"),
                    item => numbers(item),
                }
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_keep_zeros_and_leave_out_what_is_not_set() {
        let messages = Messages::new().unwrap();
        let command = messages.service.methods().find(|m| m.name() == "Command");
        let of = command.unwrap().input();
        let sent = json!({"agent": "rover", "drive": {"linear_m_s": 0.0, "angular_rad_s": -0.5}});
        let read = to_json(&from_json(of, sent).unwrap()).unwrap();
        assert_eq!(
            read,
            json!({"run": "", "agent": "rover", "lease": "", "drive": {"linear_m_s": 0.0, "angular_rad_s": -0.5}})
        );
    }

    #[test]
    fn numbers_that_are_not_there_are_nan() {
        let messages = Messages::new().unwrap();
        let sensor = messages.service.methods().find(|m| m.name() == "GetSensor");
        let of = sensor.unwrap().output();
        let content =
            json!({"sensor": "rover/imu", "values": [null, 1.5], "source_s": null, "other": 3});
        let read = to_json(&from_json(of, content).unwrap()).unwrap();
        assert_eq!(read["values"], json!(["NaN", 1.5]));
        assert!(read.get("source_s").is_none() && read.get("other").is_none());
    }
}
