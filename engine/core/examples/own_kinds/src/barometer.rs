//! `Barometer`: air pressure at the sensor's height.

use becomingone::prelude::*;
use serde::{Deserialize, Serialize};

/// Scene: `kind: Barometer(noise: (white_sd: 0.5))`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Barometer {
    /// Noise of the pressure (Pa).
    pub noise: Noise,
}

/// Air pressure (Pa).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure(pub f64);

impl Measurement for Pressure {
    const KIND: &'static str = "barometer";
    const FIELDS: &'static [Field] = &[field("pressure", "Pa")];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.0);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[pressure] = numbers else {
            return false;
        };
        self.0 = pressure;
        true
    }
}

impl Kind for Barometer {
    const NAME: &'static str = "Barometer";
    const ABOUT: &'static str = "air pressure (Pa)";
}

impl SensorKind for Barometer {
    type Measurement = Pressure;
    type Model = (Noise, Bias);
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, &'static Bodies>,
    );

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        self.noise.check("noise", checks);
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> (Noise, Bias) {
        (self.noise, Bias::turn_on(&self.noise, rng))
    }

    /// The barometric formula of ISO 2533 near the ground: 101325 Pa and 12.01 Pa less for each metre.
    fn truth(
        _: &mut (Noise, Bias),
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Pressure,
    ) -> bool {
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        let link = body.position();
        let place = link.rotation * at.mount.translation_m + link.translation;
        truth.0 = 101_325.0 - 12.01 * f64::from(place.z);
        true
    }

    fn measure(
        (noise, bias): &mut (Noise, Bias),
        at: &SensorAt,
        truth: &Pressure,
        rng: &mut Rng,
        reading: &mut Pressure,
    ) {
        reading.0 = bias.apply(truth.0, at.period_s, noise, rng);
    }
}
