//! Scores, as a table and as JSON.

use comfy_table::{Table, presets};
use serde::Serialize;
use std::collections::BTreeMap;

/// Detectors, in the order of the columns.
pub(super) const DETECTORS: [&str; 4] = [
    "kernel on readings",
    "kernel on innovations",
    "NIS",
    "all together",
];

/// Result of one detector for one fault.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct DetectorScore {
    /// Runs that detected the fault within 30 s, without an alarm before its onset.
    pub(super) found: u32,
    /// Of these, runs that named a correct channel most often in the first 2 s.
    pub(super) blamed: u32,
    /// Number of runs for each isolated channel.
    pub(super) causes: BTreeMap<String, u32>,
    /// Median delay, and its 95 % interval by order statistics (s).
    pub(super) delay_s: Option<[f64; 3]>,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) fault: &'static str,
    pub(super) runs: u32,
    /// Detectors in the order of the key `ways`.
    pub(super) ways: [DetectorScore; DETECTORS.len()],
}

#[derive(Debug, Serialize)]
pub(super) struct ScoreTable {
    pub(super) scene: String,
    pub(super) agent: String,
    pub(super) ways: [&'static str; DETECTORS.len()],
    pub(super) faults: Vec<Row>,
    /// Faults that do not apply to the agent.
    pub(super) not_there: Vec<&'static str>,
    /// Healthy time after warm-up (s).
    pub(super) healthy_s: f64,
    pub(super) false_alarms: [usize; DETECTORS.len()],
    /// Upper bound per hour with 95 % confidence.
    pub(super) false_alarms_per_hour_most: [f64; DETECTORS.len()],
}

/// Median of sorted numbers, and its 95 % interval: the order statistics n/2 -+ 0.98 sqrt(n) (Conover,
/// Practical Nonparametric Statistics, 3rd ed., 3.2).
pub(super) fn median(sorted: &[f64]) -> Option<[f64; 3]> {
    let n = sorted.len();
    let at = |rank: f64| sorted.get((rank.max(0.0) as usize).min(n.saturating_sub(1)));
    let half = n as f64 / 2.0;
    let reach = 0.98 * (n as f64).sqrt();
    let (lower, upper) = (sorted.get(n.saturating_sub(1) / 2)?, sorted.get(n / 2)?);
    Some([
        (lower + upper) / 2.0,
        *at((half - reach).floor())?,
        *at((half + reach).ceil())?,
    ])
}

impl std::fmt::Display for ScoreTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(
            std::iter::once("detected/runs, isolated/detected, median delay s [95 %]")
                .chain(self.ways),
        );
        for row in &self.faults {
            let mut cells = vec![row.fault.to_owned()];
            cells.extend(row.ways.iter().map(|detector| match detector.delay_s {
                Some([median, low, high]) => format!(
                    "{}/{}, {}/{}, {median:.2} [{low:.2}, {high:.2}]",
                    detector.found, row.runs, detector.blamed, detector.found
                ),
                None => format!("0/{}", row.runs),
            }));
            table.add_row(cells);
        }
        let mut cells = vec![format!(
            "false alarms in {:.0} s (95 % bound per hour)",
            self.healthy_s
        )];
        cells.extend(
            self.false_alarms
                .iter()
                .zip(self.false_alarms_per_hour_most)
                .map(|(n, most)| format!("{n} ({most:.1})")),
        );
        table.add_row(cells);
        write!(f, "{}, {}\n{table}", self.scene, self.agent)?;
        if !self.not_there.is_empty() {
            write!(
                f,
                "\nnot applicable to {}: {}",
                self.agent,
                self.not_there.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_within_its_interval() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some([3.0; 3]));
        let twenty: Vec<f64> = (1..=20).map(f64::from).collect();
        // Conover: ranks 6 and 15 of 20 hold the median with 95 %.
        assert_eq!(median(&twenty), Some([10.5, 6.0, 16.0]));
    }
}
