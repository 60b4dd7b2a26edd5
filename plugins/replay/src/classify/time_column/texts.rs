//! Texts of stamps, in one column or two.

use crate::head::Head;
use std::borrow::Cow;

/// How the cells of two columns make a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// A date and a time of day.
    DateAndTime,
    /// Seconds, and a whole number of parts of a second with this many digits.
    Seconds(usize),
}

impl Joined {
    /// Joins two cells to one stamp.
    pub(crate) fn join(self, first: &str, second: &str, to: &mut String) {
        to.push_str(first.trim());
        let second = second.trim();
        match self {
            Self::DateAndTime => to.push(' '),
            Self::Seconds(digits) => {
                to.push('.');
                // What is no count of parts remains what it is: an invalid stamp.
                let missing = digits.saturating_sub(second.len());
                to.extend(std::iter::repeat_n('0', missing));
            }
        }
        to.push_str(second);
    }
}

/// Texts of a column, or of two that make a stamp, with their places.
pub(super) struct Texts<'a>(pub(super) Vec<(u64, Cow<'a, str>)>);

impl<'a> Texts<'a> {
    pub(super) fn of(head: &'a Head, index: usize) -> Self {
        let style = head.style(index);
        let cells = head.rows.iter();
        Self(
            cells
                .filter_map(|r| Some((r.at, style.plain(r.text(index)?))))
                .collect(),
        )
    }

    pub(super) fn joined(head: &'a Head, first: usize, second: usize, how: Joined) -> Self {
        let cells = head.rows.iter().filter_map(|r| {
            let mut text = String::new();
            how.join(r.text(first)?, r.text(second)?, &mut text);
            Some((r.at, text.into()))
        });
        Self(cells.collect())
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|(_, text)| text.as_ref()).collect()
    }
}
