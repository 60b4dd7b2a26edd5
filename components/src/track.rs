//! Track: a smooth centre line with a width, for vehicles; it has no collision.

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// A track, as a scene states it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrackSpec {
    /// Points of the centre line (m), in the direction of travel; a cubic spline goes through them.
    pub centre_line_m: Vec<[f64; 2]>,
    /// Width from edge to edge (m).
    pub width_m: f64,
    /// Whether the last point connects to the first.
    #[serde(default = "yes")]
    pub closed: bool,
}

fn yes() -> bool {
    true
}

/// A place on a centre line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Station {
    /// World position (m).
    pub at_m: [f64; 2],
    /// Unit vector in the direction of travel.
    pub tangent: [f64; 2],
    /// Curvature, left positive (1/m).
    pub curvature_1_m: f64,
}

/// Projection of a point on a centre line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Foot {
    /// Index of the station before the nearest place.
    pub station: usize,
    /// Length of the centre line up to the nearest place (m).
    pub s_m: f64,
    /// Distance from the centre line, left positive (m).
    pub offset_m: f64,
    /// The nearest place itself.
    pub place: Station,
}

/// A track with an evenly sampled centre line.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Track {
    /// Width from edge to edge (m).
    pub width_m: f64,
    /// Whether it is closed.
    pub closed: bool,
    /// Length from one station to the next (m).
    pub step_m: f64,
    /// Even steps; a closed track's last one is a step before its first.
    pub stations: Vec<Station>,
}

/// Wanted distance of stations (m): its chord deviates by 3 mm from an arc of 10 m.
const STEP_M: f64 = 0.5;
/// Samples of each stretch between two points for its length.
const SAMPLES: usize = 64;

impl Track {
    /// Lays out the spline through the points: cubic, with a continuous second derivative, over the length of the
    /// polygon; periodic where it is closed, else natural (de Boor, A Practical Guide to Splines, chapter 4).
    ///
    /// The points must be at least two (closed: three), and no two neighbours at the same place.
    pub fn new(spec: &TrackSpec) -> Self {
        let curve = Spline::new(&spec.centre_line_m, spec.closed);
        // Arc length at even parameters of each stretch.
        let mut lengths = vec![(0.0, 0usize, 0.0)];
        let mut last = curve.at(0, 0.0).at_m;
        let mut length = 0.0;
        for stretch in 0..curve.steps.len() {
            for k in 1..=SAMPLES {
                let u = k as f64 / SAMPLES as f64;
                let here = curve.at(stretch, u).at_m;
                length += libm::hypot(here[0] - last[0], here[1] - last[1]);
                lengths.push((length, stretch, u));
                last = here;
            }
        }
        let count = ((length / STEP_M).round() as usize).max(4);
        let step_m = length / count as f64;
        let mut stations = Vec::with_capacity(count + 1);
        let mut at = 0;
        for k in 0..count + usize::from(!spec.closed) {
            let s = (k as f64 * step_m).min(length);
            while at + 2 < lengths.len() && lengths[at + 1].0 < s {
                at += 1;
            }
            let (from, (to, stretch, u)) = (lengths[at], lengths[at + 1]);
            let start = if from.1 == stretch { from.2 } else { 0.0 };
            let share = ((s - from.0) / (to - from.0).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
            stations.push(curve.at(stretch, start + share * (u - start)));
        }
        Self {
            width_m: spec.width_m,
            closed: spec.closed,
            step_m,
            stations,
        }
    }

    /// Length of the centre line (m).
    pub fn length_m(&self) -> f64 {
        self.step_m * (self.stations.len() - usize::from(!self.closed)) as f64
    }

    /// The station this many further; wraps on a closed track, stops at the end of an open one.
    pub fn index(&self, from: usize, steps: isize) -> usize {
        let n = self.stations.len() as isize;
        let to = from as isize + steps;
        let to = if self.closed {
            to.rem_euclid(n)
        } else {
            to.clamp(0, n - 1)
        };
        to as usize
    }

    /// The nearest place of the whole centre line.
    pub fn locate(&self, p_m: [f64; 2]) -> Foot {
        let distance = |s: &Station| libm::hypot(s.at_m[0] - p_m[0], s.at_m[1] - p_m[1]);
        let nearest = self
            .stations
            .iter()
            .enumerate()
            .min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        self.foot(p_m, nearest.map_or(0, |(k, _)| k))
    }

    /// The nearest place by descent from a station; all of the line is searched where the result is off the track.
    pub fn locate_near(&self, p_m: [f64; 2], station: usize) -> Foot {
        let distance = |k: usize| {
            let at = self.stations[k].at_m;
            libm::hypot(at[0] - p_m[0], at[1] - p_m[1])
        };
        let mut best = station.min(self.stations.len() - 1);
        for way in [1, -1] {
            loop {
                let next = self.index(best, way);
                // NaN is not nearer either, and ends the search.
                if distance(next) < distance(best) {
                    best = next;
                } else {
                    break;
                }
            }
        }
        let foot = self.foot(p_m, best);
        if foot.offset_m.abs() > self.width_m {
            return self.locate(p_m);
        }
        foot
    }

    /// The nearest place of the two stretches at a station.
    fn foot(&self, p_m: [f64; 2], station: usize) -> Foot {
        let mut best: Option<(f64, Foot)> = None;
        for from in [self.index(station, -1), station] {
            let to = self.index(from, 1);
            let (a, b) = (self.stations[from], self.stations[to]);
            let along = [b.at_m[0] - a.at_m[0], b.at_m[1] - a.at_m[1]];
            let square = along[0] * along[0] + along[1] * along[1];
            if square == 0.0 {
                continue;
            }
            let to_p = [p_m[0] - a.at_m[0], p_m[1] - a.at_m[1]];
            let share = ((to_p[0] * along[0] + to_p[1] * along[1]) / square).clamp(0.0, 1.0);
            let place = between(&a, &b, share);
            let off = [p_m[0] - place.at_m[0], p_m[1] - place.at_m[1]];
            let distance = libm::hypot(off[0], off[1]);
            let left = along[0] * off[1] - along[1] * off[0];
            let foot = Foot {
                station: from,
                s_m: (from as f64 + share) * self.step_m,
                offset_m: distance.copysign(left),
                place,
            };
            if best.is_none_or(|(d, _)| distance < d) {
                best = Some((distance, foot));
            }
        }
        best.map(|(_, foot)| foot).unwrap_or_default()
    }

    /// The edges: a station each, left and right.
    pub fn edges_m(&self) -> [Vec<[f64; 2]>; 2] {
        let half = self.width_m / 2.0;
        [half, -half].map(|d| {
            let stations = self.stations.iter();
            stations
                .map(|s| [s.at_m[0] - s.tangent[1] * d, s.at_m[1] + s.tangent[0] * d])
                .collect()
        })
    }
}

/// A place between two stations.
fn between(a: &Station, b: &Station, share: f64) -> Station {
    let mix = |x: f64, y: f64| x + (y - x) * share;
    let tangent = [
        mix(a.tangent[0], b.tangent[0]),
        mix(a.tangent[1], b.tangent[1]),
    ];
    let length = libm::hypot(tangent[0], tangent[1]).max(1e-12);
    Station {
        at_m: [mix(a.at_m[0], b.at_m[0]), mix(a.at_m[1], b.at_m[1])],
        tangent: tangent.map(|t| t / length),
        curvature_1_m: mix(a.curvature_1_m, b.curvature_1_m),
    }
}

/// A cubic spline through points in the plane.
struct Spline<'a> {
    points: &'a [[f64; 2]],
    /// Parameter lengths of the stretches.
    steps: Vec<f64>,
    /// Second derivatives at the points.
    bends: Vec<[f64; 2]>,
}

impl<'a> Spline<'a> {
    fn new(points: &'a [[f64; 2]], closed: bool) -> Self {
        let n = points.len();
        let stretches = if closed { n } else { n - 1 };
        let steps: Vec<f64> = (0..stretches)
            .map(|k| {
                let (a, b) = (points[k], points[(k + 1) % n]);
                libm::hypot(b[0] - a[0], b[1] - a[1])
            })
            .collect();
        // The equations for the second derivatives; each point's own coefficient is twice those of its
        // neighbours together, so each sweep of Gauss and Seidel at least halves the error.
        let mut bends = vec![[0.0; 2]; n];
        let inner = if closed { 0..n } else { 1..n - 1 };
        for _ in 0..60 {
            for k in inner.clone() {
                let (before, after) = ((k + n - 1) % n, (k + 1) % n);
                let (h0, h1) = (steps[(k + stretches - 1) % stretches], steps[k % stretches]);
                for axis in 0..2 {
                    let rise = (points[after][axis] - points[k][axis]) / h1
                        - (points[k][axis] - points[before][axis]) / h0;
                    bends[k][axis] =
                        (6.0 * rise - h0 * bends[before][axis] - h1 * bends[after][axis])
                            / (2.0 * (h0 + h1));
                }
            }
        }
        Self {
            points,
            steps,
            bends,
        }
    }

    /// The place at a share of a stretch.
    fn at(&self, stretch: usize, share: f64) -> Station {
        let n = self.points.len();
        let (i, j) = (stretch, (stretch + 1) % n);
        let h = self.steps[stretch];
        let (a, b) = (1.0 - share, share);
        let (mut at_m, mut d1, mut d2) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        for axis in 0..2 {
            let (p, q) = (self.points[i][axis], self.points[j][axis]);
            let (m, k) = (self.bends[i][axis], self.bends[j][axis]);
            at_m[axis] = a * p + b * q + ((a * a * a - a) * m + (b * b * b - b) * k) * h * h / 6.0;
            d1[axis] = (q - p) / h + ((3.0 * b * b - 1.0) * k - (3.0 * a * a - 1.0) * m) * h / 6.0;
            d2[axis] = a * m + b * k;
        }
        let speed = libm::hypot(d1[0], d1[1]).max(1e-12);
        Station {
            at_m,
            tangent: d1.map(|d| d / speed),
            curvature_1_m: (d1[0] * d2[1] - d1[1] * d2[0]) / (speed * speed * speed),
        }
    }
}

/// Laps and excursions of a vehicle, from ground truth.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Laps {
    /// Laps done.
    pub done: u64,
    /// Distance along the centre line since the start, laps included (m).
    pub progress_m: f64,
    /// The latest lap (s), none before the first is done.
    pub last_s: Option<f64>,
    /// The fastest lap (s).
    pub best_s: Option<f64>,
    /// When the present lap began (s).
    pub since_s: f64,
    /// Times that a wheel left the track.
    pub off_track: u64,
    /// Whether a wheel is off the track now.
    pub off: bool,
    /// Largest distance of a wheel's contact from the centre line (m).
    pub widest_m: f64,
    /// Current projection on the centre line.
    pub foot: Foot,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// A circle of 50 m about the origin, by 24 points.
    fn circle() -> Track {
        Track::new(&TrackSpec {
            centre_line_m: (0..24)
                .map(|k| {
                    let (sin, cos) = libm::sincos(f64::from(k) * TAU / 24.0);
                    [50.0 * cos, 50.0 * sin]
                })
                .collect(),
            width_m: 8.0,
            closed: true,
        })
    }

    #[test]
    fn a_circle_is_round_all_the_way() {
        let track = circle();
        assert!((track.length_m() - TAU * 50.0).abs() < 0.02);
        for s in &track.stations {
            assert!((libm::hypot(s.at_m[0], s.at_m[1]) - 50.0).abs() < 2e-3);
            assert!((s.curvature_1_m - 0.02).abs() < 2e-4, "{}", s.curvature_1_m);
            let radial = s.at_m[0] * s.tangent[0] + s.at_m[1] * s.tangent[1];
            assert!(radial.abs() < 0.02);
        }
    }

    #[test]
    fn feet_are_found_across_the_start() {
        let track = circle();
        for (angle, radius) in [(-0.01, 48.0), (0.0, 53.0), (0.02, 50.0), (3.0, 46.5)] {
            let (sin, cos) = libm::sincos(angle);
            let p = [radius * cos, radius * sin];
            let wrapped = (angle + TAU) % TAU;
            for foot in [
                track.locate(p),
                track.locate_near(p, 0),
                track.locate_near(p, 600),
                track.locate_near(p, track.locate(p).station),
            ] {
                // Left of an anticlockwise circle is inside.
                assert!((foot.offset_m - (50.0 - radius)).abs() < 5e-3, "{foot:?}");
                let s = foot.s_m - wrapped * 50.0;
                let round = track.length_m();
                assert!((s - (s / round).round() * round).abs() < 0.02, "{foot:?}");
            }
        }
    }

    #[test]
    fn an_open_line_has_two_ends() {
        let track = Track::new(&TrackSpec {
            centre_line_m: vec![[0.0, 0.0], [30.0, 0.0], [100.0, 0.0]],
            width_m: 6.0,
            closed: false,
        });
        assert!((track.length_m() - 100.0).abs() < 1e-9);
        assert!(track.stations.iter().all(|s| s.curvature_1_m.abs() < 1e-12));
        let foot = track.locate([104.0, 3.0]);
        assert!((foot.s_m - 100.0).abs() < 1e-9);
        assert!((foot.offset_m - 5.0).abs() < 1e-9);
        let [left, right] = track.edges_m();
        assert_eq!((left[0], right[0]), ([0.0, 3.0], [0.0, -3.0]));
    }
}
