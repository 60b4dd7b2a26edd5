//! Cost of recording: the same scene with and without a journal, in turns in one process, so that the ratio is valid on
//! a noisy machine.
//!
//! Run it: `cargo bench -p becomingone --bench record`. The run is as fast as possible, where recording costs most: a
//! paced run has idle time. A thread writes the journal, and needs a core of its own.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark prints, times, and may stop at the first surprise"
)]

use becomingone::CoherenceEngine;
use becomingone::record::{Opening, RecordPlugin, finish};
use becomingone::scene::load;
use std::path::Path;
use std::time::{Duration, Instant};

/// Simulated time of a round.
const ROUND: Duration = Duration::from_secs(5);
const ROUNDS: usize = 12;

fn engine(scene: &str, file: Option<&Path>) -> CoherenceEngine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenes");
    let loaded = load(&folder.join(format!("{scene}.ron")), None).unwrap();
    let mut engine = CoherenceEngine::from_loaded(loaded);
    if let Some(file) = file {
        engine.add_plugin(RecordPlugin::new(file, Opening::default()).unwrap());
    }
    engine.start().unwrap();
    engine
}

fn median(mut xs: Vec<f64>) -> f64 {
    xs.sort_by(f64::total_cmp);
    xs[xs.len() / 2]
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    println!("{cores} cores");
    println!(
        "scene               µs a tick   recorded   ratio (median of {ROUNDS})   bytes a simulated second"
    );
    for scene in ["warehouse_robot", "vehicle_track", "warehouse_fleet"] {
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("run.mcap");
        let mut with = engine(scene, Some(&file));
        let mut without = engine(scene, None);
        let round = |engine: &mut CoherenceEngine| {
            let begun = Instant::now();
            engine.run_for(ROUND).unwrap();
            begun.elapsed().as_secs_f64()
        };
        let (mut ratios, mut alone, mut recorded) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..ROUNDS {
            // The first of the two takes turns.
            let (a, b) = if k % 2 == 0 {
                let a = round(&mut without);
                (a, round(&mut with))
            } else {
                let b = round(&mut with);
                (round(&mut without), b)
            };
            ratios.push(b / a);
            alone.push(a);
            recorded.push(b);
        }
        // Both runs are the same simulation.
        assert_eq!(with.summary().state_hash, without.summary().state_hash);
        let report = finish(with.world_mut(), Duration::from_secs(60)).unwrap();
        assert_eq!((report.dropped, report.lost), (0, None));
        let bytes = std::fs::metadata(&file).unwrap().len() as f64;
        let ticks = with.time().tick as f64 / ROUNDS as f64;
        println!(
            "{scene:18}  {:9.2}  {:9.2}  {:6.3}  {:26.0}",
            median(alone) / ticks * 1e6,
            median(recorded) / ticks * 1e6,
            median(ratios),
            bytes / with.time().now_s()
        );
    }
}
