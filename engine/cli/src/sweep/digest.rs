//! The end of a sweep in a short table: runs, failures, and how goals, collisions, distances and alarms are spread.

use super::sketch::Sketch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array as _, RecordBatch};
use becomingone::sweep::{Column, ColumnKind, Plan};
use comfy_table::{Cell, CellAlignment, Table, presets};

/// Ends of the names of the columns that are summed up.
const QUANTITIES: &[&str] = &[
    ".goals_reached",
    ".collisions",
    ".distance_m",
    ".kernel.witness.alarmed",
];

/// Most values of a path that have lines of their own.
const MOST_VALUES: usize = 12;

/// Most columns in the table: a fleet has many.
const MOST_QUANTITIES: usize = 8;

/// Rows seen so far.
pub(super) struct Digest {
    rows: u64,
    pub(super) failed: u64,
    /// Place of the column of errors.
    error: Option<usize>,
    quantities: Vec<(usize, Column)>,
    all: Vec<Sketch>,
    groups: Vec<Groups>,
}

/// Rows by the value of a column.
struct Groups {
    column: usize,
    name: String,
    /// In the order in which they came.
    values: Vec<(String, Vec<Sketch>)>,
}

impl Digest {
    pub(super) fn new(plan: &Plan) -> Self {
        let columns = || plan.columns.iter().enumerate();
        let is_counted = |c: &Column| {
            let is_number = matches!(c.kind, ColumnKind::Count | ColumnKind::Number);
            is_number && QUANTITIES.iter().any(|end| c.name.ends_with(end))
        };
        let quantities: Vec<_> = columns().filter(|(_, c)| is_counted(c)).collect();
        let quantities: Vec<_> = quantities.iter().map(|(k, c)| (*k, (*c).clone())).collect();
        let place = |name: &str| columns().find(|(_, c)| c.name == name).map(|(k, _)| k);
        let request = &plan.request;
        let scenes = [("scene", request.scenes.len())];
        let axes = request.values.grid.iter();
        let axes = axes.map(|axis| (axis.path.as_str(), axis.values.len()));
        let groups = scenes.into_iter().chain(axes);
        let groups = groups.filter(|(_, count)| (2..=MOST_VALUES).contains(count));
        let groups = groups.filter_map(|(name, _)| {
            Some(Groups {
                column: place(name)?,
                name: name.to_owned(),
                values: Vec::new(),
            })
        });
        Self {
            rows: 0,
            failed: 0,
            error: place("error"),
            all: vec![Sketch::default(); quantities.len()],
            groups: groups.collect(),
            quantities,
        }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        if let Some(error) = self.error {
            let errors = batch.column(error);
            self.failed += (errors.len() - errors.null_count()) as u64;
        }
        for row in 0..batch.num_rows() {
            for groups in &mut self.groups {
                let value = text(batch, groups.column, row);
                let known = groups.values.iter().position(|(v, _)| *v == value);
                let k = known.unwrap_or_else(|| {
                    let none = vec![Sketch::default(); self.quantities.len()];
                    groups.values.push((value, none));
                    groups.values.len() - 1
                });
                fill(&mut groups.values[k].1, &self.quantities, batch, row);
            }
            fill(&mut self.all, &self.quantities, batch, row);
        }
    }

    /// Prints what was seen.
    pub(super) fn print(&self) {
        let (rows, failed) = (self.rows, self.failed);
        print_out!("{rows} runs, {failed} failed");
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(vec!["", "", "runs", "mean", "5 %", "median", "95 %"]);
        // A number that is the same in all runs needs no table.
        let vary = self.quantities.iter().zip(&self.all).enumerate();
        let vary = vary.filter(|(_, (_, all))| all.least != all.most);
        let vary: Vec<_> = vary
            .map(|(k, ((_, column), all))| (k, column, all))
            .collect();
        for &(k, column, all) in vary.iter().take(MOST_QUANTITIES) {
            table.add_row(line(&column.name, "all", all, column.kind));
            for groups in &self.groups {
                let with = groups.values.iter().filter(|(_, of)| of[k].count > 0);
                let with: Vec<_> = with.collect();
                for (value, of) in with.iter().filter(|_| with.len() > 1) {
                    let by = format!("{} = {value}", groups.name);
                    table.add_row(line("", &by, &of[k], column.kind));
                }
            }
        }
        if !vary.is_empty() {
            print_out!("\n{table}");
        }
        if let Some(more @ 1..) = vary.len().checked_sub(MOST_QUANTITIES) {
            print_out!("and {more} more such columns");
        }
    }
}

fn fill(sketches: &mut [Sketch], of: &[(usize, Column)], batch: &RecordBatch, row: usize) {
    for (sketch, (k, _)) in sketches.iter_mut().zip(of) {
        if let Some(number) = number(batch, *k, row) {
            sketch.add(number);
        }
    }
}

fn number(batch: &RecordBatch, column: usize, row: usize) -> Option<f64> {
    let array = batch.column(column);
    if array.is_null(row) {
        return None;
    }
    let count = array.as_primitive_opt::<UInt64Type>();
    let number = || array.as_primitive_opt::<Float64Type>();
    match count {
        Some(counts) => Some(counts.value(row) as f64),
        None => number().map(|numbers| numbers.value(row)),
    }
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> String {
    let array = batch.column(column);
    if let Some(number) = number(batch, column, row) {
        return number.to_string();
    }
    if array.is_null(row) {
        return "none".to_owned();
    }
    match (array.as_string_opt::<i32>(), array.as_boolean_opt()) {
        (Some(texts), _) => texts.value(row).to_owned(),
        (None, Some(flags)) => flags.value(row).to_string(),
        (None, None) => String::new(),
    }
}

fn line(name: &str, by: &str, sketch: &Sketch, kind: ColumnKind) -> Vec<Cell> {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let quantile = |share| match (sketch.count, kind) {
        (0, _) => "-".to_owned(),
        (_, ColumnKind::Count) => format!("{:.0}", sketch.quantile(share)),
        _ => format!("{:.3}", sketch.quantile(share)),
    };
    let mean = match sketch.count {
        0 => "-".to_owned(),
        _ => format!("{:.3}", sketch.mean()),
    };
    vec![
        Cell::new(name),
        Cell::new(by),
        right(sketch.count.to_string()),
        right(mean),
        right(quantile(0.05)),
        right(quantile(0.5)),
        right(quantile(0.95)),
    ]
}
