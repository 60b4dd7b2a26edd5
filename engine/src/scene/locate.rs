//! Where a value stands in a scene's text: `agents[0].sensors[1].rate_hz` to line and column.
//!
//! Ron forgets places when a value is read. This walks a text that ron has accepted, so it need not
//! judge, only keep count; where it loses the thread, a place above is given.

use std::cell::OnceCell;
use std::collections::HashMap;

/// The places of all values of a text.
pub(super) struct Places<'a> {
    text: &'a str,
    /// Byte offset of each value, by its path. Made when first asked for: good scenes never ask.
    offsets: OnceCell<HashMap<String, usize>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            offsets: OnceCell::new(),
        }
    }

    /// Byte offset of a value, or of the nearest one that holds it.
    pub(super) fn of_path(&self, path: &str) -> usize {
        let offsets = self.offsets.get_or_init(|| {
            let mut walk = Walk {
                text: self.text,
                at: 0,
                found: HashMap::new(),
            };
            walk.value("", 0);
            walk.found
        });
        let mut path = path;
        loop {
            if let Some(&at) = offsets.get(path) {
                return at;
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
    }
}

/// Most values whose places are kept.
const MOST: usize = 500_000;

struct Walk<'a> {
    text: &'a str,
    at: usize,
    found: HashMap<String, usize>,
}

impl Walk<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            let skip = if trimmed.starts_with("//") || trimmed.starts_with("#!") {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if trimmed.starts_with("/*") {
                block_comment(trimmed)
            } else {
                0
            };
            self.at += rest.len() - trimmed.len() + skip;
            if skip == 0 {
                return;
            }
        }
    }

    /// A name, a number, a string: whatever ends before a bracket, comma or colon.
    fn word(&mut self) -> String {
        let start = self.at;
        if self.peek() == Some('"') {
            self.at += 1;
            while let Some(c) = self.peek() {
                self.at += c.len_utf8();
                match c {
                    '\\' => self.at += self.peek().map_or(0, char::len_utf8),
                    '"' => break,
                    _ => {}
                }
            }
        } else {
            let end = self
                .rest()
                .find(|c: char| c.is_whitespace() || "()[]{},:/".contains(c));
            self.at += end.unwrap_or(self.rest().len());
        }
        self.text[start..self.at].to_owned()
    }

    fn value(&mut self, path: &str, depth: usize) {
        self.skip_blank();
        self.found.insert(path.to_owned(), self.at);
        // Deeper than ron reads, or more than is worth remembering: places above are given.
        if depth > 128 || self.found.len() > MOST {
            self.at = self.text.len();
            return;
        }
        self.word();
        self.skip_blank();
        match self.peek() {
            Some('(') => self.items(path, ')', depth),
            Some('[') => self.items(path, ']', depth),
            Some('{') => self.items(path, '}', depth),
            _ => {}
        }
    }

    /// The inside of a bracket: `name: value` or values, with commas between.
    fn items(&mut self, path: &str, close: char, depth: usize) {
        self.at += 1;
        for index in 0.. {
            self.skip_blank();
            match self.peek() {
                None => return,
                Some(c) if c == close => {
                    self.at += c.len_utf8();
                    return;
                }
                Some(_) => {}
            }
            let before = self.at;
            let word = self.word();
            self.skip_blank();
            if self.peek() == Some(':') {
                self.at += 1;
                let inner = if path.is_empty() {
                    word
                } else {
                    format!("{path}.{word}")
                };
                self.value(&inner, depth + 1);
            } else {
                self.at = before;
                // A newtype's inside keeps the outer path's names; tuples and lists are counted.
                self.value(&format!("{path}[{index}]"), depth + 1);
            }
            self.skip_blank();
            if self.peek() == Some(',') {
                self.at += 1;
            } else if self.at == before {
                // Nothing that can be a value: one character on.
                self.at += self.peek().map_or(1, char::len_utf8);
            }
        }
    }
}

/// Length of the block comment that a text begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        let rest = &text[at..];
        let Some(next) = rest.find("/*").into_iter().chain(rest.find("*/")).min() else {
            return text.len();
        };
        depth = if rest[next..].starts_with("/*") {
            depth + 1
        } else {
            depth - 1
        };
        at += next + 2;
        if depth == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::mistake::byte_place;

    #[test]
    fn values_are_found_behind_comments_and_kinds() {
        let text = "// a, (comment\n(\n  version: 1, /* [ /* ( */ */\n  agents: [\n    (name: \"a, (b\", sensors: [\n      (kind: Imu(gyro: (white_sd: 2)), rate_hz: 5),\n    ]),\n  ],\n)";
        let offsets = Places::of(text);
        let place = |path: &str| byte_place(text.as_bytes(), offsets.of_path(path));
        assert_eq!(place("version"), (3, 12));
        assert_eq!(place("agents[0].name"), (5, 12));
        assert_eq!(place("agents[0].sensors[0].rate_hz"), (6, 49));
        assert_eq!(place("agents[0].sensors[0].kind.gyro.white_sd"), (6, 35));
        assert_eq!(place("agents[0].sensors[0].kind.gyro.bias"), (6, 24));
    }
}
