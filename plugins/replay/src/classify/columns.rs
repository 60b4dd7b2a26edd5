//! Classification of columns.

use super::time_column::MIN_STEPS;
use crate::cell::Cell;
use crate::head::HeadRow;
use crate::schema::{Kind, Wanted};

/// Relative tolerance of equal steps: decimal fractions are rounded.
const STEP_TOLERANCE: f64 = 1e-6;

/// Kind of a column other than the time column.
pub(super) fn column_kind(index: usize, name: &String, rows: &[HeadRow], wanted: &Wanted) -> Kind {
    if wanted.ignore.contains(name) {
        return Kind::Ignored;
    }
    let (mut numbers, mut texts) = (0usize, 0usize);
    let mut column = Vec::with_capacity(rows.len());
    for row in rows {
        match row.cell(index) {
            Cell::Number(x) => {
                numbers += 1;
                column.push(x);
            }
            Cell::Infinite => numbers += 1,
            Cell::Text => texts += 1,
            Cell::Missing => {}
        }
    }
    if wanted.columns.contains(name) {
        Kind::Numbers
    } else if numbers + texts == 0 {
        Kind::Empty
    } else if texts > numbers {
        Kind::Text
    } else if !wanted.columns.is_empty() {
        Kind::Unwanted
    } else if column.len() == rows.len() && is_counter(&column) {
        Kind::Counter
    } else {
        Kind::Numbers
    }
}

/// Whether numbers are a counter: all steps are equal, whole and not zero.
fn is_counter(column: &[f64]) -> bool {
    let [first, second, ..] = column else {
        return false;
    };
    let step = second - first;
    let same = |pair: &[f64]| (pair[1] - pair[0] - step).abs() <= STEP_TOLERANCE * step.abs();
    column.len() >= MIN_STEPS && step != 0.0 && step.fract() == 0.0 && column.windows(2).all(same)
}
