//! Attribute values: numbers, vectors, names and launch-file substitutions.

use crate::draft::{NameRef, Warnings};
use crate::number::{above_zero, comma_separated, numbers, parsed, quoted, shown};
use crate::xml::{SourceText, xacro};
use crate::{ModelError, Place};
use glam::{DQuat, DVec3};
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
        let raw = node.attribute(name).unwrap_or_default();
        let text = self.substitute(raw, &place, name == "filename")?;
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

    /// Finite numbers of an attribute, one of `counts` of them, with its text and place.
    ///
    /// Commas may separate a vector if none of them can be a decimal comma; that is a warning.
    fn some_numbers<'n>(
        &mut self,
        node: Node<'n, '_>,
        name: &str,
        counts: &[usize],
    ) -> Result<Option<(Vec<f64>, Text<'n>)>, ModelError> {
        let Some((text, place)) = self.text(node, name)? else {
            return Ok(None);
        };
        let found = match comma_separated(&text, counts) {
            Some(plain) => {
                let found = numbers(&plain, &place, name)?;
                let warning = format!(
                    "{name} = {} is read as {} numbers separated by commas; expected spaces between them",
                    quoted(&text),
                    found.len()
                );
                self.warnings.push(&place, warning);
                found
            }
            None => numbers(&text, &place, name)?,
        };
        Ok(Some((found, (text, place))))
    }

    /// Finite number.
    pub(crate) fn number(&mut self, node: Node, name: &str) -> Result<Option<f64>, ModelError> {
        self.one(node, name, numbers)
    }

    /// Finite number that may be larger than single precision holds: a bound on something.
    pub(crate) fn bound(&mut self, node: Node, name: &str) -> Result<Option<f64>, ModelError> {
        let found = self.one(node, name, |text, place, name| {
            let finite = |x: f64| x.is_finite();
            parsed(text, place, name, finite, "expected a finite number")
        })?;
        if let Some(x) = found.filter(|&x| !(x as f32).is_finite()) {
            let text = format!("{name} = {x:?} is beyond single precision: it is no limit");
            self.warnings.push(&self.attribute_place(node, name), text);
        }
        Ok(found)
    }

    fn one(
        &mut self,
        node: Node,
        name: &str,
        parse: impl Fn(&str, &Place, &str) -> Result<Vec<f64>, ModelError>,
    ) -> Result<Option<f64>, ModelError> {
        let Some((text, place)) = self.text(node, name)? else {
            return Ok(None);
        };
        match parse(&text, &place, name)?.as_slice() {
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
            format!("{name} = {}", shown(number)),
            above_zero(number, "a length", "metres"),
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
            format!("{name} = {}", shown(number)),
            "expected zero or more",
        ))
    }

    /// Three numbers; a fourth is ignored with a warning.
    pub(crate) fn vector(&mut self, node: Node, name: &str) -> Result<Option<DVec3>, ModelError> {
        let Some((found, (text, place))) = self.some_numbers(node, name, &[3])? else {
            return Ok(None);
        };
        match *found.as_slice() {
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

    /// Unit quaternion x, y, z, w, the real part last; normalised, with a warning if it was not nearly so.
    pub(crate) fn quaternion(
        &mut self,
        node: Node,
        name: &str,
    ) -> Result<Option<DQuat>, ModelError> {
        let Some((found, (text, place))) = self.some_numbers(node, name, &[4])? else {
            return Ok(None);
        };
        let &[x, y, z, w] = found.as_slice() else {
            return Err(ModelError::at(
                &place,
                format!("{name} = {} ({} numbers)", quoted(&text), found.len()),
                "expected 4 numbers: x y z w",
            ));
        };
        // The largest number first: squares of very small or large ones are not accurate.
        let largest = [x, y, z, w].map(f64::abs).into_iter().fold(0.0, f64::max);
        if largest == 0.0 {
            let found = format!("{name} = {}", quoted(&text));
            let expected = "expected a unit quaternion x y z w";
            return Err(ModelError::at(&place, found, expected).hint("0 0 0 1 is no rotation"));
        }
        let part = DQuat::from_xyzw(x / largest, y / largest, z / largest, w / largest);
        let length = part.length() * largest;
        if (length - 1.0).abs() > UNIT_TOLERANCE {
            let text = format!("{name} has the length {length:.6}; it is normalised");
            self.warnings.push(&place, text);
        }
        Ok(Some(part.normalize()))
    }

    /// Red, green, blue, alpha, each clamped to 0..1; alpha is 1 if missing.
    pub(crate) fn rgba(&mut self, node: Node, name: &str) -> Result<Option<[f32; 4]>, ModelError> {
        let Some((found, (text, place))) = self.some_numbers(node, name, &[3, 4])? else {
            return Ok(None);
        };
        let unit = |x: f64| x.clamp(0.0, 1.0) as f32;
        match *found.as_slice() {
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
    /// The environment is read for names of files only: numbers must not depend on it.
    fn substitute<'n>(
        &mut self,
        raw: &'n str,
        place: &Place,
        is_file: bool,
    ) -> Result<Cow<'n, str>, ModelError> {
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
            let (value, warn) = match is_file {
                true => (
                    file_substitution(&rest[start + 2..end], call, place)?,
                    false,
                ),
                false => substitution(&rest[start + 2..end], call, place)?,
            };
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

/// Replacement of `$(...)` in the name of a file, where variables are read.
fn file_substitution(inside: &str, call: &str, place: &Place) -> Result<String, ModelError> {
    let mut words = inside.split_whitespace();
    let (kind, variable) = (words.next(), words.next().unwrap_or_default());
    let set = || std::env::var(variable).ok();
    match kind {
        Some("optenv") => Ok(set().unwrap_or_else(|| words.collect::<Vec<_>>().join(" "))),
        Some("env") => set().ok_or_else(|| {
            let found = format!("{}: the environment variable is not set", quoted(call));
            ModelError::at(place, found, "expected its value").hint("set it, or write the path")
        }),
        _ => substitution(inside, call, place).map(|(text, _)| text),
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
        Some("find" | "find-pkg-share") => {
            Ok((format!("package://{}", words.next().unwrap_or("")), false))
        }
        Some("arg" | "eval" | "dirname" | "anon" | "var") => Err(xacro(place, call)),
        other => Err(ModelError::at(
            place,
            quoted(call),
            "expected $(optenv NAME default), $(env NAME) or $(find package)",
        )
        .nearest(other.unwrap_or(""), ["optenv", "env", "find"])),
    }
}

/// Deviation of a quaternion's length from 1 that is rounding: files have four digits and more.
const UNIT_TOLERANCE: f64 = 1e-3;

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
        for text in [
            "<a v='1, 2,3'/>",
            "<a v='1,2,3'/>",
            "<a v=' 1.0 ,2.0 , 3.0'/>",
        ] {
            let (value, warnings) = vector(text);
            assert_eq!(value, DVec3::new(1.0, 2.0, 3.0));
            assert!(warnings[0].contains("separated by commas"), "{warnings:?}");
        }
        let (value, warnings) = vector("<a v=' 1 2 3 4 '/>");
        assert_eq!(value, DVec3::new(1.0, 2.0, 3.0));
        assert!(warnings[0].starts_with("a.urdf:1:7: v has 4 numbers"));
    }

    /// `0,25 0 0` was read as 0, 25, 0, the first three of four numbers.
    #[test]
    fn what_may_be_a_decimal_comma_is_refused() {
        for text in [
            "0,25 0 0",
            "0 0 0,3",
            "0,5 0 0",
            "1,5 2,5 3,5",
            "0,25",
            "1,2",
            "1, 2",
            "0,25,0,5,0,1",
            "1,2,3,",
            "1 2, 3",
            ",1 2 3",
        ] {
            let file = format!("<a v='{text}'/>");
            let (error, _) = read(&file, |r, n| r.vector(n, "v").unwrap_err().to_string());
            assert!(error.starts_with("a.urdf:1:7: \""), "{error}");
            assert!(error.contains("comma"), "{error}");
        }
        let (error, _) = read("<a v='1,5'/>", |r, n| {
            r.number(n, "v").unwrap_err().to_string()
        });
        assert!(
            error.contains("write 1.5 if the comma is a decimal comma"),
            "{error}"
        );
    }

    #[test]
    fn whatever_a_double_holds_is_read() {
        for (text, value) in [
            ("+1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e5", 1e5),
            ("-1E-5", -1e-5),
            ("1e-310", 1e-310),
            ("4.9e-324", 5e-324),
            ("-0", 0.0),
            ("00012", 12.0),
        ] {
            let file = format!("<a v=' {text} '/>");
            let (found, warnings) = read(&file, |r, n| r.number(n, "v").unwrap().unwrap());
            assert_eq!(found, value);
            assert!(warnings.is_empty());
        }
        let (found, warnings) = read("<a v='1e300'/>", |r, n| r.bound(n, "v").unwrap().unwrap());
        assert_eq!(found, 1e300);
        assert!(
            warnings[0].contains("v = 1e300 is beyond single precision"),
            "{warnings:?}"
        );
        let (error, _) = read("<a v='1e-310'/>", |r, n| {
            r.length(n, "v").unwrap_err().to_string()
        });
        assert!(
            error.contains("v = 1e-310; expected a length above 1e-45 metres"),
            "{error}"
        );
    }

    #[test]
    fn quaternions_are_normalised() {
        let half = 0.5_f64.sqrt();
        for (text, warned) in [
            ("0 0 0.7071068 0.7071068", false),
            ("0 0 7 7", true),
            ("0 0 1e-200 1e-200", true),
        ] {
            let file = format!("<a v='{text}'/>");
            let (q, warnings) = read(&file, |r, n| r.quaternion(n, "v").unwrap().unwrap());
            assert!((q.z - half).abs() < 1e-6 && (q.w - half).abs() < 1e-6);
            assert_eq!(!warnings.is_empty(), warned, "{warnings:?}");
        }
        for (text, words) in [
            ("0 0 0 0", "expected a unit quaternion"),
            ("0 0 1", "(3 numbers)"),
        ] {
            let file = format!("<a v='{text}'/>");
            let (error, _) = read(&file, |r, n| r.quaternion(n, "v").unwrap_err().to_string());
            assert!(
                error.starts_with("a.urdf:1:7: ") && error.contains(words),
                "{error}"
            );
        }
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
    fn variables_are_read_in_names_of_files() {
        let file = |text: &str| {
            let text = format!("<a filename='{text}'/>");
            read(&text, |r, n| {
                r.text(n, "filename").map(|t| t.unwrap().0.into_owned())
            })
            .0
        };
        let path = std::env::var("PATH").unwrap();
        assert_eq!(file("$(env PATH)/a.stl").unwrap(), format!("{path}/a.stl"));
        assert_eq!(file("$(optenv PATH x)").unwrap(), path);
        assert_eq!(file("$(optenv NO_SUCH_1 b c)/a.stl").unwrap(), "b c/a.stl");
        assert_eq!(
            file("$(find-pkg-share p)/a.stl").unwrap(),
            "package://p/a.stl"
        );
        for (text, words) in [
            (
                "$(env NO_SUCH_1)/a.stl",
                "the environment variable is not set",
            ),
            ("$(dirname)/a.stl", "xacro"),
            ("$(arg x)/a.stl", "xacro"),
            ("$(var x)/a.stl", "xacro"),
        ] {
            let error = file(text).unwrap_err().to_string();
            assert!(
                error.starts_with("a.urdf:1:14: ") && error.contains(words),
                "{error}"
            );
        }
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
