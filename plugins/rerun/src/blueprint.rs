//! View layout (blueprint) that a viewer opens with.
//!
//! Written as blueprint entities: `re_sdk::blueprint` 0.36 has no API for eye controls, grids, axes and text columns.

use crate::entity::entity;
use crate::stage::Stage;
use crate::timelines::SIM_TIME;
use becomingone_components::fleet::FLEET;
use glam::{Vec2, Vec3};
use re_sdk::external::re_log_types::BlueprintActivationCommand;
use re_sdk::{
    EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamResult,
    external::re_log_types::LogMsg,
};
use re_sdk_types::AsComponents;
use re_sdk_types::blueprint::archetypes::{
    Background, ContainerBlueprint, EyeControls3D, LineGrid3D, MapZoom, PanelBlueprint, PlotLegend,
    ScalarAxis, TextLogColumns, TimeAxis, TimePanelBlueprint, ViewBlueprint, ViewContents,
    ViewportBlueprint, VisibleTimeRanges,
};
use re_sdk_types::blueprint::components::{
    BackgroundKind, ContainerKind, Corner2D, Eye3DKind, PanelState, PlayState, RootContainer,
};
use re_sdk_types::blueprint::datatypes::{TextLogColumn, TextLogColumnKind, TimelineColumn};
use re_sdk_types::components::{Color, Plane3D};
use re_sdk_types::datatypes::{Range1D, TimeRange, TimeRangeBoundary, Uuid, VisibleTimeRange};

/// Number of agents in a plot; more lines cannot be distinguished.
pub(crate) const PLOTTED: usize = 6;

/// Margin around the focus of the 3D view and the map (m).
const MARGIN_M: f32 = 0.8;
/// Initial eye position relative to the focus, in units of its radius.
const EYE: Vec3 = Vec3::new(-0.9, -1.3, 1.25);
/// Smallest width of the focus on the map (pixels).
const MAP_PIXELS: f32 = 250.0;
/// Height of the grid above the ground, so that the floor does not hide it (m).
const GRID_M: f32 = 0.004;

/// Views and containers, with their ids in the blueprint.
#[derive(Clone, Copy)]
enum Part {
    Root = 1,
    Right,
    Scene,
    Kernel,
    Motion,
    Readings,
    Plots,
    Events,
    About,
    Texts,
    MemoryStrength,
    Memory,
    Map,
    Surprise,
    Fleet,
    Images,
}

impl Part {
    fn id(self) -> Uuid {
        let mut bytes = *b"becomingone\0\0\0\0\0";
        bytes[15] = self as u8;
        Uuid { bytes }
    }

    fn is_container(self) -> bool {
        matches!(self, Self::Root | Self::Right | Self::Plots | Self::Texts)
    }

    fn path(self) -> EntityPath {
        let kind = if self.is_container() {
            "container"
        } else {
            "view"
        };
        entity([kind, &self.id().to_string()])
    }
}

/// Blueprint under construction.
struct Layout {
    to: RecordingStream,
}

impl Layout {
    fn view(
        &self,
        part: Part,
        class: &str,
        name: &str,
        contents: &[String],
    ) -> RecordingStreamResult<()> {
        let view = ViewBlueprint::new(class)
            .with_display_name(name)
            .with_space_origin(match part {
                Part::Scene => "/world",
                Part::Images => "/images",
                _ => "/",
            });
        self.to.log(part.path(), &view)?;
        let contents = ViewContents::new(contents.iter().map(String::as_str));
        self.property(part, "ViewContents", &contents)
    }

    fn property(
        &self,
        part: Part,
        name: &str,
        property: &dyn AsComponents,
    ) -> RecordingStreamResult<()> {
        self.to.log(part.path().join(&entity([name])), property)
    }

    fn container(
        &self,
        part: Part,
        kind: ContainerKind,
        parts: &[Part],
        shares: &[f32],
    ) -> RecordingStreamResult<()> {
        let mut container =
            ContainerBlueprint::new(kind).with_contents(parts.iter().map(|p| p.path().to_string()));
        container = match kind {
            ContainerKind::Horizontal => container.with_col_shares(shares.iter().copied()),
            ContainerKind::Vertical => container.with_row_shares(shares.iter().copied()),
            _ => match parts.first() {
                Some(first) => container.with_active_tab(first.path().to_string().as_str()),
                None => container,
            },
        };
        self.to.log(part.path(), &container)
    }
}

/// Sends the view layout for this static content and activates it.
pub(crate) fn send(to: &RecordingStream, stage: &Stage) -> RecordingStreamResult<()> {
    let Some(info) = to.store_info() else {
        return Ok(());
    };
    let (blueprint, storage) = RecordingStreamBuilder::new(info.application_id().clone())
        .blueprint()
        .enabled(true)
        .memory()?;
    blueprint.set_time_sequence("blueprint", 0);
    let layout = Layout { to: blueprint };
    scene(&layout, stage)?;
    plots(&layout, stage)?;
    let bodies = stage.bounds_m().is_some();
    texts(&layout, bodies)?;
    use Part::*;
    // Without bodies there is no 3D content: the order parameter takes its place.
    let (left, right) = if bodies {
        (Scene, vec![Kernel, Plots, Texts])
    } else {
        (Kernel, vec![MemoryStrength, Memory, Texts])
    };
    let (mut right, mut shares) = (right, vec![1.0, 1.0, 0.8]);
    if stage.agents.iter().any(|a| a.witness) {
        right.insert(1, Surprise);
        shares.insert(1, 1.0);
    }
    if stage.fleet {
        right.insert(0, Fleet);
        shares.insert(0, 1.5);
        // Without kernels there is no order parameter of agents.
        if !stage.agents.iter().any(|a| a.kernel) {
            right.remove(1);
            shares.remove(1);
        }
    }
    if !stage.images.is_empty() {
        right.insert(0, Images);
        shares.insert(0, 1.5);
    }
    layout.container(Right, ContainerKind::Vertical, &right, &shares)?;
    layout.container(
        Root,
        ContainerKind::Horizontal,
        &[left, Right],
        &[0.65, 0.35],
    )?;
    let viewport = ViewportBlueprint::new()
        .with_root_container(RootContainer(Root.id()))
        .with_auto_layout(false)
        .with_auto_views(false);
    layout.to.log("viewport", &viewport)?;
    panels(&layout)?;
    let msgs = storage.take();
    let Some(id) = msgs.iter().find_map(|msg| match msg {
        LogMsg::SetStoreInfo(info) => Some(info.info.store_id.clone()),
        _ => None,
    }) else {
        return Ok(());
    };
    to.send_blueprint(msgs, BlueprintActivationCommand::make_active(id));
    Ok(())
}

/// Lays out the 3D view.
fn scene(layout: &Layout, stage: &Stage) -> RecordingStreamResult<()> {
    layout.view(Part::Scene, "3D", "Scene", &["/world/**".to_owned()])?;
    let [low, high] = stage.focus_m().unwrap_or_default();
    let middle = (low + high) / 2.0;
    let reach = (high - low).length() / 2.0 + MARGIN_M;
    let eye = EyeControls3D::new()
        .with_kind(Eye3DKind::Orbital)
        .with_position((middle + EYE * reach).to_array())
        .with_look_target(middle.to_array())
        .with_eye_up([0.0, 0.0, 1.0]);
    layout.property(Part::Scene, "EyeControls3D", &eye)?;
    let sky = Background::new(BackgroundKind::SolidColor).with_color(Color::from_rgb(38, 43, 51));
    layout.property(Part::Scene, "Background", &sky)?;
    let grid = LineGrid3D::new()
        .with_spacing(1.0)
        .with_stroke_width(1.0)
        .with_plane(Plane3D::new([0.0, 0.0, 1.0], GRID_M))
        .with_color(Color::from_unmultiplied_rgba(60, 66, 76, 110));
    layout.property(Part::Scene, "LineGrid3D", &grid)?;
    // A trail is the sequence of its pieces up to the cursor.
    let past = VisibleTimeRanges::new([VisibleTimeRange {
        timeline: SIM_TIME.into(),
        range: TimeRange {
            start: TimeRangeBoundary::Infinite,
            end: TimeRangeBoundary::AT_CURSOR,
        },
    }]);
    let keeps = |part: Part, path: EntityPath| {
        let overridden = (part.path())
            .join(&entity(["ViewContents", "overrides"]))
            .join(&path)
            .join(&entity(["visualizers"]));
        layout.to.log(overridden, &past)
    };
    for agent in &stage.agents {
        for leaf in ["true", "odometry", "estimate"] {
            let trail = entity(["world", &agent.name, "trajectory", leaf]);
            keeps(Part::Scene, trail)?;
        }
    }
    // Keep all GNSS fixes up to the cursor, too.
    for mark in &stage.marks {
        if let Some(on_map) = &mark.on_map {
            keeps(Part::Scene, entity(&mark.path))?;
            keeps(Part::Map, entity(on_map))?;
        }
    }
    Ok(())
}

/// Lays out the plots and the map.
fn plots(layout: &Layout, stage: &Stage) -> RecordingStreamResult<()> {
    let of = |which: &dyn Fn(&crate::stage::StageAgent) -> bool, leaves: &[&[&str]]| {
        let agents = stage.agents.iter().filter(|a| which(a)).take(PLOTTED);
        agents
            .flat_map(|agent| {
                leaves.iter().map(|leaf| {
                    let path = ["plots", &agent.name];
                    entity(path.iter().chain(*leaf)).to_string()
                })
            })
            .collect::<Vec<_>>()
    };
    let kernel = of(
        &|a| a.kernel,
        &[&["kernel", "order"], &["kernel", "order_master"]],
    );
    layout.view(
        Part::Kernel,
        "TimeSeries",
        "Kernel: order parameter",
        &kernel,
    )?;
    // The order parameter is 0 to 1; the margin keeps lines at the limits visible.
    let unit = ScalarAxis::new().with_range(Range1D([-0.05, 1.05]));
    layout.property(Part::Kernel, "ScalarAxis", &unit)?;
    let fleet = ["r", "r_theory"].map(|leaf| entity(["plots", FLEET, leaf]).to_string());
    layout.view(Part::Fleet, "TimeSeries", "Fleet: order parameter", &fleet)?;
    layout.property(Part::Fleet, "ScalarAxis", &unit)?;
    // One agent: all statistics. Several agents: surprise and its limit only.
    let surprise = of(
        &|a| a.witness,
        if stage.agents.len() == 1 {
            &[
                &["kernel", "k1"],
                &["kernel", "k2"],
                &["kernel", "k3"],
                &["kernel", "lidar"],
                &["kernel", "innovations_motion"],
                &["kernel", "innovations_gnss"],
                &["kernel", "nis"],
                &["kernel", "coherence"],
                &["kernel", "faults"],
                &["kernel", "limit"],
                &["kernel", "surprise"],
            ]
        } else {
            &[&["kernel", "limit"], &["kernel", "surprise"]]
        },
    );
    layout.view(
        Part::Surprise,
        "TimeSeries",
        "Surprise: alarm above 1",
        &surprise,
    )?;
    // A fault may raise surprise to thousands; the range shows the threshold, 1.
    let about_one = ScalarAxis::new().with_range(Range1D([-0.1, 4.0]));
    layout.property(Part::Surprise, "ScalarAxis", &about_one)?;
    let motion = of(
        &|a| a.driven || a.model.is_some(),
        if stage.agents.len() == 1 {
            &[
                &["speed"],
                &["command", "linear"],
                &["command", "angular"],
                &["governor", "limit"],
            ]
        } else {
            &[&["speed"], &["command", "linear"]]
        },
    );
    layout.view(Part::Motion, "TimeSeries", "Speed and command", &motion)?;
    // Exclude geographic coordinates, which would dominate the scale; the map shows them.
    let mut readings = vec!["+ /readings/**".to_owned()];
    for on_map in stage.marks.iter().filter_map(|m| m.on_map.as_deref()) {
        for degrees in ["latitude", "longitude", "height"] {
            let sensor = on_map.iter().skip(1).map(String::as_str);
            let parts = ["readings"].into_iter().chain(sensor).chain([degrees]);
            readings.push(format!("- {}", entity(parts)));
        }
    }
    layout.view(Part::Readings, "TimeSeries", "Readings", &readings)?;
    // Several images in one view would cover each other.
    let image = stage.images.first().map(|i| entity(&i.path).to_string());
    layout.view(Part::Images, "2D", "Image", image.as_slice())?;
    let memory = of(&|a| a.kernel, &[&["kernel", "memory"]]);
    layout.view(
        Part::MemoryStrength,
        "TimeSeries",
        "Event memory: strength",
        &memory,
    )?;
    layout.property(Part::MemoryStrength, "ScalarAxis", &unit)?;
    for part in [
        Part::Kernel,
        Part::Fleet,
        Part::Surprise,
        Part::Motion,
        Part::Readings,
        Part::MemoryStrength,
    ] {
        // The legend of many agents would cover the lines; their colours are those of the trails.
        let legend = PlotLegend::new()
            .with_corner(Corner2D::LeftTop)
            // All memories of an agent have the same name.
            .with_visible(match part {
                Part::Fleet => true,
                Part::MemoryStrength => false,
                _ => stage.agents.len() <= 3,
            });
        layout.property(part, "PlotLegend", &legend)?;
        // Show the whole run instead of a minute around the cursor.
        let whole = TimeAxis::new().with_view_range(TimeRange::EVERYTHING);
        layout.property(part, "TimeAxis", &whole)?;
    }
    // Speed comes first for agents that drive, and is omitted without bodies.
    let plots: &[Part] = if stage.bounds_m().is_none() {
        &[]
    } else if stage.agents.iter().any(|a| a.driven) {
        &[Part::Motion, Part::Readings, Part::MemoryStrength]
    } else {
        &[Part::Readings, Part::Motion, Part::MemoryStrength]
    };
    let mut tabs = plots.to_vec();
    if stage.marks.iter().any(|m| m.on_map.is_some()) {
        layout.view(Part::Map, "Map", "Map", &["/map/**".to_owned()])?;
        layout.property(Part::Map, "MapZoom", &MapZoom::new(zoom(stage)))?;
        tabs.insert(0, Part::Map);
    }
    layout.container(Part::Plots, ContainerKind::Tabs, &tabs, &[])
}

/// Zoom level at which the map shows the focus. Each level halves the metres per pixel, starting from the equator's
/// 40 075 km on 256 pixels; 19 is the last level of OpenStreetMap.
fn zoom(stage: &Stage) -> f64 {
    let [low, high] = stage.focus_m().unwrap_or_default();
    let extent_m = (high - low).truncate().length() + MARGIN_M;
    let shrunk = Vec2::from_angle(stage.latitude_deg.to_radians() as f32).x;
    let level = (40_075_017.0 / 256.0 * MAP_PIXELS * shrunk / extent_m).log2();
    f64::from(level.clamp(0.0, 19.0))
}

/// Lays out the events, the event memory and the overview.
fn texts(layout: &Layout, bodies: bool) -> RecordingStreamResult<()> {
    layout.view(Part::Events, "TextLog", "Events", &["/events".to_owned()])?;
    let column = |kind, visible: bool| TextLogColumn {
        kind,
        visible: visible.into(),
    };
    let columns = TextLogColumns::new()
        .with_timeline_columns([TimelineColumn {
            timeline: SIM_TIME.into(),
            visible: true.into(),
        }])
        .with_text_log_columns([
            column(TextLogColumnKind::LogLevel, true),
            column(TextLogColumnKind::EntityPath, false),
            column(TextLogColumnKind::Body, true),
        ]);
    layout.property(Part::Events, "TextLogColumns", &columns)?;
    layout.view(
        Part::Memory,
        "TextDocument",
        "Event memory",
        &["/memory".to_owned()],
    )?;
    layout.view(Part::About, "TextDocument", "About", &["/about".to_owned()])?;
    let texts: &[Part] = if bodies {
        &[Part::Events, Part::Memory, Part::About]
    } else {
        &[Part::Events, Part::About]
    };
    layout.container(Part::Texts, ContainerKind::Tabs, texts, &[])
}

fn panels(layout: &Layout) -> RecordingStreamResult<()> {
    let hidden = PanelBlueprint::new().with_state(PanelState::Hidden);
    layout.to.log("blueprint_panel", &hidden)?;
    layout.to.log("selection_panel", &hidden)?;
    let time = TimePanelBlueprint::new()
        .with_state(PanelState::Collapsed)
        .with_timeline(SIM_TIME)
        .with_play_state(PlayState::Following);
    layout.to.log("time_panel", &time)
}
