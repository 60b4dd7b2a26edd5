//! The detector alone, without a scene or an engine: numbers in, alarm and faulty channel out.
use becomingone::kernel::{ConfigError, Monitor};

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() -> Result<(), ConfigError> {
    // Three thermometers in one room that warms and cools, read once a second. From 1000 s on the second one
    // reads 1 °C too much.
    let mut room = Room::default();
    let mut monitor = Monitor::<3>::new(3)?;
    let mut alarm = false;
    for second in 0..1200 {
        let mut values = room.read();
        if second >= 1000 {
            values[1] += 1.0;
        }
        let Some(verdict) = monitor.push(f64::from(second), &values) else {
            continue; // the warm-up
        };
        if verdict.dissipated != alarm {
            alarm = verdict.dissipated;
            let channel = verdict.cause.map_or("-".to_owned(), |c| c.to_string());
            println!(
                "{second} s: alarm {}, channel {channel}",
                if alarm { "on" } else { "off" }
            );
        }
    }
    Ok(())
}

/// Air temperature that varies about 20 °C, and noise without another crate.
struct Room {
    seed: u32,
    celsius: f64,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            seed: 1,
            celsius: 20.0,
        }
    }
}

impl Room {
    /// Uniform, -0.5 to 0.5.
    fn noise(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        f64::from(self.seed >> 8) / f64::from(1 << 24) - 0.5
    }

    fn read(&mut self) -> [f64; 3] {
        self.celsius += 0.1 * (20.0 - self.celsius) + 0.5 * self.noise();
        [0; 3].map(|_| self.celsius + 0.5 * self.noise())
    }
}
