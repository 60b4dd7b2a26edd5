//! `pick`: places of a reading's numbers in a document of a peer, as JSON pointers (RFC 6901).

use super::document::{describe, number, seconds_ns, whole};
use super::queue::Sample;
use super::site::SourceSite;
use becomingone_components::nearest::{did_you_mean, nearest};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Keys of an object that are listed in a message.
const MAX_LISTED: usize = 8;

/// Where the numbers of a reading are, as in a scene: `pick: {"level": "/tank/level"}`, or `pick: "/level"` for a kind of
/// one field or a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// Keys of the document are the names of the fields.
    #[default]
    Names,
    /// The one field, or the row.
    One(Pointer),
    /// Each field.
    Each(BTreeMap<String, Pointer>),
}

/// A JSON pointer (RFC 6901): empty for the whole document, or `/` before each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The value of a key of the document.
    pub fn key(key: &str) -> Self {
        Self(format!("/{}", key.replace('~', "~0").replace('/', "~1")))
    }

    /// Reads a pointer.
    ///
    /// # Errors
    ///
    /// Text that is no pointer.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut escapes = text.split('~').skip(1);
        if escapes.any(|after| !after.starts_with(['0', '1'])) {
            return Err(format!(
                "found the pointer `{text}`; expected `~0` for `~` and `~1` for `/` within a key"
            ));
        }
        if text.is_empty() || text.starts_with('/') {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "found the pointer `{text}`; expected one that begins with `/`, as `/{}`",
                text.replace('.', "/")
            ))
        }
    }

    /// The value there.
    ///
    /// # Errors
    ///
    /// Found, expected, and the nearest key.
    pub fn get<'v>(&self, document: &'v Value) -> Result<&'v Value, String> {
        document
            .pointer(&self.0)
            .ok_or_else(|| self.absent(document))
    }

    /// Why there is no value there.
    fn absent(&self, document: &Value) -> String {
        let (mut at, mut path) = (document, String::new());
        for key in self.0.split('/').skip(1) {
            let there = format!("{path}/{key}");
            if let Some(inside) = document.pointer(&there) {
                (at, path) = (inside, there);
                continue;
            }
            let whose = if path.is_empty() {
                "the document".to_owned()
            } else {
                format!("`{path}`")
            };
            let reason = match at {
                Value::Object(object) => {
                    let keys = object.keys().take(MAX_LISTED);
                    let keys: Vec<String> = keys
                        .map(|key| format!("`{}`", key.escape_debug()))
                        .collect();
                    let name = key.replace("~1", "/").replace("~0", "~");
                    let near = nearest(&name, object.keys().map(String::as_str));
                    let near = near.map_or_else(String::new, |near| {
                        format!("; did you mean `{path}{}`?", Self::key(near).0)
                    });
                    match keys.len() {
                        0 => format!("{whose} is an empty object"),
                        _ => format!("{whose} has the keys {}{near}", keys.join(", ")),
                    }
                }
                Value::Array(list) => format!("{whose} is a list of {}", list.len()),
                other => format!("{whose} is {}", describe(other)),
            };
            return format!("found nothing at `{}`: {reason}", self.0);
        }
        format!("found nothing at `{}`", self.0)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PickVisitor;
        impl<'de> Visitor<'de> for PickVisitor {
            type Value = Pick;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a pointer such as \"/level\", or one for each field: {\"level\": \"/tank/level\"}",
                )
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pick, E> {
                Pointer::read(text).map(Pick::One).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pick, A::Error> {
                let mut each = BTreeMap::new();
                while let Some((field, pointer)) = map.next_entry::<String, Pointer>()? {
                    if each.insert(field.clone(), pointer).is_some() {
                        return Err(A::Error::custom(format!("found `{field}` twice")));
                    }
                }
                Ok(Pick::Each(each))
            }
        }
        deserializer.deserialize_any(PickVisitor)
    }
}

/// Takes the readings of a sensor out of documents.
#[derive(Clone, Debug)]
pub struct Picker {
    /// Names of the numbers, or of the row, with their places.
    fields: Vec<(String, Pointer)>,
    is_row: bool,
    sequence: Option<Pointer>,
    stamp_s: Option<Pointer>,
}

impl Picker {
    /// Places of the numbers of a sensor.
    ///
    /// # Errors
    ///
    /// A `pick` that does not fit the fields: found, expected, nearest.
    pub fn new(pick: &Pick, site: &SourceSite) -> Result<Self, String> {
        let names = || site.fields.iter().cloned();
        let fields = match (pick, site.fields.as_slice()) {
            (Pick::Names, _) => names()
                .map(|name| (name.clone(), Pointer::key(&name)))
                .collect(),
            (Pick::One(pointer), [one]) => vec![(one.clone(), pointer.clone())],
            (Pick::One(pointer), _) => {
                return Err(format!(
                    "found the one pointer `{pointer}` as `pick` of {} fields; expected one for each, as {{\"{}\": \"{pointer}\", ..}}",
                    site.fields.len(),
                    site.fields.first().map_or("", String::as_str)
                ));
            }
            (Pick::Each(each), _) => {
                if let Some(unknown) = each.keys().find(|name| !site.fields.contains(name)) {
                    return Err(format!(
                        "found the field `{unknown}` in `pick`; expected `{}`{}",
                        site.fields.join("`, `"),
                        did_you_mean(unknown, site.fields.iter().map(String::as_str))
                    ));
                }
                let find = |name: String| match each.get(&name) {
                    Some(pointer) => Ok((name, pointer.clone())),
                    None => Err(format!(
                        "found no pointer of the field `{name}` in `pick`; expected one for each of `{}`",
                        site.fields.join("`, `")
                    )),
                };
                names().map(find).collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            fields,
            is_row: site.is_row,
            sequence: None,
            stamp_s: None,
        })
    }

    /// Adds the places of the sender's sequence number, which detects losses and duplicates, and of its time of the
    /// measurement (s).
    #[must_use]
    pub fn with_order(self, sequence: Option<Pointer>, stamp_s: Option<Pointer>) -> Self {
        Self {
            sequence,
            stamp_s,
            ..self
        }
    }

    /// The reading in a document; a value that is `null` is missing.
    ///
    /// # Errors
    ///
    /// The field, its pointer, what was found there and what was expected.
    pub fn sample(&self, document: &Value) -> Result<Sample, String> {
        let mut numbers = Vec::with_capacity(self.fields.len());
        for (name, pointer) in &self.fields {
            let value = pointer.get(document);
            let expected = if self.is_row {
                "a list of numbers"
            } else {
                "a number or null"
            };
            let value = value.map_err(|e| format!("`{name}`: {e}; expected {expected}"))?;
            let wrong = |found: &Value, of: &str| {
                format!(
                    "`{name}`: found {}{of} at `{pointer}`; expected {expected}",
                    describe(found)
                )
            };
            match value {
                Value::Array(list) if self.is_row => {
                    for item in list {
                        numbers.push(number(item).ok_or_else(|| wrong(item, " in the list"))?);
                    }
                }
                _ if self.is_row => return Err(wrong(value, "")),
                _ => numbers.push(number(value).ok_or_else(|| wrong(value, ""))?),
            }
        }
        let order =
            |at: &Option<Pointer>, name: &str, read: fn(&Value) -> Option<u64>, expected| {
                let Some(pointer) = at else { return Ok(None) };
                let value = pointer
                    .get(document)
                    .map_err(|e| format!("`{name}`: {e}"))?;
                match read(value) {
                    None => Err(format!(
                        "`{name}`: found {} at `{pointer}`; expected {expected}",
                        describe(value)
                    )),
                    some => Ok(some),
                }
            };
        Ok(Sample {
            sequence: order(&self.sequence, "sequence", whole, "a whole number from 0")?,
            stamp_ns: order(&self.stamp_s, "stamp_s", seconds_ns, "seconds from 0")?,
            numbers,
            ..Sample::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn site(fields: &[&str], is_row: bool) -> SourceSite {
        SourceSite {
            fields: fields.iter().map(|&f| f.to_owned()).collect(),
            is_row,
            ..SourceSite::default()
        }
    }

    fn pick(text: &str) -> Result<Pick, String> {
        crate::links::read_config(text).map_err(|e| e.to_string())
    }

    /// The document and the pointers of RFC 6901, section 5, with their values.
    #[test]
    fn pointers_are_those_of_rfc_6901() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8
        });
        for (text, value) in [
            ("", document.clone()),
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/e^f", json!(3)),
            ("/g|h", json!(4)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
        ] {
            assert_eq!(
                Pointer::read(text).unwrap().get(&document),
                Ok(&value),
                "{text}"
            );
        }
        // Section 3: anything else is a syntax error.
        for text in ["foo", "/a~", "/a~2"] {
            assert!(Pointer::read(text).is_err(), "{text}");
        }
        assert_eq!(Pointer::key("m~n/o"), Pointer::read("/m~0n~1o").unwrap());
    }

    #[test]
    fn numbers_come_in_the_order_of_the_fields_from_where_pick_points() {
        let two = site(&["x", "y"], false);
        let each = Picker::new(&pick(r#"{"y": "/a/1", "x": "/b"}"#).unwrap(), &two).unwrap();
        let sample = each.sample(&json!({"a": [1, 2.5], "b": "7"})).unwrap();
        assert_eq!(sample.numbers, [7.0, 2.5]);
        let names = Picker::new(&Pick::Names, &two).unwrap();
        let sample = names.sample(&json!({"y": 2, "x": null, "z": {}})).unwrap();
        assert!(sample.numbers[0].is_nan() && sample.numbers[1] == 2.0);
        let one = Picker::new(&pick("\"\"").unwrap(), &site(&["t"], false)).unwrap();
        assert_eq!(one.sample(&json!(42)).unwrap().numbers, [42.0]);
        let row = Picker::new(&pick("\"/r\"").unwrap(), &site(&["range"], true)).unwrap();
        assert_eq!(
            row.sample(&json!({"r": [1, 2, 3]})).unwrap().numbers,
            [1.0, 2.0, 3.0]
        );
        let order = names.with_order(
            Some(Pointer::key("n")),
            Some(Pointer::read("/at/s").unwrap()),
        );
        let sample = order
            .sample(&json!({"x": 1, "y": 1, "n": 3.0, "at": {"s": 2.5}}))
            .unwrap();
        assert_eq!(
            (sample.sequence, sample.stamp_ns),
            (Some(3), Some(2_500_000_000))
        );
    }

    #[test]
    fn errors_have_the_field_the_pointer_what_was_found_and_the_nearest_key() {
        let one = Picker::new(&pick("\"/main/temp\"").unwrap(), &site(&["t"], false)).unwrap();
        let error = |document| one.sample(&document).unwrap_err();
        for (document, words) in [
            (
                json!({"main": {"tmp": 1}}),
                &[
                    "`t`",
                    "`/main/temp`",
                    "has the keys `tmp`",
                    "did you mean `/main/tmp`?",
                ][..],
            ),
            (json!({"man": 1}), &["did you mean `/man`?"]),
            (json!({"main": 3}), &["`/main` is 3"]),
            (
                json!({"main": {"temp": true}}),
                &["found true at `/main/temp`", "expected a number"],
            ),
            (json!([1, 2]), &["the document is a list of 2"]),
            (json!({}), &["an empty object"]),
        ] {
            let error = error(document);
            words
                .iter()
                .for_each(|word| assert!(error.contains(word), "{word}: {error}"));
        }
        let two = site(&["x", "y"], false);
        for (text, word) in [
            ("\"/x\"", "of 2 fields"),
            ("{\"x\": \"/x\"}", "no pointer of the field `y`"),
            ("{\"x\": \"/x\", \"yy\": \"/y\"}", "found the field `yy`"),
        ] {
            let error = Picker::new(&pick(text).unwrap(), &two).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(
            pick("\"main.temp\"")
                .unwrap_err()
                .contains("as `/main/temp`")
        );
        assert!(pick("3").unwrap_err().contains("a pointer such as"));
    }
}
