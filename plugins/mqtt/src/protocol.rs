//! Payloads as documents: JSON, CBOR, MessagePack, or a text that is one value.

use becomingone_systems::links::document::{Document, Refusal, parse};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

/// Deepest nesting of lists and maps.
const MAX_DEPTH: usize = 64;

/// Layout of payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Decode {
    /// A JSON document.
    #[default]
    Json,
    /// A CBOR item (RFC 8949). Tags are skipped; byte strings are missing values.
    Cbor,
    /// A MessagePack object. Byte strings and extensions are missing values.
    MessagePack,
    /// A text that is one number.
    Raw,
}

impl Decode {
    /// Decodes a payload; none of an empty one, by which a retained message is deleted.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    ///
    /// ```
    /// use becomingone_mqtt::protocol::Decode;
    /// use serde_json::json;
    ///
    /// let document = Decode::Cbor.document(b"\xa1\x61x\xf9\x3e\x00");
    /// assert_eq!(document, Ok(Some((json!({"x": 1.5}), 0))));
    /// ```
    pub fn document(self, payload: &[u8]) -> Result<Option<Document>, Refusal> {
        if payload.is_empty() {
            return Ok(None);
        }
        let refuse = |kind| move |reason| Refusal { kind, reason };
        let mut not_finite = 0;
        let value = match self {
            Self::Json => return parse(payload).map(Some).map_err(refuse("not JSON")),
            Self::Cbor => cbor(payload, &mut not_finite).map_err(refuse("not CBOR"))?,
            Self::MessagePack => {
                message_pack(payload, &mut not_finite).map_err(refuse("not MessagePack"))?
            }
            Self::Raw => raw(payload).map_err(refuse("not a number"))?,
        };
        Ok(Some((value, not_finite)))
    }
}

fn raw(payload: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(payload).unwrap_or_default().trim();
    match text.parse::<f64>() {
        Ok(_) => Ok(Value::String(text.to_owned())),
        Err(_) => Err("found a payload that is no number; expected the text of one".to_owned()),
    }
}

fn float(number: f64, not_finite: &mut u64) -> Value {
    Number::from_f64(number).map_or_else(
        || {
            *not_finite += 1;
            Value::Null
        },
        Value::Number,
    )
}

fn trailing(rest: &[u8], noun: &str) -> Result<(), String> {
    match rest.len() {
        0 => Ok(()),
        n => Err(format!("found {n} bytes after the {noun}; expected none")),
    }
}

fn cbor(payload: &[u8], not_finite: &mut u64) -> Result<Value, String> {
    use ciborium::Value as Item;
    fn json(item: Item, not_finite: &mut u64) -> Value {
        match item {
            Item::Bool(b) => b.into(),
            Item::Text(text) => text.into(),
            Item::Float(x) => float(x, not_finite),
            Item::Integer(n) => match (u64::try_from(n), i64::try_from(n)) {
                (Ok(n), _) => n.into(),
                (_, Ok(n)) => n.into(),
                _ => float(i128::from(n) as f64, not_finite),
            },
            Item::Tag(_, item) => json(*item, not_finite),
            Item::Array(items) => {
                let items = items.into_iter().map(|item| json(item, not_finite));
                Value::Array(items.collect())
            }
            Item::Map(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    let key = match key {
                        Item::Text(text) => text,
                        Item::Integer(n) => i128::from(n).to_string(),
                        _ => continue,
                    };
                    map.insert(key, json(item, not_finite));
                }
                Value::Object(map)
            }
            _ => Value::Null,
        }
    }
    let mut rest = payload;
    let item = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH);
    let item: Item = item.map_err(|error| format!("found bytes that are not CBOR: {error}"))?;
    trailing(rest, "item")?;
    Ok(json(item, not_finite))
}

fn message_pack(payload: &[u8], not_finite: &mut u64) -> Result<Value, String> {
    use rmpv::Value as Object;
    fn json(object: Object, not_finite: &mut u64) -> Value {
        match object {
            Object::Boolean(b) => b.into(),
            Object::Integer(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => n.into(),
                (_, Some(n)) => n.into(),
                _ => Value::Null,
            },
            Object::F32(x) => float(f64::from(x), not_finite),
            Object::F64(x) => float(x, not_finite),
            Object::String(text) => text.into_str().map_or(Value::Null, Value::String),
            Object::Array(objects) => {
                let objects = objects.into_iter().map(|object| json(object, not_finite));
                Value::Array(objects.collect())
            }
            Object::Map(entries) => {
                let mut map = Map::new();
                for (key, object) in entries {
                    let key = match key {
                        Object::String(text) => text.into_str().unwrap_or_default(),
                        Object::Integer(n) => n.to_string(),
                        _ => continue,
                    };
                    map.insert(key, json(object, not_finite));
                }
                Value::Object(map)
            }
            Object::Nil | Object::Binary(_) | Object::Ext(..) => Value::Null,
        }
    }
    let mut rest = payload;
    let object = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH);
    let object = object.map_err(|e| format!("found bytes that are not MessagePack: {e}"))?;
    trailing(rest, "object")?;
    Ok(json(object, not_finite))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(decode: Decode, payload: &[u8]) -> (Value, u64) {
        decode.document(payload).unwrap().unwrap()
    }

    /// Examples of RFC 8949, appendix A.
    #[test]
    fn cbor_is_that_of_its_specification() {
        for (bytes, value) in [
            (&b"\x18\x64"[..], json!(100)),
            (
                b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
                json!(18446744073709551615u64),
            ),
            (b"\x39\x03\xe7", json!(-1000)),
            (b"\xfb\xc0\x10\x66\x66\x66\x66\x66\x66", json!(-4.1)),
            (b"\xf9\x3e\x00", json!(1.5)),
            (b"\xc1\x1a\x51\x4b\x67\xb0", json!(1363896240)),
            (b"\x44\x01\x02\x03\x04", json!(null)),
            (b"\xa2\x01\x02\x03\x04", json!({"1": 2, "3": 4})),
            (
                b"\xa2\x61\x61\x01\x61\x62\x82\x02\x03",
                json!({"a": 1, "b": [2, 3]}),
            ),
            (
                b"\xbf\x61\x61\x01\x61\x62\x9f\x02\x03\xff\xff",
                json!({"a": 1, "b": [2, 3]}),
            ),
        ] {
            assert_eq!(read(Decode::Cbor, bytes), (value, 0));
        }
        assert_eq!(
            read(Decode::Cbor, b"\x82\xf9\x7e\x00\xf9\x7c\x00"),
            (json!([null, null]), 2)
        );
    }

    /// The example of msgpack.org, and formats of its specification.
    #[test]
    fn message_pack_is_that_of_its_specification() {
        for (bytes, value) in [
            (
                &b"\x82\xa7compact\xc3\xa6schema\x00"[..],
                json!({"compact": true, "schema": 0}),
            ),
            (b"\xd1\xfc\x18", json!(-1000)),
            (
                b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
                json!(18446744073709551615u64),
            ),
            (b"\xca\x3f\xc0\x00\x00", json!(1.5)),
            (b"\xcb\xc0\x10\x66\x66\x66\x66\x66\x66", json!(-4.1)),
            (
                b"\x93\xc0\xc4\x01\xff\xd4\x01\x02",
                json!([null, null, null]),
            ),
            (b"\x81\x07\x01", json!({"7": 1})),
        ] {
            assert_eq!(read(Decode::MessagePack, bytes), (value, 0));
        }
        assert_eq!(
            read(Decode::MessagePack, b"\xca\x7f\xc0\x00\x00"),
            (json!(null), 1)
        );
    }

    #[test]
    fn payloads_that_are_none_are_refused_with_their_kind() {
        let deep = [0x81; 100_000];
        for (decode, payload, kind) in [
            (Decode::Json, &b"{"[..], "not JSON"),
            (Decode::Cbor, b"\x01\x01", "not CBOR"),
            (
                Decode::Cbor,
                b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
                "not CBOR",
            ),
            (Decode::Cbor, &deep, "not CBOR"),
            (
                Decode::MessagePack,
                b"\xdd\xff\xff\xff\xff",
                "not MessagePack",
            ),
            (Decode::MessagePack, b"\x01\x01", "not MessagePack"),
            (Decode::MessagePack, &deep, "not MessagePack"),
            (Decode::Raw, b"on", "not a number"),
            (Decode::Raw, b"\xff", "not a number"),
        ] {
            assert_eq!(decode.document(payload).unwrap_err().kind, kind);
            assert_eq!(decode.document(b""), Ok(None));
        }
        assert_eq!(read(Decode::Raw, b" +21.50\n").0, json!("+21.50"));
    }
}
