//! Numbers in text, and numbers and text in messages.

use crate::{ModelError, Place};

/// Parses numbers separated by white space that are finite as `f32`, the physics' precision.
pub(crate) fn numbers(text: &str, place: &Place, name: &str) -> Result<Vec<f64>, ModelError> {
    let fine = |x: f64| (x as f32).is_finite();
    let expected = "expected a finite number, at most 3.4e38 (single precision)";
    parsed(text, place, name, fine, expected)
}

/// Parses numbers separated by white space, each of which fulfils a condition.
pub(crate) fn parsed(
    text: &str,
    place: &Place,
    name: &str,
    condition: impl Fn(f64) -> bool,
    expected: &str,
) -> Result<Vec<f64>, ModelError> {
    text.split_whitespace()
        .map(|word| match word.parse::<f64>() {
            Ok(number) if condition(number) => Ok(number),
            found => {
                let expected = if found.is_ok() {
                    expected
                } else {
                    "expected a number"
                };
                let written = format!("{} in {name}", quoted(word));
                let error = ModelError::at(place, written, expected);
                Err(match comma(word) {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        })
        .collect()
}

/// What to write instead of a word with a comma that is not a number; `None` if there is no comma.
pub(crate) fn comma(word: &str) -> Option<String> {
    let point = word.replacen(',', ".", 1);
    match point.parse::<f64>() {
        _ if !word.contains(',') => None,
        Ok(_) if !word.ends_with(',') && !word.starts_with(',') => Some(format!(
            "write {point} if the comma is a decimal comma, and spaces between numbers"
        )),
        _ => Some("write spaces, not commas, between numbers, and decimal points".to_owned()),
    }
}

/// Comma-separated numbers with spaces instead, if they are as many as expected, three or more, and
/// no comma can be a decimal comma: each stands between two numbers. `None` otherwise.
pub(crate) fn comma_separated(text: &str, counts: &[usize]) -> Option<String> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_number = |field: &&str| field.parse::<f64>().is_ok();
    let fits = fields.len() > 2 && counts.contains(&fields.len());
    (fits && fields.iter().all(is_number)).then(|| fields.join(" "))
}

/// Number for a message: very small and very large ones with an exponent.
pub(crate) fn shown(number: f64) -> String {
    if number == 0.0 || (1e-4..1e15).contains(&number.abs()) {
        format!("{number}")
    } else {
        format!("{number:?}")
    }
}

/// Expected value of a number that has to be above zero as `f32`.
pub(crate) fn above_zero(number: f64, what: &str, unit: &str) -> String {
    if number > 0.0 {
        format!("expected {what} above 1e-45 {unit} (single precision)")
    } else {
        format!("expected {what} above zero ({unit})")
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

    fn read(text: &str) -> Result<Vec<f64>, String> {
        let place = Place {
            file: "a".into(),
            line: 1,
            column: 2,
        };
        numbers(text, &place, "v").map_err(|e| e.to_string())
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let text = " +1 1. .5 1e5 -1E-5\t1e-310 4.9e-324 -0 00012\n";
        let right = [1.0, 1.0, 0.5, 1e5, -1e-5, 1e-310, 5e-324, 0.0, 12.0];
        assert_eq!(read(text).unwrap(), right);
        for (text, words) in [
            ("1e39", "at most 3.4e38 (single precision)"),
            ("inf", "expected a finite number"),
            ("1d0", "expected a number"),
            ("0x10", "expected a number"),
            ("1_000", "expected a number"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.starts_with("a:1:2: ") && error.contains(words),
                "{error}"
            );
        }
    }

    #[test]
    fn a_comma_is_named() {
        for (text, words) in [
            ("0,25 0 0", "write 0.25 if the comma is a decimal comma"),
            ("0, 0, 1", "write spaces, not commas"),
            ("1,234.5", "write spaces, not commas"),
            ("1,2,3", "write spaces, not commas"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn only_commas_that_cannot_be_decimal_separate_numbers() {
        for text in ["1,2,3", "1, 2, 3", "1.5,2 ,-3"] {
            assert!(comma_separated(text, &[3]).is_some(), "{text}");
        }
        for text in [
            "0,25 0 0",
            "1,2",
            "1,2,3,4",
            "0,1,0,2,0,3",
            "1,2,3,",
            "1, 2 3, 4",
            "",
        ] {
            assert!(comma_separated(text, &[3]).is_none(), "{text}");
        }
    }

    #[test]
    fn small_and_large_numbers_are_shown_with_an_exponent() {
        let shown = [1e-310, 0.25, 0.0, -2.0, 1e300].map(shown);
        assert_eq!(shown, ["1e-310", "0.25", "0", "-2", "1e300"]);
    }
}
