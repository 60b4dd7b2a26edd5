//! `--json`: the flagged intervals.

use super::arguments::Analyze;
use super::intervals::{Interval, Intervals};
use crate::failure::Failure;
use crate::files::write_json;
use becomingone_kernel::Detector;
use becomingone_replay::Table;
use serde_json::{Map, Value, json};

impl Analyze {
    /// Writes what was learned, and the intervals.
    pub(super) fn write_intervals<const N: usize>(
        &self,
        detector: &Detector<N>,
        table: &Table,
        intervals: &Intervals<N>,
    ) -> Result<(), Failure> {
        let Some(file) = &self.json else {
            return Ok(());
        };
        let names = table.channels();
        let thresholds = detector.thresholds().map(|[level, activity, innovation, shift]| {
            json!({"level": level, "activity": activity, "innovation": innovation, "shift": shift})
        });
        let false_alarms = detector.false_alarms().map(|found| {
            json!({
                "alarms": found.alarms,
                "healthy_hours": found.hours,
                "per_hour_most": found.per_hour_most(),
            })
        });
        let model = detector.model().into_iter();
        let inputs: Vec<&String> = model.flat_map(|m| m.inputs()).map(|n| &names[*n]).collect();
        let kept: Vec<Value> = intervals.kept.iter().map(|i| interval(i, names)).collect();
        let result = json!({
            "file": self.file.display().to_string(),
            "channels": names,
            "inputs": inputs,
            "rows": table.counts().rows,
            "flagged_rows": intervals.rows,
            "outside_rows": intervals.outside.iter().map(|(_, rows)| rows).sum::<u64>(),
            "thresholds": thresholds,
            "false_alarms": false_alarms,
            "intervals_left_out": intervals.count - kept.len() as u64,
            "intervals": kept,
        });
        write_json(&result, file)
    }
}

fn interval<const N: usize>(of: &Interval<N>, names: &[String]) -> Value {
    let cause = of.cause();
    let end = |(row, time, _): &(u64, String, Option<i64>)| json!({"row": row, "time": Some(time).filter(|time| !time.is_empty())});
    let shares: Map<String, Value> = names
        .iter()
        .zip(&of.shares)
        .filter(|(_, share)| **share > 0.0)
        .map(|(name, share)| (name.clone(), json!(share)))
        .collect();
    let furthest = of.furthest();
    json!({
        "first": end(&of.first),
        "last": end(&of.last),
        "lasted_s": of.lasted_s,
        "channel": cause.map(|n| &names[n]),
        "severity": of.severity,
        "surprise": of.peak,
        "worst_row": of.worst_row,
        "measured": furthest.map(|f| f.measured),
        "expected": furthest.map(|f| f.expected),
        "band": furthest.map(|f| f.band),
        "measured_row": furthest.map(|f| f.row),
        "shares": shares,
    })
}
