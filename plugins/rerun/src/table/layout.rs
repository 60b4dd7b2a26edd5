//! Layout of the views of a table.

use super::excerpts::Excerpt;
use super::{ROW, STATE, TIME, TableRecording};
use crate::entity::entity;
use re_sdk::external::re_log_types::{BlueprintActivationCommand, EntityPath, LogMsg};
use re_sdk::{RecordingStream, RecordingStreamBuilder, RecordingStreamResult};
use re_sdk_types::AsComponents;
use re_sdk_types::blueprint::archetypes::{
    ContainerBlueprint, PanelBlueprint, PlotLegend, TimeAxis, TimePanelBlueprint, ViewBlueprint,
    ViewContents, ViewportBlueprint,
};
use re_sdk_types::blueprint::components::{ContainerKind, Corner2D, PanelState, RootContainer};
use re_sdk_types::datatypes::{TimeInt, TimeRange, TimeRangeBoundary, Uuid};

/// Number of channels with a plot of their own; the others share one.
const PLOTTED: usize = 12;
/// Number of isolated channels that are shown beside what they should be.
const ISOLATED: usize = 6;

impl TableRecording {
    /// Sends the view layout: the isolated channels beside what they should be, and in a tab behind them all channels with
    /// marks on flagged rows; beside these the state and the scores.
    pub(super) fn layout(&self, isolated: &[Excerpt]) -> RecordingStreamResult<()> {
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
        let state = layout.view("StateTimeline", "State", &[format!("/{STATE}")])?;
        let surprise = layout.plot(
            "Surprise: flagged above 1",
            &["/surprise/**".to_owned()],
            true,
            TimeRange::EVERYTHING,
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
            TimeRange::EVERYTHING,
        )?;
        let events = layout.view("TextLog", "Flagged", &["/events".to_owned()])?;
        let about = layout.view("TextDocument", "About", &["/about".to_owned()])?;
        let texts = layout.container(ContainerKind::Tabs, &[events, about], &[])?;
        let scores = layout.container(
            ContainerKind::Vertical,
            &[state, surprise, kernel, texts],
            &[0.5, 2.0, 1.0, 1.0],
        )?;
        let mut plots = Vec::new();
        let (own, shared) = self.channels.split_at(self.channels.len().min(PLOTTED));
        for name in own {
            let paths = ["readings", "blamed"].map(|top| entity([top, name.as_str()]).to_string());
            plots.push(layout.plot(name, &paths, false, TimeRange::EVERYTHING)?);
        }
        if !shared.is_empty() {
            let paths: Vec<String> = shared
                .iter()
                .map(|name| entity(["readings", name.as_str()]).to_string())
                .collect();
            plots.push(layout.plot("Other channels", &paths, false, TimeRange::EVERYTHING)?);
        }
        let mut readings = layout.container(ContainerKind::Grid, &plots, &[])?;
        if !isolated.is_empty() {
            let name = ContainerBlueprint::update_fields().with_display_name("All channels");
            layout.to.log(readings.0.clone(), &name)?;
            let foremost = self.isolated(&mut layout, isolated)?;
            readings = layout.container(ContainerKind::Tabs, &[foremost, readings], &[])?;
        }
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

    /// The isolated channels beside what they should be, each where its longest excerpt is.
    fn isolated(&self, layout: &mut Layout, isolated: &[Excerpt]) -> RecordingStreamResult<Part> {
        let mut plots = Vec::new();
        for excerpt in isolated.iter().take(ISOLATED) {
            let name = self.channels[excerpt.channel].as_str();
            let tops = ["readings", "expected", "blamed"];
            let paths = tops.map(|top| entity([top, name]).to_string());
            let place = |(row, ns): (i64, i64)| match self.time {
                Some(_) => TimeRangeBoundary::Absolute(TimeInt(ns)),
                None => TimeRangeBoundary::Absolute(TimeInt(row)),
            };
            // Space for the legend.
            let earlier = |from: i64, to: i64| from.saturating_sub(to.saturating_sub(from) / 6);
            let (from, to) = (excerpt.from, excerpt.to);
            let range = TimeRange {
                start: place((earlier(from.0, to.0), earlier(from.1, to.1))),
                end: place(to),
            };
            let title = format!("{name}, rows {} to {}", from.0, to.0);
            plots.push(layout.plot(&title, &paths, true, range)?);
        }
        let part = layout.container(ContainerKind::Grid, &plots, &[])?;
        let columns = if plots.len() <= 3 { 1 } else { 2 };
        let look = ContainerBlueprint::update_fields()
            .with_display_name("Isolated channels: measured and expected")
            .with_grid_columns(columns);
        layout.to.log(part.0.clone(), &look)?;
        Ok(part)
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
        range: TimeRange,
    ) -> RecordingStreamResult<Part> {
        let part = self.view("TimeSeries", name, contents)?;
        let legend = PlotLegend::new()
            .with_corner(Corner2D::LeftTop)
            .with_visible(legend);
        self.property(&part, "PlotLegend", &legend)?;
        let axis = TimeAxis::new().with_view_range(range);
        self.property(&part, "TimeAxis", &axis)?;
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
