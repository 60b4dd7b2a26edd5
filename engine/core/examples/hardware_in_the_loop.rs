//! Hardware in the loop: a simulated world in real time, with a device of its own thread on a pseudo-terminal.
//!
//! The device sends a speed a thousand times a second; the engine drives with it; the device notes when that command
//! arrives. Printed: how late ticks begin, how long they take, and the time from a reading to its command.
//!
//! ```text
//! cargo run --release -p becomingone --example hardware_in_the_loop -- [SECONDS] [--rt] [--busy]
//! ```
//!
//! `--rt`: as `becomingone run --rt`. `--busy`: as many threads as CPUs compute beside it.
#![cfg_attr(
    unix,
    expect(
        clippy::print_stdout,
        clippy::disallowed_methods,
        reason = "an example prints, and a device has a clock of its own"
    )
)]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use becomingone::prelude::*;
    use becomingone::{Quantiles, real_time};
    use crc::{CRC_16_MODBUS, Crc};
    use hdrhistogram::Histogram;
    use serialport::{SerialPort as _, TTYPort};
    use std::error::Error;
    use std::io::{ErrorKind, Read, Write};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    /// Time between two readings of the device.
    const PERIOD: Duration = Duration::from_millis(1);
    /// Speeds that are distinguished: readings of so many periods are on their way at once, at most.
    const SPEEDS: usize = 1000;
    /// Steps of these speeds (m/s).
    const STEP_M_S: f64 = 1e-4;
    const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_MODBUS);

    /// A rover in a yard, with simulated sensors beside the one that is not.
    const SCENE: &str = r#"(
        version: 1,
        world: (obstacles: [Box(name: "crate", position_m: (3.0, 0.0, 0.0), size_m: (0.6, 0.6, 0.6))]),
        agents: [(
            name: "rover", model: "rover.urdf", drive: Auto, coherence: off,
            drive_source: Driver("serial", (port: "PORT", baud: 921600, protocol: Framed(
                frame: Cobs, check: "CRC-16/MODBUS",
                fields: [(value: 1, type: U8), (name: "safe", type: U8), (name: "linear", type: F64)],
            ))),
            drive_rate_hz: 1000.0,
            sensors: [
                (name: "lidar", kind: Lidar(rays: 180, range_max_m: 8.0), rate_hz: 10.0, position_m: (0.0, 0.0, 0.3)),
                (name: "imu", kind: Imu(), rate_hz: 200.0),
                (name: "stick", kind: Values(fields: [(name: "speed", unit: "m/s")]), rate_hz: 1000.0,
                 source: Driver("serial", (port: "PORT", baud: 921600, protocol: Framed(
                    frame: Cobs, check: "CRC-16/MODBUS",
                    fields: [(value: 2, type: U8), (name: "sequence", type: U32), (name: "speed", type: F64)],
                 )))),
            ],
        )],
    )"#;

    /// Drives with the speed that the device sent last.
    fn follow(sticks: Query<&Reading<ValueRow>>, mut drives: Query<&mut ActuatorTarget<Twist2>>) {
        let latest = sticks.iter().find_map(Reading::latest);
        let speed = latest.and_then(|sample| sample.value.numbers.first().copied());
        for mut command in &mut drives {
            command.0.linear_m_s = speed.unwrap_or(0.0);
        }
    }

    /// When each speed was sent (ns since the device's start; 0: not yet, or its command has arrived).
    struct Device {
        begun: Instant,
        sent_ns: Vec<AtomicU64>,
        end: AtomicBool,
    }

    impl Device {
        fn ended(&self) -> bool {
            self.end.load(Ordering::Acquire)
        }

        fn now_ns(&self) -> u64 {
            u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
        }

        /// Sends a reading each period; returns how many.
        fn send(&self, mut wire: TTYPort) -> std::io::Result<u32> {
            let mut count = 0;
            while !self.ended() {
                let due = PERIOD * count;
                thread::sleep(due.saturating_sub(self.begun.elapsed()));
                // Standstill is no answer to a reading.
                let speed = 1 + count as usize % (SPEEDS - 1);
                let mut frame = vec![2];
                frame.extend(count.to_le_bytes());
                frame.extend((speed as f64 * STEP_M_S).to_le_bytes());
                frame.extend(CRC.checksum(&frame).to_le_bytes());
                let mut bytes = cobs::encode_vec(&frame);
                bytes.push(0);
                self.sent_ns[speed].store(self.now_ns(), Ordering::Release);
                wire.write_all(&bytes)?;
                count += 1;
            }
            Ok(count)
        }

        /// Takes commands; returns the times from a reading to the first command of it (ns).
        fn receive(&self, mut wire: TTYPort) -> std::io::Result<Histogram<u64>> {
            let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 2)
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            let (mut chunk, mut line) = ([0; 256], Vec::new());
            while !self.ended() {
                let bytes = match wire.read(&mut chunk) {
                    Ok(n) => &chunk[..n],
                    Err(error) if error.kind() == ErrorKind::TimedOut => continue,
                    Err(error) => return Err(error),
                };
                let now_ns = self.now_ns();
                for &byte in bytes {
                    if byte != 0 {
                        line.push(byte);
                        continue;
                    }
                    let frame = cobs::decode_vec(&line).unwrap_or_default();
                    line.clear();
                    // Kind, `safe`, speed, checksum.
                    let Some(speed) = frame.get(2..10).filter(|_| frame[0] == 1) else {
                        continue;
                    };
                    let speed = f64::from_le_bytes(speed.try_into().unwrap_or_default());
                    let speed = (speed / STEP_M_S).round() as usize;
                    let sent = self.sent_ns.get(speed);
                    let sent_ns = sent.map_or(0, |sent| sent.swap(0, Ordering::AcqRel));
                    if sent_ns > 0 {
                        times.saturating_record(now_ns.saturating_sub(sent_ns));
                    }
                }
            }
            Ok(times)
        }
    }

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| arguments.iter().any(|a| a == flag);
        let seconds = arguments.iter().find(|a| !a.starts_with('-'));
        let seconds = seconds.map_or(Ok(3.0), |text| text.parse())?;

        let (mut wire, ours) = TTYPort::pair()?;
        wire.set_timeout(Duration::from_millis(50))?;
        let port = ours.name().ok_or("a pseudo-terminal without a name")?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("yard.ron");
        std::fs::write(&file, SCENE.replace("PORT", &port))?;
        let mut engine = CoherenceEngine::from_scene(&file)?;
        engine.add_plugin(|app: &mut App| {
            app.add_systems(
                Tick,
                follow.in_set(TickSystems::Decide).after(ControlSystems),
            );
        });
        engine.set_pace(Pace::RealTime).set_armed(true).start()?;

        let device = Arc::new(Device {
            begun: Instant::now(),
            sent_ns: (0..SPEEDS).map(|_| AtomicU64::new(0)).collect(),
            end: AtomicBool::new(false),
        });
        let reader = wire.try_clone_native()?;
        let sender = thread::spawn({
            let device = device.clone();
            move || device.send(wire)
        });
        let receiver = thread::spawn({
            let device = device.clone();
            move || device.receive(reader)
        });
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let busy = (0..if has("--busy") { cpus } else { 0 }).map(|_| {
            let device = device.clone();
            thread::spawn(move || while !device.ended() {})
        });
        let busy: Vec<_> = busy.collect();

        if has("--rt") {
            println!("real time: {}", real_time::prefer_this_thread(None));
        }
        let summary = engine.run_for(Duration::from_secs_f64(seconds))?;
        device.end.store(true, Ordering::Release);
        for thread in busy {
            thread.join().map_err(|_| "a busy thread panicked")?;
        }
        let sent = sender.join().map_err(|_| "the device panicked")??;
        let times = receiver.join().map_err(|_| "the device panicked")??;

        let timing = summary.timing.ok_or("no tick was timed")?;
        let us = |ns: u64| ns as f64 * 1e-3;
        let latency = Quantiles {
            p50: us(times.value_at_quantile(0.5)),
            p99: us(times.value_at_quantile(0.99)),
            max: us(times.max()),
        };
        println!("{:<22}{:>10}{:>10}{:>10}", "us", "p50", "p99", "max");
        for (name, q) in [
            ("tick begins late", timing.late_us),
            ("tick takes", timing.tick_us),
            ("reading to command", latency),
        ] {
            println!("{name:<22}{:>10.0}{:>10.0}{:>10.0}", q.p50, q.p99, q.max);
        }
        println!(
            "{} ticks, {} of them late by more than one; {sent} readings, {} of them answered",
            summary.ticks,
            timing.overruns,
            times.len()
        );
        Ok(())
    }
}
