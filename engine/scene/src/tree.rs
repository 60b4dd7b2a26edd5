//! Tree of a scene's text, opened on demand.
//!
//! Ron reads a value without its place, and its own tree drops the names of kinds. Here a value stays text until an
//! overlay changes it, or until the place of a part is needed. Ron reads all unopened text: a scene without overlays
//! costs nothing extra, and unchanged parts are read in the same way.
//!
//! Only texts that ron accepts are opened, so that opening need not validate.

use super::syntax::accept;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::PathBuf;

/// Text of a scene or an overlay.
pub(super) struct Source {
    /// Path or argument as the user gave it.
    pub(super) name: String,
    /// Text without its byte order mark.
    pub(super) text: String,
    /// Folder for relative file names.
    pub(super) folder: PathBuf,
    /// A file has lines, an argument does not.
    pub(super) is_file: bool,
}

/// Place: source, in the order of application, and byte offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) source: usize,
    pub(super) offset: usize,
}

/// Value.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) span: Span,
    /// RON text; `None` once something in it has changed.
    text: Option<&'a str>,
    shape: OnceCell<Shape<'a>>,
}

/// Structure of a value.
#[derive(Clone, Debug)]
pub(super) enum Shape<'a> {
    /// `None` of RON, `null` of YAML.
    Null,
    /// Number, quoted text or map of RON.
    Scalar,
    /// Word without quotes: `literal` where text is expected, else `ron`.
    Word {
        literal: Cow<'a, str>,
        ron: Cow<'a, str>,
    },
    /// Quoted text of another syntax than RON.
    Quoted(Cow<'a, str>),
    List {
        brackets: Brackets,
        items: Vec<Node<'a>>,
    },
    Fields(Vec<Entry<'a>>),
    /// Kind or struct name, and the content of its brackets.
    Variant {
        name: Cow<'a, str>,
        inside: Option<Box<Node<'a>>>,
    },
}

/// Brackets of a list: RON distinguishes tuples from lists, YAML and `--set` do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brackets {
    Round,
    Square,
    Either,
}

/// Field.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) key_span: Span,
    pub(super) value: Node<'a>,
}

/// Value rendered as RON.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// Offsets in the text, and the places of their origin.
    pub(super) from: Vec<(usize, Span)>,
}

/// Most entries of a list that is opened to find the place of one.
const MOST: usize = 500_000;

impl<'a> Node<'a> {
    /// RON that ron has accepted, or will check.
    pub(super) fn ron(text: &'a str, span: Span) -> Self {
        Self {
            span,
            text: Some(text),
            shape: OnceCell::new(),
        }
    }

    pub(super) fn of(shape: Shape<'a>, span: Span) -> Self {
        Self {
            span,
            text: None,
            shape: shape.into(),
        }
    }

    /// Text, if nothing in it has changed.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.text
    }

    pub(super) fn shape(&self) -> &Shape<'a> {
        self.shape.get_or_init(|| match self.text {
            Some(text) => open(text, self.span, usize::MAX).unwrap_or(Shape::Scalar),
            None => Shape::Null,
        })
    }

    /// Structure, to be changed: the text becomes invalid, except that of a scalar.
    pub(super) fn shape_mut(&mut self) -> &mut Shape<'a> {
        let shape = match self.shape.take() {
            Some(shape) => shape,
            None => self.shape().clone(),
        };
        if !matches!(shape, Shape::Scalar) {
            self.text = None;
        }
        self.shape = OnceCell::new();
        self.shape.get_or_init(|| shape);
        match self.shape.get_mut() {
            Some(shape) => shape,
            None => unreachable!("it was set just now"),
        }
    }

    /// Fields of the value or its kind.
    pub(super) fn fields(&self) -> Option<&[Entry<'a>]> {
        match self.shape() {
            Shape::Fields(entries) => Some(entries),
            Shape::Variant {
                inside: Some(inside),
                ..
            } => match inside.shape() {
                Shape::Fields(entries) => Some(entries),
                _ => None,
            },
            _ => None,
        }
    }

    /// Value of the field `name`.
    pub(super) fn name(&self) -> Option<String> {
        let entry = self.fields()?.iter().find(|e| e.key == "name")?;
        match entry.value.shape() {
            Shape::Scalar => ron::from_str(entry.value.text?).ok(),
            Shape::Word { literal, .. } | Shape::Quoted(literal) => {
                Some(literal.clone().into_owned())
            }
            _ => None,
        }
    }

    /// Renders the value as RON.
    pub(super) fn render(&self) -> Rendered {
        let mut render = Rendered::default();
        self.render_into(&mut render);
        render
    }

    fn render_into(&self, to: &mut Rendered) {
        to.from.push((to.text.len(), self.span));
        if let Some(text) = self.text {
            to.text += text.trim();
            // End a comment, if there is one.
            to.text.push('\n');
            return;
        }
        match self.shape() {
            Shape::Null | Shape::Scalar => to.text += "None",
            Shape::Word { literal, ron } => {
                // Kinds begin with capital letters; other words that are neither numbers nor truth values are text.
                let word = ron.starts_with(|c: char| c.is_lowercase() || c == '_');
                let plain = matches!(&**ron, "true" | "false" | "inf") || !word;
                if plain && accept(ron).is_ok() {
                    to.text += ron;
                } else {
                    to.text += &format!("{literal:?}");
                }
            }
            Shape::Quoted(literal) => to.text += &format!("{literal:?}"),
            Shape::List { brackets, items } => {
                let (open, close) = match brackets {
                    Brackets::Round => ('(', ')'),
                    Brackets::Square | Brackets::Either => ('[', ']'),
                };
                to.text.push(open);
                for item in items {
                    item.render_into(to);
                    to.text.push(',');
                }
                to.text.push(close);
            }
            Shape::Fields(entries) => {
                to.text.push('(');
                for entry in entries {
                    to.from.push((to.text.len(), entry.key_span));
                    to.text += &format!("{}: ", entry.key);
                    entry.value.render_into(to);
                    to.text.push(',');
                }
                to.text.push(')');
            }
            Shape::Variant { name, inside } => {
                to.text += name;
                if let Some(inside) = inside {
                    inside.render_into(to);
                }
            }
        }
    }

    /// Place of the value at a path such as `agents[0].sensors[1].rate_hz`, or of the nearest enclosing value.
    pub(super) fn span_of(&self, path: &str) -> Span {
        self.nearest(path).0.span
    }

    /// Value at a path.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        let (node, whole) = self.nearest(path);
        whole.then_some(node)
    }

    /// Value at a path or the nearest enclosing one, and whether it is the value itself.
    fn nearest(&self, path: &str) -> (&Self, bool) {
        let mut node = self;
        for part in path.split(['.', '[']).filter(|p| !p.is_empty()) {
            if node.shape.get().is_none() {
                let Some(shape) = node.text.and_then(|t| open(t, node.span, MOST)) else {
                    return (node, false);
                };
                node.shape.get_or_init(|| shape);
            }
            let next = match part.strip_suffix(']') {
                Some(index) => match node.shape() {
                    Shape::List { items, .. } => {
                        index.parse().ok().and_then(|k: usize| items.get(k))
                    }
                    _ => None,
                },
                None => node
                    .fields()
                    .and_then(|entries| entries.iter().find(|e| e.key == part))
                    .map(|e| &e.value),
            };
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }
}

/// Opens one level of a text; `None` if it has more than `most` entries.
fn open(text: &str, span: Span, most: usize) -> Option<Shape<'_>> {
    let mut scan = Scan {
        text,
        at: 0,
        base: span,
    };
    scan.blank();
    if scan.rest().starts_with("#![") {
        // Extensions that a text enables, at the root only.
        scan.at += scan.rest().find(']').map_or(0, |end| end + 1);
        scan.blank();
    }
    match scan.peek()? {
        b'(' => scan.round(most),
        b'[' => {
            let items = scan.items(b']', most)?;
            Some(Shape::List {
                brackets: Brackets::Square,
                items,
            })
        }
        b'"' | b'\'' | b'{' | b'+' | b'-' | b'.' | b'0'..=b'9' => Some(Shape::Scalar),
        _ => {
            let Some(name) = scan.name() else {
                return Some(Shape::Scalar);
            };
            match name {
                "true" | "false" | "inf" | "NaN" | "inff32" | "inff64" | "NaNf32" | "NaNf64" => {
                    return Some(Shape::Scalar);
                }
                "None" => return Some(Shape::Null),
                _ => {}
            }
            scan.blank();
            let inside = (scan.peek() == Some(b'(')).then(|| scan.here());
            if name == "Some"
                && let Some(inside) = &inside
                && let Some(Shape::List { mut items, .. }) = open(inside.text?, inside.span, 1)
                && let Some(one) = items.pop()
            {
                return open(one.text?, one.span, most);
            }
            Some(Shape::Variant {
                name: name.into(),
                inside: inside.map(Box::new),
            })
        }
    }
}

/// Scanner of accepted RON.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    base: Span,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn span(&self, at: usize) -> Span {
        Span {
            source: self.base.source,
            offset: self.base.offset + at,
        }
    }

    /// Skips white space and comments.
    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let Some(first) = rest.bytes().next() else {
                return;
            };
            let skip = if first.is_ascii_whitespace() {
                1
            } else if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                block_comment(rest)
            } else if first.is_ascii() {
                0
            } else {
                // White space of Unicode (Pattern_White_Space).
                let blank = |c: &char| c.is_whitespace() || "\u{200e}\u{200f}\u{feff}".contains(*c);
                rest.chars().next().filter(blank).map_or(0, char::len_utf8)
            };
            if skip == 0 {
                return;
            }
            self.at += skip;
        }
    }

    /// Name at the present position, if there is one.
    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let raw = rest
            .strip_prefix("r#")
            .filter(|r| !r.starts_with(['"', '#']));
        let name = raw.unwrap_or(rest);
        let inside =
            |c: char| c.is_alphanumeric() || c == '_' || (raw.is_some() && "-+.".contains(c));
        let end = name.find(|c| !inside(c)).unwrap_or(name.len());
        // `r"..."`, `b"..."` and `b'.'` are not names.
        if end == 0
            || name.as_bytes()[0].is_ascii_digit()
            || (end <= 2 && name[end..].starts_with(['"', '\'']))
            || (raw.is_none() && name[..end].ends_with('r') && name[end..].starts_with('#'))
        {
            return None;
        }
        self.at += rest.len() - name.len() + end;
        Some(&name[..end])
    }

    /// Value at the present position, as text; moves to its end.
    fn here(&mut self) -> Node<'a> {
        let start = self.at;
        let mut end = start;
        let mut depth = 0usize;
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth == 0 => break,
                b')' | b']' | b'}' => depth -= 1,
                b',' if depth == 0 => break,
                b'"' => self.quoted(),
                b'\'' => self.character(),
                b'/' => {
                    let before = self.at;
                    self.blank();
                    // Anything else that begins with a slash is not RON.
                    self.at = self.at.max(before + 1);
                    continue;
                }
                b'r' if !is_in_name(bytes, self.at) => self.raw(),
                _ => {}
            }
            self.at += 1;
            if !byte.is_ascii_whitespace() {
                end = self.at;
            }
            // End of this value; the following text is not part of it.
            if depth == 0 && matches!(byte, b')' | b']' | b'}') {
                break;
            }
        }
        // Only a text that ron has not accepted leads past its end or into a character.
        self.at = self.text.floor_char_boundary(self.at);
        let end = self.text.floor_char_boundary(end).max(start);
        Node::ron(&self.text[start..end], self.span(start))
    }

    /// Moves to the closing quote.
    fn quoted(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' => return,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at = bytes.len() - 1;
    }

    /// Moves to the closing quote of a character.
    fn character(&mut self) {
        let rest = &self.text[self.at + 1..];
        let escaped = rest.starts_with('\\');
        let skip = if escaped {
            2
        } else {
            rest.chars().next().map_or(0, char::len_utf8)
        };
        self.at += 1 + rest
            .get(skip..)
            .and_then(|r| r.find('\''))
            .map_or(0, |n| skip + n);
    }

    /// Moves to the end of a raw text, if one begins here.
    fn raw(&mut self) {
        let rest = &self.text[self.at + 1..];
        let hashes = rest.bytes().take_while(|b| *b == b'#').count();
        if rest.as_bytes().get(hashes) != Some(&b'"') {
            return;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = &rest[hashes + 1..];
        let end = inside
            .find(&close)
            .map_or(inside.len(), |n| n + close.len());
        // The last byte is counted like any other character.
        self.at += hashes + 1 + end;
    }

    /// Reads values to a closing bracket.
    fn items(&mut self, close: u8, most: usize) -> Option<Vec<Node<'a>>> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.peek().is_none_or(|b| b == close) {
                return Some(items);
            }
            if items.len() == most {
                return None;
            }
            let before = self.at;
            items.push(self.here());
            self.comma(before);
        }
    }

    fn comma(&mut self, before: usize) {
        self.blank();
        if self.peek() == Some(b',') {
            self.at += 1;
        } else if self.at == before {
            self.at = self.text.len();
        }
    }

    /// Reads fields, or a tuple.
    fn round(&mut self, most: usize) -> Option<Shape<'a>> {
        let start = self.at;
        self.at += 1;
        self.blank();
        let first = self.at;
        let named = self.peek() == Some(b')') || self.key().is_some();
        self.at = first;
        if !named {
            self.at = start;
            let items = self.items(b')', most)?;
            return Some(Shape::List {
                brackets: Brackets::Round,
                items,
            });
        }
        let mut entries = Vec::new();
        loop {
            self.blank();
            let before = self.at;
            if entries.len() == most {
                return None;
            }
            let Some(key) = self.key() else {
                return Some(Shape::Fields(entries));
            };
            self.blank();
            entries.push(Entry {
                key: key.into(),
                key_span: self.span(before),
                value: self.here(),
            });
            self.comma(before);
        }
    }

    /// Reads a field's name and its colon.
    fn key(&mut self) -> Option<&'a str> {
        let key = self.name()?;
        self.blank();
        if self.peek() != Some(b':') {
            return None;
        }
        self.at += 1;
        Some(key)
    }
}

/// Whether the preceding character is part of a name.
fn is_in_name(bytes: &[u8], at: usize) -> bool {
    // `br"..."` is a raw text too.
    let before = at.checked_sub(1).map(|k| bytes[k]);
    before.is_some_and(|b| b != b'b' && (b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii()))
}

/// Length of the block comment that a text begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        let rest = &text[at..];
        let Some(next) = rest.find("/*").into_iter().chain(rest.find("*/")).min() else {
            return text.len();
        };
        depth = if rest[next..].starts_with("/*") {
            depth + 1
        } else {
            depth - 1
        };
        at += next + 2;
        if depth == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::diagnostic::byte_place;
    use crate::read::Reader;
    use crate::syntax::options;
    use becomingone_components::scene::SceneSpec;
    use becomingone_systems::kinds::Kinds;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[test]
    fn values_are_found_behind_comments_and_kinds() {
        let text = "// a, (comment\n(\n  version: 1, /* [ /* ( */ */\n  agents: [\n    (name: \"a, (b\", sensors: [\n      (kind: Imu(gyro: (white_sd: 2)), rate_hz: 5),\n    ]),\n  ],\n)";
        let root = Node::ron(text, Span::default());
        let place = |path: &str| byte_place(text.as_bytes(), root.span_of(path).offset);
        assert_eq!(place("version"), (3, 12));
        assert_eq!(place("agents[0].name"), (5, 12));
        assert_eq!(place("agents[0].sensors[0].rate_hz"), (6, 49));
        assert_eq!(place("agents[0].sensors[0].kind.gyro.white_sd"), (6, 35));
        assert_eq!(place("agents[0].sensors[0].kind.gyro.bias"), (6, 24));
    }

    /// Opens all levels, so that ron reads only scalars.
    fn open_all(node: &mut Node<'_>) {
        match node.shape_mut() {
            Shape::List { items, .. } => items.iter_mut().for_each(open_all),
            Shape::Fields(entries) => entries.iter_mut().for_each(|e| open_all(&mut e.value)),
            Shape::Variant {
                inside: Some(inside),
                ..
            } => open_all(inside),
            _ => {}
        }
    }

    /// Kinds are text until they are read; their blanks differ in a tree.
    fn read_kinds(scene: &mut SceneSpec) {
        let kinds = Kinds::built_in();
        for agent in &mut scene.agents {
            for sensor in &mut agent.sensors {
                let entry = &kinds.sensors[sensor.kind.name()].entry;
                let value = (entry.read)(sensor.kind.fields()).unwrap();
                sensor.kind.set(value);
            }
            if let Some(controller) = &mut agent.controller {
                let entry = &kinds.controllers[controller.name()];
                let value = (entry.read)(controller.fields()).unwrap();
                controller.set(value);
            }
        }
    }

    /// Text between two tokens.
    fn blank() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "",
            " ",
            "\n\t",
            "/* ) ' \" [ */",
            "// , ) \" '\n",
            " /* /* } */ , */ ",
        ])
    }

    /// A text in one of ron's notations.
    fn text() -> impl Strategy<Value = String> {
        let plain = "[a-z\"'\\\\(){}\\[\\],:/#é \n]{0,8}";
        prop_oneof![
            plain.prop_map(|s| ron::to_string(&s).unwrap()),
            "[a-z'(){},:/ ]{0,8}".prop_map(|s| format!("r\"{s}\"")),
            "[a-z\"'(){},:/ ]{0,8}".prop_map(|s| format!("r##\"{s}\"##")),
        ]
    }

    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<f64>().prop_map(|x| ron::to_string(&x).unwrap()),
            (-9i32..9).prop_map(|x| x.to_string()),
            Just("1e-3".to_owned()),
            Just("inf".to_owned()),
            Just("-.5".to_owned()),
        ]
    }

    fn agent() -> impl Strategy<Value = String> {
        let kind = prop_oneof![
            Just("Contact()".to_owned()),
            number().prop_map(|x| format!("Imu(gyro:(white_sd:{x},),)")),
            Just("Encoders()".to_owned()),
        ];
        let sensor = (text(), kind, number(), blank()).prop_map(|(name, kind, x, b)| {
            format!("({b}name{b}:{b}{name},kind:{b}{kind}{b},{b}rate_hz:{x})")
        });
        let sensors = prop::collection::vec(sensor, 0..3);
        let model = prop_oneof![
            Just("None".to_owned()),
            text(),
            text().prop_map(|t| format!("Some( {t} ,)")),
        ];
        let controller = prop_oneof![
            Just("None".to_owned()),
            (number(), blank()).prop_map(|(x, b)| format!(
                "Patrol{b}(waypoints_m:[({x},{b}1),{b}],speed_m_s:{b}2)"
            )),
            Just("Some(Patrol(waypoints_m: [], speed_m_s: 1))".to_owned()),
        ];
        let coherence = prop::sample::select(vec![
            "Auto",
            "off",
            "Kernel()",
            "Kernel(channels:[(name:\"t\",signal:Tone(frequency_hz:1))])",
        ]);
        (text(), model, sensors, controller, coherence, number(), blank()).prop_map(
            |(name, model, sensors, controller, coherence, x, b)| {
                let sensors = sensors.join(&format!("{b},{b}"));
                format!(
                    "{b}({b}name:{name}{b},r#model:{model}{b},position_m:({x},{x}{b},0){b},sensors:{b}[{sensors}],controller:{controller},{b}coherence{b}:{coherence})"
                )
            },
        )
    }

    proptest! {
        #[test]
        fn a_tree_reads_what_ron_reads(
            agents in prop::collection::vec(agent(), 0..4),
            b in blank(),
            head in prop::sample::select(vec!["", "#![enable(implicit_some)]\n", "Scene"]),
        ) {
            let agents = agents.join(",");
            let text = format!("{b}{head}{b}({b}version:{b}1{b},{b}agents:[{agents}{b}]{b},){b}\n");
            let direct = options().from_str::<SceneSpec>(&text);
            let mut root = Node::ron(&text, Span::default());
            open_all(&mut root);
            let opened = SceneSpec::deserialize(Reader(&root));
            match direct {
                // NaN equals nothing: compared as text.
                Ok(mut scene) => {
                    let mut opened = opened.map_err(|wrong| wrong.to_string());
                    read_kinds(&mut scene);
                    if let Ok(opened) = &mut opened {
                        read_kinds(opened);
                    }
                    prop_assert_eq!(format!("{:?}", Ok::<_, String>(scene)), format!("{opened:?}"), "{}", text);
                }
                Err(error) => prop_assert!(false, "{}: {}", error, text),
            }
        }

        /// No text makes opening panic.
        #[test]
        fn any_text_is_opened(text in "[a-zr#b\"'(){}\\[\\],:/*\\\\é 0-9\n]{0,40}") {
            let mut root = Node::ron(&text, Span::default());
            open_all(&mut root);
            root.span_of("a[0].b");
        }
    }
}
