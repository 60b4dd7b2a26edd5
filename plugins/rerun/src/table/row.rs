//! What is recorded of a row beside its readings.

use re_sdk_types::components::Color;

/// State of the machine in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// There are no scores: the row is learned from, or cannot be judged.
    Learning,
    /// As in the baseline.
    Healthy,
    /// An alarm.
    Fault,
    /// The alarm is over, and not all is as before.
    Changed,
    /// Values that the baseline does not have.
    Outside,
}

impl RowState {
    pub(super) const ALL: [Self; 5] = [
        Self::Learning,
        Self::Healthy,
        Self::Fault,
        Self::Changed,
        Self::Outside,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Healthy => "healthy",
            Self::Fault => "fault",
            Self::Changed => "changed",
            Self::Outside => "outside",
        }
    }

    /// Its colour: they differ in lightness, too.
    pub(super) fn colour(self) -> Color {
        let [r, g, b] = match self {
            Self::Learning => [70, 110, 160],
            Self::Healthy => [60, 75, 65],
            Self::Fault => [222, 45, 38],
            Self::Changed => [240, 170, 40],
            Self::Outside => [150, 110, 210],
        };
        Color::from_rgb(r, g, b)
    }
}

/// What a channel should be in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpectedValue {
    /// The value, in the unit of the channel.
    pub value: f64,
    /// Half the width of the band around it.
    pub band: f64,
}

/// Kernel output for a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowScores {
    /// State of the machine.
    pub state: RowState,
    /// Temporal coherence T of the surprise, short window (Emissary).
    pub t_emissary: Option<f64>,
    /// Temporal coherence T of the surprise, long window (Master).
    pub t_master: Option<f64>,
    /// Distance between the two.
    pub delta: Option<f64>,
    /// Coherence, 1/(1 + surprise).
    pub coherence: f64,
    /// Level, activity, innovation and shift, each over its threshold.
    pub ratios: [f64; 4],
    /// Mean of these.
    pub severity: f64,
    /// What the alarm is judged by; above 1, it begins.
    pub surprise: f64,
    /// Isolated channel, if the row is flagged.
    pub flagged: Option<usize>,
}
