//! Attribute values: numbers, vectors, names and launch-file substitutions.

use crate::draft::{NameRef, Warnings};
use crate::xml::{SourceText, xacro};
use crate::{ModelError, Place};
use glam::DVec3;
use roxmltree::Node;
use std::borrow::Cow;

/// Attribute reader; collects warnings about values that it corrected.
#[derive(Debug)]
pub(crate) struct AttributeReader<'a> {
    pub(crate) source: &'a SourceText<'a>,
    pub(crate) warnings: Warnings,
}

/// Text of an attribute and its place.
type Text<'a> = (Cow<'a, str>, Place);

impl AttributeReader<'_> {
    /// Place where an element begins.
    pub(crate) fn place(&self, node: Node) -> Place {
        self.source.place(node.range().start)
    }

    /// Text of an attribute, with its substitutions applied.
    pub(crate) fn text<'n>(
        &mut self,
        node: Node<'n, '_>,
        name: &str,
    ) -> Result<Option<Text<'n>>, ModelError> {
        let Some(attribute) = node.attribute_node(name) else {
            return Ok(None);
        };
        let place = self.source.place(attribute.range_value().start);
        let text = self.substitute(node.attribute(name).unwrap_or_default(), &place)?;
        Ok(Some((text, place)))
    }

    /// Text of a required, non-empty attribute.
    pub(crate) fn required<'n>(
        &mut self,
        node: Node<'n, '_>,
        name: &str,
    ) -> Result<Text<'n>, ModelError> {
        match self.text(node, name)? {
            Some((text, _)) if !text.trim().is_empty() => {
                // " base_link" and "base_link" are the same link; names are trimmed only here.
                let text = Cow::Owned(text.trim().to_owned());
                Ok((text, self.attribute_place(node, name)))
            }
            Some((_, place)) => Err(ModelError::at(
                &place,
                format!("an empty {name} in <{}>", node.tag_name().name()),
                format!("expected a {name}"),
            )),
            None => Err(self.missing(node, name)),
        }
    }

    /// Error of a missing attribute.
    fn missing(&self, node: Node, name: &str) -> ModelError {
        ModelError::at(
            &self.place(node),
            format!("<{}> without {name}", node.tag_name().name()),
            format!("expected the attribute {name}=\"...\""),
        )
        .nearest(name, node.attributes().map(|a| a.name()))
    }

    /// Required name.
    pub(crate) fn name(&mut self, node: Node, attribute: &str) -> Result<NameRef, ModelError> {
        let (name, place) = self.required(node, attribute)?;
        Ok(NameRef {
            name: name.into_owned(),
            place,
        })
    }

    /// Finite number.
    pub(crate) fn number(&mut self, node: Node, name: &str) -> Result<Option<f64>, ModelError> {
        let Some((text, place)) = self.text(node, name)? else {
            return Ok(None);
        };
        match numbers(&text, &place, name)?.as_slice() {
            [number] => Ok(Some(*number)),
            _ => Err(ModelError::at(
                &place,
                format!("{name} = {}", quoted(&text)),
                "expected one number",
            )),
        }
    }

    /// Required number.
    pub(crate) fn required_number(&mut self, node: Node, name: &str) -> Result<f64, ModelError> {
        self.number(node, name)?
            .ok_or_else(|| self.missing(node, name))
    }

    /// Required length above zero (m).
    pub(crate) fn length(&mut self, node: Node, name: &str) -> Result<f32, ModelError> {
        let number = self.required_number(node, name)?;
        if number as f32 > 0.0 {
            return Ok(number as f32);
        }
        Err(ModelError::at(
            &self.attribute_place(node, name),
            format!("{name} = {number}"),
            "expected a length above zero (metres)",
        ))
    }

    /// Number of zero or more; zero if the attribute is missing.
    pub(crate) fn not_negative(&mut self, node: Node, name: &str) -> Result<f32, ModelError> {
        let number = self.number(node, name)?.unwrap_or_default();
        if number >= 0.0 {
            return Ok(number as f32);
        }
        Err(ModelError::at(
            &self.attribute_place(node, name),
            format!("{name} = {number}"),
            "expected zero or more",
        ))
    }

    /// Three numbers; a fourth is ignored with a warning.
    pub(crate) fn vector(&mut self, node: Node, name: &str) -> Result<Option<DVec3>, ModelError> {
        let Some((text, place)) = self.text(node, name)? else {
            return Ok(None);
        };
        match *numbers(&text, &place, name)?.as_slice() {
            [x, y, z] => Ok(Some(DVec3::new(x, y, z))),
            [x, y, z, _] => {
                let text = format!("{name} has 4 numbers; the first 3 are used");
                self.warnings.push(&place, text);
                Ok(Some(DVec3::new(x, y, z)))
            }
            ref other => Err(ModelError::at(
                &place,
                format!("{name} = {} ({} numbers)", quoted(&text), other.len()),
                "expected 3 numbers",
            )),
        }
    }

    /// Red, green, blue, alpha, each clamped to 0..1; alpha is 1 if missing.
    pub(crate) fn rgba(&mut self, node: Node, name: &str) -> Result<Option<[f32; 4]>, ModelError> {
        let Some((text, place)) = self.text(node, name)? else {
            return Ok(None);
        };
        let unit = |x: f64| x.clamp(0.0, 1.0) as f32;
        match *numbers(&text, &place, name)?.as_slice() {
            [r, g, b] => Ok(Some([unit(r), unit(g), unit(b), 1.0])),
            [r, g, b, a] => Ok(Some([unit(r), unit(g), unit(b), unit(a)])),
            _ => Err(ModelError::at(
                &place,
                format!("{name} = {}", quoted(&text)),
                "expected 4 numbers: red green blue alpha",
            )),
        }
    }

    /// Place of an attribute's value.
    pub(crate) fn attribute_place(&self, node: Node, name: &str) -> Place {
        let start = node
            .attribute_node(name)
            .map_or(node.range().start, |a| a.range_value().start);
        self.source.place(start)
    }

    /// Replaces `$(optenv NAME default)` by its default, `$(env NAME)` by the empty string and
    /// `$(find package)` by `package://package`.
    ///
    /// The environment is never read: a run must not depend on it.
    fn substitute<'n>(&mut self, raw: &'n str, place: &Place) -> Result<Cow<'n, str>, ModelError> {
        if !raw.contains('$') {
            return Ok(Cow::Borrowed(raw));
        }
        if raw.contains("${") {
            return Err(xacro(place, raw));
        }
        let mut out = String::new();
        let mut rest = raw;
        while let Some(start) = rest.find("$(") {
            let Some(end) = rest[start..].find(')').map(|e| e + start) else {
                return Err(ModelError::at(
                    place,
                    quoted(raw),
                    "expected ) after the substitution's $(",
                ));
            };
            let call = &rest[start..=end];
            out.push_str(&rest[..start]);
            let (value, warn) = substitution(&rest[start + 2..end], call, place)?;
            if warn {
                let text =
                    format!("{call} is replaced by {value:?}: environment variables are not read");
                self.warnings.push(place, text);
            }
            out.push_str(&value);
            rest = &rest[end + 1..];
        }
        out.push_str(rest);
        Ok(Cow::Owned(out))
    }
}

/// Replacement of `$(...)`, and whether to warn about it.
fn substitution(inside: &str, call: &str, place: &Place) -> Result<(String, bool), ModelError> {
    let mut words = inside.split_whitespace();
    match words.next() {
        Some("optenv") => {
            let default = words.skip(1).collect::<Vec<_>>().join(" ");
            Ok((default, true))
        }
        Some("env") => Ok((String::new(), true)),
        Some("find") => Ok((format!("package://{}", words.next().unwrap_or("")), false)),
        Some("arg" | "eval" | "dirname" | "anon") => Err(xacro(place, call)),
        other => Err(ModelError::at(
            place,
            quoted(call),
            "expected $(optenv NAME default), $(env NAME) or $(find package)",
        )
        .nearest(other.unwrap_or(""), ["optenv", "env", "find"])),
    }
}

/// Parses finite numbers separated by spaces or commas.
pub(crate) fn numbers(text: &str, place: &Place, name: &str) -> Result<Vec<f64>, ModelError> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .map(|word| number(word, place, name))
        .collect()
}

/// Parses a number that is finite as `f32`, the physics' precision.
fn number(word: &str, place: &Place, name: &str) -> Result<f64, ModelError> {
    match word.parse::<f64>() {
        Ok(number) if (number as f32).is_finite() => Ok(number),
        Ok(_) => Err(ModelError::at(
            place,
            format!("{} in {name}", quoted(word)),
            "expected a finite number",
        )),
        Err(_) => Err(ModelError::at(
            place,
            format!("{} in {name}", quoted(word)),
            "expected a number",
        )),
    }
}

/// Most characters of file content quoted in a message.
const MAX_QUOTED: usize = 80;

/// Quotes file content for a message: escaped, and truncated if long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Reads the attribute `v` of one element.
    fn read<T>(text: &str, f: impl Fn(&mut AttributeReader, Node) -> T) -> (T, Vec<String>) {
        let source = SourceText::new(text, Path::new("a.urdf"));
        let document = crate::xml::parse(text, &source).unwrap();
        let mut reader = AttributeReader {
            source: &source,
            warnings: Warnings::default(),
        };
        let value = f(&mut reader, document.root_element());
        (value, reader.warnings.finish())
    }

    #[test]
    fn vectors_accept_commas_and_a_fourth_number() {
        let vector = |text: &str| read(text, |r, n| r.vector(n, "v").unwrap().unwrap());
        assert_eq!(
            vector("<a v='1, 2,3'/>"),
            (DVec3::new(1.0, 2.0, 3.0), vec![])
        );
        let (value, warnings) = vector("<a v=' 1 2 3 4 '/>");
        assert_eq!(value, DVec3::new(1.0, 2.0, 3.0));
        assert!(warnings[0].starts_with("a.urdf:1:7: v has 4 numbers"));
    }

    #[test]
    fn substitutions_use_the_default_and_warn() {
        let text = |text: &str| read(text, |r, n| r.text(n, "v").unwrap().unwrap().0.into_owned());
        let (value, warnings) = text("<a v='x $(optenv NAME 0.1 0 2) y'/>");
        assert_eq!(value, "x 0.1 0 2 y");
        assert!(warnings[0].starts_with("a.urdf:1:7: $(optenv NAME 0.1 0 2) is replaced"));
        assert_eq!(text("<a v='$(optenv NAME)$(env HOME)'/>").0, "");
        let (value, warnings) = text("<a v='$(find husky)/b.stl'/>");
        assert_eq!(value, "package://husky/b.stl");
        assert!(warnings.is_empty());
    }

    #[test]
    fn bad_values_are_refused_at_their_place() {
        for (text, words) in [
            ("<a v='nan 0 0'/>", "\"nan\" in v; expected a finite number"),
            ("<a v='0 1e400 0'/>", "\"1e400\" in v; expected a finite"),
            ("<a v='0 1e39 0'/>", "\"1e39\" in v; expected a finite"),
            ("<a v='0 zero 0'/>", "\"zero\" in v; expected a number"),
            ("<a v='1 2'/>", "v = \"1 2\" (2 numbers); expected 3"),
            ("<a v='${x} 0 0'/>", "xacro"),
            ("<a v='$(arg x) 0 0'/>", "xacro"),
            ("<a v='$(optenv x 0 0'/>", "expected )"),
            ("<a v='$(optenf X 1) 0 0'/>", "did you mean \"optenv\"?"),
        ] {
            let (error, _) = read(text, |r, n| r.vector(n, "v").unwrap_err().to_string());
            assert!(error.starts_with("a.urdf:1:7: "), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn colours_are_clamped_to_range() {
        let rgba = |text: &str| read(text, |r, n| r.rgba(n, "v").unwrap().unwrap()).0;
        assert_eq!(rgba("<a v='255 0.5 -1 1'/>"), [1.0, 0.5, 0.0, 1.0]);
        assert_eq!(rgba("<a v='0 0 1'/>"), [0.0, 0.0, 1.0, 1.0]);
    }
}
