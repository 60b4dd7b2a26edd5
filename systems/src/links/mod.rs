//! Links: the only entry of external input.
//!
//! - [`driver`]: drivers and their kinds; `thread`: their threads, with [`back_off`] between attempts.
//! - [`site`]: a source as the scene states it; [`document`]: JSON of peers; [`layout`]: binary frames; [`pick`]: the
//!   numbers of a reading in a document; [`Readers`]: sensors that share a source of documents; [`complaints`]: messages
//!   about arrivals that are no readings.
//! - `tls`, `web` (features): certificates and errors of TLS; which web servers are reached, and how.
//! - [`queue`]: readings that wait for the tick, with [`sequence`]: missing, late and duplicate ones.
//! - [`clock`]: map of a device's clock to the run's.
//! - [`observe`]: bytes and messages as they arrive, for [`probe`]: one source without a run.
//! - [`live`]: tick side of a queue, and of a recording that is read as time passes.
//! - [`ExternalInput`]: source of frames: live [`InputLink`]s, or a [`Journal`] of them.
//! - [`fn@ingest`]: collects them in the order (link, sequence), keeps them in [`Entered`], and applies them.
//! - [`watch`]: time-outs of sensors.
//! - [`act`]: commands to hardware.
//! - `sources`: resolved sources of every sensor and drive.
//! - [`open`]: opens the links of a scene.

pub mod act;
pub mod back_off;
pub mod clock;
pub mod complaints;
mod context;
mod delivery;
pub mod document;
pub mod driver;
mod ingest;
mod input;
pub mod layout;
pub mod live;
mod names;
pub mod observe;
pub mod open;
pub mod pick;
pub mod probe;
pub mod queue;
mod reader;
mod run_clock;
pub mod sequence;
pub mod site;
pub(crate) mod sources;
mod thread;
#[cfg(feature = "tls")]
pub mod tls;
pub mod watch;
#[cfg(feature = "web")]
pub mod web;

pub use act::{ActuatorEnd, Outgoing, OutputLinks};
pub use complaints::Complaints;
pub use context::Context;
pub(crate) use delivery::Delivery;
pub use driver::{ConfigError, Driver, DriverError, DriverKind, Endpoint, LinkEnd, read_config};
pub use ingest::{AcceptRequest, ingest};
pub use input::{ExternalInput, InputLink, InputSample, Journal};
pub use live::{RecordedRow, Recording};
pub(crate) use names::name_links;
pub use names::silent_after_ns;
pub use observe::{Content, LinkObserver, Observed};
pub use open::{OpenError, OpenLinks, Port, PortSource, rest};
pub use pick::{Pick, Picker};
pub use probe::{PROBE, Probe};
pub use queue::{Sample, SensorEnd};
pub use reader::{Places, Readers};
pub use run_clock::RunClock;
pub use site::SourceSite;
pub use thread::Running;

use crate::hash::{Bits, HashState, RegisterState};
use crate::tick::{Reset, Tick, TickSystems};
use becomingone_components::drive::Twist2;
use becomingone_components::joints::JointTargets;
use becomingone_components::link::{Entered, Link, Links, ResolvedSources, Watchdog};
use becomingone_components::vehicle::Ackermann;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Ingestion, at the head of [`TickSystems::Ingest`]: systems of that set find the frames of the tick.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternalInputSystems;

/// Runs links.
pub struct LinksPlugin;

impl Plugin for LinksPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Entered>()
            .init_resource::<Links>()
            .init_resource::<ExternalInput>()
            .init_resource::<ResolvedSources>()
            .register_state::<Link>("link")
            .configure_sets(Tick, ExternalInputSystems.in_set(TickSystems::Ingest))
            .add_systems(Reset, ingest::begin)
            .add_systems(
                Tick,
                (
                    ingest::ingest.run_if(ingest::something_may_enter),
                    watch::watch.run_if(any_with_component::<Watchdog>),
                )
                    .chain()
                    .in_set(ExternalInputSystems),
            )
            .add_systems(
                Tick,
                (
                    act::send::<Twist2>,
                    act::send::<Ackermann>,
                    act::send::<JointTargets>,
                )
                    .chain()
                    .in_set(TickSystems::Act)
                    .run_if(any_with_component::<act::CommandSender>),
            );
    }
}

impl HashState for Link {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.state as u64);
        bits.u64(u64::from(self.stale));
    }
}
