//! Sentence templates, in the form of Home Assistant's `hassil`: `go [back] to {place}`, `(stop|halt) [<it>]`, `(a;b)` for
//! both in any order.

use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, eof, repeat, separated, terminated};
use winnow::error::{ContextError, ErrMode};
use winnow::prelude::*;
use winnow::token::take_while;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// One word as it stands.
    Word(String),
    /// One after the other.
    Row(Vec<Part>),
    /// One of them.
    Either(Vec<Part>),
    /// All of them, in any order.
    Any(Vec<Part>),
    /// It, or nothing.
    Maybe(Box<Part>),
    /// The part of this name in the table of rules.
    Rule(String),
    /// A value: the name of the argument, and its type.
    Slot(String, String),
}

type Parsed<T> = Result<T, ErrMode<ContextError>>;

fn name<'a>(input: &mut &'a str) -> Parsed<&'a str> {
    take_while(1.., |c: char| {
        c.is_ascii_alphanumeric() || c == '_' || c == '-'
    })
    .parse_next(input)
}

fn word(input: &mut &str) -> Parsed<Part> {
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '%' | '/' | '.' | '+');
    take_while(1.., is_of_word)
        .map(|word: &str| Part::Word(word.to_owned()))
        .parse_next(input)
}

fn slot(input: &mut &str) -> Parsed<Part> {
    let both = (name, winnow::combinator::opt((':', name)));
    delimited('{', both, '}')
        .map(|(name, kind): (&str, Option<(char, &str)>)| {
            Part::Slot(
                name.to_owned(),
                kind.map_or(name, |(_, kind)| kind).to_owned(),
            )
        })
        .parse_next(input)
}

fn atom(input: &mut &str) -> Parsed<Part> {
    let part = alt((
        delimited('[', group, ']').map(|part| Part::Maybe(Box::new(part))),
        delimited('(', group, ')'),
        delimited('<', name, '>').map(|rule: &str| Part::Rule(rule.to_owned())),
        slot,
        word,
    ));
    terminated(part, multispace0).parse_next(input)
}

fn row(input: &mut &str) -> Parsed<Part> {
    multispace0.parse_next(input)?;
    let mut parts: Vec<Part> = repeat(1.., atom).parse_next(input)?;
    Ok(match parts.len() {
        1 => parts.remove(0),
        _ => Part::Row(parts),
    })
}

fn group(input: &mut &str) -> Parsed<Part> {
    let first = row(input)?;
    let mark = input
        .chars()
        .next()
        .filter(|mark| matches!(mark, '|' | ';'));
    let Some(mut mark) = mark else {
        return Ok(first);
    };
    mark.parse_next(input)?;
    let rest: Vec<Part> = separated(1.., row, mark).parse_next(input)?;
    let all = std::iter::once(first).chain(rest).collect();
    Ok(match mark {
        '|' => Part::Either(all),
        _ => Part::Any(all),
    })
}

/// Reads a template.
pub(crate) fn parse(text: &str) -> Result<Part, String> {
    terminated(group, eof).parse(text).map_err(|error| {
        format!(
            "template `{text}`: unexpected from column {}",
            error.offset() + 1
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_read() {
        let part = parse("(go|drive) [back] to {place} <now>").unwrap();
        let w = |text: &str| Part::Word(text.to_owned());
        assert_eq!(
            part,
            Part::Row(vec![
                Part::Either(vec![w("go"), w("drive")]),
                Part::Maybe(Box::new(w("back"))),
                w("to"),
                Part::Slot("place".to_owned(), "place".to_owned()),
                Part::Rule("now".to_owned()),
            ])
        );
        assert_eq!(
            parse("(a;{d_m:-distance})").unwrap(),
            Part::Any(vec![
                w("a"),
                Part::Slot("d_m".to_owned(), "-distance".to_owned())
            ])
        );
        for wrong in ["", "(a", "[a]]", "{a b}", "(a|b;c)", "a |"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
