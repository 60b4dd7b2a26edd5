//! Rates of counters of revolutions, whose numbers and times begin again at 0.

use crate::gatt::Revolutions;

/// Fastest rate of a wheel or crank (Hz): more is another start of the sensor, whose counter begins at 0.
const PLAUSIBLE_HZ: f64 = 50.0;
/// Time after which the clock of events begins again (s).
const TURN_S: f64 = 64.0;

/// Rate of a counter.
///
/// The Cycling Speed and Cadence Service 1.0 (3.1.1) counts revolutions, and states the time of the last one: the rate
/// is that between two events, whose times modulo 64 s are completed by the times of arrival. Where there is no event,
/// less than one revolution was made since the last, so that the rate is at most one in this time; it is 0 after 64 s.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    bits: u32,
    last: Option<Event>,
    rate_hz: f64,
    total: f64,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    revolutions: Revolutions,
    arrival_ns: u64,
}

impl Rate {
    /// Rate of a counter of so many bits, 16 or 32.
    pub fn of_bits(bits: u32) -> Self {
        Self {
            bits,
            last: None,
            rate_hz: f64::NAN,
            total: f64::NAN,
        }
    }

    /// Takes the counter of a message that arrived at this time (ns). Returns revolutions in all, since the counter
    /// began, and the rate (Hz), which is NaN until there are two events.
    pub fn update(&mut self, now: Revolutions, arrival_ns: u64) -> (f64, f64) {
        let event = Event {
            revolutions: now,
            arrival_ns,
        };
        let Some(Event {
            revolutions: last,
            arrival_ns: last_ns,
        }) = self.last
        else {
            return self.begin(event);
        };
        let silent_s = arrival_ns.saturating_sub(last_ns) as f64 / 1e9;
        let turned = self.turned(last.count, now.count);
        if turned == 0.0 {
            if silent_s >= TURN_S {
                self.rate_hz = 0.0;
            } else if self.rate_hz.abs() > 1.0 / silent_s {
                self.rate_hz = (1.0 / silent_s).copysign(self.rate_hz);
            }
            return (self.total, self.rate_hz);
        }
        let between_s = f64::from(now.time.wrapping_sub(last.time)) / 1024.0;
        let turns = ((silent_s - between_s) / TURN_S).round();
        let rate_hz = turned / (between_s + turns * TURN_S);
        // Another start: the clock went back, or the counter cannot have got there, in no time neither.
        let goes_on = turns >= 0.0 && rate_hz.abs() <= PLAUSIBLE_HZ;
        if !goes_on {
            return self.begin(event);
        }
        self.last = Some(event);
        self.total += turned;
        self.rate_hz = rate_hz;
        (self.total, self.rate_hz)
    }

    /// Begins with the first message, or with another start of the sensor.
    fn begin(&mut self, event: Event) -> (f64, f64) {
        self.last = Some(event);
        self.total = event.revolutions.count.into();
        self.rate_hz = f64::NAN;
        (self.total, self.rate_hz)
    }

    /// Revolutions between two counts; less than 0 where a wheel turned back.
    fn turned(&self, from: u32, to: u32) -> f64 {
        let forward = to.wrapping_sub(from);
        match self.bits {
            16 => f64::from(forward as u16 as i16),
            _ => f64::from(forward as i32),
        }
    }
}
