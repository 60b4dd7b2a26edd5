//! Kinds of sensors: the trait of a kind, and its type-erased form in scenes.

use super::measurement::Measurement;
use super::noise::Noise;
use super::schema::Schema;
use crate::body::{Pose, RobotModel};
use crate::check::Checks;
use crate::feature::Feature;
use crate::kind::{AnyKind, Indent, Kind, Named};
use crate::seed::Rng;
use crate::world::WorldSpec;
use bevy_ecs::prelude::*;
use bevy_ecs::system::{ReadOnlySystemParam, SystemParamItem};
use std::sync::Arc;

/// A kind of sensor: its scene fields, its measurement, and its simulation.
///
/// One file and one line, `app.register_sensor::<Barometer>()`, make a kind: scene reader, range checks, spawning,
/// faults, default channels of diagnosis, recorder, viewer, links, replay and the state hash derive from this trait.
///
/// ```
/// # use becomingone_components::{check::Checks, kind::Kind, seed::Rng};
/// # use becomingone_components::sensor::{Field, Measurement, SensorAt, SensorContext, SensorKind, field};
/// # use bevy_ecs::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// /// Uptime of the machine, without noise.
/// #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
/// #[serde(deny_unknown_fields, default)]
/// struct Uptime {
///     offset_s: f64,
/// }
///
/// #[derive(Clone, Default)]
/// struct UptimeSeconds(f64);
///
/// impl Measurement for UptimeSeconds {
///     const KIND: &'static str = "uptime";
///     const FIELDS: &'static [Field] = &[field("uptime", "s")];
///     fn visit(&self, each: &mut dyn FnMut(f64)) {
///         each(self.0);
///     }
///     fn fill(&mut self, numbers: &[f64]) -> bool {
///         if let &[s] = numbers {
///             self.0 = s;
///         }
///         numbers.len() == 1
///     }
/// }
///
/// impl Kind for Uptime {
///     const NAME: &'static str = "Uptime";
///     const ABOUT: &'static str = "time since the run's start (s)";
/// }
///
/// impl SensorKind for Uptime {
///     type Measurement = UptimeSeconds;
///     type Model = f64;
///     type Param = ();
///     fn model(&self, _: &SensorContext<'_>, _: &mut Rng) -> f64 {
///         self.offset_s
///     }
///     fn truth(offset_s: &mut f64, at: &SensorAt, _: &(), truth: &mut UptimeSeconds) -> bool {
///         truth.0 = at.now_ns as f64 * 1e-9 + *offset_s;
///         true
///     }
/// }
/// ```
pub trait SensorKind: Kind {
    /// Type of the measurement.
    type Measurement: Measurement;
    /// State of the simulated sensor: noise, earlier values.
    type Model: Send + Sync + 'static;
    /// World data that it samples: read-only system parameters, `()` for none.
    type Param: ReadOnlySystemParam + 'static;

    /// Whether it is simulated; an instrument that is not needs no body, and takes readings from a link only.
    const SIMULATED: bool = true;
    /// First tick with a sample: 1 where it needs the result of a physics step.
    const FIRST_TICK: u64 = 0;

    /// Reports values that are out of range, and what the scene lacks for such a sensor.
    fn check(&self, context: &SensorContext<'_>, checks: &mut Checks<'_>) {
        let _ = (context, checks);
    }

    /// Reports what the agent's model lacks for such a sensor on this link.
    fn check_model(&self, model: &RobotModel, link: usize, checks: &mut Checks<'_>) {
        let _ = (model, link, checks);
    }

    /// Names and units of its numbers.
    fn schema(&self) -> Schema {
        Schema::of::<Self::Measurement>()
    }

    /// Length of a reading. None: it depends on a model that is not loaded.
    fn numbers(&self, context: &SensorContext<'_>) -> Option<usize> {
        let mut numbers = 0;
        self.blank(context).visit(&mut |_| numbers += 1);
        Some(numbers)
    }

    /// An empty measurement of the right shape.
    fn blank(&self, context: &SensorContext<'_>) -> Self::Measurement {
        let _ = context;
        Self::Measurement::default()
    }

    /// The simulated sensor at the start of a run; draws its errors from `rng`.
    fn model(&self, context: &SensorContext<'_>, rng: &mut Rng) -> Self::Model;

    /// Samples the world: writes the measurement without noise. Returns whether there is one.
    fn truth(
        model: &mut Self::Model,
        at: &SensorAt,
        param: &SystemParamItem<'_, '_, Self::Param>,
        truth: &mut Self::Measurement,
    ) -> bool;

    /// Derives a reading from the truth: adds noise. `reading` holds an earlier reading, whose memory is reused.
    fn measure(
        model: &mut Self::Model,
        at: &SensorAt,
        truth: &Self::Measurement,
        rng: &mut Rng,
        reading: &mut Self::Measurement,
    ) {
        let _ = (model, at, rng);
        reading.clone_from(truth);
    }

    /// Channels of the whole sensor, for diagnosis: each number, the rate of each counter.
    fn channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)> {
        let schema = self.schema();
        let feature = if schema.counts {
            Feature::Rate
        } else {
            Feature::Value
        };
        let numbers = 0..self.numbers(context).unwrap_or_default();
        numbers.map(|n| (schema.name(n), feature(n))).collect()
    }

    /// Channels of diagnosis where a scene names none.
    fn default_channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)> {
        if Self::Measurement::SURROUNDINGS {
            Vec::new()
        } else {
            self.channels(context)
        }
    }

    /// Its noise, which domain randomisation scales.
    fn noises(&mut self) -> Vec<&mut Noise> {
        Vec::new()
    }

    /// Adds further components to the sensor's entity.
    fn insert(&self, sensor: &mut EntityWorldMut<'_>) {
        let _ = sensor;
    }
}

/// Scene context of a sensor.
#[derive(Clone, Copy, Debug)]
pub struct SensorContext<'a> {
    /// The world: place on the Earth, magnetic field.
    pub world: &'a WorldSpec,
    /// Readings a second.
    pub rate_hz: f64,
    /// Whether the agent has a drive in the scene.
    pub driven: bool,
    /// Number of wheels or joints with encoders. None: no model is loaded.
    pub encoded: Option<usize>,
}

/// Place and time of a sample.
#[derive(Clone, Copy, Debug)]
pub struct SensorAt {
    /// The agent that carries it.
    pub agent: Entity,
    /// Index of the link that carries it.
    pub link: usize,
    /// Mount pose on that link.
    pub mount: Pose,
    /// Now (ns from the run's start).
    pub now_ns: u64,
    /// Time from one reading to the next (s).
    pub period_s: f64,
}

/// A kind of sensor with its type erased, as scenes hold it.
pub trait AnySensor: AnyKind {
    /// [`Measurement::KIND`].
    fn measures(&self) -> &'static str;
    /// [`SensorKind::SIMULATED`].
    fn is_simulated(&self) -> bool;
    /// [`SensorKind::check`].
    fn check(&self, context: &SensorContext<'_>, checks: &mut Checks<'_>);
    /// [`SensorKind::check_model`].
    fn check_model(&self, model: &RobotModel, link: usize, checks: &mut Checks<'_>);
    /// [`SensorKind::schema`].
    fn schema(&self) -> Schema;
    /// [`SensorKind::numbers`].
    fn numbers(&self, context: &SensorContext<'_>) -> Option<usize>;
    /// [`SensorKind::channels`].
    fn channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)>;
    /// [`SensorKind::default_channels`].
    fn default_channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)>;
    /// The same sensor, with its noise times this factor.
    fn noisier(&self, factor: f64) -> Named<dyn AnySensor>;
}

impl<K: SensorKind> AnySensor for K {
    fn measures(&self) -> &'static str {
        K::Measurement::KIND
    }

    fn is_simulated(&self) -> bool {
        K::SIMULATED
    }

    fn check(&self, context: &SensorContext<'_>, checks: &mut Checks<'_>) {
        SensorKind::check(self, context, checks);
    }

    fn check_model(&self, model: &RobotModel, link: usize, checks: &mut Checks<'_>) {
        SensorKind::check_model(self, model, link, checks);
    }

    fn schema(&self) -> Schema {
        SensorKind::schema(self)
    }

    fn numbers(&self, context: &SensorContext<'_>) -> Option<usize> {
        SensorKind::numbers(self, context)
    }

    fn channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)> {
        SensorKind::channels(self, context)
    }

    fn default_channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)> {
        SensorKind::default_channels(self, context)
    }

    fn noisier(&self, factor: f64) -> Named<dyn AnySensor> {
        let mut kind = self.clone();
        for noise in kind.noises() {
            noise.scale(factor);
        }
        kind.into()
    }
}

impl Indent for dyn AnySensor {
    const LEVELS: usize = 5;
}

impl<K: SensorKind> From<K> for Named<dyn AnySensor> {
    fn from(kind: K) -> Self {
        Self::of(Arc::new(kind))
    }
}
