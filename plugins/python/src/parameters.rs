//! Parameters of users' kinds: read from a scene as any kind's fields, with its usual errors.

use becomingone::components::kind::options;
use pyo3::prelude::*;
use ron::error::SpannedError;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a kind stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Controller,
    Sensor,
    Driver,
}

/// A kind as Python declares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Declared {
    /// `controller`, `sensor` or `driver`.
    what: String,
    name: String,
    about: String,
    /// Names, types (`float`, `int`, `bool`, `str`, `floats`), and defaults as JSON.
    parameters: Vec<(String, String, Option<String>)>,
    /// Names and units of a sensor's numbers.
    fields: Vec<(String, String)>,
}

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Type {
    Float,
    Int,
    Bool,
    Text,
    Floats,
}

/// Value of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Floats(Vec<f64>),
}

#[derive(Clone, Debug, PartialEq)]
struct Parameter {
    name: &'static str,
    kind: Type,
    default: Option<Value>,
}

/// A declared kind.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) what: What,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) fields: Vec<(String, String)>,
    parameters: Vec<Parameter>,
    names: &'static [&'static str],
}

impl Definition {
    /// The definition of a kind. Each is made once: names of kinds live as long as the program.
    pub(crate) fn of(declared: &Declared) -> Result<Arc<Self>, String> {
        static MADE: Mutex<Option<HashMap<Declared, Arc<Definition>>>> = Mutex::new(None);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.get_or_insert_default();
        if let Some(known) = made.get(declared) {
            return Ok(known.clone());
        }
        let new = Arc::new(Self::new(declared)?);
        made.insert(declared.clone(), new.clone());
        Ok(new)
    }

    fn new(declared: &Declared) -> Result<Self, String> {
        let what = match declared.what.as_str() {
            "controller" => What::Controller,
            "sensor" => What::Sensor,
            "driver" => What::Driver,
            other => return Err(format!("found the kind of kinds {other:?}")),
        };
        let parameter = |(name, kind, default): &(String, String, Option<String>)| {
            let kind = match kind.as_str() {
                "float" => Type::Float,
                "int" => Type::Int,
                "bool" => Type::Bool,
                "str" => Type::Text,
                "floats" => Type::Floats,
                other => return Err(format!("found the type {other:?} of `{name}`")),
            };
            let default = default.as_deref().map(serde_json::from_str).transpose();
            Ok(Parameter {
                name: kept(name),
                kind,
                default: default.map_err(|e| format!("the default of `{name}`: {e}"))?,
            })
        };
        let parameters = declared.parameters.iter().map(parameter);
        let parameters = parameters.collect::<Result<Vec<_>, String>>()?;
        let names: Vec<&'static str> = parameters.iter().map(|p| p.name).collect();
        Ok(Self {
            what,
            name: kept(&declared.name),
            about: kept(&declared.about),
            fields: declared.fields.clone(),
            parameters,
            names: Vec::leak(names),
        })
    }

    /// Reads fields: RON in brackets.
    pub(crate) fn read(self: &Arc<Self>, fields: &str) -> Result<Parameters, SpannedError> {
        let values = options().from_str_seed(fields, Fields(self))?;
        Ok(Parameters {
            of: self.clone(),
            values,
        })
    }
}

/// A text for the lifetime of the program.
fn kept(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

/// Parameters of one use of a kind.
#[derive(Clone)]
pub(crate) struct Parameters {
    pub(crate) of: Arc<Definition>,
    values: Vec<Value>,
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.of.name == other.of.name && self.values == other.values
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(self.of.name);
        for (parameter, value) in self.of.parameters.iter().zip(&self.values) {
            shown.field(parameter.name, value);
        }
        shown.finish()
    }
}

impl Parameters {
    /// As JSON, an object.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut all = to.serialize_struct(self.of.name, self.values.len())?;
        for (parameter, value) in self.of.parameters.iter().zip(&self.values) {
            all.serialize_field(parameter.name, value)?;
        }
        all.end()
    }
}

/// Reads the fields of a kind.
struct Fields<'a>(&'a Definition);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Value>, D::Error> {
        from.deserialize_struct(self.0.name, self.0.names, self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields of {}", self.0.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Value>, A::Error> {
        let Definition {
            parameters, names, ..
        } = self.0;
        let mut found: Vec<Option<Value>> = vec![None; parameters.len()];
        while let Some(k) = map.next_key_seed(Key(names))? {
            if found[k].is_some() {
                return Err(A::Error::duplicate_field(names[k]));
            }
            found[k] = Some(map.next_value_seed(parameters[k].kind)?);
        }
        let all = found.into_iter().zip(parameters);
        all.map(|(found, parameter)| {
            let value = found.or_else(|| parameter.default.clone());
            value.ok_or_else(|| A::Error::missing_field(parameter.name))
        })
        .collect()
    }
}

/// Reads the name of a field.
struct Key(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<usize, E> {
        let found = self.0.iter().position(|name| *name == text);
        found.ok_or_else(|| E::unknown_field(text, self.0))
    }
}

impl<'de> DeserializeSeed<'de> for Type {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self {
            Self::Float => f64::deserialize(from).map(Value::Float),
            Self::Int => i64::deserialize(from).map(Value::Int),
            Self::Bool => bool::deserialize(from).map(Value::Bool),
            Self::Text => String::deserialize(from).map(Value::Text),
            Self::Floats => from.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Type {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(x) = list.next_element()? {
            all.push(x);
        }
        Ok(Value::Floats(all))
    }
}
