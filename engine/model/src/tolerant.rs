//! Deviations from XML that tinyxml2, and so `MuJoCo` and ROS, accept: blanked before the file is parsed.
//!
//! Every replacement has as many bytes as what it replaces, so that places do not change.

use crate::xml::tag_length;
use std::borrow::Cow;

/// Blanks hyphens in comments, which XML forbids in pairs, declarations that do not stand first, and
/// document types without definitions.
pub(crate) fn tolerant(text: &str) -> Cow<'_, str> {
    let mut copy: Option<Vec<u8>> = None;
    let mut blank = |from: usize, to: usize, all: bool| {
        let bytes = copy.get_or_insert_with(|| text.as_bytes().to_vec());
        for byte in &mut bytes[from..to] {
            if *byte == b'-' || (all && *byte != b'\n' && *byte != b'\r') {
                *byte = b' ';
            }
        }
    };
    let after = |start: usize, end: &str| text[start..].find(end).map(|at| start + at);
    let mut in_prolog = true;
    let mut at = 0;
    while let Some(start) = after(at, "<") {
        let rest = &text[start..];
        let next = if rest.starts_with("<!--") {
            let inner = start + 4;
            let end = after(inner, "-->");
            if let Some(end) = end {
                let comment = &text[inner..end];
                if comment.contains("--") || comment.ends_with('-') {
                    blank(inner, end, false);
                }
            }
            end.map(|end| end + 3)
        } else if rest.starts_with("<![CDATA[") {
            after(start, "]]>").map(|end| end + 3)
        } else if let Some(inside) = rest.strip_prefix("<?") {
            let end = after(start, "?>").map(|end| end + 2);
            let label = inside.strip_prefix("xml");
            let declares = label.is_some_and(|l| l.starts_with(char::is_whitespace));
            if let Some(end) = end.filter(|_| declares && in_prolog && start > 0) {
                blank(start, end, true);
            }
            end
        } else {
            let end = start + 1 + tag_length(&rest[1..]);
            if rest.starts_with("<!DOCTYPE") {
                let whole = text.get(start..=end).filter(|whole| !whole.contains('['));
                if whole.is_some() && in_prolog {
                    blank(start, end + 1, true);
                }
            } else {
                in_prolog = false;
            }
            Some(end)
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    // Only whole ASCII characters, and whole declarations, were replaced.
    match copy.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{SourceText, parse};
    use std::path::Path;

    #[test]
    fn hyphens_in_comments_are_blanked_in_place() {
        let text =
            "<!------ wheels ------>\n<a b='<!-- -- --' ><![CDATA[<!-- -- -->]]><!-- ä--b --></a>";
        let blanked = tolerant(text);
        assert_eq!(
            blanked,
            "<!--     wheels     -->\n<a b='<!-- -- --' ><![CDATA[<!-- -- -->]]><!-- ä  b --></a>"
        );
        for untouched in [
            "<a/><?xml ?>",
            "<!-- <?xml ?> - --><a/>",
            "<?xml version='1.0'?><a/>",
            "<a b='--'>--</a>",
            "<!-- -- <a/>",
        ] {
            assert!(
                matches!(tolerant(untouched), Cow::Borrowed(_)),
                "{untouched}"
            );
        }
    }

    #[test]
    fn places_after_a_comment_do_not_change() {
        let text = "<!-- -- ä --- --><a>\n <!-- -- --><b c='1' c='2'/></a>";
        let blanked = tolerant(text);
        let source = SourceText::new(&blanked, Path::new("a.xml"));
        let error = parse(&blanked, &source).unwrap_err().to_string();
        assert!(error.starts_with("a.xml:2:"), "{error}");
        assert_eq!(source.place(blanked.find("<b").unwrap()).column, 13);
    }

    #[test]
    fn misplaced_declarations_and_plain_document_types_are_blanked_in_place() {
        for text in [
            "\n <!-- a -->\n<?xml version='1.0'?>\n<a b='ä'/>",
            "<?xml version='1.0'?>\n<!DOCTYPE robot SYSTEM 'a>b.dtd'>\n<a b='ä'/>",
            "<?xml version='1.0'?><?xml version='1.0'?><!DOCTYPE a><a b='ä'/>",
        ] {
            let blanked = tolerant(text);
            let source = SourceText::new(&blanked, Path::new("a.xml"));
            let document = parse(&blanked, &source).unwrap();
            let range = document.root_element().range();
            assert_eq!(range, text.find("<a").unwrap()..text.len());
        }
        // Entities can expand without limit.
        let text = "<!DOCTYPE a [<!ENTITY b 'cc'>]><a/>";
        assert!(matches!(tolerant(text), Cow::Borrowed(_)));
    }
}
