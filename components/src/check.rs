//! Range checks of scene values: each report names the value, the found and the expected value.

use std::fmt;

/// Maximum entries of a list in a scene.
pub const MAX_ENTRIES: usize = 100_000;
/// Largest coordinate (m). Physics computes in `f32`, whose resolution is 0.06 mm at 1 km. A rover commanded to 1 m/s
/// was correct at 2 km, too fast from 3 km on, and stood still from 9 km on.
pub const MAX_COORDINATE_M: f64 = 1_000.0;
/// Largest extent and range (m).
pub const MAX_EXTENT_M: f64 = 2_000.0;

/// Receives an error: the path of the value, the found value, the expected value.
pub type Report<'a> = dyn FnMut(&str, String, &str) + 'a;

/// Checks of the fields of one value. Paths are relative to it: `gyro.white_sd`; the empty path is the value itself.
pub struct Checks<'a> {
    path: String,
    report: &'a mut Report<'a>,
    /// Whether a list was too long to continue.
    pub overflow: bool,
}

impl<'a> Checks<'a> {
    /// Checks of the value at a path of the scene: `agents[0].sensors[1].kind`.
    pub fn new(path: impl Into<String>, report: &'a mut Report<'a>) -> Self {
        Self {
            path: path.into(),
            report,
            overflow: false,
        }
    }

    /// Reports a value.
    pub fn wrong(&mut self, path: &str, found: impl fmt::Display, expected: &str) {
        let path = match path {
            "" => self.path.clone(),
            indexed if indexed.starts_with('[') => format!("{}{indexed}", self.path),
            _ => format!("{}.{path}", self.path),
        };
        (self.report)(&path, found.to_string(), expected);
    }

    /// Reports a number outside of a range, and NaN.
    pub fn within(&mut self, path: &str, x: f64, low: f64, high: f64, expected: &str) {
        if !(x >= low && x <= high) {
            self.wrong(path, x, expected);
        }
    }

    /// Expects a positive number.
    pub fn positive(&mut self, path: &str, x: f64) {
        let expected = "a positive number up to 1e9";
        self.within(path, x, f64::MIN_POSITIVE, 1e9, expected);
    }

    /// Expects zero or a positive number.
    pub fn not_negative(&mut self, path: &str, x: f64) {
        self.within(path, x, 0.0, 1e9, "a number from 0 to 1e9");
    }

    /// Expects coordinates in the world.
    pub fn position(&mut self, path: &str, p: &[f64]) {
        for (k, &x) in p.iter().enumerate() {
            let at = format!("{path}[{k}]");
            let most = MAX_COORDINATE_M;
            self.within(&at, x, -most, most, "metres within 1000");
        }
    }

    /// Expects an angle.
    pub fn angle(&mut self, path: &str, x: f64) {
        self.within(path, x, -1e3, 1e3, "radians within 1000");
    }

    /// Expects a list that is not too long.
    pub fn count(&mut self, path: &str, n: usize) {
        if n > MAX_ENTRIES {
            self.wrong(path, format!("{n} entries"), "at most 100000");
            self.overflow = true;
        }
    }

    /// Expects `range_min_m` and `range_max_m`.
    pub fn ranges(&mut self, range_min_m: f64, range_max_m: f64) {
        self.not_negative("range_min_m", range_min_m);
        if !(range_max_m > range_min_m && range_max_m <= MAX_EXTENT_M) {
            let expected = "metres above range_min_m, up to 2000";
            self.wrong("range_max_m", range_max_m, expected);
        }
    }

    /// Expects a magnetic flux density in tesla, not in micro- or nanotesla or gauss.
    pub fn flux_density(&mut self, path: &str, field_t: &[f64]) {
        for (k, &x) in field_t.iter().enumerate() {
            let expected = "tesla within 0.001: the Earth's field is 25e-6 to 65e-6";
            self.within(&format!("{path}[{k}]"), x, -1e-3, 1e-3, expected);
        }
    }
}
