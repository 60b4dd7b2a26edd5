//! Overlays: profiles, configurations and single values over a scene.

use becomingone::scene::Overlays;
use becomingone_components::path_text::to_text;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser};
use std::path::PathBuf;

const HEADING: &str = "Overlays, applied to the scene in this order";

/// Overlays in the order in which they apply: profiles, configurations, single values. Later ones win.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "the text of --help, where backticks would be read as they stand"
)]
pub(super) struct OverlayArgs {
    /// Where the scene runs (.ron, .yaml): a partial scene, every key optional. May be repeated.
    ///
    /// Agents, sensors, obstacles and channels are matched by name, and added where there is no match;
    /// other lists are replaced; None (null in YAML) clears an optional key. A kind with fields is
    /// written Patrol(speed_m_s: 1) in RON and {Patrol: {speed_m_s: 1}} in YAML: fields are merged into the
    /// same kind, another kind replaces the whole; fields without a kind are merged into the present one.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub(super) profile: Vec<PathBuf>,
    /// What runs (.ron, .yaml): as --profile, applied after it. May be repeated.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub(super) config: Vec<PathBuf>,
    /// One value, as agents.rover.controller.speed_m_s=0.8. May be repeated; the last one wins.
    ///
    /// The path consists of keys, of names in lists of named items, and of indices, as
    /// waypoints_m[0]; a name that contains a dot is put in double quotes. The fields of a kind follow directly.
    /// The value is RON and replaces the present one: 0.8, Auto, None, [1, 2, 0],
    /// Tone(frequency_hz: 2). Text needs no quotes.
    #[arg(long, value_name = "PATH=VALUE", value_parser = text(), help_heading = HEADING)]
    pub(super) set: Vec<String>,
}

/// Parser of text that may name files, whose names may have any bytes.
fn text() -> ValueParser {
    let parser = OsStringValueParser::new();
    parser.map(|text| to_text(text.as_ref())).into()
}

impl From<&OverlayArgs> for Overlays {
    fn from(args: &OverlayArgs) -> Self {
        Self {
            profiles: args.profile.clone(),
            configs: args.config.clone(),
            sets: args.set.clone(),
        }
    }
}
