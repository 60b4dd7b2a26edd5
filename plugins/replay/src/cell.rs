//! Cell of a table: number, missing value, or text.

use crate::digits::{NumberStyle, has_decimal_comma, with_hyphen, without_groups};

/// Content of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Empty, or a word for a missing value such as `NaN` or `null`.
    Missing,
    /// A finite number.
    Number(f64),
    /// Infinity, or a number out of the range of `f64`.
    Infinite,
    /// Anything else.
    Text,
}

/// Words for a missing value.
const MISSING_WORDS: [&[u8]; 14] = [
    b"nan", b"null", b"na", b"n/a", b"none", b"nil", b"nat", b"#n/a", b"-", b"--", b"?", b"-nan",
    b"+nan", b"missing",
];

/// Minus sign of typography in UTF-8.
const MINUS: &[u8] = "\u{2212}".as_bytes();

/// Parses a cell of a column whose numbers are written in a style.
pub(crate) fn read(cell: &[u8], style: NumberStyle) -> Cell {
    let cell = cell.trim_ascii();
    let Some(&first) = cell.first() else {
        return Cell::Missing;
    };
    if (first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.' | b','))
        && let Some(number) = number(cell, style)
    {
        return number;
    }
    if MISSING_WORDS
        .iter()
        .any(|word| cell.eq_ignore_ascii_case(word))
    {
        Cell::Missing
    } else if cell.eq_ignore_ascii_case(b"true") {
        Cell::Number(1.0)
    } else if cell.eq_ignore_ascii_case(b"false") {
        Cell::Number(0.0)
    } else if cell.windows(MINUS.len()).any(|part| part == MINUS) {
        let text = String::from_utf8_lossy(cell);
        read(with_hyphen(&text).as_bytes(), style)
    } else {
        number(cell, NumberStyle::POINT).unwrap_or(Cell::Text)
    }
}

/// Parses a cell whose numbers may be written in any style.
pub(crate) fn read_any(cell: &[u8]) -> Cell {
    let grouped = |comma| NumberStyle {
        comma,
        grouped: true,
    };
    [NumberStyle::COMMA, grouped(false), grouped(true)]
        .into_iter()
        .fold(read(cell, NumberStyle::POINT), |found, style| match found {
            Cell::Text => read(cell, style),
            found => found,
        })
}

fn number(cell: &[u8], style: NumberStyle) -> Option<Cell> {
    let text = std::str::from_utf8(cell).ok()?;
    if style.comma
        && style.grouped
        && let Some(number) = without_groups(text, true)
    {
        return parsed(number.parse().ok()?);
    }
    let x: f64 = match text.parse() {
        Ok(x) => x,
        Err(_) if style.grouped && !style.comma => without_groups(text, false)?.parse().ok()?,
        Err(_) if style.comma && has_decimal_comma(cell) => {
            let mut turned = [0; 64];
            let turned = turned.get_mut(..cell.len())?;
            turned.copy_from_slice(cell);
            for byte in turned.iter_mut().filter(|b| **b == b',') {
                *byte = b'.';
            }
            std::str::from_utf8(turned).ok()?.parse().ok()?
        }
        Err(_) => return None,
    };
    parsed(x)
}

fn parsed(x: f64) -> Option<Cell> {
    Some(if x.is_finite() {
        Cell::Number(x)
    } else if x.is_nan() {
        Cell::Missing
    } else {
        Cell::Infinite
    })
}

/// Excerpt of a cell for a message.
pub(crate) fn excerpt(cell: &str) -> String {
    const MOST: usize = 40;
    let text = cell.trim();
    let line = text.lines().next().unwrap_or_default();
    let mut found: String = line.chars().take(MOST).collect();
    if found.len() < text.len() {
        found.push('…');
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbers_missing_or_text() {
        for (text, number) in [
            ("1", 1.0),
            (" -2.5e3 ", -2500.0),
            ("\u{2212}2.5e\u{2212}3", -0.0025),
            ("+.5", 0.5),
            ("1E-2", 0.01),
            ("0", 0.0),
            ("TRUE", 1.0),
            ("false", 0.0),
        ] {
            assert_eq!(
                read(text.as_bytes(), NumberStyle::POINT),
                Cell::Number(number),
                "{text}"
            );
        }
        for text in [
            "", "  ", "NaN", "nan", "null", "NULL", "N/A", "-", "?", "-nan", "None",
        ] {
            assert_eq!(
                read(text.as_bytes(), NumberStyle::POINT),
                Cell::Missing,
                "{text}"
            );
        }
        for text in ["inf", "-Infinity", "1e999"] {
            assert_eq!(
                read(text.as_bytes(), NumberStyle::POINT),
                Cell::Infinite,
                "{text}"
            );
        }
        for text in [
            "ok",
            "1,5",
            "12 V",
            "2020-03-09",
            "1_000",
            "0x1F",
            "e5",
            "1.2.3",
        ] {
            assert_eq!(
                read(text.as_bytes(), NumberStyle::POINT),
                Cell::Text,
                "{text}"
            );
        }
    }

    #[test]
    fn decimal_comma_is_read_if_unambiguous() {
        assert_eq!(read(b"1,5", NumberStyle::COMMA), Cell::Number(1.5));
        assert_eq!(read(b"-0,25e1", NumberStyle::COMMA), Cell::Number(-2.5));
        assert_eq!(read(b"1.5", NumberStyle::COMMA), Cell::Number(1.5));
        // Ambiguous: the comma may separate thousands.
        assert_eq!(read(b"1.234,5", NumberStyle::COMMA), Cell::Text);
        assert_eq!(read(b"1,234,567", NumberStyle::COMMA), Cell::Text);
    }
}
