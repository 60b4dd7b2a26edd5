//! JSON of peers, read as leniently as is safe: NaN and infinities, which JSON lacks, are missing values (`null`).

use serde_json::Value;

/// Most characters of a document in a message.
const MAX_SHOWN: usize = 160;

/// Arrival that is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kind of the mistake, for counts.
    pub kind: &'static str,
    /// Found and expected.
    pub reason: String,
}

/// A document, and the number of NaN and infinities that JSON does not have.
pub type Document = (Value, u64);

/// Parses one JSON document, and counts the NaN and infinities in it, which are taken as `null`.
///
/// ```
/// use becomingone_systems::links::document::parse;
///
/// let (value, not_finite) = parse(br#"{"level": NaN}"#)?;
/// assert!(value["level"].is_null() && not_finite == 1);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// Why it is not JSON.
pub fn parse(bytes: &[u8]) -> Result<(Value, u64), String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!(
            "found a byte that is not UTF-8 at offset {}; expected JSON",
            error.valid_up_to()
        )
    })?;
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok((value, 0)),
        Err(error) => error,
    };
    // Only now: JSON of peers that keep to it is read once.
    let (clean, count) = without_non_finite(text);
    if count > 0
        && let Ok(value) = serde_json::from_str(&clean)
    {
        return Ok((value, count));
    }
    let hint = if text.trim_start().starts_with("{'") {
        "; expected double quotes, as Python's json.dumps writes them"
    } else if error.is_eof() {
        "; it may be cut"
    } else {
        "; expected a JSON document"
    };
    Err(format!("found text that is not JSON: {error}{hint}"))
}

/// JSON with `null` in place of NaN and infinities in all usual spellings, and their number.
pub fn without_non_finite(text: &str) -> (String, u64) {
    let (mut clean, mut count) = (String::with_capacity(text.len()), 0);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', c == '\\' && !escaped);
        } else if c == '"' {
            in_string = true;
        } else if c.is_ascii_alphabetic() || matches!(c, '+' | '-') {
            let end = rest[1..].find(|c: char| !c.is_ascii_alphabetic());
            let (word, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            let name = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
            if matches!(name.as_str(), "nan" | "inf" | "infinity") {
                clean.push_str("null");
                count += 1;
            } else {
                clean.push_str(word);
            }
            rest = after;
            continue;
        }
        clean.push(c);
        rest = &rest[c.len_utf8()..];
    }
    (clean, count)
}

/// A number, also as text; NaN for `null`, NaN and infinities; none for anything else.
pub fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Null => f64::NAN,
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(if number.is_finite() { number } else { f64::NAN })
}

/// A whole number from 0, also as 17.0 or "17"; none for anything else.
pub fn whole(value: &Value) -> Option<u64> {
    /// Largest number up to which all whole ones are doubles.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let of_double = |x: f64| (x.fract() == 0.0 && (0.0..EXACT).contains(&x)).then_some(x as u64);
    match value {
        Value::Number(n) => n.as_u64().or_else(|| of_double(n.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            let number = text.parse().ok();
            number.or_else(|| of_double(text.parse().ok()?))
        }
        _ => None,
    }
}

/// Nanoseconds of a time in seconds from 0; none for a time that is not.
pub fn seconds_ns(value: &Value) -> Option<u64> {
    let seconds = number(value)?;
    let ns = (seconds * 1e9).round();
    (0.0..1.8e19).contains(&ns).then_some(ns as u64)
}

/// A value in a message: its kind, or the value itself where it is short.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => format!("the text `{}`", shown(text, MAX_SHOWN / 4)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Begin of an arrival, escaped, for messages.
pub fn excerpt(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(4 * MAX_SHOWN)];
    shown(&String::from_utf8_lossy(bytes), MAX_SHOWN)
}

/// Addresses of the web in a text without their queries, which may have a key: `http://a/state?..`.
///
/// ```
/// use becomingone_systems::links::document::without_query;
///
/// let source = r#"Driver("http", (url: "http://a/state?key=1", every_s: 1))"#;
/// let shown = r#"Driver("http", (url: "http://a/state?..", every_s: 1))"#;
/// assert_eq!(without_query(source), shown);
/// ```
pub fn without_query(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        shown.push_str(before);
        // A text of a scene ends at its quote.
        let end = address.find(['"', ' ', '\n']).unwrap_or(address.len());
        let (address, after) = address.split_at(end);
        match address.find(['?', '#']) {
            Some(query) => {
                shown.push_str(&address[..query]);
                shown.push_str("?..");
            }
            None => shown.push_str(address),
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// A text with control characters, which a terminal would obey, as escapes.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

fn shown(text: &str, most: usize) -> String {
    let mut begin: String = text.chars().take(most).collect();
    if begin.len() < text.len() {
        begin.push_str("...");
    }
    begin.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_json_lacks_is_missing_and_text_in_quotes_is_kept() {
        let (value, count) = parse(br#"[NaN, -Infinity, +inf, "NaN", "\"nan", 1e3]"#).unwrap();
        assert_eq!(value, json!([null, null, null, "NaN", "\"nan", 1000.0]));
        assert_eq!(count, 3);
        for (text, reason) in [
            (&b"{'a': 1}"[..], "double quotes"),
            (b"{\"a\": 1", "may be cut"),
            (b"\xff", "not UTF-8"),
            (b"hello", "not JSON"),
            (b"nan nan", "not JSON"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn numbers_are_read_as_they_are_meant() {
        assert_eq!(number(&json!(3)), Some(3.0));
        assert_eq!(number(&json!(" 2.5 ")), Some(2.5));
        assert!(number(&json!(null)).is_some_and(f64::is_nan));
        assert!(number(&json!("inf")).is_some_and(f64::is_nan));
        assert_eq!(number(&json!(true)), None);
        assert_eq!(whole(&json!(3.0)), Some(3));
        assert_eq!(whole(&json!("17")), Some(17));
        assert_eq!(whole(&json!(3.5)), None);
        assert_eq!(whole(&json!(-1)), None);
        assert_eq!(seconds_ns(&json!(1.5)), Some(1_500_000_000));
        assert_eq!(seconds_ns(&json!(-0.5)), None);
        assert_eq!(seconds_ns(&json!(null)), None);
    }

    #[test]
    fn queries_of_addresses_and_control_characters_are_not_shown() {
        for (text, shown) in [
            ("tank.jsonl?x", "tank.jsonl?x"),
            (
                "rover/drive to http://a:8/p?key=1",
                "rover/drive to http://a:8/p?..",
            ),
            ("wss://a/?k#f", "wss://a/?.."),
            (
                "http://a/?x and http://b/?y",
                "http://a/?.. and http://b/?..",
            ),
            ("tcp://box:4001", "tcp://box:4001"),
        ] {
            assert_eq!(without_query(text), shown);
        }
        assert_eq!(
            printable("a\u{1b}[2Jb\r\n\u{9b}ü"),
            "a\\u{1b}[2Jb\\r\\n\\u{9b}ü"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_document_or_an_error(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            prop_assert!(excerpt(&bytes).len() < 5000);
        }

        #[test]
        fn json_of_a_peer_is_unchanged(values: Vec<(String, f64)>) {
            let finite = values.into_iter().filter(|(_, x)| x.is_finite());
            let sent: Value = finite.map(|(key, x)| (key, json!(x))).collect::<serde_json::Map<_, _>>().into();
            prop_assert_eq!(parse(sent.to_string().as_bytes()).unwrap(), (sent, 0));
        }
    }
}
