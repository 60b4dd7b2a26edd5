//! Deserialises a tree: ron reads unopened texts, this module the opened values around them.

use super::syntax::{offset, options};
use super::tree::{Brackets, Entry, Node, Shape, Span};
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use std::borrow::Cow;
use std::fmt;

/// Name of `ron::value::RawValue`, a value that stays text.
const RAW: &str = "$ron::private::RawValue";

/// Error of ron, with its place.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) code: ron::Error,
    /// `None` until a caller with the place adds it.
    pub(super) span: Option<Span>,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)
    }
}

impl std::error::Error for ReadError {}

impl From<ron::Error> for ReadError {
    fn from(code: ron::Error) -> Self {
        Self { code, span: None }
    }
}

/// Errors with the texts of ron.
impl de::Error for ReadError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        ron::Error::custom(text).into()
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        ron::Error::invalid_type(found, expected).into()
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        ron::Error::invalid_value(found, expected).into()
    }
    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        ron::Error::invalid_length(found, expected).into()
    }
    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        ron::Error::unknown_variant(found, expected).into()
    }
    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        ron::Error::unknown_field(found, expected).into()
    }
    fn missing_field(field: &'static str) -> Self {
        ron::Error::missing_field(field).into()
    }
    fn duplicate_field(field: &'static str) -> Self {
        ron::Error::duplicate_field(field).into()
    }
}

impl ReadError {
    fn at(self, span: Span) -> Self {
        Self {
            span: self.span.or(Some(span)),
            ..self
        }
    }

    /// Adds the enclosing struct or kind, if it is not set.
    fn within(mut self, name: &str) -> Self {
        use ron::Error::{
            DuplicateStructField, MissingStructField, NoSuchEnumVariant, NoSuchStructField,
        };
        if let NoSuchStructField { outer, .. }
        | MissingStructField { outer, .. }
        | DuplicateStructField { outer, .. }
        | NoSuchEnumVariant { outer, .. } = &mut self.code
            && !name.is_empty()
        {
            outer.get_or_insert_with(|| name.to_owned());
        }
        self
    }
}

/// Reads a node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'n, 'a>(pub(super) &'n Node<'a>);

impl<'a> Reader<'_, 'a> {
    /// Deserialises the text with ron.
    fn ron<T>(
        self,
        text: &'a str,
        read: impl FnOnce(&mut ron::Deserializer<'a>) -> ron::Result<T>,
    ) -> Result<T, ReadError> {
        let done = ron::Deserializer::from_str_with_options(text, &options()).and_then(
            |mut ron| match read(&mut ron) {
                Ok(value) => match ron.end() {
                    Ok(()) => Ok(value),
                    Err(code) => Err(ron.span_error(code)),
                },
                Err(code) => Err(ron.span_error(code)),
            },
        );
        done.map_err(|error| ReadError {
            span: Some(Span {
                source: self.0.span.source,
                offset: self.0.span.offset + offset(text, error.span.start),
            }),
            code: error.code,
        })
    }

    fn unfit(self, expected: impl Into<String>) -> ReadError {
        let found = match self.0.shape() {
            Shape::Null => "nothing".to_owned(),
            Shape::Scalar => format!("`{}`", self.0.text().unwrap_or_default()),
            Shape::Word { literal, .. } => format!("`{literal}`"),
            Shape::Quoted(literal) => format!("the text {literal:?}"),
            Shape::List { .. } => "a list".to_owned(),
            Shape::Fields(_) => "fields".to_owned(),
            Shape::Variant { name, inside: None } => format!("`{name}`"),
            Shape::Variant { name, .. } => format!("`{name}(..)`"),
        };
        let expected = expected.into();
        ReadError::from(ron::Error::InvalidValueForType { expected, found }).at(self.0.span)
    }

    fn entries<V: Visitor<'a>>(
        self,
        entries: &[Entry<'a>],
        name: &str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let fields = Fields {
            rest: entries.iter(),
            value: None,
        };
        visitor
            .visit_map(fields)
            .map_err(|wrong| wrong.within(name).at(self.0.span))
    }

    fn items<V: Visitor<'a>>(self, items: &[Node<'a>], visitor: V) -> Result<V::Value, ReadError> {
        visitor
            .visit_seq(Items(items.iter()))
            .map_err(|wrong| wrong.at(self.0.span))
    }
}

/// Number or truth value: deserialised by ron from text, else from a word.
macro_rules! plain {
    ($($method:ident $visit:ident $type:ty: $what:literal;)*) => { $(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
            if let Some(text) = self.0.text() {
                return self.ron(text, |ron| ron.$method(visitor));
            }
            match self.0.shape() {
                Shape::Word { ron, .. } => match ron::from_str::<$type>(ron) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(self.unfit($what)),
                },
                _ => Err(self.unfit($what)),
            }
        }
    )* };
}

impl<'a> Deserializer<'a> for Reader<'_, 'a> {
    type Error = ReadError;

    plain! {
        deserialize_bool visit_bool bool: "`true` or `false`";
        deserialize_i8 visit_i8 i8: "a whole number, -128 to 127";
        deserialize_i16 visit_i16 i16: "a whole number, -32768 to 32767";
        deserialize_i32 visit_i32 i32: "a whole number of 32 bits";
        deserialize_i64 visit_i64 i64: "a whole number of 64 bits";
        deserialize_u8 visit_u8 u8: "a whole number, 0 to 255";
        deserialize_u16 visit_u16 u16: "a whole number, 0 to 65535";
        deserialize_u32 visit_u32 u32: "a whole number from 0, of 32 bits";
        deserialize_u64 visit_u64 u64: "a whole number from 0, of 64 bits";
        deserialize_f32 visit_f32 f32: "a number";
        deserialize_f64 visit_f64 f64: "a number";
        deserialize_char visit_char char: "a character";
    }

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_any(visitor));
        }
        match self.0.shape() {
            Shape::Null | Shape::Scalar => visitor.visit_none(),
            Shape::Quoted(literal) => visitor.visit_str(literal),
            Shape::Word { literal, ron } => {
                if let Ok(value) = ron::from_str::<bool>(ron) {
                    visitor.visit_bool(value)
                } else if let Ok(value) = ron::from_str::<u64>(ron) {
                    visitor.visit_u64(value)
                } else if let Ok(value) = ron::from_str::<i64>(ron) {
                    visitor.visit_i64(value)
                } else if let Ok(value) = ron::from_str::<f64>(ron) {
                    visitor.visit_f64(value)
                } else {
                    visitor.visit_str(literal)
                }
            }
            Shape::List { items, .. } => self.items(items, visitor),
            Shape::Fields(entries) => self.entries(entries, "", visitor),
            Shape::Variant { name, inside: None } => visitor.visit_str(name),
            Shape::Variant {
                inside: Some(_), ..
            } => self.deserialize_map(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_str(visitor));
        }
        match self.0.shape() {
            Shape::Word { literal, .. } | Shape::Quoted(literal) => visitor.visit_str(literal),
            _ => Err(self.unfit("a text")),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.text() {
            Some(text) => self.ron(text, |ron| ron.deserialize_byte_buf(visitor)),
            None => Err(self.unfit("bytes")),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_option(visitor));
        }
        match self.0.shape() {
            Shape::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_unit(visitor));
        }
        match self.0.shape() {
            Shape::Null => visitor.visit_unit(),
            _ => Err(self.unfit("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.text() {
            Some(text) => self.ron(text, |ron| ron.deserialize_unit_struct(name, visitor)),
            None => self.deserialize_unit(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_newtype_struct(name, visitor));
        }
        if name == RAW {
            return visitor.visit_string(self.0.render().text);
        }
        visitor.visit_newtype_struct(Reader(only(self.0)))
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_seq(visitor));
        }
        match self.0.shape() {
            Shape::List { items, brackets } if *brackets != Brackets::Round => {
                self.items(items, visitor)
            }
            Shape::List { .. } => Err(self.unfit("a list in square brackets")),
            _ => Err(self.unfit("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_tuple(len, visitor));
        }
        match self.0.shape() {
            Shape::List { items, brackets } if *brackets != Brackets::Square => {
                if items.len() > len {
                    return Err(ReadError::from(ron::Error::ExpectedDifferentLength {
                        expected: format!("{len} values"),
                        found: items.len(),
                    })
                    .at(self.0.span));
                }
                self.items(items, visitor)
            }
            Shape::List { .. } => Err(self.unfit(format!("{len} values in round brackets"))),
            _ => Err(self.unfit(format!("{len} values"))),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_tuple_struct(name, len, visitor));
        }
        match self.0.shape() {
            Shape::Variant {
                name: literal,
                inside: Some(inside),
            } if literal == name => Reader(inside).deserialize_tuple(len, visitor),
            _ => self.deserialize_tuple(len, visitor),
        }
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_map(visitor));
        }
        match self.0.shape() {
            Shape::Fields(entries) => self.entries(entries, "", visitor),
            // Map of one entry, with a key that looks like a kind.
            Shape::Variant {
                name,
                inside: Some(inside),
            } => {
                let entry = Entry {
                    key: name.clone(),
                    key_span: self.0.span,
                    value: (**inside).clone(),
                };
                self.entries(&[entry], "", visitor)
            }
            _ => Err(self.unfit("fields")),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_struct(name, fields, visitor));
        }
        match self.0.shape() {
            Shape::Fields(entries) => self.entries(entries, name, visitor),
            Shape::Variant {
                name: literal,
                inside: Some(inside),
            } if literal == name => Reader(inside).deserialize_struct(name, fields, visitor),
            _ => Err(self.unfit(format!("the fields of `{name}`"))),
        }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(text) = self.0.text() {
            return self.ron(text, |ron| ron.deserialize_enum(name, variants, visitor));
        }
        let (literal, inside) = match self.0.shape() {
            Shape::Word { literal, .. } | Shape::Quoted(literal) => (literal, None),
            Shape::Variant { name, inside } => (name, inside.as_deref()),
            _ => {
                let kinds: Vec<_> = variants.iter().map(|v| format!("`{v}`")).collect();
                return Err(self.unfit(format!("a kind: {}", kinds.join(", "))));
            }
        };
        let kind = Kind {
            of: self,
            name: literal,
            inside,
        };
        visitor
            .visit_enum(kind)
            .map_err(|wrong| wrong.within(name).at(self.0.span))
    }
}

/// The single value in round brackets, else the value itself.
fn only<'n, 'a>(node: &'n Node<'a>) -> &'n Node<'a> {
    match node.shape() {
        Shape::List {
            brackets: Brackets::Round,
            items,
        } if items.len() == 1 => &items[0],
        _ => node,
    }
}

struct Items<'n, 'a>(std::slice::Iter<'n, Node<'a>>);

impl<'a> SeqAccess<'a> for Items<'_, 'a> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let next = self.0.next();
        next.map(|node| seed.deserialize(Reader(node)).map_err(|w| w.at(node.span)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Fields<'n, 'a> {
    rest: std::slice::Iter<'n, Entry<'a>>,
    value: Option<&'n Node<'a>>,
}

impl<'a> MapAccess<'a> for Fields<'_, 'a> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        seed.deserialize(StrDeserializer::new(&entry.key))
            .map(Some)
            .map_err(|wrong: ReadError| wrong.at(entry.key_span))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.value.take() {
            Some(node) => seed.deserialize(Reader(node)).map_err(|w| w.at(node.span)),
            None => Err(de::Error::custom("a value before its key")),
        }
    }
}

struct Kind<'n, 'a> {
    of: Reader<'n, 'a>,
    name: &'n Cow<'a, str>,
    inside: Option<&'n Node<'a>>,
}

impl<'a> EnumAccess<'a> for Kind<'_, 'a> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name = seed.deserialize(StrDeserializer::<ReadError>::new(self.name))?;
        Ok((name, self))
    }
}

impl<'a> Kind<'_, 'a> {
    fn unfit(&self, expected: String) -> ReadError {
        self.of.unfit(expected)
    }
}

impl<'a> VariantAccess<'a> for Kind<'_, 'a> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.inside.map(Node::shape) {
            None | Some(Shape::Null) => Ok(()),
            Some(_) => Err(self.unfit(format!("`{}` alone: it has no fields", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, ReadError> {
        match self.inside {
            Some(inside) => seed.deserialize(Reader(only(inside))),
            None => Err(self.unfit(format!("`{}(..)` with a value", self.name))),
        }
    }

    fn tuple_variant<V: Visitor<'a>>(self, len: usize, visitor: V) -> Result<V::Value, ReadError> {
        match self.inside {
            Some(inside) => Reader(inside).deserialize_tuple(len, visitor),
            None => Err(self.unfit(format!("`{}(..)` with {len} values", self.name))),
        }
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let done = match self.inside {
            Some(inside) => Reader(inside).deserialize_struct("", fields, visitor),
            // A word alone: all fields have defaults, or ron names one that has none.
            None => self.of.entries(&[], self.name, visitor),
        };
        done.map_err(|wrong| wrong.within(self.name))
    }
}
