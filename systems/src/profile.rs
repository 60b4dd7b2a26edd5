//! Time per system of a tick, by the spans that bevy opens around systems.

#![expect(
    clippy::disallowed_methods,
    reason = "it measures wall time; nothing of it enters the run"
)]

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Time spent in one system.
#[derive(Clone, Debug, Default)]
pub struct SystemTime {
    /// Path of the system.
    pub name: String,
    /// Sum over all runs.
    pub total: Duration,
    /// Longest run.
    pub longest: Duration,
    /// Runs.
    pub runs: u64,
    entered: Option<Instant>,
}

/// Measures systems that are added to a schedule after it was installed.
#[derive(Clone, Debug, Default)]
pub struct Profiler(Arc<Mutex<Vec<SystemTime>>>);

impl Profiler {
    /// Starts to measure in this process.
    ///
    /// # Errors
    ///
    /// A process has one such observer, which may be installed already.
    pub fn install() -> Result<Self, tracing::subscriber::SetGlobalDefaultError> {
        let profiler = Self::default();
        tracing::subscriber::set_global_default(profiler.clone())?;
        Ok(profiler)
    }

    /// All systems that ran, the costliest first.
    pub fn report(&self) -> Vec<SystemTime> {
        let mut systems: Vec<_> = self.lock().iter().filter(|s| s.runs > 0).cloned().collect();
        systems.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.name.cmp(&b.name)));
        systems
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SystemTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, id: &Id, change: impl FnOnce(&mut SystemTime)) {
        let index = id.into_u64() as usize - 1;
        if let Some(system) = self.lock().get_mut(index) {
            change(system);
        }
    }
}

struct NameOf(String);

impl Visit for NameOf {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "name" {
            // Writing to a string cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            self.0.push_str(value);
        }
    }
}

impl Subscriber for Profiler {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "system"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut name = NameOf(String::new());
        span.record(&mut name);
        let mut systems = self.lock();
        systems.push(SystemTime {
            name: crate::tick::short(&name.0),
            ..SystemTime::default()
        });
        Id::from_u64(systems.len() as u64)
    }

    fn enter(&self, span: &Id) {
        self.at(span, |system| system.entered = Some(Instant::now()));
    }

    fn exit(&self, span: &Id) {
        let now = Instant::now();
        self.at(span, |system| {
            if let Some(entered) = system.entered.take() {
                let spent = now - entered;
                system.total += spent;
                system.longest = system.longest.max(spent);
                system.runs += 1;
            }
        });
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, _event: &Event<'_>) {}
}
