//! Recording of a table and its scores: readings, surprise, marks on flagged rows, the state, and what isolated channels
//! should be.
//!
//! There is no tick to delay: rows are written at the speed of the disk.

mod excerpts;
mod layout;
mod row;

use self::excerpts::{Excerpt, Excerpts, Place, Rows};
pub use self::row::{ExpectedValue, RowScores, RowState};
use crate::entity::entity;
use crate::error::RerunError;
use crate::sink::{Opened, Sink, incomplete};
use re_sdk::external::re_log_types::{ApplicationId, EntityPath};
use re_sdk::log::TimeColumn;
use re_sdk::sink::LogSink as _;
use re_sdk::{
    RecordingInfo, RecordingStream, RecordingStreamBuilder, RecordingStreamResult, TimeCell,
};
use re_sdk_types::archetypes::{
    Scalars, SeriesLines, SeriesPoints, StateChange, StateConfiguration, TextDocument, TextLog,
};
use re_sdk_types::components::{Color, MarkerShape, TextLogLevel};
use std::path::Path;
use std::time::Duration;

/// Rows that are sent at once.
const ROWS: usize = 16 * 1024;
/// Time-out of a flush to the disk.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
/// Timelines: time of the table, and row number.
const TIME: &str = "time";
const ROW: &str = "row";

/// Entity of the state.
const STATE: &str = "state";

const NUMBERS: [&str; 10] = [
    "kernel/t_emissary",
    "kernel/t_master",
    "kernel/delta",
    "kernel/coherence",
    "surprise/level",
    "surprise/activity",
    "surprise/innovation",
    "surprise/shift",
    "surprise/severity",
    "surprise/surprise",
];

/// Scalar time series with one optional number for each row.
struct Series {
    path: EntityPath,
    numbers: Vec<f64>,
    lengths: Vec<usize>,
}

impl Series {
    fn new(path: EntityPath) -> Self {
        Self {
            path,
            numbers: Vec::new(),
            lengths: Vec::new(),
        }
    }

    fn push(&mut self, x: Option<f64>) {
        self.numbers.extend(x);
        self.lengths.push(usize::from(x.is_some()));
    }
}

/// Recording of a table and its scores, while it is written.
pub struct TableRecording {
    to: RecordingStream,
    output: crate::sink::Output,
    /// Whether rows have a time, and whether it counts from 1970.
    time: Option<bool>,
    rows: Vec<i64>,
    ns: Vec<i64>,
    readings: Vec<Series>,
    blamed: Vec<Series>,
    scores: Vec<Series>,
    flagged: Series,
    channels: Vec<String>,
    state: Option<RowState>,
    /// Its changes.
    states: Vec<(Place, RowState)>,
    excerpts: Excerpts,
}

impl TableRecording {
    /// Creates the file. `epoch`: whether the time of rows counts from 1970; `None` if rows have no time.
    ///
    /// # Errors
    ///
    /// [`RerunError`] if the file cannot be written.
    pub fn create(
        file: &Path,
        name: &str,
        about: &str,
        channels: &[String],
        epoch: Option<bool>,
    ) -> Result<Self, RerunError> {
        let failed = |cause: String| RerunError::Writer {
            path: file.to_owned(),
            cause,
        };
        let Opened::Output(output) = Opened::open(Sink::File(file.to_owned()))? else {
            return Err(failed("no file".to_owned()));
        };
        let application = ApplicationId::new_or_unknown("becomingone_analyze");
        let (_, store, _, batcher, hooks, _) = RecordingStreamBuilder::new(application).into_args();
        let about_run = RecordingInfo::new().with_name(name);
        let sink = Box::new(output.clone());
        let to = RecordingStream::new(store, Some(about_run), batcher, hooks, sink)
            .map_err(|e| failed(e.to_string()))?;
        to.set_log_time_enabled(false);
        to.set_log_tick_enabled(false);
        let series = |top: &str| -> Vec<Series> {
            let paths = channels.iter().map(|c| entity([top, c.as_str()]));
            paths.map(Series::new).collect()
        };
        let recording = Self {
            readings: series("readings"),
            blamed: series("blamed"),
            scores: NUMBERS
                .iter()
                .map(|path| Series::new(entity(path.split('/'))))
                .collect(),
            flagged: Series::new(entity(["surprise", "flagged"])),
            state: None,
            states: Vec::new(),
            excerpts: Excerpts::new(channels.len()),
            channels: channels.to_vec(),
            output,
            time: epoch,
            rows: Vec::with_capacity(ROWS),
            ns: Vec::with_capacity(ROWS),
            to,
        };
        recording.begin(about).map_err(|e| failed(e.to_string()))?;
        Ok(recording)
    }

    fn begin(&self, about: &str) -> RecordingStreamResult<()> {
        self.layout(&[])?;
        self.to
            .log_static("about", &TextDocument::from_markdown(about))?;
        let states = StateConfiguration::new()
            .with_values(RowState::ALL.map(RowState::name))
            .with_colors(RowState::ALL.map(RowState::colour));
        self.to.log_static(STATE, &states)?;
        let red = RowState::Fault.colour();
        let marks = SeriesPoints::new()
            .with_colors([red])
            .with_markers([MarkerShape::Circle])
            .with_marker_sizes([3.0]);
        for series in self.blamed.iter().chain([&self.flagged]) {
            let marks = marks.clone().with_names(["flagged"]);
            self.to.log_static(series.path.clone(), &marks)?;
        }
        let lines = [
            (
                "level",
                "level / threshold",
                Color::from_rgb(86, 180, 233),
                1.0,
            ),
            (
                "activity",
                "activity / threshold",
                Color::from_rgb(204, 121, 167),
                1.0,
            ),
            (
                "innovation",
                "innovation / threshold",
                Color::from_rgb(0, 158, 115),
                1.0,
            ),
            (
                "shift",
                "shift / threshold",
                Color::from_rgb(230, 159, 0),
                1.0,
            ),
            ("severity", "severity", Color::from_rgb(150, 150, 150), 1.0),
            ("surprise", "surprise", Color::from_rgb(240, 240, 240), 2.0),
        ];
        for (leaf, name, colour, width) in lines {
            let style = SeriesLines::new()
                .with_names([name])
                .with_colors([colour])
                .with_widths([width]);
            self.to.log_static(entity(["surprise", leaf]), &style)?;
        }
        Ok(())
    }

    /// Adds a row. `expected` has what each channel should be, in the order of the channels.
    ///
    /// # Errors
    ///
    /// Message of the disk's error.
    pub fn push(
        &mut self,
        row: u64,
        ns: Option<i64>,
        readings: &[Option<f64>],
        scores: Option<&RowScores>,
        expected: impl Iterator<Item = Option<ExpectedValue>>,
    ) -> Result<(), String> {
        // A row without a time stamp takes that of the previous row.
        let place = (row as i64, ns.or(self.ns.last().copied()).unwrap_or(0));
        self.rows.push(place.0);
        self.ns.push(place.1);
        let state = scores.map_or(RowState::Learning, |s| s.state);
        if self.state.replace(state) != Some(state) {
            self.states.push((place, state));
        }
        for (series, x) in self.readings.iter_mut().zip(readings) {
            series.push(*x);
        }
        let flagged = scores.and_then(|s| s.flagged);
        self.excerpts
            .push(place, expected, state == RowState::Fault, flagged);
        for (index, (series, x)) in self.blamed.iter_mut().zip(readings).enumerate() {
            series.push(x.filter(|_| flagged == Some(index)));
        }
        let numbers = scores.map_or([None; 10], |s| {
            let [level, activity, innovation, shift] = s.ratios.map(Some);
            [
                s.t_emissary,
                s.t_master,
                s.delta,
                Some(s.coherence),
                level,
                activity,
                innovation,
                shift,
                Some(s.severity),
                Some(s.surprise),
            ]
        });
        for (series, x) in self.scores.iter_mut().zip(numbers) {
            series.push(x);
        }
        self.flagged
            .push(scores.filter(|s| s.flagged.is_some()).map(|s| s.surprise));
        if self.rows.len() >= ROWS {
            self.send()?;
        }
        if self.states.len() >= ROWS {
            self.send_states()?;
        }
        Ok(())
    }

    /// Logs an event at a row.
    ///
    /// # Errors
    ///
    /// Message of Rerun's error.
    pub fn log_event(&self, row: u64, ns: Option<i64>, text: &str) -> Result<(), String> {
        self.set_row(row, ns);
        let line = TextLog::new(text).with_level(TextLogLevel::WARN);
        self.to.log("events", &line).map_err(|e| e.to_string())
    }

    /// Sets the row of what is logged next.
    fn set_row(&self, row: u64, ns: Option<i64>) {
        self.to.set_time(ROW, TimeCell::from_sequence(row as i64));
        match (self.time, ns) {
            (Some(true), Some(ns)) => self
                .to
                .set_time(TIME, TimeCell::from_timestamp_nanos_since_epoch(ns)),
            (Some(false), Some(ns)) => self.to.set_time(TIME, TimeCell::from_duration_nanos(ns)),
            _ => {}
        }
    }

    /// Sends changes of the state, if possible all at once: the viewer shows the time of the first ones that it gets.
    fn send_states(&mut self) -> Result<(), String> {
        let (places, states): (Vec<Place>, Vec<RowState>) = self.states.drain(..).unzip();
        let (rows, ns) = places.into_iter().unzip();
        let times = timelines(self.time, rows, ns);
        let names = states.into_iter().map(RowState::name);
        let columns = StateChange::new()
            .with_state(names)
            .columns_of_unit_batches();
        let columns = columns.map_err(|e| e.to_string())?;
        let sent = self.to.send_columns(STATE, times, columns);
        sent.map_err(|e| e.to_string())
    }

    /// Sends what channels should be.
    fn send_excerpts(&mut self) -> Result<(), String> {
        let taken: Vec<(usize, Rows)> = self.excerpts.take().collect();
        for (channel, rows) in taken {
            let (numbers, ns) = rows.places.into_iter().unzip();
            let times = timelines(self.time, numbers, ns);
            let to = entity(["expected", self.channels[channel].as_str()]);
            let lengths = std::iter::repeat_n(3, rows.numbers.len());
            let columns = Scalars::new(rows.numbers.into_iter().flatten()).columns(lengths);
            columns.map_err(|e| e.to_string()).and_then(|columns| {
                let sent = self.to.send_columns(to, times, columns);
                sent.map_err(|e| e.to_string())
            })?;
        }
        Ok(())
    }

    /// Sends how the lines of isolated channels look, and the layout that shows these channels.
    fn show_isolated(&self) -> RecordingStreamResult<()> {
        let isolated = self.excerpts.isolated();
        for Excerpt { channel, .. } in &isolated {
            let name = self.channels[*channel].as_str();
            let measured = SeriesLines::new()
                .with_names(["measured"])
                .with_colors([Color::from_rgb(86, 180, 233)])
                .with_widths([1.5]);
            self.to.log_static(entity(["readings", name]), &measured)?;
            let expected = SeriesLines::new()
                .with_names(["expected", "band", "band"])
                .with_colors([Color::from_rgb(230, 159, 0); 3])
                .with_widths([1.5, 0.75, 0.75]);
            self.to.log_static(entity(["expected", name]), &expected)?;
        }
        self.layout(&isolated)
    }

    fn send(&mut self) -> Result<(), String> {
        self.send_excerpts()?;
        let rows = std::mem::take(&mut self.rows);
        let ns = std::mem::take(&mut self.ns);
        let scores = self.scores.iter_mut().chain([&mut self.flagged]);
        let readings = self.readings.iter_mut().chain(&mut self.blamed);
        let all = readings.chain(scores);
        for series in all {
            let numbers = std::mem::take(&mut series.numbers);
            let lengths = std::mem::take(&mut series.lengths);
            if numbers.is_empty() {
                continue;
            }
            // Omit rows without a number: most rows have no mark.
            let kept = |of: &[i64]| -> Vec<i64> {
                let rows = of.iter().zip(&lengths).filter(|(_, n)| **n > 0);
                rows.map(|(x, _)| *x).collect()
            };
            let times = timelines(self.time, kept(&rows), kept(&ns));
            let columns = Scalars::new(numbers).columns_of_unit_batches();
            let sent = columns.map_err(|e| e.to_string()).and_then(|columns| {
                let to = series.path.clone();
                self.to
                    .send_columns(to, times, columns)
                    .map_err(|e| e.to_string())
            });
            sent?;
        }
        // Bounds the data in flight.
        self.to
            .flush_with_timeout(FLUSH_TIMEOUT)
            .map_err(|e| e.to_string())?;
        match self.output.failure() {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Sends the last rows and closes the file.
    ///
    /// # Errors
    ///
    /// Message of the disk's error.
    pub fn finish(mut self) -> Result<(), String> {
        self.send_states()?;
        self.show_isolated().map_err(|e| e.to_string())?;
        self.send()?;
        self.output
            .flush_blocking(FLUSH_TIMEOUT)
            .map_err(|e| e.to_string())?;
        let failure = self.output.failure();
        let file = self.output.file();
        // Closing writes the end of the file.
        drop(self);
        match failure.or_else(|| file.as_deref().and_then(incomplete)) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

/// Columns of both timelines. `epoch`: whether times count from 1970, if there are any.
fn timelines(epoch: Option<bool>, rows: Vec<i64>, ns: Vec<i64>) -> Vec<TimeColumn> {
    let mut times = vec![TimeColumn::new_sequence(ROW, rows)];
    times.extend(epoch.map(|epoch| {
        if epoch {
            TimeColumn::new_timestamp_nanos_since_epoch(TIME, ns)
        } else {
            TimeColumn::new_duration_nanos(TIME, ns)
        }
    }));
    times
}
