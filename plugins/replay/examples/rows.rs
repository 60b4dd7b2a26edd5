//! Reads recordings and prints rows per second and the memory that it took: `cargo run --release -p becomingone-replay
//! --features parquet,sqlite --example rows -- FILE..`.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example that measures"
)]

use becomingone_replay::{Row, Table, TableError, Wanted};
use std::time::Instant;

/// Most memory so far (MB), where the system tells.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kb = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}

fn main() -> Result<(), TableError> {
    for file in std::env::args().skip(1) {
        let began = Instant::now();
        let mut table = Table::open(&file, &Wanted::default())?;
        let (mut row, mut sum) = (Row::default(), 0.0);
        while table.read(&mut row)? {
            sum += row.values.iter().flatten().sum::<f64>();
        }
        let (rows, s) = (table.counts().rows, began.elapsed().as_secs_f64());
        println!(
            "{file}: {rows} rows of {} channels in {s:.2} s, {:.0} rows/s, {} MB (sum {sum:.6e})",
            table.channels().len(),
            rows as f64 / s,
            peak_mb()
        );
        for note in table.notes() {
            println!("  {note}");
        }
    }
    Ok(())
}
