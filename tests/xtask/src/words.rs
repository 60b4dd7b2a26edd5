//! The words lint: spelling by `typos`, and words that this project does not use.
//!
//! `banned_words.txt` lists them with their replacements. Names in backticks, string literals without a space and
//! identifiers are names, not words: scene keys, JSON keys and functions may have any.

use crate::source::{Kind, pieces};
use crate::{root, run};
use std::path::Path;
use std::process::Command;

const BANNED: &str = include_str!("../banned_words.txt");

/// Checks spelling, where `typos` is at hand, and words.
pub(crate) fn check(typos: Option<&Path>) -> Result<(), String> {
    match typos {
        Some(typos) => run(Command::new(typos).args(["--format", "brief"])).map_err(|e| {
            format!("{e}\nA name that is spelled so on purpose goes to .typos.toml")
        })?,
        None => println!("skipped: spelling, as typos is not installed"),
    }
    let banned = banned(BANNED)?;
    let mut found = Vec::new();
    for file in files()? {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        let Some(prose) = prose(&file, &text) else {
            continue;
        };
        for (line, entry) in search(&prose, &banned) {
            if !entry.except.iter().any(|e| Path::new(&file).starts_with(e)) {
                found.push(format!(
                    "{file}:{line}: found `{}`; expected {}",
                    entry.text, entry.instead
                ));
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\n{} banned words; tests/xtask/banned_words.txt has the list",
        found.join("\n"),
        found.len()
    ))
}

/// One line of the list.
struct Entry<'a> {
    text: &'a str,
    /// In lower case; `*` at the end stands for any ending.
    words: Vec<String>,
    instead: &'a str,
    /// Folders and files that may use it.
    except: Vec<&'a str>,
}

fn banned(list: &str) -> Result<Vec<Entry<'_>>, String> {
    let lines = list.lines().enumerate();
    let lines = lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    lines
        .map(|(number, line)| {
            let mut parts = line.split('|').map(str::trim);
            let (Some(text), Some(instead)) = (parts.next(), parts.next()) else {
                return Err(format!(
                    "banned_words.txt:{}: found `{line}`; expected `word | replacement`",
                    number + 1
                ));
            };
            let except = parts.next().into_iter().flat_map(|e| e.split(','));
            Ok(Entry {
                text,
                words: text.to_lowercase().split(' ').map(str::to_owned).collect(),
                instead,
                except: except.map(str::trim).collect(),
            })
        })
        .collect()
}

/// All files of the repository that are not ignored.
fn files() -> Result<Vec<String>, String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .map_err(|e| format!("cannot run git ls-files: {e}"))?;
    let text = String::from_utf8_lossy(&listed.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

/// Comments and messages of a file, on their own lines; none for other kinds of file.
/// A `\u{1}` is code between two pieces of prose.
fn prose(file: &str, text: &str) -> Option<String> {
    match Path::new(file).extension()?.to_str()? {
        "rs" | "ron" => Some(prose_of_source(text)),
        "md" | "toml" | "yml" | "yaml" => Some(without_names(text)),
        _ => None,
    }
}

fn prose_of_source(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece.kind {
            Kind::Space => prose.push_str(piece.text),
            Kind::Comment => {
                for line in piece.text.split_inclusive('\n') {
                    let words = line.trim_start_matches([' ', '/', '!', '*']);
                    prose.push_str(&without_names(words));
                    prose.push(' ');
                }
            }
            Kind::Text if piece.text.contains(' ') => {
                prose.push('\u{1}');
                prose.push_str(&message(piece.text));
                prose.push('\u{1}');
            }
            Kind::Text | Kind::Name | Kind::Other => {
                prose.push('\u{1}');
                prose.extend(piece.text.chars().filter(|c| *c == '\n'));
            }
        }
    }
    prose
}

/// A string literal without escapes and without the names in braces and backticks.
fn message(literal: &str) -> String {
    let mut text = String::with_capacity(literal.len());
    let mut rest = literal.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('\n') => text.push('\n'),
                _ => text.push(' '),
            },
            '{' => {
                let inside = rest.as_str().split('}').next().unwrap_or_default();
                if inside.len() < rest.as_str().len() && !inside.contains([' ', '\n', '{', '"']) {
                    rest = rest.as_str()[inside.len() + 1..].chars();
                }
                text.push('\u{1}');
            }
            c => text.push(c),
        }
    }
    without_names(&text)
}

/// A text without names in backticks. Fences of code blocks are left out too, their contents are not.
fn without_names(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            kept.extend(line.chars().filter(|c| *c == '\n'));
            continue;
        }
        let mut parts = line.split('`').peekable();
        let mut name = false;
        while let Some(part) = parts.next() {
            // A backtick without its other one is a character.
            if name && parts.peek().is_some() {
                kept.push('\u{1}');
            } else {
                kept.push_str(part);
            }
            name = !name;
        }
    }
    kept
}

/// Banned words in a prose, with their lines.
fn search<'b, 'a>(prose: &str, banned: &'b [Entry<'a>]) -> Vec<(usize, &'b Entry<'a>)> {
    // Words in lower case, their lines, and whether only space stands before them.
    let mut words: Vec<(String, usize, bool)> = Vec::new();
    let (mut line, mut word, mut joined) = (1, String::new(), true);
    for c in prose.chars().chain([' ']) {
        if c.is_alphanumeric() || c == '_' || (c == '\'' && !word.is_empty()) {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            let word = std::mem::take(&mut word);
            words.push((word.trim_end_matches('\'').to_owned(), line, joined));
            joined = true;
        }
        joined &= c.is_whitespace();
        line += usize::from(c == '\n');
    }
    let is = |found: &str, wanted: &str| match wanted.strip_suffix('*') {
        Some(start) => found.starts_with(start),
        None => found == wanted,
    };
    let mut all = Vec::new();
    for start in 0..words.len() {
        for entry in banned {
            let here = words.get(start..start + entry.words.len());
            let equal = here.is_some_and(|here| {
                let mut both = here.iter().zip(&entry.words).enumerate();
                both.all(|(k, (w, e))| is(&w.0, e) && (k == 0 || w.2))
            });
            if equal {
                all.push((words[start].1, entry));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, text: &str) -> Vec<(usize, String)> {
        let list = banned("is red | is hot\ngreen | cold\nviol* | purple").unwrap();
        let prose = prose(file, text).unwrap();
        let all = search(&prose, &list);
        all.iter().map(|(l, e)| (*l, e.text.to_owned())).collect()
    }

    #[test]
    fn comments_and_messages_are_searched_and_names_are_not() {
        let text = "
/// What is
/// red, `green`, and Violet.
fn green(red: &str) { f(\"green\"); f(\"it was green {green}, {is} red\"); }
";
        let all = found("a.rs", text);
        let expected = [(2, "is red"), (3, "viol*"), (4, "green")];
        assert_eq!(all, expected.map(|(l, w)| (l, w.to_owned())));
    }

    #[test]
    fn words_of_two_sentences_are_no_phrase() {
        assert_eq!(found("a.md", "What it is. Red so, evergreen.\n`green`"), []);
    }

    #[test]
    fn the_list_is_well_formed() {
        assert!(banned(BANNED).unwrap().len() > 10);
    }
}
