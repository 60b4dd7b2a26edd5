//! The summary as a table.

use super::data::Summary;
use crate::timing::Quantiles;
use comfy_table::{Cell, CellAlignment, Table, presets};
use std::fmt;

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(head.iter().map(Cell::new));
    table
}

fn right(x: impl fmt::Display) -> Cell {
    Cell::new(x.to_string()).set_alignment(CellAlignment::Right)
}

fn goals(n: u64) -> String {
    format!("{n} {}", if n == 1 { "goal" } else { "goals" })
}

fn complex([re, im]: [f64; 2]) -> String {
    format!("{re:.3}{im:+.3}i")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}  scene {}  seed {}  {} ticks  {:.3} s simulated in {:.3} s ({:.1} x real time)  state {}",
            self.scene,
            self.scene_hash,
            self.seed,
            self.ticks,
            self.sim_s,
            self.wall_s,
            self.rtf,
            self.state_hash
        )?;
        if let Some(timing) = self.timing {
            let three = |q: Quantiles| format!("{:.0}, {:.0}, {:.0} us", q.p50, q.p99, q.max);
            writeln!(
                f,
                "timing (p50, p99, max): ticks late by {}, taking {}; {} overruns, {:.3} s given up",
                three(timing.late_us),
                three(timing.tick_us),
                timing.overruns,
                timing.given_up_s
            )?;
        }
        if let Some(fleet) = self.fleet {
            writeln!(
                f,
                "fleet of {}: r {:.3}, {:.3} by theory; coupling {:.4} rad/s, critical {:.4} rad/s",
                fleet.robots, fleet.r, fleet.r_theory, fleet.coupling_rad_s, fleet.critical_rad_s
            )?;
        }
        if let Some(memory) = &self.memory {
            writeln!(
                f,
                "memory: {} restored of {} earlier runs, {} kept",
                memory.restored, memory.runs, memory.kept
            )?;
        }
        let mut agents = table(&[
            "agent",
            "distance m",
            "max m/s",
            "x",
            "y",
            "z",
            "qx",
            "qy",
            "qz",
            "qw",
            "goals",
            "collisions",
        ]);
        for a in &self.agents {
            let mut row = vec![
                Cell::new(&a.name),
                right(format!("{:.2}", a.distance_m)),
                right(format!("{:.2}", a.max_speed_m_s)),
            ];
            row.extend(a.position.map(|x| right(format!("{x:.3}"))));
            row.extend(a.orientation.map(|x| right(format!("{x:.3}"))));
            row.extend([right(a.goals_reached), right(a.collisions)]);
            agents.add_row(row);
        }
        writeln!(f, "{agents}")?;
        for a in &self.agents {
            if a.goals_given_up > 0 {
                writeln!(
                    f,
                    "{}: {} reached, {} given up without progress",
                    a.name,
                    goals(a.goals_reached),
                    a.goals_given_up
                )?;
            }
            if a.goals_off > 0 {
                writeln!(
                    f,
                    "{}: {} more reached by the estimated pose only: the true position was farther than the tolerance",
                    a.name,
                    goals(a.goals_off)
                )?;
            }
        }
        for a in &self.agents {
            if let Some(sender) = &a.stopped_by {
                writeln!(f, "{}: stopped by {sender}", a.name)?;
            }
        }
        let tracks = self.agents.iter().filter_map(|a| Some((a, a.track?)));
        let mut laps = table(&[
            "track",
            "laps",
            "off track",
            "best lap s",
            "last lap s",
            "widest m",
        ]);
        for (a, t) in tracks {
            let time = |s: Option<f64>| s.map_or("-".to_owned(), |s| format!("{s:.3}"));
            laps.add_row(vec![
                Cell::new(&a.name),
                right(t.laps),
                right(t.off_track),
                right(time(t.best_lap_s)),
                right(time(t.last_lap_s)),
                right(format!("{:.2}", t.widest_m)),
            ]);
        }
        if !laps.is_empty() {
            writeln!(f, "{laps}")?;
        }
        let mut kernels = table(&[
            "kernel",
            "order",
            "coherence",
            "surprise",
            "alarms",
            "cause",
            "T emissary",
            "T master",
            "aligned",
            "collapsed",
            "memories",
            "strongest",
        ]);
        for a in &self.agents {
            let k = &a.kernel;
            // Without an alarm now, the cause of the last one.
            let last = k.witness.as_ref().and_then(|w| w.alarms.last());
            let cause = k.cause.as_deref().or(last.map(|a| a.cause.as_str()));
            let coherence = k.coherence.map_or("-".to_owned(), |c| format!("{c:.3}"));
            kernels.add_row(vec![
                Cell::new(&a.name),
                right(format!("{:.3}", k.order)),
                right(coherence),
                right(k.surprise.map_or("-".to_owned(), |s| format!("{s:.3}"))),
                right(k.witness.as_ref().map_or(0, |w| w.alarmed)),
                Cell::new(cause.unwrap_or("-")),
                right(complex(k.t_emissary)),
                right(complex(k.t_master)),
                right(k.aligned),
                right(k.collapsed),
                right(k.blend.count),
                Cell::new(k.blend.strongest.as_deref().unwrap_or("-")),
            ]);
        }
        write!(f, "{kernels}")?;
        if self.agents.iter().all(|a| a.sensors.is_empty()) {
            return Ok(());
        }
        let mut sensors = table(&["sensor", "readings", "dropped", "stale", "non-finite"]);
        for a in &self.agents {
            for s in &a.sensors {
                sensors.add_row(vec![
                    Cell::new(format!("{}/{}", a.name, s.name)),
                    right(s.readings),
                    right(s.dropped),
                    right(s.stale),
                    right(s.non_finite),
                ]);
            }
        }
        write!(f, "\n{sensors}")?;
        let mut links = table(&[
            "link",
            "state",
            "gaps",
            "reordered",
            "duplicates",
            "garbage",
            "restarts",
        ]);
        for a in &self.agents {
            for s in &a.sensors {
                let Some(link) = &s.link else { continue };
                let silent = if link.stale { ", silent" } else { "" };
                links.add_row(vec![
                    Cell::new(format!("{}/{}", a.name, s.name)),
                    Cell::new(format!("{}{silent}", link.state)),
                    right(link.gaps),
                    right(link.reordered),
                    right(link.duplicates),
                    right(link.garbage),
                    right(link.restarts),
                ]);
            }
        }
        if links.is_empty() {
            return Ok(());
        }
        write!(f, "\n{links}")
    }
}
