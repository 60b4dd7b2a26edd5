//! `cargo xtask surprise`, also the second part of `cargo xtask soak`: detection performance on seeds that no threshold
//! was chosen on.
//!
//! False alarms: three hours of healthy runs of the patrol, of the car and of the yard's rover. With n alarms in T
//! seconds, the rate is below the upper 95 % bound of a Poisson count, chi²(0.95; 2n + 2)/(2T). Detection and
//! isolation: twenty runs of each fault; how many are flagged with the right cause and no alarm before, and the delay.

use crate::{cargo, root, run as command};
use becomingone_kernel::most_expected;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// When faults begin (s).
const AT_S: f64 = 20.0;

/// Faults of the patrol, and the start of the name of the isolated channel.
const FAULTS: [(&str, &str); 7] = [
    (
        r#"sensor: "rover/encoders/0", kind: Scale(1.08)"#,
        "encoders/0",
    ),
    (
        r#"sensor: "rover/encoders/1", kind: Scale(1.08)"#,
        "encoders/1",
    ),
    (
        r#"sensor: "rover/encoders", kind: Scale(1.08)"#,
        "encoders/",
    ),
    (
        r#"sensor: "rover/encoders/0", kind: Scale(1.02)"#,
        "encoders/0",
    ),
    (r#"sensor: "rover/gyro", kind: Freeze"#, "imu/gyro"),
    (r#"sensor: "rover/imu", kind: Freeze"#, "imu/"),
    (r#"sensor: "rover/encoders", kind: Freeze"#, "encoders/"),
];

/// Runs both and prints the results.
pub(crate) fn surprise() -> Result<(), String> {
    command(&mut cargo(&["build", "--release", "--workspace"]))?;
    let binary = root().join("target/release/becomingone");
    // Three hours of each. The yard's rover drives lap after lap, without the scene's fault and without a governor.
    let laps = ["faults=[]", "agents.rover.governor=None"].map(|set| ["--set", set]);
    let laps = [&["--duration", "380s"][..], laps.as_flattened()].concat();
    for (scene, seeds, warm_up_s, args) in [
        ("robot", 20_000..20_143, 18.0, &[][..]),
        ("vehicle", 20_000..20_282, 38.0, &[][..]),
        ("gnss_spoof", 20_000..20_031, 30.0, &laps[..]),
    ] {
        let (mut alarms, mut healthy_s) = (0, 0.0);
        for outcome in each(seeds, |seed| run(&binary, scene, seed, args))? {
            let found = outcome.alarms.len();
            if found > 0 {
                println!("{scene}, seed {}: {:?}", outcome.seed, outcome.alarms);
            }
            alarms += found;
            healthy_s += outcome.sim_s - warm_up_s;
        }
        println!(
            "{scene}: {alarms} false alarms in {healthy_s:.0} s; with 95 % below {:.2} in 1000 s",
            1000.0 * most_expected(alarms) / healthy_s
        );
    }
    for (fault, cause) in FAULTS {
        let set = format!("faults=[({fault}, at_s: {AT_S})]");
        let args = ["--duration", "30s", "--set", &set];
        let mut delays_s: Vec<f64> =
            each(30_000..30_020, |seed| run(&binary, "robot", seed, &args))?
                .iter()
                .filter_map(|outcome| {
                    let (from_s, named) = outcome.alarms.first()?;
                    (*from_s >= AT_S && named.starts_with(cause)).then_some(from_s - AT_S)
                })
                .collect();
        delays_s.sort_by(f64::total_cmp);
        println!(
            "{fault}: {} of 20 flagged with the right cause; delay {:.2?} s in the middle, {:.2?} s at most",
            delays_s.len(),
            delays_s.get(delays_s.len() / 2),
            delays_s.last()
        );
    }
    Ok(())
}

/// Result of a run.
struct Outcome {
    seed: u64,
    sim_s: f64,
    /// Time of onset (s), and the isolated channel.
    alarms: Vec<(f64, String)>,
}

fn run(binary: &Path, scene: &str, seed: u64, more: &[&str]) -> Result<Outcome, String> {
    let summary = root().join(format!("target/soak-{seed}.json"));
    let ended = Command::new(binary)
        .args([
            "run",
            scene,
            "--rerun",
            "off",
            "--quiet",
            "--seed",
            &seed.to_string(),
            "--summary",
        ])
        .arg(&summary)
        .args(more)
        .status()
        .map_err(|e| e.to_string())?;
    if !ended.success() {
        return Err(format!("{scene}, seed {seed}: {ended}"));
    }
    let text = std::fs::read(&summary).map_err(|e| e.to_string())?;
    let outcome: Value = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    std::fs::remove_file(&summary).map_err(|e| e.to_string())?;
    let kernel = &outcome["agents"][0]["kernel"];
    let alarms = kernel["witness"]["alarms"].as_array();
    let alarm = |a: &Value| Some((a["from_s"].as_f64()?, a["cause"].as_str()?.to_owned()));
    Ok(Outcome {
        seed,
        sim_s: outcome["sim_s"].as_f64().unwrap_or(0.0),
        alarms: alarms.into_iter().flatten().filter_map(alarm).collect(),
    })
}

/// One run for each seed, on all processors.
fn each(
    seeds: std::ops::Range<u64>,
    run: impl Fn(u64) -> Result<Outcome, String> + Sync,
) -> Result<Vec<Outcome>, String> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut all = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(all);
            }
            all.push(run(seed)?);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let found: Vec<Result<Vec<Outcome>, String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|w| {
            w.join()
                .unwrap_or_else(|_| Err("a worker panicked".to_owned()))
        });
        ended.collect()
    });
    let mut all = Vec::new();
    for some in found {
        all.extend(some?);
    }
    all.sort_by_key(|s| s.seed);
    Ok(all)
}
