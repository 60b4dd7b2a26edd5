//! Recording of a table and its scores: readings, surprise, and marks on flagged rows.
//!
//! There is no tick to delay: rows are written at the speed of the disk.

use crate::entity::entity;
use crate::error::RerunError;
use crate::sink::{Opened, Sink, incomplete};
use re_sdk::external::re_log_types::{
    ApplicationId, BlueprintActivationCommand, EntityPath, LogMsg,
};
use re_sdk::log::TimeColumn;
use re_sdk::sink::LogSink as _;
use re_sdk::{
    RecordingInfo, RecordingStream, RecordingStreamBuilder, RecordingStreamResult, TimeCell,
};
use re_sdk_types::AsComponents;
use re_sdk_types::archetypes::{Scalars, SeriesLines, SeriesPoints, TextDocument, TextLog};
use re_sdk_types::blueprint::archetypes::{
    ContainerBlueprint, PanelBlueprint, PlotLegend, TimeAxis, TimePanelBlueprint, ViewBlueprint,
    ViewContents, ViewportBlueprint,
};
use re_sdk_types::blueprint::components::{ContainerKind, Corner2D, PanelState, RootContainer};
use re_sdk_types::components::{Color, MarkerShape, TextLogLevel};
use re_sdk_types::datatypes::{TimeRange, Uuid};
use std::path::Path;
use std::time::Duration;

/// Rows that are sent at once.
const ROWS: usize = 16 * 1024;
/// Time-out of a flush to the disk.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);
/// Number of channels with a plot of their own; the others share one.
const PLOTTED: usize = 12;

/// Timelines: time of the table, and row number.
const TIME: &str = "time";
const ROW: &str = "row";

const FLAGGED: [u8; 3] = [222, 45, 38];
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

/// Kernel output for a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowScores {
    /// Temporal coherence T of the surprise, short window (Emissary).
    pub t_emissary: Option<f64>,
    /// Temporal coherence T of the surprise, long window (Master).
    pub t_master: Option<f64>,
    /// Distance between the two.
    pub delta: Option<f64>,
    /// Coherence, 1/(1 + surprise).
    pub coherence: f64,
    /// Level, activity, innovation and shift, each over its threshold.
    pub ratios: [f64; 4],
    /// Mean of these.
    pub severity: f64,
    /// What the alarm is judged by; above 1, it begins.
    pub surprise: f64,
    /// Isolated channel, if the row is flagged.
    pub flagged: Option<usize>,
}

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
            output,
            time: epoch,
            rows: Vec::with_capacity(ROWS),
            ns: Vec::with_capacity(ROWS),
            to,
        };
        recording
            .begin(about, channels)
            .map_err(|e| failed(e.to_string()))?;
        Ok(recording)
    }

    fn begin(&self, about: &str, channels: &[String]) -> RecordingStreamResult<()> {
        self.layout(channels)?;
        self.to
            .log_static("about", &TextDocument::from_markdown(about))?;
        let red = Color::from_rgb(FLAGGED[0], FLAGGED[1], FLAGGED[2]);
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

    /// Adds a row.
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
    ) -> Result<(), String> {
        self.rows.push(row as i64);
        // A row without a time stamp takes that of the previous row.
        self.ns.push(ns.or(self.ns.last().copied()).unwrap_or(0));
        for (series, x) in self.readings.iter_mut().zip(readings) {
            series.push(*x);
        }
        let flagged = scores.and_then(|s| s.flagged);
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
        Ok(())
    }

    /// Logs an event at a row.
    ///
    /// # Errors
    ///
    /// Message of Rerun's error.
    pub fn log_event(&self, row: u64, ns: Option<i64>, text: &str) -> Result<(), String> {
        self.to.set_time(ROW, TimeCell::from_sequence(row as i64));
        match (self.time, ns) {
            (Some(true), Some(ns)) => self
                .to
                .set_time(TIME, TimeCell::from_timestamp_nanos_since_epoch(ns)),
            (Some(false), Some(ns)) => self.to.set_time(TIME, TimeCell::from_duration_nanos(ns)),
            _ => {}
        }
        let line = TextLog::new(text).with_level(TextLogLevel::WARN);
        self.to.log("events", &line).map_err(|e| e.to_string())
    }

    fn send(&mut self) -> Result<(), String> {
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
            let mut times = vec![TimeColumn::new_sequence(ROW, kept(&rows))];
            times.extend(self.time.map(|epoch| {
                if epoch {
                    TimeColumn::new_timestamp_nanos_since_epoch(TIME, kept(&ns))
                } else {
                    TimeColumn::new_duration_nanos(TIME, kept(&ns))
                }
            }));
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

    /// Sends the view layout: a plot for each channel with marks on flagged rows, beside the scores.
    fn layout(&self, channels: &[String]) -> RecordingStreamResult<()> {
        let Some(info) = self.to.store_info() else {
            return Ok(());
        };
        let (blueprint, storage) = RecordingStreamBuilder::new(info.application_id().clone())
            .blueprint()
            .enabled(true)
            .memory()?;
        blueprint.set_time_sequence("blueprint", 0);
        let mut layout = Layout {
            to: blueprint,
            parts: 0,
        };
        let surprise = layout.plot(
            "Surprise: flagged above 1",
            &["/surprise/**".to_owned()],
            true,
        )?;
        let kernel = layout.plot(
            "T, delta and coherence",
            &[
                "/kernel/t_emissary".to_owned(),
                "/kernel/t_master".to_owned(),
                "/kernel/delta".to_owned(),
                "/kernel/coherence".to_owned(),
            ],
            true,
        )?;
        let events = layout.view("TextLog", "Flagged", &["/events".to_owned()])?;
        let about = layout.view("TextDocument", "About", &["/about".to_owned()])?;
        let texts = layout.container(ContainerKind::Tabs, &[events, about], &[])?;
        let scores = layout.container(
            ContainerKind::Vertical,
            &[surprise, kernel, texts],
            &[2.0, 1.0, 1.0],
        )?;
        let mut plots = Vec::new();
        let (own, shared) = channels.split_at(channels.len().min(PLOTTED));
        for name in own {
            let paths = ["readings", "blamed"].map(|top| entity([top, name.as_str()]).to_string());
            plots.push(layout.plot(name, &paths, false)?);
        }
        if !shared.is_empty() {
            let paths: Vec<String> = shared
                .iter()
                .map(|name| entity(["readings", name.as_str()]).to_string())
                .collect();
            plots.push(layout.plot("Other channels", &paths, false)?);
        }
        let readings = layout.container(ContainerKind::Grid, &plots, &[])?;
        let root = layout.container(
            ContainerKind::Horizontal,
            &[readings, scores],
            &[0.55, 0.45],
        )?;
        let viewport = ViewportBlueprint::new()
            .with_root_container(RootContainer(root.1))
            .with_auto_layout(false)
            .with_auto_views(false);
        layout.to.log("viewport", &viewport)?;
        let hidden = PanelBlueprint::new().with_state(PanelState::Hidden);
        layout.to.log("blueprint_panel", &hidden)?;
        layout.to.log("selection_panel", &hidden)?;
        let timeline = if self.time.is_some() { TIME } else { ROW };
        let panel = TimePanelBlueprint::new()
            .with_state(PanelState::Collapsed)
            .with_timeline(timeline);
        layout.to.log("time_panel", &panel)?;
        let msgs = storage.take();
        let id = msgs.iter().find_map(|msg| match msg {
            LogMsg::SetStoreInfo(info) => Some(info.info.store_id.clone()),
            _ => None,
        });
        if let Some(id) = id {
            self.to
                .send_blueprint(msgs, BlueprintActivationCommand::make_active(id));
        }
        Ok(())
    }
}

/// View or container: its path in the blueprint, and its id.
#[derive(Clone)]
struct Part(EntityPath, Uuid);

struct Layout {
    to: RecordingStream,
    parts: u8,
}

impl Layout {
    fn part(&mut self, kind: &str) -> Part {
        self.parts += 1;
        let mut bytes = *b"becomingone_tab\0";
        bytes[15] = self.parts;
        let id = Uuid { bytes };
        Part(entity([kind, &id.to_string()]), id)
    }

    fn view(
        &mut self,
        class: &str,
        name: &str,
        contents: &[String],
    ) -> RecordingStreamResult<Part> {
        let part = self.part("view");
        let view = ViewBlueprint::new(class).with_display_name(name);
        self.to.log(part.0.clone(), &view)?;
        let contents = ViewContents::new(contents.iter().map(String::as_str));
        self.property(&part, "ViewContents", &contents)?;
        Ok(part)
    }

    fn plot(
        &mut self,
        name: &str,
        contents: &[String],
        legend: bool,
    ) -> RecordingStreamResult<Part> {
        let part = self.view("TimeSeries", name, contents)?;
        let legend = PlotLegend::new()
            .with_corner(Corner2D::LeftTop)
            .with_visible(legend);
        self.property(&part, "PlotLegend", &legend)?;
        let whole = TimeAxis::new().with_view_range(TimeRange::EVERYTHING);
        self.property(&part, "TimeAxis", &whole)?;
        Ok(part)
    }

    fn property(
        &self,
        part: &Part,
        name: &str,
        property: &dyn AsComponents,
    ) -> RecordingStreamResult<()> {
        self.to.log(part.0.join(&entity([name])), property)
    }

    fn container(
        &mut self,
        kind: ContainerKind,
        parts: &[Part],
        shares: &[f32],
    ) -> RecordingStreamResult<Part> {
        let part = self.part("container");
        let container =
            ContainerBlueprint::new(kind).with_contents(parts.iter().map(|p| p.0.to_string()));
        let container = match kind {
            ContainerKind::Horizontal => container.with_col_shares(shares.iter().copied()),
            ContainerKind::Vertical => container.with_row_shares(shares.iter().copied()),
            _ => container,
        };
        self.to.log(part.0.clone(), &container)?;
        Ok(part)
    }
}
