//! Kinds of sensors, controllers and faults: how a scene names them.
//!
//! A kind is a plain struct with serde; its trait ([`SensorKind`](crate::sensor::SensorKind),
//! [`ControllerKind`](crate::control::ControllerKind), [`FaultKind`](crate::fault::FaultKind)) states the rest. Scenes
//! hold kinds as [`Named`]: text until a registry of kinds has read it, a value afterwards.

use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A kind that scenes can name: `Imu(gyro: (white_sd: 0.01))`.
///
/// The name of the struct in serde is its name in scenes: `#[serde(rename = "Range")]` where they differ.
pub trait Kind: Serialize + Clone + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// Name in scenes.
    const NAME: &'static str;
    /// Description in one line, for `becomingone list`.
    const ABOUT: &'static str;

    /// Name of this value's kind in scenes: another one than [`NAME`](Self::NAME) where one type stands for several
    /// kinds, whose names are known only when the program runs.
    fn name(&self) -> &'static str {
        Self::NAME
    }
}

/// A value of a kind with its type erased, as scenes hold it.
pub trait AnyKind: fmt::Debug + Send + Sync + 'static {
    /// [`Kind::NAME`].
    fn kind_name(&self) -> &'static str;
    /// The value as RON, without the name of its kind.
    fn to_ron(&self) -> String;
    /// Whether the other value is of the same kind and equal.
    fn equals(&self, other: &dyn Any) -> bool;
    /// The value itself.
    fn as_any(&self) -> &dyn Any;
}

impl<K: Kind> AnyKind for K {
    fn kind_name(&self) -> &'static str {
        self.name()
    }

    fn to_ron(&self) -> String {
        let pretty = PrettyConfig::new().new_line("\n");
        // Plain data has a text form; an empty text is no value, and reading it is an error.
        options().to_string_pretty(self, pretty).unwrap_or_default()
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// RON options of scenes: optional values are written without `Some`.
pub fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

/// A kind as a scene names it: its name and its fields, unread or read.
pub struct Named<D: ?Sized> {
    name: Arc<str>,
    /// The fields as RON, in brackets; only until they are read.
    fields: Arc<str>,
    value: Option<Arc<D>>,
}

impl<D: ?Sized> Clone for Named<D> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            fields: self.fields.clone(),
            value: self.value.clone(),
        }
    }
}

/// Indentation of a kind in a scene.
pub trait Indent {
    /// Levels of indentation of the kind's name.
    const LEVELS: usize;
}

impl<D: ?Sized + AnyKind> Named<D> {
    /// A value.
    pub fn of(value: Arc<D>) -> Self {
        Self {
            name: value.kind_name().into(),
            fields: Arc::from(""),
            value: Some(value),
        }
    }

    /// Name in scenes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fields as RON in brackets, as they were written; empty once they are read.
    pub fn fields(&self) -> &str {
        &self.fields
    }

    /// The value; none before it is read.
    pub fn value(&self) -> Option<&D> {
        self.value.as_deref()
    }

    /// The value, if it is of this kind.
    pub fn get<K: Kind>(&self) -> Option<&K> {
        self.value.as_deref()?.as_any().downcast_ref()
    }

    /// Whether it is of this kind.
    pub fn is<K: Kind>(&self) -> bool {
        &*self.name == K::NAME
    }

    /// Puts the value in place of the text that it was read from.
    pub fn set(&mut self, value: Arc<D>) {
        *self = Self::of(value);
    }
}

impl<D: ?Sized + AnyKind> fmt::Debug for Named<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => value.fmt(f),
            None => write!(f, "{}{}", self.name, self.fields),
        }
    }
}

impl<D: ?Sized + AnyKind> PartialEq for Named<D> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Some(a), Some(b)) => a.equals(b.as_any()),
            _ => self.name == other.name && self.fields == other.fields,
        }
    }
}

/// Name by which ron marks a value that stays text (`ron::value::RawValue`).
const RAW: &str = "$ron::private::RawValue";

/// Longest text of a kind (bytes): waypoints of a long patrol fit.
const MAX_TEXT: usize = 64 << 20;

impl<'de, D: ?Sized + AnyKind> Deserialize<'de> for Named<D> {
    fn deserialize<R: Deserializer<'de>>(deserializer: R) -> Result<Self, R::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = (Arc<str>, Arc<str>);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind with its fields, as `Imu()`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.len() > MAX_TEXT {
                    return Err(E::custom("a kind of more than 64 MB"));
                }
                let (name, fields) = split(text).ok_or_else(|| {
                    E::invalid_value(serde::de::Unexpected::Other("no name of a kind"), &self)
                })?;
                Ok((name.into(), fields.into()))
            }
        }
        let (name, fields) = deserializer.deserialize_newtype_struct(RAW, Text)?;
        Ok(Self {
            name,
            fields,
            value: None,
        })
    }
}

impl<D: ?Sized + AnyKind + Indent> Serialize for Named<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match &self.value {
            None => format!("{}{}", self.name, self.fields),
            Some(value) => {
                let deeper = format!("\n{}", "    ".repeat(D::LEVELS));
                format!("{}{}", self.name, value.to_ron().replace('\n', &deeper))
            }
        };
        serializer.serialize_newtype_struct(RAW, &text)
    }
}

/// Name of a kind and its fields, from a text of both; comments may precede each.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = blank(text);
    let name = text.strip_prefix("r#").unwrap_or(text);
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    let (name, fields) = name.split_at(end.unwrap_or(name.len()));
    let fields = blank(fields).trim_end();
    let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (named && (fields.is_empty() || fields.starts_with('('))).then_some((name, fields))
}

/// The text after spaces and comments.
fn blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        text = if let Some(line) = text.strip_prefix("//") {
            line.find('\n').map_or("", |end| &line[end..])
        } else if let Some(block) = text.strip_prefix("/*") {
            after_block(block)
        } else {
            return text;
        };
    }
}

/// The text after an open block comment; comments nest.
fn after_block(mut text: &str) -> &str {
    let mut depth = 1u32;
    while depth > 0 {
        let Some(at) = text.find(['/', '*']) else {
            return "";
        };
        let rest = &text[at..];
        let skip = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            1
        };
        text = &rest[skip..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_split_into_name_and_fields() {
        assert_eq!(split("Imu"), Some(("Imu", "")));
        assert_eq!(
            split(" /* a */ Imu // b\n (x: 1) "),
            Some(("Imu", "(x: 1)"))
        );
        assert_eq!(split("/* /* ( */ / */ Imu()"), Some(("Imu", "()")));
        assert_eq!(split("Scale(1.5)"), Some(("Scale", "(1.5)")));
        assert_eq!(split("12"), None);
        assert_eq!(split("(x: 1)"), None);
        assert_eq!(split("Imu {x: 1}"), None);
    }
}
