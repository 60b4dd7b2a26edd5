//! Columns that are time by their steps, where no other column is.

use crate::cell::Cell;
use crate::head::Head;
use crate::time_format::{Unit, is_any_unit};

/// Least number of steps for statistics, and of equal steps of a counter.
pub(crate) const MIN_STEPS: usize = 8;
/// Steps are even within this share of their median: stamps are rounded.
const EVEN: f64 = 0.1;
/// Words of quantities that are swept in even steps and are no time.
const SWEPT: [&str; 16] = [
    "freq",
    "frequency",
    "frequenz",
    "hz",
    "khz",
    "mhz",
    "ghz",
    "f",
    "distance",
    "depth",
    "wavelength",
    "angle",
    "position",
    "pos",
    "voltage",
    "temperature",
];

/// Why a column is taken for time: it increases, and its name, its unit or fractional steps say so. `asked`: the unit of
/// time was requested.
pub(super) fn reason(head: &Head, index: usize, asked: bool) -> Option<String> {
    let mut numbers = Vec::with_capacity(head.rows.len());
    for row in &head.rows {
        match row.cell(index) {
            Cell::Number(x) => numbers.push(x),
            _ => return None,
        }
    }
    let steps: Vec<f64> = numbers.windows(2).map(|w| w[1] - w[0]).collect();
    if head.names.len() < 2 || steps.len() < MIN_STEPS || steps.iter().any(|step| *step <= 0.0) {
        return None;
    }
    let name = &head.names[index];
    let below = head.units.as_ref().and_then(|(_, cells)| cells.get(index));
    let below = below
        .map(|cell| cell.trim())
        .filter(|cell| !cell.is_empty());
    if below.is_some_and(|cell| Unit::of_cell(cell).is_none() && is_any_unit(cell)) {
        return None;
    }
    let lower = name.to_lowercase();
    let is_x = ["x_value", "x value", "x-value", "x-axis", "x_axis"].contains(&lower.as_str());
    let is_named = lower.contains("time") || lower.contains("stamp");
    if is_x || is_named || Unit::of_name(name).is_some() || (below.is_some() && index == 0) {
        return Some("its name or unit and its rising numbers".to_owned());
    }
    let mut sorted = steps.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let even = steps.iter().all(|s| (s - median).abs() <= EVEN * median);
    if index != 0 || !even {
        return None;
    }
    if asked {
        return Some("the requested unit and its even steps".to_owned());
    }
    let mut words = lower.split(|c: char| !c.is_alphabetic());
    let other = words.any(|word| SWEPT.contains(&word)) || name.contains(['[', '(']);
    let fractional = numbers.iter().any(|x| x.fract() != 0.0);
    (fractional && !other).then(|| format!("its even, fractional steps of {:.6}", median))
}
