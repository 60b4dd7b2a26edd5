//! What the command line lays over a scene.

use becomingone::scene::Overlays;
use clap::Args;
use std::path::PathBuf;

const LAID: &str = "Overlays, laid over the scene in this order";

/// Laid over the scene in this order: profiles, configurations, single values. What comes later wins.
#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "the text of --help, where backticks would be read as they stand"
)]
pub(super) struct OverlayArgs {
    /// Where the scene runs (.ron, .yaml): shaped as a scene, everything optional. May be repeated.
    ///
    /// Agents, sensors, obstacles and channels are found by their name, and added where there is none;
    /// other lists are replaced; None (null in YAML) clears what is optional. A kind with fields is
    /// written Patrol(speed_m_s: 1) in RON and {Patrol: {speed_m_s: 1}} in YAML: the same kind takes the
    /// fields over, another kind replaces the whole; fields alone go into the kind that is there.
    #[arg(long, value_name = "FILE", help_heading = LAID)]
    pub(super) profile: Vec<PathBuf>,
    /// What runs (.ron, .yaml): as --profile, laid over it. May be repeated.
    #[arg(long, value_name = "FILE", help_heading = LAID)]
    pub(super) config: Vec<PathBuf>,
    /// One value, as agents.rover.controller.speed_m_s=0.8. May be repeated; the last one wins.
    ///
    /// The path goes by fields, by names in lists of things with names, and by index, as
    /// waypoints_m[0]; a name with a dot in it stands in double quotes. It goes straight into the fields
    /// of a kind. The value is RON and replaces what is there: 0.8, Auto, None, [1, 2, 0],
    /// Tone(frequency_hz: 2). Text needs no quotes.
    #[arg(long, value_name = "PATH=VALUE", help_heading = LAID)]
    pub(super) set: Vec<String>,
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
