//! Durations as text.

/// A duration with a suitable unit.
pub(super) fn format_duration(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.4} µs", s * 1e6),
        s if s < 1.0 => format!("{} ms", (s * 1e6).round() / 1e3),
        s if s < 120.0 => format!("{} s", (s * 1e3).round() / 1e3),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
