//! YAML 1.2 reader with limits: aliases let a short file expand without bound.
//!
//! The scene decides the type of plain words: `no` is text for a name and not a truth value, `1e3` a number, `Auto` a
//! kind. A kind with fields is a map of one entry, `{Patrol: {speed_m_s: 1}}`.

use super::tree::{Brackets, Entry, Node, Shape, Span};
use granit_parser::{Event, Options, Parser, ScalarStyle};
use std::borrow::Cow;
use std::collections::HashMap;

/// Largest file that is read (bytes).
pub(super) const MAX_YAML_BYTES: u64 = 4 << 20;
/// Most values, including those repeated by aliases.
const MOST: usize = 500_000;
/// Deepest nesting, as ron's.
const DEEPEST: usize = 128;

/// Byte offset and message.
type MergeError = (usize, String);

enum Frame<'a> {
    List(Vec<Node<'a>>),
    Fields(Vec<Entry<'a>>, Option<(Cow<'a, str>, Span)>),
}

struct Open<'a> {
    frame: Frame<'a>,
    span: Span,
    anchor: usize,
    /// Values read so far.
    before: usize,
}

struct Build<'a> {
    source: usize,
    open: Vec<Open<'a>>,
    root: Option<Node<'a>>,
    /// Anchored values, and the number of values in each.
    anchored: HashMap<usize, (Node<'a>, usize)>,
    values: usize,
}

pub(super) fn parse(text: &str, source: usize) -> Result<Node<'_>, MergeError> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    let mut build = Build {
        source,
        open: Vec::new(),
        root: None,
        anchored: HashMap::new(),
        values: 0,
    };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let at = byte(text, error.marker());
            (
                at,
                format!("found no YAML here or just after: {}", error.info()),
            )
        })?;
        let at = byte(text, &span.start);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err((at, "found a second document; expected one".to_owned()));
                }
            }
            Event::Scalar(literal, style, anchor, tag) => {
                untagged(tag, at)?;
                build.scalar(literal, style, anchor, at)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                untagged(tag, at)?;
                build.begin(Frame::List(Vec::new()), anchor, at)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                untagged(tag, at)?;
                build.begin(Frame::Fields(Vec::new(), None), anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => build.end()?,
            Event::Alias(anchor) => build.alias(anchor, at)?,
            _ => {}
        }
    }
    build.root.ok_or_else(|| {
        (
            0,
            "found nothing; expected fields, as agents: [..]".to_owned(),
        )
    })
}

/// Byte offset of a mark.
fn byte(text: &str, mark: &granit_parser::Marker) -> usize {
    let at = mark.byte_offset().unwrap_or_else(|| {
        let at = text.char_indices().nth(mark.index());
        at.map_or(text.len(), |(k, _)| k)
    });
    text.floor_char_boundary(at)
}

fn untagged(tag: Option<Cow<'_, granit_parser::Tag>>, at: usize) -> Result<(), MergeError> {
    match tag {
        None => Ok(()),
        Some(tag) => Err((
            at,
            format!(
                "found the tag `{}`; expected none: a kind is written as {{Serial: {{..}}}}, and types are known",
                tag.original()
            ),
        )),
    }
}

impl<'a> Build<'a> {
    fn span(&self, offset: usize) -> Span {
        Span {
            source: self.source,
            offset,
        }
    }

    fn count(&mut self, values: usize, at: usize) -> Result<(), MergeError> {
        self.values += values;
        if self.values > MOST {
            return Err((
                at,
                format!(
                    "found more than {MOST} values, those that aliases repeat among them; expected fewer"
                ),
            ));
        }
        Ok(())
    }

    fn begin(&mut self, frame: Frame<'a>, anchor: usize, at: usize) -> Result<(), MergeError> {
        if self.open.len() == DEEPEST {
            return Err((
                at,
                format!("found nesting deeper than {DEEPEST}; expected a scene's"),
            ));
        }
        self.is_value(at)?;
        self.count(1, at)?;
        self.open.push(Open {
            frame,
            span: self.span(at),
            anchor,
            before: self.values,
        });
        Ok(())
    }

    /// Keys are words.
    fn is_value(&self, at: usize) -> Result<(), MergeError> {
        match self.open.last() {
            Some(Open {
                frame: Frame::Fields(_, None),
                ..
            }) => Err((
                at,
                "found a list, a map or an alias as a key; expected a name".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), MergeError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let shape = match open.frame {
            Frame::List(items) => Shape::List {
                brackets: Brackets::Either,
                items,
            },
            Frame::Fields(mut entries, _) => match entries.as_slice() {
                // Fields begin with small letters, kinds with capital ones.
                [one] if one.key.starts_with(char::is_uppercase) => {
                    let one = entries.remove(0);
                    let inside = Some(Box::new(one.value));
                    return self.close(
                        Node::of(
                            Shape::Variant {
                                name: one.key,
                                inside,
                            },
                            one.key_span,
                        ),
                        open.anchor,
                        open.before,
                    );
                }
                _ => Shape::Fields(entries),
            },
        };
        self.close(Node::of(shape, open.span), open.anchor, open.before)
    }

    fn close(&mut self, node: Node<'a>, anchor: usize, before: usize) -> Result<(), MergeError> {
        if anchor != 0 {
            // The kept copy counts too: nested anchors would multiply it.
            let values = self.values - before + 1;
            self.count(values, node.span.offset)?;
            self.anchored.insert(anchor, (node.clone(), values));
        }
        self.put(node);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: usize) -> Result<(), MergeError> {
        self.is_value(at)?;
        let Some(values) = self.anchored.get(&anchor).map(|(_, values)| *values) else {
            return Err((
                at,
                "found an alias inside its own anchor; expected it after the anchored value"
                    .to_owned(),
            ));
        };
        // Counted before copying.
        self.count(values, at)?;
        if let Some((node, _)) = self.anchored.get(&anchor) {
            let node = node.clone();
            self.put(node);
        }
        Ok(())
    }

    fn put(&mut self, node: Node<'a>) {
        match self.open.last_mut().map(|o| &mut o.frame) {
            None => self.root = Some(node),
            Some(Frame::List(items)) => items.push(node),
            Some(Frame::Fields(entries, key)) => {
                if let Some((key, key_span)) = key.take() {
                    let value = node;
                    entries.push(Entry {
                        key,
                        key_span,
                        value,
                    });
                }
            }
        }
    }

    fn scalar(
        &mut self,
        literal: Cow<'a, str>,
        style: ScalarStyle,
        anchor: usize,
        at: usize,
    ) -> Result<(), MergeError> {
        let span = self.span(at);
        if let Some(Open {
            frame: Frame::Fields(entries, key @ None),
            ..
        }) = self.open.last_mut()
        {
            if literal == "<<" {
                return Err((
                    at,
                    "found the merge key `<<`, which YAML 1.2 does not have; expected the fields themselves".to_owned(),
                ));
            }
            if entries.iter().any(|e| e.key == literal) {
                return Err((
                    at,
                    format!("found `{literal}` a second time; expected it once"),
                ));
            }
            *key = Some((literal, span));
            return Ok(());
        }
        self.count(1, at)?;
        let shape = if style == ScalarStyle::Plain {
            plain(literal)
        } else {
            Shape::Quoted(literal)
        };
        let before = self.values;
        self.close(Node::of(shape, span), anchor, before)
    }
}

/// Core schema of YAML 1.2 (10.3.2): other meanings of a plain word.
fn plain(literal: Cow<'_, str>) -> Shape<'_> {
    let ron: Cow<'_, str> = match &*literal {
        "" | "~" | "null" | "Null" | "NULL" => return Shape::Null,
        "true" | "True" | "TRUE" => "true".into(),
        "false" | "False" | "FALSE" => "false".into(),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => "inf".into(),
        "-.inf" | "-.Inf" | "-.INF" => "-inf".into(),
        ".nan" | ".NaN" | ".NAN" => "NaN".into(),
        _ => literal.clone(),
    };
    Shape::Word { literal, ron }
}
