//! Syntax of RON in scenes: its options, whether ron accepts a text, and where it does not.

use ron::extensions::Extensions;
use serde::de::IgnoredAny;

/// RON options of scenes: optional values without `Some`, `duration_s: 60.0`.
pub(super) fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

/// Whether ron accepts a text.
pub(super) fn accept(text: &str) -> Result<(), (usize, ron::Error)> {
    options()
        .from_str::<IgnoredAny>(text)
        .map(drop)
        .map_err(|error| (offset(text, error.span.start), error.code))
}

/// Byte offset of ron's line and column.
pub(super) fn offset(text: &str, place: ron::error::Position) -> usize {
    let start = match place.line {
        0 | 1 => 0,
        line => text
            .match_indices('\n')
            .nth(line - 2)
            .map_or(text.len(), |(k, _)| k + 1),
    };
    let column = place.col.saturating_sub(1);
    let within = text[start..].char_indices().nth(column);
    start + within.map_or(text.len() - start, |(k, _)| k)
}
