//! A summary as cells with names: `rover.kernel.surprise`.

use super::cells::{Cell, Column};
use crate::summary::{
    AgentSummary, FilterSummary, FleetSummary, GovernorSummary, KernelSummary, SensorSummary,
    Summary, TrackSummary, WitnessSummary,
};

/// Cells of a summary, but for those that all rows begin and end with. Lists of names that the scene decides are left
/// out; of alarms, the first has its own.
pub(super) fn flatten(summary: &Summary) -> Vec<(Column, Cell)> {
    let mut cells = Cells {
        prefix: String::new(),
        cells: Vec::new(),
    };
    if let Some(fleet) = &summary.fleet {
        cells.within("fleet", |c| c.fleet(fleet));
    }
    for agent in &summary.agents {
        cells.within(&agent.name, |c| c.agent(agent));
    }
    cells.cells
}

struct Cells {
    prefix: String,
    cells: Vec<(Column, Cell)>,
}

impl Cells {
    fn within(&mut self, name: &str, add: impl FnOnce(&mut Self)) {
        let length = self.prefix.len();
        self.prefix += name;
        self.prefix.push('.');
        add(self);
        self.prefix.truncate(length);
    }

    fn add(&mut self, name: &str, cell: Cell) {
        let column = Column::new(format!("{}{name}", self.prefix), cell.kind());
        self.cells.push((column, cell));
    }

    fn count(&mut self, name: &str, count: u64) {
        self.add(name, Cell::Count(Some(count)));
    }

    fn number(&mut self, name: &str, number: impl Into<Option<f64>>) {
        self.add(name, Cell::Number(number.into()));
    }

    fn numbers<const N: usize>(&mut self, name: &str, parts: [&str; N], numbers: Option<[f64; N]>) {
        self.within(name, |c| {
            for (k, part) in parts.iter().enumerate() {
                c.number(part, numbers.map(|n| n[k]));
            }
        });
    }

    fn flag(&mut self, name: &str, flag: impl Into<Option<bool>>) {
        self.add(name, Cell::Flag(flag.into()));
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        self.add(name, Cell::Text(text.map(str::to_owned)));
    }

    fn fleet(&mut self, fleet: &FleetSummary) {
        self.count("robots", fleet.robots as u64);
        self.number("r", fleet.r);
        self.number("r_theory", fleet.r_theory);
        self.number("coupling_rad_s", fleet.coupling_rad_s);
        self.number("critical_rad_s", fleet.critical_rad_s);
    }

    fn agent(&mut self, agent: &AgentSummary) {
        self.number("distance_m", agent.distance_m);
        self.number("max_speed_m_s", agent.max_speed_m_s);
        self.numbers("position", ["x", "y", "z"], Some(agent.position));
        self.numbers("orientation", ["x", "y", "z", "w"], Some(agent.orientation));
        self.count("goals_reached", agent.goals_reached);
        self.count("goals_off", agent.goals_off);
        self.count("goals_given_up", agent.goals_given_up);
        self.count("collisions", agent.collisions);
        if let Some(track) = &agent.track {
            self.track(track);
        }
        if let Some(filter) = &agent.filter {
            self.within("filter", |c| c.filter(filter));
        }
        self.text("stopped_by", agent.stopped_by.as_deref());
        self.within("kernel", |c| c.kernel(&agent.kernel));
        if let Some(governor) = &agent.governor {
            self.within("governor", |c| c.governor(governor));
        }
        self.within("sensors", |c| {
            for sensor in &agent.sensors {
                c.within(&sensor.name, |c| c.sensor(sensor));
            }
        });
    }

    fn track(&mut self, track: &TrackSummary) {
        self.count("laps", track.laps);
        self.count("off_track", track.off_track);
        self.number("best_lap_s", track.best_lap_s);
        self.number("last_lap_s", track.last_lap_s);
        self.number("widest_m", track.widest_m);
    }

    fn filter(&mut self, filter: &FilterSummary) {
        self.number("x_m", filter.x_m);
        self.number("y_m", filter.y_m);
        self.number("yaw_rad", filter.yaw_rad);
        self.number("position_sd_m", filter.position_sd_m);
        self.number("error_m", filter.error_m);
        self.number("gyro_bias_rad_s", filter.gyro_bias_rad_s);
        self.number("wheel_scale", filter.wheel_scale);
        self.number("mean_nis", filter.mean_nis);
    }

    fn kernel(&mut self, kernel: &KernelSummary) {
        self.number("order", kernel.order);
        self.number("coherence", kernel.coherence);
        self.numbers("t_emissary", ["re", "im"], Some(kernel.t_emissary));
        self.numbers("t_master", ["re", "im"], Some(kernel.t_master));
        self.flag("aligned", kernel.aligned);
        self.flag("collapsed", kernel.collapsed);
        self.number("surprise", kernel.surprise);
        self.number("k1", kernel.k1);
        self.number("k2", kernel.k2);
        self.number("k3", kernel.k3);
        self.flag("dissipated", kernel.dissipated);
        self.text("cause", kernel.cause.as_deref());
        if let Some(witness) = &kernel.witness {
            self.within("witness", |c| c.witness(witness));
        }
        self.within("blend", |c| {
            c.count("count", kernel.blend.count as u64);
            c.text("strongest", kernel.blend.strongest.as_deref());
            c.number("strength", kernel.blend.strength);
        });
    }

    fn witness(&mut self, witness: &WitnessSummary) {
        let k = ["k1", "k2", "k3"];
        self.numbers("thresholds", k, witness.thresholds);
        let more = [
            ("surroundings_thresholds", witness.surroundings_thresholds),
            ("innovation_thresholds", witness.innovation_thresholds),
            ("place_thresholds", witness.place_thresholds),
        ];
        for (name, thresholds) in more {
            self.numbers(name, k, thresholds);
        }
        self.number("nis_threshold", witness.nis_threshold);
        self.count("alarmed", witness.alarmed);
        let first = witness.alarms.first();
        self.within("first_alarm", |c| {
            c.number("from_s", first.map(|a| a.from_s));
            c.number("until_s", first.and_then(|a| a.until_s));
            c.text("cause", first.map(|a| a.cause.as_str()));
        });
    }

    fn governor(&mut self, governor: &GovernorSummary) {
        self.number("limit", governor.limit);
        self.flag("stopped", governor.stopped);
        self.text("left_out", Some(&governor.left_out.join(",")));
    }

    fn sensor(&mut self, sensor: &SensorSummary) {
        self.count("readings", sensor.readings);
        self.count("dropped", sensor.dropped);
        self.count("stale", sensor.stale);
        self.count("non_finite", sensor.non_finite);
        if let Some(link) = &sensor.link {
            self.count("gaps", link.gaps);
            self.count("duplicates", link.duplicates);
            self.count("garbage", link.garbage);
        }
    }
}
