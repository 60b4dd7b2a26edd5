//! Values that vary between runs: a grid, and points of a design.

use super::cells::ColumnKind;
use super::design::{SOBOL_DIMENSIONS, latin_hypercube, sobol};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A path of the scene and the values that it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Path in the scene, as in an overlay: `agents.rover.controller.speed_m_s`.
    pub path: String,
    /// Values as they are written in RON; text needs no quotes.
    pub values: Vec<String>,
}

/// A path of the scene and the bounds between which it varies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Path in the scene.
    pub path: String,
    /// Lower bound, included.
    pub from: f64,
    /// Upper bound, excluded.
    pub to: f64,
}

/// How points are spread over spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Design {
    /// Sobol sequence without scrambling, from the lower bounds on; most even for a power of 2 of points.
    #[default]
    Sobol,
    /// Latin hypercube: each of as many slices of each span as there are points has one.
    Lhs,
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sobol => "sobol",
            Self::Lhs => "lhs",
        })
    }
}

/// Points of a design.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How they are spread.
    pub design: Design,
    /// Number of points.
    pub points: u64,
    /// What varies.
    pub between: Vec<Span>,
}

/// Values that vary between runs: each point of the grid with each point of the sample.
///
/// ```
/// use becomingone::sweep::{Axis, Values};
///
/// let speed = Axis {
///     path: "agents.rover.controller.speed_m_s".to_owned(),
///     values: vec!["0.5".to_owned(), "1.0".to_owned()],
/// };
/// let values = Values { grid: vec![speed], sample: None };
/// assert_eq!(values.count(), Some(2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// Each combination of these, the last one varies first.
    pub grid: Vec<Axis>,
    /// Points of a design.
    pub sample: Option<Sample>,
}

impl Values {
    /// Number of points; `None` where they cannot be counted in 64 bits.
    pub fn count(&self) -> Option<u64> {
        let sample = self.sample.as_ref().map_or(1, |s| s.points);
        let axes = self.grid.iter().map(|axis| axis.values.len() as u64);
        axes.chain([sample]).try_fold(1u64, u64::checked_mul)
    }

    /// Paths that vary: those of the grid, then those of the sample.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let grid = self.grid.iter().map(|axis| axis.path.as_str());
        let sample = self.sample.iter().flat_map(|s| &s.between);
        grid.chain(sample.map(|span| span.path.as_str()))
    }

    /// Types of the columns of its paths.
    pub(super) fn kinds(&self) -> impl Iterator<Item = ColumnKind> {
        let grid = self.grid.iter().map(|axis| kind(&axis.values));
        let sample = self.sample.iter().flat_map(|s| &s.between);
        grid.chain(sample.map(|_| ColumnKind::Number))
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let paths: Vec<&str> = self.paths().collect();
        for (k, path) in paths.iter().enumerate() {
            if paths[..k].contains(path) {
                return Err(format!("found `{path}` twice; expected each path once"));
            }
            // Columns of each run have their names.
            if *path == "seed" {
                return Err(
                    "found `seed` among the values that vary; expected it as `seeds`".to_owned(),
                );
            }
        }
        if let Some(axis) = self.grid.iter().find(|axis| axis.values.is_empty()) {
            let path = &axis.path;
            return Err(format!("found no value of `{path}`; expected at least one"));
        }
        let Some(sample) = &self.sample else {
            return Ok(());
        };
        if sample.between.is_empty() || sample.points == 0 {
            return Err(
                "found a sample without points or without paths; expected at least one of each"
                    .to_owned(),
            );
        }
        let spans = sample.between.len();
        if sample.design == Design::Sobol && spans > SOBOL_DIMENSIONS {
            return Err(format!(
                "found {spans} paths in a Sobol sequence; expected at most {SOBOL_DIMENSIONS}, or a Latin hypercube"
            ));
        }
        let is_wrong = |s: &&Span| !(s.from.is_finite() && s.to.is_finite() && s.from < s.to);
        match sample.between.iter().find(is_wrong) {
            None => Ok(()),
            Some(Span { path, from, to }) => Err(format!(
                "found {path} between {from:?} and {to:?}; expected a lower bound and a greater upper one"
            )),
        }
    }

    /// All its points.
    pub(super) fn points(&self) -> Result<Points, String> {
        self.check()?;
        let sample = match &self.sample {
            None => Vec::new(),
            Some(sample) => {
                let too_many = || format!("found {} points; expected fewer", sample.points);
                let points = usize::try_from(sample.points).map_err(|_| too_many())?;
                let spans = sample.between.len();
                match sample.design {
                    Design::Sobol => sobol(points, spans).ok_or_else(too_many)?,
                    Design::Lhs => latin_hypercube(points, spans, 0),
                }
            }
        };
        Ok(Points {
            values: self.clone(),
            sample,
        })
    }
}

/// Points of [`Values`].
#[derive(Debug)]
pub(super) struct Points {
    values: Values,
    /// In the unit cube.
    sample: Vec<Vec<f64>>,
}

impl Points {
    /// Values of a point as text, in the order of [`Values::paths`].
    pub(super) fn at(&self, point: u64) -> Vec<String> {
        let samples = (self.sample.len() as u64).max(1);
        let (mut of_grid, of_sample) = (point / samples, point % samples);
        let mut values = Vec::new();
        for axis in self.values.grid.iter().rev() {
            let count = axis.values.len() as u64;
            values.push(axis.values[(of_grid % count) as usize].clone());
            of_grid /= count;
        }
        values.reverse();
        if let Some(sample) = &self.values.sample {
            let unit = self.sample[of_sample as usize].iter();
            let spans = sample.between.iter().zip(unit);
            values.extend(spans.map(|(s, x)| format!("{:?}", s.from + (s.to - s.from) * x)));
        }
        values
    }

    /// Values that may decide which files a scene names and what its summary holds: the first point, and it with each
    /// other value of the grid, except fractions.
    pub(super) fn forms(&self) -> Vec<Vec<String>> {
        let first = self.at(0);
        let mut forms = vec![first.clone()];
        for (k, axis) in self.values.grid.iter().enumerate() {
            for value in axis.values.iter().skip(1).filter(|v| !is_fraction(v)) {
                let mut other = first.clone();
                other[k].clone_from(value);
                forms.push(other);
            }
        }
        forms
    }
}

/// A number that counts nothing.
fn is_fraction(text: &str) -> bool {
    number(text).is_some() && text.parse::<i64>().is_err()
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|x| x.is_finite())
}

/// Type of the column of these values.
fn kind(values: &[String]) -> ColumnKind {
    if values.iter().all(|v| number(v).is_some()) {
        ColumnKind::Number
    } else if values.iter().all(|v| v.parse::<bool>().is_ok()) {
        ColumnKind::Flag
    } else {
        ColumnKind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(path: &str, values: &[&str]) -> Axis {
        let values = values.iter().map(|&v| v.to_owned()).collect();
        let path = path.to_owned();
        Axis { path, values }
    }

    #[test]
    fn the_last_path_varies_first() {
        let values = Values {
            grid: vec![axis("a", &["1", "2"]), axis("b", &["x", "y", "z"])],
            sample: Some(Sample {
                design: Design::Sobol,
                points: 2,
                between: vec![Span {
                    path: "c".to_owned(),
                    from: 1.0,
                    to: 3.0,
                }],
            }),
        };
        assert_eq!(values.count(), Some(12));
        let points = values.points().unwrap();
        assert_eq!(points.at(0), ["1", "x", "1.0"]);
        assert_eq!(points.at(1), ["1", "x", "2.0"]);
        assert_eq!(points.at(2), ["1", "y", "1.0"]);
        assert_eq!(points.at(11), ["2", "z", "2.0"]);
        use ColumnKind::{Number, Text};
        assert_eq!(values.kinds().collect::<Vec<_>>(), [Number, Text, Number]);
        // Of fractions, none.
        assert_eq!(points.forms().len(), 1 + 1 + 2);
    }

    #[test]
    fn wrong_values_are_refused() {
        let twice = Values {
            grid: vec![axis("a", &["1"]), axis("a", &["2"])],
            sample: None,
        };
        assert!(twice.points().unwrap_err().contains("twice"));
        let reversed = Values {
            grid: Vec::new(),
            sample: Some(Sample {
                points: 4,
                between: vec![Span {
                    path: "c".to_owned(),
                    from: 3.0,
                    to: 1.0,
                }],
                ..Sample::default()
            }),
        };
        assert!(reversed.points().unwrap_err().contains("greater"));
    }
}
