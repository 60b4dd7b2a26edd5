//! Table of the time that each system takes.

use becomingone_systems::profile::Profiler;
use std::time::Duration;

pub(crate) fn print_profile(profiler: &Profiler, ticks: u64) {
    use comfy_table::{Cell, CellAlignment, Table, presets};
    let systems = profiler.report();
    let total: Duration = systems.iter().map(|s| s.total).sum();
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(vec!["system", "µs/tick", "share", "max µs"]);
    let us = |d: Duration| d.as_secs_f64() * 1e6;
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for s in &systems {
        table.add_row(vec![
            Cell::new(&s.name),
            number(format!("{:.3}", us(s.total) / ticks.max(1) as f64)),
            number(format!(
                "{:.1} %",
                100.0 * s.total.as_secs_f64() / total.as_secs_f64().max(1e-12)
            )),
            number(format!("{:.1}", us(s.longest))),
        ]);
    }
    print_out!("\n{table}");
}
