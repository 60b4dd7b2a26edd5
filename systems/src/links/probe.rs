//! One source without a run: opened by its driver as in a run, and observed.

#![expect(
    clippy::disallowed_methods,
    reason = "a probe has no run, its time is that of the wall clock"
)]

use super::context::Context;
use super::document::without_query;
use super::driver::{DriverKind, LinkEnd};
use super::input::{InputLink as _, InputSample};
use super::live::QueueLink;
use super::observe::LinkObserver;
use super::queue::{PortState, SensorEnd};
use super::run_clock::RunClock;
use super::site::SourceSite;
use super::thread::Running;
use becomingone_components::link::Queue;
use becomingone_components::sensor::Schema;
use std::sync::Arc;
use std::time::Instant;

/// Capacity of the queue: readings of a tenth of a second at 100 kHz.
const QUEUE: Queue = Queue::DropOldest(10_000);

/// An open source of one sensor, with the threads, the queue, the clock map and the counts that it has in a run.
/// Dropping it ends its driver.
pub struct Probe {
    begun: Instant,
    link: QueueLink,
    _running: Running,
}

impl Probe {
    /// Opens a source, whose configuration the driver has accepted as that of this port. Without a schema its sensor has
    /// no numbers: there are no readings, and everything is observed.
    ///
    /// # Errors
    ///
    /// The resource that is not available, or options that do not fit the schema.
    pub fn open(
        kind: &Arc<dyn DriverKind>,
        port: &str,
        config: &str,
        schema: Option<&Schema>,
        observer: Arc<dyn LinkObserver>,
    ) -> Result<Self, String> {
        let begun = Instant::now();
        let clock = RunClock::default();
        clock.tick(0, u64::MAX, begun);
        let site = SourceSite {
            fields: schema.map_or_else(Vec::new, |s| s.fields.clone()),
            is_row: schema.is_some_and(|s| s.is_row),
            ..SourceSite::default()
        };
        let mut end = SensorEnd::new(
            PROBE,
            site.clone(),
            site.fields,
            schema.is_none_or(|s| s.has_gaps),
            schema.is_some_and(|s| s.encoding.is_some()),
            None,
            QUEUE,
            clock,
        );
        end.set_observer(observer);
        let state = PortState::default();
        let link = QueueLink::new(end.clone(), state.clone());
        let ends = vec![(config.to_owned(), LinkEnd::Sensor(end))];
        let driver = kind.open(port, ends)?;
        let running = Running::start(
            format!("{} {}", kind.name(), without_query(port)),
            driver,
            Context::new(state),
        );
        Ok(Self {
            begun,
            link,
            _running: running.map_err(|e| format!("cannot start a thread for its driver: {e}"))?,
        })
    }

    /// Time since the start (ns).
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Passes the readings and changes of the link since the last call.
    pub fn drain(&mut self, give: &mut dyn FnMut(InputSample)) {
        self.link.drain(self.now_ns(), give);
    }
}

/// Stable name of a probe's sensor.
pub const PROBE: &str = "probe";
