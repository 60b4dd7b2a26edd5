//! Contents of a table, and how its rows become ticks.

use super::arguments::{Analyze, BinMode};
use super::duration::format_duration;
use crate::failure::Failure;
use becomingone_replay::{Kind, Table};
use std::fmt::Write as _;

/// Share of repeated stamps above which stamps are too coarse to use.
const MAX_REPEATED: f64 = 0.2;

/// Share of uneven steps above which channels in rows of their own are binned.
const MAX_UNEVEN: f64 = 0.01;

impl Analyze {
    /// Seconds from row to row where stamps are not used, and whether stamps are used.
    pub(super) fn step_s(&self, table: &Table) -> (f64, bool) {
        if let Some(rate) = self.rate.filter(|_| !table.is_stepped()) {
            return (1.0 / rate, false);
        }
        let Some(time) = table.time() else {
            return (1.0, false);
        };
        let period_s = time.period_ns.map_or(1.0, |ns| ns as f64 / 1e9);
        // Ten rows with one stamp per second are a tenth of a second apart; not so for binned channels that take turns.
        let apart = (1.0 - time.repeated).max(1e-6);
        let turns = table.is_sparse() && self.bin_ns(table).is_some();
        if time.repeated > MAX_REPEATED && !turns {
            (period_s * apart, false)
        } else {
            (period_s, true)
        }
    }

    /// Length of a time bin (ns); `None` where each row is a tick.
    pub(super) fn bin_ns(&self, table: &Table) -> Option<u64> {
        match self.bins {
            BinMode::Off => None,
            BinMode::Length(ns) => Some(ns),
            BinMode::Auto => {
                // Values of one row belong together: whole rows are judged best one by one, however uneven.
                let apart = table.is_sparse() && self.rate.is_none();
                let time = table.time().filter(|t| apart && t.uneven > MAX_UNEVEN)?;
                time.pace_ns
            }
        }
    }

    /// Prints the channels, the time and the ticks, with warnings.
    pub(super) fn introduce(&self, table: &Table) -> Result<(), Failure> {
        let named = |kind: Kind| -> Vec<String> {
            let columns = table.columns().iter().filter(|c| c.kind == kind);
            columns.map(|c| format!("`{}`", c.name)).collect()
        };
        let file = self.file.display();
        if table.channels().is_empty() {
            let mut found = String::new();
            for column in table.columns() {
                let what = match column.kind {
                    Kind::Numbers | Kind::Unwanted => continue,
                    Kind::Time => "the time",
                    Kind::Ignored => "ignored",
                    Kind::Text => "text",
                    Kind::Empty => "empty",
                    Kind::Counter => "counts rows",
                };
                let comma = if found.is_empty() { "" } else { ", " };
                let text = column.text.as_ref();
                let text = text.map_or(String::new(), |text| format!(", {text}"));
                // Writing to a string cannot fail.
                let _ = write!(found, "{comma}`{}` ({what}{text})", column.name);
            }
            if table.columns().iter().all(|c| c.kind == Kind::Empty) {
                return Err(Failure::BadInput(format!(
                    "{file}: found no value below the header {}; expected rows of numbers",
                    named(Kind::Empty).join(", ")
                )));
            }
            return Err(Failure::BadInput(format!(
                "{file}: found no column of numbers in its first rows: {found}; expected at least one channel. If the cells have another separator, state it with --separator"
            )));
        }
        let channels = table.channels();
        self.print(&format!(
            "{file}: {} {}: {}",
            channels.len(),
            if channels.len() == 1 {
                "channel"
            } else {
                "channels"
            },
            channels.join(", ")
        ));
        if let Some(time) = table.time().filter(|t| t.backward > 0.5)
            && self.rate.is_none()
        {
            return Err(Failure::BadInput(format!(
                "{file}: {:.0} % of the first stamps in `{}` are before that of the row above; expected the oldest row first: sort the rows, or name another column with --time",
                100.0 * time.backward,
                time.name
            )));
        }
        let (step_s, _) = self.step_s(table);
        match table.time() {
            Some(time) if self.rate.is_none() || table.is_stepped() => self.print(&format!(
                "time: `{}` ({}{}), a row every {}",
                time.name,
                time.format,
                if time.guessed { ", guessed: --time selects another" } else { "" },
                format_duration(step_s)
            )),
            _ => self.print(&format!(
                "time: {}, a row every {}",
                if self.rate.is_some() {
                    "--rate"
                } else {
                    "no column of stamps was found (--time names one, --rate states the rows per second)"
                },
                format_duration(step_s)
            )),
        }
        self.warn_notes(table, 0);
        let bin_ns = self.bin_ns(table);
        if let Some(bin_ns) = bin_ns {
            let why = match (self.bins, table.time()) {
                (BinMode::Auto, Some(_)) => {
                    " (channels come in rows of their own; --bins overrides this)"
                }
                _ => "",
            };
            self.print(&format!(
                "ticks: means over bins of {}{why}",
                format_duration(bin_ns as f64 / 1e9)
            ));
        }
        if let Some(time) = table.time().filter(|t| {
            t.repeated > MAX_REPEATED
                && self.rate.is_none()
                && !(table.is_sparse() && bin_ns.is_some())
        }) {
            self.warn(&format!(
                "{:.0} % of the first stamps are those of the row before: rows are assumed to be {} apart; --rate states a better rate",
                100.0 * time.repeated,
                format_duration(step_s)
            ));
        }
        let slow = table.slow().iter();
        let slow: Vec<&(String, u64)> = slow
            .filter(|(name, ns)| {
                table.channels().contains(name) && bin_ns.is_none_or(|bin_ns| *ns > 4 * bin_ns)
            })
            .collect();
        if let Some(slowest_ns) = slow.iter().map(|(_, ns)| *ns).max() {
            let names: Vec<String> = slow.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.warn(&format!(
                "{}: much slower than others, and hardly judged beside them; --bins {:.3} judges them, with a --baseline that is long enough",
                names.join(", "),
                1e9 / slowest_ns as f64
            ));
        }
        for (kind, why) in [
            (Kind::Text, "text, not a channel"),
            (Kind::Empty, "empty in the first rows, not a channel"),
            (Kind::Counter, "a row counter, not a channel"),
        ] {
            let names = named(kind);
            if !names.is_empty() {
                self.warn(&format!("{}: {why}", names.join(", ")));
            }
        }
        Ok(())
    }

    /// Prints the notes of the table, from an index on.
    pub(super) fn warn_notes(&self, table: &Table, from: usize) {
        for note in table.notes().iter().skip(from) {
            self.warn(&format!("{}: {note}", self.file.display()));
        }
    }
}
