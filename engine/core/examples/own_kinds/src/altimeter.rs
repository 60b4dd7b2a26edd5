//! `Altimeter`: height of the sensor above the ground.

use becomingone::prelude::*;
use serde::{Deserialize, Serialize};

/// Scene: `kind: Altimeter(noise: (white_sd: 0.04))`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Altimeter {
    /// Noise of the altitude (m).
    pub noise: Noise,
}

/// Height above the ground (m).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Altitude(pub f64);

impl Measurement for Altitude {
    const KIND: &'static str = "altimeter";
    const FIELDS: &'static [Field] = &[field("altitude", "m")];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.0);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[altitude] = numbers else {
            return false;
        };
        self.0 = altitude;
        true
    }
}

impl Kind for Altimeter {
    const NAME: &'static str = "Altimeter";
    const ABOUT: &'static str = "height above the ground (m)";
}

impl SensorKind for Altimeter {
    type Measurement = Altitude;
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

    /// Where the sensor is mounted on its link, and where the link is.
    fn truth(
        _: &mut (Noise, Bias),
        at: &SensorAt,
        (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Altitude,
    ) -> bool {
        let Some(body) = physics.body(bodies, at) else {
            return false;
        };
        let link = body.position();
        let place = link.rotation * at.mount.translation_m + link.translation;
        truth.0 = f64::from(place.z);
        true
    }

    fn measure(
        (noise, bias): &mut (Noise, Bias),
        at: &SensorAt,
        truth: &Altitude,
        rng: &mut Rng,
        reading: &mut Altitude,
    ) {
        reading.0 = bias.apply(truth.0, at.period_s, noise, rng);
    }
}
