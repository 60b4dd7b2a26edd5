//! XML parsing with line and column, within limits on size and nesting.

use crate::{ModelError, Place};
use roxmltree::{Document, Error, Node, ParsingOptions, TextPos};
use std::path::Path;
use std::sync::Arc;

/// Deepest nesting of elements. Robots need about six levels, COLLADA scenes some tens.
const DEPTH: u32 = 256;
/// Most elements, texts and comments: about 200 MB of memory.
const NODES: u32 = 2_000_000;

/// Most attributes of one element: the XML parser compares each pair.
const ATTRIBUTES: usize = 256;

/// Bytes per entry of the character-count table.
const BLOCK: usize = 256;

/// Text of a file with an index of its lines, to find the place of a byte without a rescan.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Byte offsets of line feeds.
    line_feeds: Vec<usize>,
    /// Characters before each block of [`BLOCK`] bytes.
    chars_before: Vec<usize>,
    /// Offset and length of what was inserted into the text before it was parsed.
    inserted: (usize, usize),
}

impl<'a> SourceText<'a> {
    /// Indexes the text of a file, without its byte order mark.
    pub(crate) fn new(text: &'a str, file: &Path) -> Self {
        let mut chars = 0;
        let chars_before = text
            .as_bytes()
            .chunks(BLOCK)
            .map(|block| {
                let before = chars;
                chars += count_chars(block);
                before
            })
            .collect();
        Self {
            file: file.display().to_string().into(),
            text,
            line_feeds: text.match_indices('\n').map(|(at, _)| at).collect(),
            chars_before,
            inserted: (0, 0),
        }
    }

    /// Takes offsets as those of the text with an insertion of this offset and length.
    pub(crate) fn with_insertion(mut self, inserted: (usize, usize)) -> Self {
        self.inserted = inserted;
        self
    }

    /// Place of the byte at an offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let (at, length) = self.inserted;
        let offset = match offset > at {
            true => offset.saturating_sub(length).max(at),
            false => offset,
        };
        let offset = offset.min(self.text.len());
        let lines_before = self.line_feeds.partition_point(|&at| at < offset);
        let line_start = match lines_before.checked_sub(1) {
            Some(last) => self.line_feeds.get(last).map_or(0, |at| at + 1),
            None => 0,
        };
        self.place_at(
            lines_before + 1,
            self.chars_to(offset) - self.chars_to(line_start) + 1,
        )
    }

    /// Place of the end of the text, without trailing white space.
    fn end(&self) -> Place {
        self.place(self.text.trim_end().len())
    }

    fn place_at(&self, line: usize, column: usize) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    fn chars_to(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let Some(before) = self.chars_before.get(block) else {
            // The end of the text, at a block boundary.
            return match self.chars_before.last() {
                Some(last) => {
                    let start = (self.chars_before.len() - 1) * BLOCK;
                    last + count_chars(&self.text.as_bytes()[start..])
                }
                None => 0,
            };
        };
        before + count_chars(&self.text.as_bytes()[block * BLOCK..offset])
    }
}

/// Number of characters that begin in a slice of UTF-8.
fn count_chars(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b & 0xC0 != 0x80).count()
}

/// Child elements of the same namespace.
pub(crate) fn elements<'n, 'i>(node: Node<'n, 'i>) -> impl Iterator<Item = Node<'n, 'i>> + Clone {
    let namespace = node.tag_name().namespace();
    node.children()
        .filter(move |n| n.is_element() && n.tag_name().namespace() == namespace)
}

/// Whether text before a declaration is only white space and comments.
pub(crate) fn is_prolog(text: &str) -> bool {
    let mut rest = text.trim();
    while let Some(inside) = rest.strip_prefix("<!--") {
        let Some((_, next)) = inside.split_once("-->") else {
            return false;
        };
        rest = next.trim_start();
    }
    rest.is_empty()
}

/// The first prefix that is not declared, if that is what is wrong with a text.
pub(crate) fn undeclared(text: &str) -> Option<String> {
    match Document::parse_with_options(text, options()) {
        Err(Error::UnknownNamespace(prefix, _)) => Some(prefix),
        _ => None,
    }
}

fn options<'a>() -> ParsingOptions<'a> {
    ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES,
        ..ParsingOptions::default()
    }
}

/// Parses XML.
///
/// The parser does not recurse, so nesting cannot overflow the stack; entities are rejected.
pub(crate) fn parse<'a>(text: &'a str, source: &SourceText) -> Result<Document<'a>, ModelError> {
    if text.trim().is_empty() {
        let place = source.place(0);
        return Err(ModelError::at(&place, "nothing", "expected an XML element"));
    }
    check_attributes(text, source)?;
    let document =
        Document::parse_with_options(text, options()).map_err(|e| parse_error(&e, source))?;
    check_depth(&document, source)?;
    Ok(document)
}

/// Rejects elements with more than [`ATTRIBUTES`] attributes before the parser compares them.
///
/// One pass over the text; it miscounts only in text that is not XML.
pub(crate) fn check_attributes(text: &str, source: &SourceText) -> Result<(), ModelError> {
    let after = |start: usize, end: &str| text[start..].find(end).map(|at| start + at + end.len());
    let mut at = 0;
    while let Some(start) = after(at, "<") {
        let rest = &text[start..];
        let passed = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")]
            .iter()
            .find(|(begin, _)| rest.starts_with(begin));
        at = match passed {
            Some((_, end)) => match after(start, end) {
                Some(at) => at,
                None => return Ok(()),
            },
            None => {
                let (length, attributes) = tag(rest);
                if attributes > ATTRIBUTES {
                    let found = format!("an element with {attributes} attributes");
                    let expected = format!("expected at most {ATTRIBUTES}");
                    return Err(ModelError::at(&source.place(start - 1), found, expected));
                }
                start + length
            }
        };
    }
    Ok(())
}

/// Length of a tag in bytes, up to its `>` outside quotes.
pub(crate) fn tag_length(text: &str) -> usize {
    tag(text).0
}

/// Length of a tag in bytes, and its number of quoted values.
fn tag(text: &str) -> (usize, usize) {
    let mut values = 0;
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return (at, values),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => {
                quote = None;
                values += 1;
            }
            _ => {}
        }
    }
    (text.len(), values)
}

/// Rejects deep nesting, because readers of the tree may recurse.
fn check_depth(document: &Document, source: &SourceText) -> Result<(), ModelError> {
    let mut depths = Vec::<u32>::new();
    // Nodes are in document order, so a parent's depth is known before its children's.
    for node in document.descendants() {
        let above = node.parent().and_then(|p| depths.get(p.id().get_usize()));
        let depth = above.map_or(0, |d| d + 1);
        if depth > DEPTH {
            let place = source.place(node.range().start);
            let found = format!("elements nested deeper than {DEPTH} levels");
            return Err(ModelError::at(&place, found, "expected fewer levels"));
        }
        depths.push(depth);
    }
    Ok(())
}

/// Converts an error of the XML parser.
fn parse_error(error: &Error, source: &SourceText) -> ModelError {
    let TextPos { row, col } = error.pos();
    let place = source.place_at(row as usize, col as usize);
    match error {
        Error::DtdDetected => {
            let place = source.place(source.text.find("<!DOCTYPE").unwrap_or(0));
            ModelError::at(
                &place,
                "a document type declaration (<!DOCTYPE ...>)",
                "expected none: entities are not supported, because they can expand without limit",
            )
        }
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream => ModelError::at(
            &source.end(),
            "the end of the file inside an element",
            "expected its end tag: the file seems to be truncated",
        ),
        Error::UnexpectedCloseTag(open, close, _) => ModelError::at(
            &place,
            format!("end tag </{close}>"),
            format!("expected </{open}>"),
        ),
        Error::UnknownNamespace(prefix, _) if prefix == "xacro" => xacro(&place, "xacro:"),
        Error::UnknownNamespace(prefix, _) => ModelError::at(
            &place,
            format!("the prefix {prefix:?}, which is not declared"),
            "expected a declared prefix or none",
        )
        .hint(format!(
            "add xmlns:{prefix}=\"{prefix}\" to the root element"
        )),
        Error::NodesLimitReached => ModelError::at(
            &place,
            format!("more than {NODES} elements, texts and comments"),
            "expected fewer",
        ),
        Error::NoRootNode => ModelError::at(&place, "no element", "expected an XML element"),
        Error::MalformedEntityReference(_) => {
            ModelError::at(&place, "a bare &", "expected an entity").hint("write &amp; for &")
        }
        Error::UnknownEntityReference(name, _) => ModelError::at(
            &place,
            format!("the entity &{name};"),
            "expected &lt; &gt; &amp; &quot; &apos; or a character such as &#176;",
        )
        .hint("write the character itself"),
        Error::InvalidAttributeValue(_) | Error::InvalidChar(b'\'' | b'"', b'<', _) => {
            ModelError::at(&place, "< in an attribute", "expected none").hint("write &lt; for <")
        }
        Error::DuplicatedAttribute(name, _) => ModelError::at(
            &place,
            format!("a second attribute {name:?} of one element"),
            "expected each once",
        ),
        other => {
            let text = other.to_string();
            let text = text.split(" at ").next().unwrap_or(&text);
            ModelError::at(&place, format!("broken XML ({text})"), "expected XML")
        }
    }
}

/// Error of xacro that was not expanded.
pub(crate) fn xacro(place: &Place, found: &str) -> ModelError {
    ModelError::at(
        place,
        format!("{found:?}, a xacro expression"),
        "expected plain URDF",
    )
    .hint("expand it first: `xacro robot.urdf.xacro > robot.urdf`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(text: &str) -> SourceText<'_> {
        SourceText::new(text, Path::new("a.xml"))
    }

    proptest! {
        #[test]
        fn places_equal_a_plain_count(text in "[aß\n]{0,900}") {
            let source = source(&text);
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            for at in ends {
                let before = &text[..at];
                let place = source.place(at);
                prop_assert_eq!(place.line as usize, before.matches('\n').count() + 1);
                let line = before.rsplit('\n').next().unwrap_or("");
                prop_assert_eq!(place.column as usize, line.chars().count() + 1);
            }
        }
    }

    fn message(text: &str) -> String {
        parse(text, &source(text)).unwrap_err().to_string()
    }

    #[test]
    fn deep_nesting_is_refused_without_overflow() {
        let text = "<a>".repeat(200_000) + &"</a>".repeat(200_000);
        assert!(message(&text).starts_with("a.xml:1:"), "{}", message(&text));
        assert!(message(&text).contains("nested deeper than 256"));
        let open = "<a>".repeat(200_000);
        assert!(message(&open).contains("truncated"));
        assert!(message(&"<".repeat(200_000)).contains("broken XML"));
        assert!(message(&"[".repeat(200_000)).contains("a.xml:1:1"));
    }

    #[test]
    fn too_many_attributes_are_refused_at_once() {
        let attributes = |n: usize| (0..n).map(|i| format!(" a{i}='>'")).collect::<String>();
        let text = format!(
            "<!-- <a {} -->\n<a><b{}/></a>",
            attributes(300),
            attributes(256)
        );
        assert!(parse(&text, &source(&text)).is_ok());
        let text = format!("<a>\n<b{}/></a>", attributes(1_000_000));
        assert!(message(&text).starts_with("a.xml:2:1: an element with 1000000 attributes"));
    }

    #[test]
    fn entities_are_refused() {
        let text = "\n<!DOCTYPE a [<!ENTITY b \"cc\"><!ENTITY d \"&b;&b;\">]>\n<a>&d;</a>";
        assert!(message(text).starts_with("a.xml:2:1: a document type"));
    }
}
