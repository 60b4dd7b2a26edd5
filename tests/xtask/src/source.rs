//! Source files as two texts: code for the floors, prose for the words.

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, tokenize};

/// A piece of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Line of its first character, from 1.
    pub(crate) line: usize,
}

/// Kind of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Space,
    Comment,
    /// A string literal, with its quotes.
    Text,
    Name,
    /// Punctuation and other literals.
    Other,
}

/// Splits a Rust or RON file; the two share comments and literals.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut at, mut line) = (0, 1);
    let mut all = Vec::new();
    for token in tokenize(text, FrontmatterAllowed::No) {
        let end = at + token.len as usize;
        let text = &text[at..end];
        let kind = match token.kind {
            TokenKind::Whitespace => Kind::Space,
            TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Kind::Comment,
            TokenKind::Ident | TokenKind::RawIdent => Kind::Name,
            TokenKind::Literal {
                kind: LiteralKind::Str { .. } | LiteralKind::RawStr { .. },
                ..
            } => Kind::Text,
            _ => Kind::Other,
        };
        all.push(Piece { kind, text, line });
        line += text.matches('\n').count();
        at = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_separated_from_code() {
        let text = "// a 'b\nlet x = 'c'; /* d \"e\" */ f(r#\"g \"h\"\"#, \"i // j\", 'k)";
        let of = |kind| -> Vec<(&str, usize)> {
            let all = pieces(text);
            let found = all.iter().filter(|p| p.kind == kind);
            found.map(|p| (p.text, p.line)).collect()
        };
        assert_eq!(of(Kind::Comment), [("// a 'b", 1), ("/* d \"e\" */", 2)]);
        assert_eq!(of(Kind::Text), [("r#\"g \"h\"\"#", 2), ("\"i // j\"", 2)]);
        assert_eq!(of(Kind::Name), [("let", 2), ("x", 2), ("f", 2)]);
    }
}
