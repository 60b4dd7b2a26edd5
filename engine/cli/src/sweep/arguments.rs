//! Arguments of `sweep` that have a form of their own.

use becomingone::sweep::{Axis, Seeds, Span};

/// One of several processes that share a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// Counted from 1.
    pub(super) index: u64,
    pub(super) count: u64,
}

impl Shard {
    /// All chunks.
    pub(super) const WHOLE: Self = Self { index: 1, count: 1 };

    /// Whether a chunk is its own.
    pub(super) fn has(self, chunk: u64) -> bool {
        chunk % self.count == self.index - 1
    }
}

pub(super) fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/');
    let numbers = parts.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
        _ => Err("expected I/N with I from 1 to N, as 3/10".to_owned()),
    }
}

pub(super) fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong =
        || "expected A..B with A below B, which is excluded, or numbers by commas".to_owned();
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (number(from)?, number(to)?);
        return match from < to {
            true => Ok(Seeds::Range { from, to }),
            false => Err(wrong()),
        };
    }
    let list = text.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
    Ok(Seeds::List(list))
}

pub(super) fn axis(text: &str) -> Result<Axis, String> {
    let (path, values) = assignment(text, "PATH=VALUE,VALUE,..")?;
    let values = split(values);
    if values.iter().any(String::is_empty) {
        return Err("found an empty value; expected PATH=VALUE,VALUE,..".to_owned());
    }
    Ok(Axis {
        path: path.to_owned(),
        values,
    })
}

pub(super) fn span(text: &str) -> Result<Span, String> {
    const FORM: &str = "PATH=A..B with numbers A < B";
    let (path, bounds) = assignment(text, FORM)?;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    let bounds = bounds.split_once("..");
    let bounds = bounds.and_then(|(a, b)| Some((number(a)?, number(b)?)));
    match bounds {
        Some((from, to)) if from < to => Ok(Span {
            path: path.to_owned(),
            from,
            to,
        }),
        _ => Err(format!("expected {FORM}")),
    }
}

/// A path and what follows its `=`. Names in double quotes may have one.
fn assignment<'a>(text: &'a str, form: &str) -> Result<(&'a str, &'a str), String> {
    let mut quoted = false;
    for (k, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '=' if !quoted && k > 0 => return Ok((text[..k].trim(), &text[k + 1..])),
            _ => {}
        }
    }
    Err(format!("expected {form}"))
}

/// Values between commas; those within brackets and quotes are part of a value.
fn split(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0i32, false, false);
    let mut values = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(value) = values.last_mut() {
            value.push(c);
        }
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_within_values_do_not_part_them() {
        let axis = axis("agents.\"a=b\".x= [1, 2],Tone(f: (1, 2)) ,\"a,\\\"b\"").unwrap();
        assert_eq!(axis.path, "agents.\"a=b\".x");
        assert_eq!(axis.values, ["[1, 2]", "Tone(f: (1, 2))", "\"a,\\\"b\""]);
    }

    #[test]
    fn wrong_forms_are_refused() {
        for text in ["", "x", "=1", "x=", "x=1,,2"] {
            assert!(axis(text).is_err(), "{text}");
        }
        for text in ["x=1", "x=2..1", "x=a..b", "x=1..inf"] {
            assert!(span(text).is_err(), "{text}");
        }
        for text in ["0/3", "4/3", "3", "a/b", "1/0"] {
            assert!(shard(text).is_err(), "{text}");
        }
        for text in ["", "3..3", "-1..2", "a", "1,,2"] {
            assert!(seeds(text).is_err(), "{text}");
        }
        assert_eq!(seeds("4..6"), Ok(Seeds::Range { from: 4, to: 6 }));
        assert_eq!(seeds("4, 2"), Ok(Seeds::List(vec![4, 2])));
        assert_eq!(shard("3/3"), Ok(Shard { index: 3, count: 3 }));
    }

    #[test]
    fn each_chunk_has_one_shard() {
        let shards: Vec<Shard> = (1..=3).map(|index| Shard { index, count: 3 }).collect();
        for chunk in 0..10 {
            assert_eq!(shards.iter().filter(|s| s.has(chunk)).count(), 1);
        }
    }
}
