//! Barometer and thermometer: the standard atmosphere at the sensor's height.

use crate::physics::{Bodies, Physics};
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    AirTemperature, Bias, Noise, Pressure, SensorAt, SensorContext, SensorKind,
};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Temperature at sea level (K). ISO 2533:1975, as are the three below.
const SEA_LEVEL_K: f64 = 288.15;
/// Pressure at sea level (Pa).
const SEA_LEVEL_PA: f64 = 101_325.0;
/// Decrease of the temperature with height, up to 11 km (K/m).
const LAPSE_K_M: f64 = 0.0065;
/// Exponent of the pressure: g / (R lapse) with g = 9.80665 m/s² and R = 287.05287 J/(kg K).
const EXPONENT: f64 = 9.806_65 / (287.052_87 * LAPSE_K_M);
/// Radius of the Earth for geopotential heights (m).
const RADIUS_M: f64 = 6_356_766.0;
/// 0 °C (K).
const ZERO_C_K: f64 = 273.15;

/// Pressure of the standard atmosphere (Pa); the height is geometric.
fn pressure_pa(height_m: f64, sea_level_pa: f64) -> f64 {
    let geopotential_m = RADIUS_M * height_m / (RADIUS_M + height_m);
    let ratio = 1.0 - LAPSE_K_M * geopotential_m / SEA_LEVEL_K;
    sea_level_pa * libm::pow(ratio, EXPONENT)
}

/// What both sensors need of the world.
type Param = (
    Res<'static, Physics>,
    Query<'static, 'static, &'static Bodies>,
);

/// Height of the sensor above the origin of the scene (m).
fn rise_m(
    (physics, bodies): &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
    at: &SensorAt,
) -> Option<f64> {
    let link = physics.body(bodies, at)?.position();
    let place = link.rotation * at.mount.translation_m + link.translation;
    Some(f64::from(place.z))
}

/// Height of the scene's origin, 0 m where it has none.
fn origin_m(context: &SensorContext<'_>) -> f64 {
    context.world.origin.map_or(0.0, |origin| origin.height_m)
}

/// Static pressure of the air (Pa), of the standard atmosphere ISO 2533 at the sensor's height above `origin`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, from = "BarometerFields")]
pub struct Barometer {
    /// Pressure at sea level: the weather (Pa).
    pub sea_level_pa: f64,
    /// Noise of the pressure (Pa).
    pub noise: Noise,
}

/// Data sheets of barometers.
#[derive(Clone, Copy, Debug, Deserialize)]
enum BarometerPreset {
    /// Bosch BMP390, BST-BMP390-DS002-07: absolute accuracy ±50 Pa (typical), resolution 0.016 Pa, noise 0.02 Pa at
    /// the highest resolution.
    Bmp390,
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "Barometer", deny_unknown_fields, default)]
struct BarometerFields {
    preset: Option<BarometerPreset>,
    sea_level_pa: Option<f64>,
    noise: Option<Noise>,
}

impl From<BarometerFields> for Barometer {
    fn from(fields: BarometerFields) -> Self {
        let noise = match fields.preset {
            Some(BarometerPreset::Bmp390) => Noise {
                white_sd: 0.02,
                turn_on_bias_sd: 50.0,
                resolution: 0.016,
                ..Noise::default()
            },
            None => Noise::default(),
        };
        Self {
            sea_level_pa: fields.sea_level_pa.unwrap_or(SEA_LEVEL_PA),
            noise: fields.noise.unwrap_or(noise),
        }
    }
}

/// Standard pressure, without noise.
impl Default for Barometer {
    fn default() -> Self {
        BarometerFields::default().into()
    }
}

/// Heights and noise of a barometer.
#[derive(Clone, Debug)]
pub struct BarometerModel {
    origin_m: f64,
    sea_level_pa: f64,
    noise: Noise,
    bias: Bias,
}

impl Kind for Barometer {
    const NAME: &'static str = "Barometer";
    const ABOUT: &'static str = "pressure of the air (Pa); preset: Bmp390";
}

impl SensorKind for Barometer {
    type Measurement = Pressure;
    type Model = BarometerModel;
    type Param = Param;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        let expected = "pascals from 80000 to 110000: the weather at sea level, 101325 as standard";
        checks.within("sea_level_pa", self.sea_level_pa, 8e4, 1.1e5, expected);
        self.noise.check("noise", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, context: &SensorContext<'_>, rng: &mut Rng) -> BarometerModel {
        BarometerModel {
            origin_m: origin_m(context),
            sea_level_pa: self.sea_level_pa,
            bias: Bias::turn_on(&self.noise, rng),
            noise: self.noise,
        }
    }

    fn truth(
        model: &mut BarometerModel,
        at: &SensorAt,
        param: &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut Pressure,
    ) -> bool {
        let Some(rise_m) = rise_m(param, at) else {
            return false;
        };
        truth.pressure_pa = pressure_pa(model.origin_m + rise_m, model.sea_level_pa);
        true
    }

    fn measure(
        BarometerModel { noise, bias, .. }: &mut BarometerModel,
        at: &SensorAt,
        truth: &Pressure,
        rng: &mut Rng,
        reading: &mut Pressure,
    ) {
        reading.pressure_pa = bias.apply(truth.pressure_pa, at.period_s, noise, rng);
    }
}

/// Temperature of the air (°C): that of the scene's origin, and the standard atmosphere's decrease with height.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(
    deny_unknown_fields,
    from = "ThermometerFields",
    rename = "Temperature"
)]
pub struct Thermometer {
    /// Temperature at the scene's origin (°C). None: of the standard atmosphere at its height, 15 °C at sea level.
    pub at_origin_deg_c: Option<f64>,
    /// Time in which a reading follows a step by 63 % (s).
    pub response_s: f64,
    /// Noise of the temperature (K).
    pub noise: Noise,
}

/// Data sheets of thermometers.
#[derive(Clone, Copy, Debug, Deserialize)]
enum ThermometerPreset {
    /// Sensirion SHT31, "SHT3x-DIS" version 5: typical accuracy ±0.2 °C, repeatability 0.04 °C (three standard
    /// deviations), resolution 0.01 °C, response time above 2 s.
    Sht31,
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "Temperature", deny_unknown_fields, default)]
struct ThermometerFields {
    preset: Option<ThermometerPreset>,
    at_origin_deg_c: Option<f64>,
    response_s: Option<f64>,
    noise: Option<Noise>,
}

impl From<ThermometerFields> for Thermometer {
    fn from(fields: ThermometerFields) -> Self {
        let (response_s, noise) = match fields.preset {
            Some(ThermometerPreset::Sht31) => (
                2.0,
                Noise {
                    white_sd: 0.04 / 3.0,
                    turn_on_bias_sd: 0.2,
                    resolution: 0.01,
                    ..Noise::default()
                },
            ),
            None => (0.0, Noise::default()),
        };
        Self {
            at_origin_deg_c: fields.at_origin_deg_c,
            response_s: fields.response_s.unwrap_or(response_s),
            noise: fields.noise.unwrap_or(noise),
        }
    }
}

/// Of the standard atmosphere, without noise and lag.
impl Default for Thermometer {
    fn default() -> Self {
        ThermometerFields::default().into()
    }
}

/// Temperature at the origin, lag and noise of a thermometer.
#[derive(Clone, Debug)]
pub struct ThermometerModel {
    at_origin_deg_c: f64,
    response_s: f64,
    /// Temperature of the sensor itself (°C); none before the first reading.
    sensor_deg_c: Option<f64>,
    noise: Noise,
    bias: Bias,
}

impl Kind for Thermometer {
    const NAME: &'static str = "Temperature";
    const ABOUT: &'static str = "temperature of the air (°C); preset: Sht31";
}

impl SensorKind for Thermometer {
    type Measurement = AirTemperature;
    type Model = ThermometerModel;
    type Param = Param;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        if let Some(temperature) = self.at_origin_deg_c {
            let expected = "degrees Celsius from -90 to 60";
            checks.within("at_origin_deg_c", temperature, -90.0, 60.0, expected);
        }
        checks.not_negative("response_s", self.response_s);
        self.noise.check("noise", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.noise]
    }

    fn model(&self, context: &SensorContext<'_>, rng: &mut Rng) -> ThermometerModel {
        let standard_deg_c = SEA_LEVEL_K - ZERO_C_K - LAPSE_K_M * origin_m(context);
        ThermometerModel {
            at_origin_deg_c: self.at_origin_deg_c.unwrap_or(standard_deg_c),
            response_s: self.response_s,
            sensor_deg_c: None,
            bias: Bias::turn_on(&self.noise, rng),
            noise: self.noise,
        }
    }

    fn truth(
        model: &mut ThermometerModel,
        at: &SensorAt,
        param: &(Res<'_, Physics>, Query<'_, '_, &Bodies>),
        truth: &mut AirTemperature,
    ) -> bool {
        let Some(rise_m) = rise_m(param, at) else {
            return false;
        };
        truth.temperature_deg_c = model.at_origin_deg_c - LAPSE_K_M * rise_m;
        true
    }

    fn measure(
        model: &mut ThermometerModel,
        at: &SensorAt,
        truth: &AirTemperature,
        rng: &mut Rng,
        reading: &mut AirTemperature,
    ) {
        let air = truth.temperature_deg_c;
        let before = model.sensor_deg_c.unwrap_or(air);
        let now = follow(before, air, at.period_s, model.response_s);
        model.sensor_deg_c = Some(now);
        let ThermometerModel { noise, bias, .. } = model;
        reading.temperature_deg_c = bias.apply(now, at.period_s, noise, rng);
    }
}

/// Temperature of a sensor in air, a period later: a lag of first order; 0 for none.
fn follow(sensor: f64, air: f64, period_s: f64, response_s: f64) -> f64 {
    if response_s > 0.0 {
        air + (sensor - air) * libm::exp(-period_s / response_s)
    } else {
        air
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thermometer_follows_a_step_by_63_percent_in_its_response_time() {
        let sensor = (0..20).fold(0.0, |sensor, _| follow(sensor, 10.0, 0.1, 2.0));
        assert!(
            (sensor - 10.0 * (1.0 - libm::exp(-1.0))).abs() < 1e-9,
            "{sensor}"
        );
        assert_eq!(follow(0.0, 10.0, 0.1, 0.0), 10.0);
    }

    /// Geometric heights and pressures of the US Standard Atmosphere 1976 (NASA-TM-X-74335), which are those of ISO 2533.
    #[test]
    fn the_pressure_is_that_of_the_published_tables() {
        for (height_m, published_pa) in [
            (-500.0, 107_478.0),
            (0.0, 101_325.0),
            (500.0, 95_461.0),
            (1000.0, 89_876.0),
            (2000.0, 79_501.0),
            (5000.0, 54_048.0),
            (10_000.0, 26_500.0),
        ] {
            let pa = pressure_pa(height_m, SEA_LEVEL_PA);
            assert!((pa - published_pa).abs() < 1.0, "{height_m} m: {pa} Pa");
        }
    }
}
