//! Literals of Python, as the header of a NumPy array has them: `{'descr': '<f8', 'shape': (10, 3), }`.

/// Most levels of brackets.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Bool(bool),
    Int(i64),
    Text(String),
    /// List or tuple.
    List(Vec<Literal>),
    Dict(Vec<(String, Literal)>),
    None,
}

impl Literal {
    /// Size of a dimension.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }
}

/// Parses a literal; `None` if it is not valid.
pub(super) fn parse(text: &str) -> Option<Literal> {
    let mut rest = text.trim_end_matches('\0');
    let found = value(&mut rest, 0)?;
    rest.trim().is_empty().then_some(found)
}

fn value(rest: &mut &str, depth: usize) -> Option<Literal> {
    *rest = rest.trim_start();
    let first = rest.chars().next()?;
    Some(match first {
        '\'' | '"' => Literal::Text(quoted(rest, first)?),
        'u' | 'b' if rest[1..].starts_with(['\'', '"']) => {
            *rest = &rest[1..];
            let quote = rest.chars().next()?;
            Literal::Text(quoted(rest, quote)?)
        }
        '(' => Literal::List(items(rest, ')', depth)?),
        '[' => Literal::List(items(rest, ']', depth)?),
        '{' => {
            let mut found = Vec::new();
            *rest = &rest[1..];
            loop {
                *rest = rest.trim_start();
                if let Some(after) = rest.strip_prefix('}') {
                    *rest = after;
                    return Some(Literal::Dict(found));
                }
                let Literal::Text(key) = deeper(rest, depth)? else {
                    return None;
                };
                *rest = rest.trim_start().strip_prefix(':')?;
                found.push((key, deeper(rest, depth)?));
                comma(rest, '}')?;
            }
        }
        '-' | '0'..='9' => {
            let end = rest[1..]
                .find(|c: char| !c.is_ascii_digit())
                .map_or(rest.len(), |end| end + 1);
            let number = rest[..end].parse().ok()?;
            // Python 2 wrote `10L`.
            *rest = rest[end..].strip_prefix('L').unwrap_or(&rest[end..]);
            Literal::Int(number)
        }
        _ => {
            let words = [
                ("True", Literal::Bool(true)),
                ("False", Literal::Bool(false)),
                ("None", Literal::None),
            ];
            let (word, found) = words.into_iter().find(|(word, _)| rest.starts_with(word))?;
            *rest = &rest[word.len()..];
            found
        }
    })
}

fn deeper(rest: &mut &str, depth: usize) -> Option<Literal> {
    (depth < MAX_DEPTH).then(|| value(rest, depth + 1))?
}

fn items(rest: &mut &str, end: char, depth: usize) -> Option<Vec<Literal>> {
    let mut found = Vec::new();
    *rest = &rest[1..];
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(end) {
            *rest = after;
            return Some(found);
        }
        found.push(deeper(rest, depth)?);
        comma(rest, end)?;
    }
}

/// Passes a comma, or stays before the end.
fn comma(rest: &mut &str, end: char) -> Option<()> {
    *rest = rest.trim_start();
    match rest.strip_prefix(',') {
        Some(after) => *rest = after,
        None if rest.starts_with(end) => {}
        None => return None,
    }
    Some(())
}

fn quoted(rest: &mut &str, quote: char) -> Option<String> {
    let mut text = String::new();
    let mut chars = rest[1..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => text.push(chars.next()?.1),
            c if c == quote => {
                *rest = &rest[1 + at + 1..];
                return Some(text);
            }
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy_are_read() {
        let header = "{'descr': [('t', '<i8'), (('a title', 'v'), '>f4', (3,))], 'fortran_order': False, 'shape': (10L, -1), }   \n";
        let text = |t: &str| Literal::Text(t.to_owned());
        let list = |items: &[Literal]| Literal::List(items.to_vec());
        let expected = Literal::Dict(vec![
            (
                "descr".to_owned(),
                list(&[
                    list(&[text("t"), text("<i8")]),
                    list(&[
                        list(&[text("a title"), text("v")]),
                        text(">f4"),
                        list(&[Literal::Int(3)]),
                    ]),
                ]),
            ),
            ("fortran_order".to_owned(), Literal::Bool(false)),
            (
                "shape".to_owned(),
                list(&[Literal::Int(10), Literal::Int(-1)]),
            ),
        ]);
        assert_eq!(parse(header), Some(expected));
        let deep = "(".repeat(100_000);
        for bad in [
            "",
            "{",
            "{'a' 1}",
            "(1 2)",
            "'a",
            "99999999999999999999",
            "{} x",
            &deep,
        ] {
            assert_eq!(parse(bad), None, "{bad:.20}");
        }
    }
}
