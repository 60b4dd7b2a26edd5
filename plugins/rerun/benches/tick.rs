//! What recording costs a tick.

#[path = "../tests/common/mod.rs"]
mod common;

use becomingone_rerun::{RerunPlugin, Sink};
use common::{app, run};

fn main() {
    divan::main();
}

/// A whole simulated second, with and without a file.
#[divan::bench(args = [1, 8], sample_count = 20)]
fn second_without(bencher: divan::Bencher, agents: usize) {
    let mut app = app(agents, None);
    bencher.bench_local(|| run(&mut app, 1000));
}

/// The same, recorded.
#[divan::bench(args = [1, 8], sample_count = 20)]
fn second_to_file(bencher: divan::Bencher, agents: usize) {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let Ok(plugin) = RerunPlugin::new(Sink::File(folder.path().join("run.rrd")), "room") else {
        return;
    };
    let mut app = app(agents, Some(plugin));
    bencher.bench_local(|| run(&mut app, 1000));
}
