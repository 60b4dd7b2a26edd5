//! Streams of pynmeagps, pyubx2 and pymavlink over three pseudo-terminals at once, as fast as these take them, with garbage,
//! half messages and wrong checksums between the good ones, cut anywhere.
//!
//! Each port has two instruments. That with a lossless queue gets every reading, in order and to the last bit, as the
//! senders are at most its length ahead; that with a queue of two readings loses most of them. All counts are exact:
//! sent = received + dropped, and refused; and those of bytes and frames of each port. The memory of the process is bounded.
//!
//! It takes `BECOMINGONE_PTY_S` seconds (1 by default; `cargo xtask soak` sets an hour).
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod peers;
mod rig;

use becomingone_components::link::{LinkState, Queue};
use becomingone_rig::{instrument, until};
use becomingone_serial::SerialKind;
use becomingone_serial::protocol::{Protocol, Verdict, mavlink, nmea, ubx};
use becomingone_serial::{Counters, Deframer};
use rig::{Device, Rig};
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Readings in the queue that loses none, and in the one that does.
const LOSSLESS: u32 = 5000;
const FEW: u32 = 2;
/// Streams of each protocol, sent in turn.
const BLOCKS: u64 = 4;
/// Epochs of a stream.
const EPOCHS: usize = 500;
/// Longest time without any progress.
const STALL: Duration = Duration::from_secs(60);
/// Pause between ticks, in which more readings arrive than the short queue holds.
const PAUSE: Duration = Duration::from_millis(2);
/// Most that the memory of the process may grow after the first fifth of the time (kB).
const GROWTH_KB: u64 = 16 << 10;

/// One stream of a peer, and what is expected of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Block {
    bytes: Vec<u8>,
    /// The number of each reading.
    rows: Vec<f64>,
    /// Frames and runs of bytes that are refused.
    refused: u64,
    counters: Counters,
}

/// Streams of one protocol.
struct Stream {
    kind: &'static str,
    options: &'static str,
    /// First time, and all later times: numbers of messages then follow those of the last stream.
    first: Vec<Block>,
    later: Vec<Block>,
}

impl Stream {
    /// Name of the instrument that loses nothing.
    fn all(&self) -> String {
        format!("{}_all", self.kind)
    }

    /// Name of the one that loses most.
    fn few(&self) -> String {
        format!("{}_few", self.kind)
    }

    fn new<P: Protocol>(
        kind: &'static str,
        message: &str,
        options: &'static str,
        protocol: P,
    ) -> Option<Self> {
        let peers = (1..=BLOCKS).map(|seed| peers::stream(kind, EPOCHS, seed));
        let peers: Vec<_> = peers.collect::<Option<_>>()?;
        let mut deframer = Deframer::new(protocol);
        let mut round = || {
            let of = |(bytes, truth): &(Vec<u8>, serde_json::Value)| {
                let before = deframer.counters();
                let mut block = Block {
                    bytes: bytes.clone(),
                    ..Block::default()
                };
                deframer.feed(bytes, &mut |messages, verdict| {
                    block.refused += u64::from(*verdict != Verdict::Valid);
                    let its = messages.iter().filter(|m| m.name == message);
                    block.rows.extend(its.map(|m| m.get("latitude").unwrap()));
                });
                assert_eq!(deframer.waiting(), 0, "{kind}");
                block.counters = minus(deframer.counters(), before);
                // The peer's own numbers.
                let readings = truth["readings"].as_array().unwrap();
                assert_eq!(block.rows.len(), readings.len(), "{kind}");
                for (found, reading) in block.rows.iter().zip(readings) {
                    let expected = reading["latitude"].as_f64().unwrap();
                    assert!((found - expected).abs() < 1e-7, "{kind}");
                }
                assert_eq!(block.counters.bytes, bytes.len() as u64);
                assert_eq!(block.counters.frames, truth["frames"].as_u64().unwrap());
                block
            };
            peers.iter().map(of).collect::<Vec<_>>()
        };
        let (first, later) = (round(), round());
        assert!(round() == later, "{kind}");
        Some(Self {
            kind,
            options,
            first,
            later,
        })
    }

    /// The block that is sent as the n-th.
    fn block(&self, n: u64) -> &Block {
        let of = if n < BLOCKS { &self.first } else { &self.later };
        &of[(n % BLOCKS) as usize]
    }
}

fn minus(a: Counters, b: Counters) -> Counters {
    combine(a, b, u64::wrapping_sub)
}

fn combine(a: Counters, b: Counters, by: impl Fn(u64, u64) -> u64) -> Counters {
    Counters {
        bytes: by(a.bytes, b.bytes),
        frames: by(a.frames, b.frames),
        frame_bytes: by(a.frame_bytes, b.frame_bytes),
        bad_checksums: by(a.bad_checksums, b.bad_checksums),
        unreadable: by(a.unreadable, b.unreadable),
        garbage_bytes: by(a.garbage_bytes, b.garbage_bytes),
        resynchronisations: by(a.resynchronisations, b.resynchronisations),
        missing: by(a.missing, b.missing),
    }
}

/// A splitmix generator (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

/// Progress of one port, for its sender and the engine.
#[derive(Default)]
struct Progress {
    /// Readings of blocks whose sending has begun, and those that the lossless queue gave.
    begun: AtomicU64,
    taken: AtomicU64,
    stopped: AtomicBool,
}

/// Totals of a sender.
#[derive(Clone, Copy, Default)]
struct Sent {
    blocks: u64,
    rows: u64,
    refused: u64,
    counters: Counters,
}

fn send(stream: &Stream, device: &mut Device, progress: &Progress) -> Sent {
    let mut random = Random(stream.kind.len() as u64);
    let mut sent = Sent::default();
    while !progress.stopped.load(Ordering::Acquire) {
        let block = stream.block(sent.blocks);
        let after = sent.rows + block.rows.len() as u64;
        let waits = Instant::now();
        while after > progress.taken.load(Ordering::Acquire) + u64::from(LOSSLESS) {
            if progress.stopped.load(Ordering::Acquire) {
                return sent;
            }
            assert!(waits.elapsed() < STALL, "{}: no reading", stream.kind);
            std::thread::sleep(Duration::from_micros(100));
        }
        progress.begun.store(after, Ordering::Release);
        let mut rest = block.bytes.as_slice();
        while !rest.is_empty() {
            let piece = 1 + random.below(3000) as usize;
            let (now, behind) = rest.split_at(piece.min(rest.len()));
            device.send(now);
            rest = behind;
        }
        sent.blocks += 1;
        sent.rows = after;
        sent.refused += block.refused;
        sent.counters = combine(sent.counters, block.counters, u64::wrapping_add);
    }
    sent
}

/// Place in the readings that were sent.
#[derive(Default)]
struct Place {
    block: u64,
    row: usize,
    passed: u64,
}

impl Place {
    fn next(&mut self, stream: &Stream) -> f64 {
        let rows = &stream.block(self.block).rows;
        let row = rows[self.row];
        (self.row, self.passed) = (self.row + 1, self.passed + 1);
        if self.row == rows.len() {
            (self.block, self.row) = (self.block + 1, 0);
        }
        row
    }
}

/// Warnings of the driver.
struct Warnings(Mutex<Vec<String>>);

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

impl log::Log for Warnings {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// Resident memory of this process (kB); none where there is no `/proc`.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Prints a line past the test harness.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

/// Ends the senders, also where the test fails.
struct Stop<'a>(&'a [Progress]);

impl Stop<'_> {
    fn stop(&self) {
        let all = self.0.iter();
        all.for_each(|port| port.stopped.store(true, Ordering::Release));
    }
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The engine, and what it has received of each port.
struct Receiver<'a> {
    rig: Rig,
    streams: &'a [Stream],
    progress: &'a [Progress],
    /// Of both instruments.
    places: Vec<[Place; 2]>,
    begun: Instant,
    duration: Duration,
    minutes: u64,
    /// Memory after a fifth of the time, when all that is allocated once is allocated.
    memory_kb: Option<u64>,
}

impl Receiver<'_> {
    fn turn(&mut self) {
        self.rig.tick();
        let ports = self.streams.iter().zip(self.progress);
        for ((stream, progress), [all, few]) in ports.zip(&mut self.places) {
            for row in self.rig.take(&stream.all()) {
                let row = row.numbers[0];
                assert_eq!(row.to_bits(), all.next(stream).to_bits(), "{}", stream.kind);
            }
            progress.taken.store(all.passed, Ordering::Release);
            // Some of them, in order.
            let begun = progress.begun.load(Ordering::Acquire);
            for row in self.rig.take(&stream.few()) {
                let row = row.numbers[0];
                while few.next(stream).to_bits() != row.to_bits() {
                    assert!(few.passed < begun, "{}: {row} was not sent", stream.kind);
                }
            }
        }
        if self.memory_kb.is_none() && self.begun.elapsed() > self.duration / 5 {
            self.memory_kb = resident_kb();
        }
        if self.begun.elapsed().as_secs() / 60 > self.minutes {
            self.minutes += 1;
            self.report();
        }
        std::thread::sleep(PAUSE);
    }

    fn report(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let ports = self.streams.iter().zip(&self.places);
        let ports = ports.map(|(stream, [all, _])| format!("{} {}", stream.kind, all.passed));
        let ports: Vec<String> = ports.collect();
        say(&format!(
            "ptys: {seconds:.0} s, readings: {}; memory {} kB, {} kB after a fifth",
            ports.join(", "),
            resident_kb().unwrap_or(0),
            self.memory_kb.unwrap_or(0)
        ));
    }
}

#[test]
fn streams_of_peers_over_ptys_lose_what_the_queues_allow_and_all_counts_are_exact() {
    let seconds = std::env::var("BECOMINGONE_PTY_S");
    let duration = Duration::from_secs_f64(seconds.map_or(1.0, |s| s.parse().unwrap()));
    let Some(streams) = streams() else {
        return;
    };
    log::set_logger(&WARNINGS).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let mut devices: Vec<Device> = streams.iter().map(|_| Device::new()).collect();
    let paths: Vec<_> = devices.iter().map(Device::path).collect();
    let instruments = |(stream, device): (&Stream, &Device)| {
        let config = device.source(&format!("pick: \"latitude\", {}", stream.options));
        [
            (stream.all(), Queue::Lossless(LOSSLESS)),
            (stream.few(), Queue::DropOldest(FEW)),
        ]
        .map(|(name, queue)| (instrument(&name, &["x"], queue), config.clone()))
    };
    let instruments = streams.iter().zip(&devices).flat_map(instruments);
    let mut rig = Rig::new(SerialKind, instruments, None, false);
    for stream in &streams {
        rig.until_state(&stream.all(), LinkState::Up);
    }

    let progress: Vec<Progress> = streams.iter().map(|_| Progress::default()).collect();
    let mut receiver = Receiver {
        rig,
        streams: &streams,
        progress: &progress,
        places: streams.iter().map(|_| Default::default()).collect(),
        begun: Instant::now(),
        duration,
        minutes: 0,
        memory_kb: None,
    };
    let sent: Vec<Sent> = std::thread::scope(|scope| {
        let stop = Stop(&progress);
        let senders = streams.iter().zip(&mut devices).zip(&progress);
        let senders: Vec<_> = senders
            .map(|((stream, device), progress)| scope.spawn(|| send(stream, device, progress)))
            .collect();
        while receiver.begun.elapsed() < duration {
            receiver.turn();
        }
        stop.stop();
        while !senders.iter().all(|sender| sender.is_finished()) {
            receiver.turn();
        }
        senders.into_iter().map(|s| s.join().unwrap()).collect()
    });
    let seconds = receiver.begun.elapsed().as_secs_f64();

    for (stream, sent) in streams.iter().zip(&sent) {
        until("all are counted", || {
            receiver.turn();
            [stream.all(), stream.few()].into_iter().all(|name| {
                let link = receiver.rig.link(&name);
                link.received + link.counts.dropped == sent.rows
                    && link.counts.garbage == sent.refused
            })
        });
        let [all, few] = [stream.all(), stream.few()].map(|name| receiver.rig.link(&name));
        say(&format!(
            "ptys: {}: {} streams in {seconds:.1} s, {:.2} MB/s; {} readings: all received by a queue of {LOSSLESS}; {} received, {} dropped by a queue of {FEW}; {} refused; {}",
            stream.kind,
            sent.blocks,
            sent.counters.bytes as f64 / 1e6 / seconds,
            sent.rows,
            few.received,
            few.counts.dropped,
            sent.refused,
            sent.counters
        ));
        assert!(sent.rows > 0 && sent.refused > 0);
        assert_eq!(all.state, LinkState::Up);
        assert_eq!((all.received, all.counts.dropped), (sent.rows, 0));
        assert!(few.received > 0 && few.counts.dropped > 0, "{few:?}");
        for counts in [all.counts, few.counts] {
            let never = (counts.gaps, counts.reordered, counts.duplicates);
            assert_eq!((never, counts.restarts), ((0, 0, 0), 0));
        }
    }
    receiver.report();
    if let Some((start, end)) = receiver.memory_kb.zip(resident_kb()) {
        assert!(end < start + GROWTH_KB, "{start} kB, then {end} kB");
    }
    // The ports report their bytes and frames when they close.
    drop(receiver);
    let warnings = WARNINGS.0.lock().unwrap();
    for (path, sent) in paths.iter().zip(&sent) {
        let expected = format!("{}: {}", path.display(), sent.counters);
        assert!(
            warnings.contains(&expected),
            "no {expected} in {warnings:?}"
        );
    }
}

fn streams() -> Option<Vec<Stream>> {
    Some(vec![
        Stream::new(
            "nmea",
            "fix",
            "protocol: Nmea, message: \"fix\"",
            nmea::Nmea::default(),
        )?,
        Stream::new(
            "ubx",
            "NAV-PVT",
            "protocol: Ubx, message: \"NAV-PVT\"",
            ubx::Ubx::default(),
        )?,
        Stream::new(
            "mavlink",
            "GPS_RAW_INT",
            "protocol: Mavlink, message: \"GPS_RAW_INT\"",
            mavlink::Mavlink::default(),
        )?,
    ])
}
