//! Texts of stamps, in one column or several.

use crate::head::Head;
use std::borrow::Cow;

/// Column of a stamp in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) column: usize,
    /// Text between this part and the one before.
    pub(crate) before: &'static str,
    /// Digits of a whole number, which leading zeros fill up; 0: the text as it is.
    pub(crate) digits: usize,
}

/// Columns whose cells make a stamp, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) parts: Vec<Part>,
    /// Text at the end.
    pub(crate) after: &'static str,
}

impl Joined {
    pub(crate) fn has(&self, column: usize) -> bool {
        self.parts.iter().any(|part| part.column == column)
    }

    /// Joins the cells of a row to one stamp; where one is empty, there is none.
    pub(crate) fn join<'t>(&self, cell: impl Fn(usize) -> Cow<'t, str>, to: &mut String) {
        if self
            .parts
            .iter()
            .any(|part| cell(part.column).trim().is_empty())
        {
            return;
        }
        for part in &self.parts {
            let cell = cell(part.column);
            let mut text = cell.trim();
            to.push_str(part.before);
            if part.digits > 0 {
                // Whole numbers that were written as decimal fractions.
                let zeros = text.split_once('.');
                if let Some((whole, _)) =
                    zeros.filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0'))
                {
                    text = whole;
                }
                // What is no number remains what it is: an invalid stamp.
                let whole = text.find('.').unwrap_or(text.len());
                to.extend(std::iter::repeat_n('0', part.digits.saturating_sub(whole)));
            }
            // Digits of a double beyond nanoseconds are rounding.
            let point = text.find('.').filter(|_| part.digits > 0);
            let end = point.map_or(text.len(), |point| text.len().min(point + 10));
            to.push_str(text.get(..end).unwrap_or(text));
        }
        to.push_str(self.after);
    }

    /// Names of the columns, for messages.
    pub(super) fn names(&self, names: &[String], between: &str, quote: &str) -> String {
        let named = self
            .parts
            .iter()
            .map(|p| format!("{quote}{}{quote}", names[p.column]));
        named.collect::<Vec<_>>().join(between)
    }
}

/// Texts of a column, or of several that make a stamp, with their places.
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

    pub(super) fn joined(head: &'a Head, joined: &Joined) -> Self {
        let cells = head.rows.iter().map(|r| {
            let mut text = String::new();
            joined.join(|k| r.text(k).unwrap_or_default().into(), &mut text);
            (r.at, text.into())
        });
        Self(cells.collect())
    }

    pub(super) fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|(_, text)| text.as_ref()).collect()
    }
}
