//! Wheel encoders: rotation of each driven wheel or servoed joint.

use super::imu::with_rate_of_readings;
use crate::physics::motion::WheelAngles;
use becomingone_components::check::Checks;
use becomingone_components::control::DrivenBy;
use becomingone_components::feature::Feature;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, EncoderAngles, Noise, SensorAt, SensorContext, SensorKind,
};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Angles of the driven wheels (rad).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Encoders {
    /// Noise of each angle (rad).
    #[serde(default)]
    pub noise: Noise,
}

/// Noise of the encoders, with an offset per wheel.
#[derive(Clone, Debug)]
pub struct EncodersModel {
    noise: Noise,
    biases: Vec<Bias>,
}

impl Kind for Encoders {
    const NAME: &'static str = "Encoders";
    const ABOUT: &'static str = "angles of the driven wheels or servoed joints (rad)";
}

impl SensorKind for Encoders {
    type Measurement = EncoderAngles;
    type Model = EncodersModel;
    type Param = (
        Query<'static, 'static, &'static DrivenBy>,
        Query<'static, 'static, &'static WheelAngles>,
    );

    fn check(&self, context: &SensorContext<'_>, checks: &mut Checks<'_>) {
        if !context.driven {
            let expected = "`drive: Auto`, `drive: Wheels(..)` or `drive: Joints()` on the agent";
            checks.wrong("", "encoders without a drive", expected);
        }
        self.noise.check("noise", checks);
    }

    fn numbers(&self, context: &SensorContext<'_>) -> Option<usize> {
        context.encoded
    }

    fn blank(&self, context: &SensorContext<'_>) -> EncoderAngles {
        EncoderAngles {
            angles_rad: vec![0.0; context.encoded.unwrap_or_default()],
        }
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, context: &SensorContext<'_>, rng: &mut Rng) -> EncodersModel {
        let wheels = 0..context.encoded.unwrap_or_default();
        EncodersModel {
            biases: wheels.map(|_| Bias::turn_on(&self.noise, rng)).collect(),
            noise: self.noise,
        }
    }

    fn truth(
        _: &mut EncodersModel,
        at: &SensorAt,
        (driven, wheels): &(Query<'_, '_, &DrivenBy>, Query<'_, '_, &WheelAngles>),
        truth: &mut EncoderAngles,
    ) -> bool {
        let driven = driven.get(at.agent).ok();
        let Some(angles) = driven.and_then(|d| wheels.get(d.0).ok()) else {
            return false;
        };
        truth.angles_rad.clone_from(&angles.0);
        true
    }

    fn measure(
        EncodersModel { noise, biases }: &mut EncodersModel,
        at: &SensorAt,
        truth: &EncoderAngles,
        rng: &mut Rng,
        reading: &mut EncoderAngles,
    ) {
        reading.angles_rad.clear();
        let angles = biases.iter_mut().zip(&truth.angles_rad);
        reading
            .angles_rad
            .extend(angles.map(|(bias, &angle)| bias.apply(angle, at.period_s, noise, rng)));
    }

    fn default_channels(&self, context: &SensorContext<'_>) -> Vec<(String, Feature)> {
        with_rate_of_readings(self.channels(context), context.rate_hz)
    }
}
