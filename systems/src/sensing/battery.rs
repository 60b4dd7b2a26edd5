//! Battery: voltage, current and charge under the power of the agent's motors.

use super::power::Motors;
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    BatteryState, Bias, Noise, SensorAt, SensorContext, SensorKind,
};
use serde::{Deserialize, Serialize};

/// Voltage (V), current (A) and charge (1) of the agent's battery.
///
/// Its voltage without load falls linearly with its charge, from `full_v` to `empty_v`, behind an internal resistance.
/// The load is `idle_w`, and the mechanical power of the motors at the time of each reading over their efficiency;
/// motors that are driven give nothing back. An agent does not stop at an empty battery: its controller has to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, from = "BatteryFields")]
pub struct Battery {
    /// Capacity (A h).
    pub capacity_a_h: f64,
    /// Voltage without load, full (V).
    pub full_v: f64,
    /// Voltage without load, empty (V).
    pub empty_v: f64,
    /// Internal resistance (Ω).
    pub resistance_ohm: f64,
    /// Charge at the start, from 0 to 1.
    pub charge: f64,
    /// Power of everything but the motors (W).
    pub idle_w: f64,
    /// Mechanical power of the motors over their electrical power, from 0 to 1.
    pub efficiency: f64,
    /// Noise of the voltage (V).
    pub voltage_noise: Noise,
    /// Noise of the current (A).
    pub current_noise: Noise,
}

/// Data sheets of batteries.
#[derive(Clone, Copy, Debug, Deserialize)]
enum BatteryPreset {
    /// Six cells Samsung INR18650-25R in series, specification 1.0 (2014): 2.5 A h, 4.2 V full, 2.5 V cut-off,
    /// 18 mΩ each.
    Inr18650x6,
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "Battery", deny_unknown_fields, default)]
struct BatteryFields {
    preset: Option<BatteryPreset>,
    capacity_a_h: Option<f64>,
    full_v: Option<f64>,
    empty_v: Option<f64>,
    resistance_ohm: Option<f64>,
    charge: Option<f64>,
    idle_w: Option<f64>,
    efficiency: Option<f64>,
    voltage_noise: Noise,
    current_noise: Noise,
}

impl From<BatteryFields> for Battery {
    fn from(fields: BatteryFields) -> Self {
        let [capacity_a_h, full_v, empty_v, resistance_ohm] = match fields.preset {
            Some(BatteryPreset::Inr18650x6) => [2.5, 6.0 * 4.2, 6.0 * 2.5, 6.0 * 0.018],
            // A lead battery of 12 V.
            None => [7.0, 12.9, 11.6, 0.03],
        };
        Self {
            capacity_a_h: fields.capacity_a_h.unwrap_or(capacity_a_h),
            full_v: fields.full_v.unwrap_or(full_v),
            empty_v: fields.empty_v.unwrap_or(empty_v),
            resistance_ohm: fields.resistance_ohm.unwrap_or(resistance_ohm),
            charge: fields.charge.unwrap_or(1.0),
            idle_w: fields.idle_w.unwrap_or(10.0),
            efficiency: fields.efficiency.unwrap_or(0.7),
            voltage_noise: fields.voltage_noise,
            current_noise: fields.current_noise,
        }
    }
}

/// A full lead battery of 12 V and 7 A h, 10 W of electronics, motors of 70 %.
impl Default for Battery {
    fn default() -> Self {
        BatteryFields::default().into()
    }
}

/// The battery itself.
#[derive(Clone, Debug)]
pub struct BatteryModel {
    battery: Battery,
    charge: f64,
    /// Time of the last reading; none before the first (ns).
    last_ns: Option<u64>,
    biases: [Bias; 2],
}

impl Kind for Battery {
    const NAME: &'static str = "Battery";
    const ABOUT: &'static str = "voltage (V), current (A) and charge; preset: Inr18650x6";
}

/// Terminal voltage (V) and current (A) at which a source of `open_v` gives this power through its resistance. A load
/// beyond the largest possible power draws the current of that.
fn under_load(open_v: f64, resistance_ohm: f64, power_w: f64) -> [f64; 2] {
    let most_w = open_v * open_v / (4.0 * resistance_ohm);
    let power_w = power_w.min(most_w);
    // The larger solution of u² - open u + R P = 0.
    let voltage_v = (open_v
        + (open_v * open_v - 4.0 * resistance_ohm * power_w)
            .max(0.0)
            .sqrt())
        / 2.0;
    [voltage_v, power_w / voltage_v]
}

impl SensorKind for Battery {
    type Measurement = BatteryState;
    type Model = BatteryModel;
    type Param = Motors<'static, 'static>;

    // Motors have no power before the first step.
    const FIRST_TICK: u64 = 1;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        checks.positive("capacity_a_h", self.capacity_a_h);
        checks.positive("empty_v", self.empty_v);
        let expected = "volts above empty_v, up to 2000";
        checks.within("full_v", self.full_v, self.empty_v, 2000.0, expected);
        let expected = "ohms from 1e-6 to 1000";
        checks.within("resistance_ohm", self.resistance_ohm, 1e-6, 1e3, expected);
        checks.within("charge", self.charge, 0.0, 1.0, "a share from 0 to 1");
        checks.not_negative("idle_w", self.idle_w);
        let expected = "a share above 0, at most 1";
        checks.within("efficiency", self.efficiency, 1e-3, 1.0, expected);
        self.voltage_noise.check("voltage_noise", checks);
        self.current_noise.check("current_noise", checks);
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.voltage_noise, &mut self.current_noise]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> BatteryModel {
        BatteryModel {
            charge: self.charge,
            last_ns: None,
            biases: [&self.voltage_noise, &self.current_noise].map(|n| Bias::turn_on(n, rng)),
            battery: self.clone(),
        }
    }

    fn truth(
        model: &mut BatteryModel,
        at: &SensorAt,
        motors: &Motors<'_, '_>,
        truth: &mut BatteryState,
    ) -> bool {
        let battery = &model.battery;
        let open_v = battery.empty_v + model.charge * (battery.full_v - battery.empty_v);
        let power_w = battery.idle_w + motors.power_w(at.agent) / battery.efficiency;
        let [voltage_v, current_a] = under_load(open_v, battery.resistance_ohm, power_w);
        if let Some(last_ns) = model.last_ns {
            let hours = at.now_ns.saturating_sub(last_ns) as f64 * 1e-9 / 3600.0;
            model.charge = (model.charge - current_a * hours / battery.capacity_a_h).max(0.0);
        }
        model.last_ns = Some(at.now_ns);
        *truth = BatteryState {
            voltage_v,
            current_a,
            charge: model.charge,
        };
        true
    }

    fn measure(
        model: &mut BatteryModel,
        at: &SensorAt,
        truth: &BatteryState,
        rng: &mut Rng,
        reading: &mut BatteryState,
    ) {
        let BatteryModel {
            battery, biases, ..
        } = model;
        let [voltage, current] = biases;
        *reading = BatteryState {
            voltage_v: voltage.apply(truth.voltage_v, at.period_s, &battery.voltage_noise, rng),
            current_a: current.apply(truth.current_a, at.period_s, &battery.current_noise, rng),
            charge: truth.charge,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_is_that_of_the_load() {
        for power_w in [0.0, 1.0, 50.0, 300.0] {
            let [u, i] = under_load(12.0, 0.1, power_w);
            // Ohm's law across the internal resistance.
            assert!((u - (12.0 - 0.1 * i)).abs() < 1e-9, "{u} {i}");
            assert!((u * i - power_w).abs() < 1e-9, "{u} {i}");
        }
        // Beyond the largest power, half of the voltage is left.
        let [u, i] = under_load(12.0, 0.1, 1e6);
        assert!((u - 6.0).abs() < 1e-9 && (i - 60.0).abs() < 1e-9, "{u} {i}");
    }
}
