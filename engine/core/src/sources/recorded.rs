//! Recordings as sources, read as a stream.

use super::stamps::{self, RowTime, Timeline};
use super::{SensorSpec, Source};
use becomingone_components::path_text::to_path;
use becomingone_components::scene::WorldSpec;
use becomingone_components::sensor::{AnySensor, SensorContext};
use becomingone_components::time::NS_PER_S;
use becomingone_model::{Files as _, did_you_mean};
use becomingone_replay::{Kind, Readings, Row, Table, TableError, Wanted};
use becomingone_scene::assets::{Assets, BUILT_IN};
use becomingone_systems::links::{RecordedRow, Recording};
use std::path::{Path, PathBuf};

pub(super) fn open(
    source: &Source,
    sensor: &SensorSpec,
    name: &str,
) -> Result<Box<dyn Recording>, String> {
    let Source::Replay {
        file,
        topic,
        field,
        time,
        time_unit,
        time_format,
        decimal,
        columns,
    } = source
    else {
        return Err("found no recording".to_owned());
    };
    if field.is_some() && !columns.is_empty() {
        return Err("found both `field` and `columns`; expected one of them".to_owned());
    }
    let columns: Vec<String> = field.iter().chain(columns).cloned().collect();
    let Some(kind) = sensor.kind.value() else {
        return Err(format!(
            "found unknown sensor kind `{}`",
            sensor.kind.name()
        ));
    };
    let schema = kind.schema();
    if let Some(encoding) = schema.encoding {
        return Err(format!(
            "found a replay of {}, whose readings have bytes ({encoding}); expected a kind of numbers: recordings are read for numbers only",
            kind.measures()
        ));
    }
    let path = unpacked(&to_path(file))?;
    let is_mcap = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("mcap"));
    if is_mcap && columns.is_empty() && time.is_none() {
        let replay = JournalReadings {
            name: name.to_owned(),
            file: path,
            topic: topic.clone().unwrap_or_else(|| format!("/{name}")),
            fields: schema.fields.clone(),
            readings: None,
        };
        let readings = replay.open().map_err(|e| e.to_string())?;
        return Ok(Box::new(JournalReadings {
            readings: Some(readings),
            ..replay
        }));
    }
    let names: Vec<String> = if columns.is_empty() {
        if schema.is_row {
            return Err(format!(
                "found no `columns`; expected those of the {} in their order",
                kind.measures()
            ));
        }
        schema.fields.clone()
    } else {
        columns
    };
    let mut recorded = Recorded {
        name: name.to_owned(),
        file: path,
        wanted: Wanted {
            time: time.clone(),
            topic: topic.clone(),
            // Messages of one topic are readings as they are; of several, they come together in steps.
            step_ns: Some(match topic {
                Some(_) => 1,
                None => (NS_PER_S as f64 / sensor.rate_hz) as u64,
            }),
            time_unit: unit(time_unit.as_deref())?,
            time_format: time_format.clone(),
            decimal: sign(decimal.as_deref())?,
            ..Wanted::default()
        },
        columns: Vec::new(),
        period_ns: NS_PER_S as f64 / sensor.rate_hz,
        table: None,
        row: Row::default(),
        timeline: Timeline::default(),
        warned: [false; 4],
        notes_printed: 0,
    };
    let table = recorded.table()?;
    let shown = to_path(file);
    let shown = shown.display();
    for note in stamps::check(&table, sensor.rate_hz).map_err(|e| format!("{shown}: {e}"))? {
        log::warn!("{name}: {shown}: {}", in_scene(&note));
    }
    // By their names they are channels, whatever their values look like.
    for wanted in names.iter().filter(|_| !table.is_stepped()) {
        let mut columns = table.columns().iter();
        if !columns.any(|c| c.name == *wanted && !matches!(c.kind, Kind::Text | Kind::Empty)) {
            let channels = table.channels();
            return Err(format!(
                "found no column of numbers `{wanted}` in {shown}; expected one of {}{}",
                channels.join(", "),
                did_you_mean(wanted, channels.iter().map(String::as_str))
            ));
        }
    }
    recorded.wanted.columns.clone_from(&names);
    let table = recorded.table()?;
    recorded.columns = (0..names.len()).collect();
    let expected = numbers(kind, sensor.rate_hz);
    if expected.is_some_and(|n| n != names.len()) {
        return Err(format!(
            "found {} columns; expected {}, as many as {} has numbers",
            names.len(),
            expected.unwrap_or_default(),
            kind.measures()
        ));
    }
    recorded.notes_printed = table.notes().len();
    recorded.table = Some(table);
    Ok(Box::new(recorded))
}

/// Number of values in a reading of a kind, if the scene alone determines it.
fn numbers(kind: &dyn AnySensor, rate_hz: f64) -> Option<usize> {
    kind.numbers(&SensorContext {
        world: &WorldSpec::default(),
        rate_hz,
        driven: true,
        encoded: None,
    })
}

/// Readings of a sensor in one of our own recordings: at the same ticks, bit-identical.
struct JournalReadings {
    name: String,
    file: PathBuf,
    topic: String,
    fields: Vec<String>,
    readings: Option<Readings>,
}

impl JournalReadings {
    fn open(&self) -> Result<Readings, TableError> {
        let fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        Readings::open(&self.file, &self.topic, &fields)
    }
}

impl Recording for JournalReadings {
    fn next(&mut self) -> Option<RecordedRow> {
        match self.readings.as_mut()?.read() {
            Ok(row) => row.map(|row| RecordedRow {
                at_ns: row.arrival_ns,
                source_ns: row.source_ns,
                numbers: row.numbers,
            }),
            Err(error) => {
                log::error!("{}: {error}", self.name);
                None
            }
        }
    }

    fn rewind(&mut self) {
        self.readings = self
            .open()
            .inspect_err(|error| log::error!("{}: {error}", self.name))
            .ok();
    }
}

/// Path of a file on the disk; a built-in file is written to a temporary one.
fn unpacked(file: &Path) -> Result<PathBuf, String> {
    if !file.starts_with(BUILT_IN) {
        return Ok(file.to_path_buf());
    }
    let bytes = Assets
        .read(file)
        .map_err(|e| format!("{}: {e}", file.display()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes);
    let path = std::env::temp_dir().join(format!("becomingone-{sum:016x}-{name}"));
    if std::fs::metadata(&path).is_ok_and(|m| m.len() == bytes.len() as u64) {
        return Ok(path);
    }
    // Two runs may do this at once: each writes its own file, then renames it.
    let own = path.with_extension(format!("{}", std::process::id()));
    std::fs::write(&own, &bytes)
        .and_then(|()| std::fs::rename(&own, &path))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

struct Recorded {
    name: String,
    file: PathBuf,
    wanted: Wanted,
    /// Column of each number.
    columns: Vec<usize>,
    /// Period of rows without stamps (ns).
    period_ns: f64,
    table: Option<Table>,
    row: Row,
    timeline: Timeline,
    /// Whether late, set-back, repeated and missing stamps were reported.
    warned: [bool; 4],
    /// Notes of the table that were printed.
    notes_printed: usize,
}

impl Recorded {
    fn table(&self) -> Result<Table, String> {
        Table::open(&self.file, &self.wanted).map_err(|e| in_scene(&e.to_string()))
    }

    /// Reports the first row of a kind.
    fn warn(&mut self, kind: usize, what: &str) {
        if !std::mem::replace(&mut self.warned[kind], true) {
            let (file, row) = (self.file.display(), &self.row);
            let stamp = row.time.trim();
            log::warn!(
                "{}: {file}: row {} (`{stamp}`) {what}",
                self.name,
                row.number
            );
        }
    }

    /// Reports at the end what was missing.
    fn report(&self, table: &Table) {
        for note in table.notes().iter().skip(self.notes_printed) {
            log::warn!("{}: {}: {}", self.name, self.file.display(), in_scene(note));
        }
        let (counts, firsts) = (table.counts(), table.firsts());
        for (count, what, first) in [
            (
                counts.bad_stamps,
                "rows without a valid stamp: skipped",
                &firsts.bad_stamp,
            ),
            (
                counts.short_rows,
                "rows with too few cells: the rest of them is missing",
                &firsts.short_row,
            ),
            (
                counts.long_rows,
                "rows with too many cells: the surplus is ignored",
                &firsts.long_row,
            ),
            (
                counts.text_cells,
                "cells with text: missing",
                &firsts.text_cell,
            ),
            (
                counts.infinite_cells,
                "cells that are infinite: missing",
                &firsts.infinite_cell,
            ),
            (
                counts.repeated_headers,
                "rows that repeat the header: not counted",
                &firsts.repeated_header,
            ),
        ] {
            if count > 0 {
                let first = first
                    .as_ref()
                    .map_or(String::new(), |f| format!(" (first in {f})"));
                log::warn!(
                    "{}: {}: {count} {what}{first}",
                    self.name,
                    self.file.display()
                );
            }
        }
    }
}

/// A sentence about a table with the keys of `Replay` in place of the options of `analyze`.
fn in_scene(sentence: &str) -> String {
    const KEYS: [(&str, &str); 5] = [
        ("--time-unit", "`time_unit`"),
        ("--time-format", "`time_format`"),
        ("--time", "`time`"),
        ("--decimal", "`decimal`"),
        ("--rate", "`rate_hz`"),
    ];
    let replace = |text: String, (option, key): (&str, &str)| text.replace(option, key);
    KEYS.into_iter().fold(sentence.to_owned(), replace)
}

/// Decimal sign, if it is one.
fn sign(decimal: Option<&str>) -> Result<Option<u8>, String> {
    match decimal {
        None => Ok(None),
        Some("point") => Ok(Some(b'.')),
        Some("comma") => Ok(Some(b',')),
        Some(other) => Err(format!(
            "found `decimal: \"{other}\"`; expected \"point\" or \"comma\""
        )),
    }
}

/// Unit of numeric stamps, if it is one.
fn unit(unit: Option<&str>) -> Result<Option<String>, String> {
    const UNITS: [&str; 7] = ["s", "ms", "us", "ns", "min", "h", "d"];
    match unit {
        Some(unit) if !UNITS.contains(&unit) => Err(format!(
            "found `time_unit: \"{unit}\"`; expected one of {}{}",
            UNITS.join(", "),
            did_you_mean(unit, UNITS)
        )),
        unit => Ok(unit.map(str::to_owned)),
    }
}

impl Recording for Recorded {
    fn next(&mut self) -> Option<RecordedRow> {
        loop {
            let table = self.table.as_mut()?;
            let is_timed = table.time().is_some();
            match table.read(&mut self.row) {
                Ok(true) => {}
                Ok(false) => {
                    if let Some(table) = self.table.take() {
                        self.report(&table);
                    }
                    return None;
                }
                Err(error) => {
                    log::error!("{}: {error}", self.name);
                    return None;
                }
            }
            let at_ns = if is_timed {
                let Some(t_ns) = self.row.t_ns else {
                    self.warn(3, "has no valid stamp: such rows are skipped");
                    continue;
                };
                match self.timeline.place(t_ns) {
                    RowTime::At(at_ns) => at_ns,
                    RowTime::Repeated(at_ns) => {
                        self.warn(
                            2,
                            "has the stamp of the row before: such rows enter at once",
                        );
                        at_ns
                    }
                    RowTime::SetBack(at_ns) => {
                        self.warn(
                            1,
                            "follows a clock that was set back: time continues from there",
                        );
                        at_ns
                    }
                    RowTime::Late => {
                        self.warn(0, "has a stamp before that of the row above, it goes back: such rows are skipped");
                        continue;
                    }
                }
            } else {
                (self.row.number as f64 * self.period_ns).round() as u64
            };
            let value = |&k: &usize| self.row.values.get(k).copied().flatten();
            return Some(RecordedRow {
                at_ns,
                source_ns: at_ns,
                numbers: self
                    .columns
                    .iter()
                    .map(|k| value(k).unwrap_or(f64::NAN))
                    .collect(),
            });
        }
    }

    fn rewind(&mut self) {
        self.timeline = Timeline::default();
        self.table = match self.table() {
            Ok(table) => Some(table),
            Err(error) => {
                log::error!("{}: {error}", self.name);
                None
            }
        };
    }
}
