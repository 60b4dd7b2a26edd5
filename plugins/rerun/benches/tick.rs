//! Cost of recording, per tick.

#[path = "../tests/common/mod.rs"]
mod common;

use becomingone_rerun::{RerunPlugin, Sink};
use becomingone_systems::kinds::Kinds;
use becomingone_systems::{spawn, tick::TickPlugin};
use bevy_app::App;
use common::{app, room, run};

fn main() {
    divan::main();
}

/// One simulated second without recording.
#[divan::bench(args = [1, 8], sample_count = 20)]
fn second_without(bencher: divan::Bencher, agents: usize) {
    let mut app = app(agents, None);
    bencher.bench_local(|| run(&mut app, 1000));
}

/// One simulated second, recorded to a file.
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

/// App whose tick has only the clock, with this tick length: at 1 ns no rate cap is ever due, at 0.1 s poses, plans,
/// speeds and commands are due in every tick.
fn bare(agents: usize, tick_ns: u64, rerun: Option<RerunPlugin>) -> Option<App> {
    let mut app = App::empty();
    app.add_plugins(TickPlugin);
    if let Some(rerun) = rerun {
        app.add_plugins(rerun);
    }
    let mut room = room(agents);
    room.scene.tick_ns = tick_ns;
    app.insert_resource(room);
    app.insert_resource(Kinds::built_in());
    spawn::build_scene(app.world_mut()).ok()?;
    // Skip what is due at the start.
    run(&mut app, 10);
    Some(app)
}

/// Tick with the clock only.
#[divan::bench(args = [1, 64])]
fn idle_without(bencher: divan::Bencher, agents: usize) {
    if let Some(mut app) = bare(agents, 1, None) {
        bencher.bench_local(|| app.update());
    }
}

/// Tick with the clock only, recorded.
#[divan::bench(args = [1, 64])]
fn idle_to_file(bencher: divan::Bencher, agents: usize) {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let plugin = RerunPlugin::new(Sink::File(folder.path().join("run.rrd")), "room");
    if let Some(mut app) = bare(agents, 1, plugin.ok()) {
        bencher.bench_local(|| app.update());
    }
}

/// Tick that publishes poses, plans, speeds and commands.
#[divan::bench(args = [1, 64], sample_count = 10, sample_size = 50)]
fn publish_to_file(bencher: divan::Bencher, agents: usize) {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let plugin = RerunPlugin::new(Sink::File(folder.path().join("run.rrd")), "room");
    if let Some(mut app) = bare(agents, 100_000_000, plugin.ok()) {
        bencher.bench_local(|| app.update());
    }
}
