//! Optical flow of the whole picture: one translation between two pictures.
//!
//! Whole pixels are found by phase correlation (Kuglin, Hines: The phase correlation image alignment method, 1975), and
//! refined by least squares (Lucas, Kanade: An iterative image registration technique with an application to stereo
//! vision, 1981; in the inverse form of Baker, Matthews 2004). Both work on means of blocks of pixels, so that a picture
//! of any size takes some milliseconds.

use crate::luma::Luma;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Longest side of the reduced picture (blocks).
const LONGEST: usize = 128;
/// Shortest side that has a motion (blocks).
const SHORTEST: usize = 16;
/// Least mean square of the gradient in its weakest direction (levels of 255 per block, squared): below it the picture
/// is flat or has stripes of one direction, and a motion along them does not show.
const MIN_GRADIENT: f64 = 0.04;
/// Greatest share of the contrast that a motion leaves over: with more, the pictures show different things.
const MAX_RESIDUAL: f64 = 0.5;
/// Least share of the picture that both pictures have.
const MIN_OVERLAP: f64 = 0.2;
/// Steps of the refinement, and the step after which it has converged (blocks).
const STEPS: usize = 12;
const CONVERGED: f64 = 1e-3;

/// Translation of the content (pixels to the right, pixels down).
pub(crate) type Motion = [f64; 2];

/// A picture, reduced.
struct Reduced {
    size: [usize; 2],
    /// Pixels of a block's side.
    side: usize,
    /// Smoothed, so that neighbours are near a straight line.
    values: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
}

/// Flow between successive pictures.
pub(crate) struct Flow {
    planner: FftPlanner<f32>,
    before: Option<Reduced>,
}

impl Flow {
    pub(crate) fn new() -> Self {
        Self {
            planner: FftPlanner::new(),
            before: None,
        }
    }

    /// Forgets the picture before.
    pub(crate) fn forget(&mut self) {
        self.before = None;
    }

    /// Motion since the picture before; none where it is not found.
    pub(crate) fn next(&mut self, luma: &Luma) -> Option<Motion> {
        let now = self.reduce(luma);
        let motion = match (&self.before, &now) {
            (Some(before), Some(now)) if before.size == now.size && before.side == now.side => {
                let peak = phase_peak(&mut self.planner, before, now);
                let starts = [peak, [0.0, 0.0]];
                let by_residual = |a: &(f64, _), b: &(f64, _)| a.0.total_cmp(&b.0);
                let start = starts
                    .into_iter()
                    .filter_map(|start| Some((Overlap::of(before, now, start)?.residual, start)))
                    .min_by(by_residual);
                let found = start.and_then(|(_, start)| refine(before, now, start));
                found.map(|found| found.map(|blocks| blocks * now.side as f64))
            }
            _ => None,
        };
        self.before = now;
        motion
    }

    fn reduce(&mut self, luma: &Luma) -> Option<Reduced> {
        let longest = luma.size().into_iter().max().unwrap_or(0);
        let side = longest.div_ceil(LONGEST).max(1);
        let (width, mut values) = luma.reduced(side);
        let height = values.len().checked_div(width)?;
        let size = [width, height];
        if width.min(height) < SHORTEST {
            return None;
        }
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        // Hann windows: the borders have no neighbours on the other side.
        let window = |n: usize| -> Vec<f32> {
            let at = |k: usize| (0.5 - 0.5 * libm::cos(TAU * (k as f64 + 0.5) / n as f64)) as f32;
            (0..n).map(at).collect()
        };
        let [across, down] = size.map(window);
        let windowed = values
            .iter()
            .enumerate()
            .map(|(k, v)| Complex::new((v - mean) * across[k % width] * down[k / width], 0.0));
        let mut spectrum: Vec<Complex<f32>> = windowed.collect();
        let [rows, columns] = size.map(|n| self.planner.plan_fft_forward(n));
        transform(&rows, &columns, &mut spectrum);
        for _ in 0..2 {
            smooth(&mut values, width);
        }
        Some(Reduced {
            size,
            side,
            values,
            spectrum,
        })
    }
}

/// Transforms rows, then columns; the result is transposed.
fn transform(
    rows: &Arc<dyn Fft<f32>>,
    columns: &Arc<dyn Fft<f32>>,
    values: &mut Vec<Complex<f32>>,
) {
    rows.process(values);
    *values = transposed(values, rows.len());
    columns.process(values);
}

fn transposed<T: Copy>(values: &[T], width: usize) -> Vec<T> {
    let columns = (0..width).map(|x| values.iter().skip(x).step_by(width).copied());
    columns.flatten().collect()
}

/// Weights 1, 2, 1 along both axes, but for the border.
fn smooth(values: &mut Vec<f32>, width: usize) {
    for length in [width, values.len() / width] {
        for row in values.chunks_exact_mut(length) {
            let mut before = row[0];
            for k in 1..length - 1 {
                let own = row[k];
                row[k] = 0.25 * before + 0.5 * own + 0.25 * row[k + 1];
                before = own;
            }
        }
        *values = transposed(values, length);
    }
}

/// Translation at the peak of the phase correlation (blocks).
fn phase_peak(planner: &mut FftPlanner<f32>, before: &Reduced, now: &Reduced) -> Motion {
    let [width, height] = now.size;
    let mut cross: Vec<Complex<f32>> = before
        .spectrum
        .iter()
        .zip(&now.spectrum)
        .map(|(a, b)| a.conj() * b)
        .collect();
    // Frequencies far below the mean are noise, which has phases of its own: they count less.
    let mean = cross.iter().map(|c| c.norm()).sum::<f32>() / cross.len() as f32;
    if mean > 0.0 {
        cross.iter_mut().for_each(|c| *c /= c.norm() + mean);
    }
    // The spectra are transposed: their rows are columns.
    let [rows, columns] = now.size.map(|n| planner.plan_fft_inverse(n));
    transform(&columns, &rows, &mut cross);
    let peak = cross
        .iter()
        .enumerate()
        .max_by(|(_, a), (_, b)| a.re.total_cmp(&b.re))
        .map_or(0, |(k, _)| k);
    let signed = |k: usize, n: usize| match k * 2 > n {
        true => k as f64 - n as f64,
        false => k as f64,
    };
    [signed(peak % width, width), signed(peak / width, height)]
}

/// Normal equations of the least squares over what both pictures show, at one translation.
struct Overlap {
    /// Mean squared difference, without that of the means, as a share of the contrast.
    residual: f64,
    /// Mean products of the gradient: xx, xy, yy.
    gradients: [f64; 3],
    /// Mean products of gradient and difference.
    errors: [f64; 2],
}

impl Overlap {
    fn of(before: &Reduced, now: &Reduced, motion: Motion) -> Option<Self> {
        let [width, height] = now.size;
        // Places of the picture before whose place now is in the picture, with neighbours on all sides.
        let range = |n: usize, by: f64| {
            let from = libm::ceil((1.0 - by).max(1.0)) as usize;
            let to = libm::floor((n as f64 - 2.0 - by).min(n as f64 - 2.0));
            from..(to.max(0.0) as usize + 1).min(n - 1)
        };
        let (across, down) = (range(width, motion[0]), range(height, motion[1]));
        let count = (across.len() * down.len()) as f64;
        if count < MIN_OVERLAP * (width * height) as f64 {
            return None;
        }
        let a = |x: usize, y: usize| f64::from(before.values[y * width + x]);
        // The fractions are the same everywhere.
        let whole = motion.map(libm::floor);
        let part = [motion[0] - whole[0], motion[1] - whole[1]];
        let weights = [
            (1.0 - part[0]) * (1.0 - part[1]),
            part[0] * (1.0 - part[1]),
            (1.0 - part[0]) * part[1],
            part[0] * part[1],
        ];
        let b = |x: usize, y: usize| {
            let x = (x as i64 + whole[0] as i64) as usize;
            let y = (y as i64 + whole[1] as i64) as usize;
            let at = |x: usize, y: usize| {
                f64::from(now.values[y.min(height - 1) * width + x.min(width - 1)])
            };
            let four = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
            four.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>()
        };
        // Sums of difference, its square, a, its square, gradient, products.
        let mut sums = [0.0; 4];
        let mut slopes = [0.0; 2];
        let (mut gradients, mut errors) = ([0.0; 3], [0.0; 2]);
        for y in down {
            for x in across.clone() {
                let own = a(x, y);
                let difference = b(x, y) - own;
                let slope = [
                    0.5 * (a(x + 1, y) - a(x - 1, y)),
                    0.5 * (a(x, y + 1) - a(x, y - 1)),
                ];
                sums[0] += difference;
                sums[1] += difference * difference;
                sums[2] += own;
                sums[3] += own * own;
                gradients[0] += slope[0] * slope[0];
                gradients[1] += slope[0] * slope[1];
                gradients[2] += slope[1] * slope[1];
                for k in 0..2 {
                    slopes[k] += slope[k];
                    errors[k] += slope[k] * difference;
                }
            }
        }
        let [difference, squared, own, own_squared] = sums.map(|sum| sum / count);
        let contrast = own_squared - own * own;
        // A picture that became brighter as a whole did not move.
        let residual = (squared - difference * difference).max(0.0);
        let errors = [0, 1].map(|k| (errors[k] - difference * slopes[k]) / count);
        Some(Self {
            residual: residual / contrast.max(1e-9),
            gradients: gradients.map(|sum| sum / count),
            errors,
        })
    }

    /// The step to the least difference; none where the gradients are too weak in a direction.
    fn step(&self) -> Option<Motion> {
        let [xx, xy, yy] = self.gradients;
        let weakest = 0.5 * (xx + yy - libm::hypot(xx - yy, 2.0 * xy));
        if weakest < MIN_GRADIENT {
            return None;
        }
        let determinant = xx * yy - xy * xy;
        let [ex, ey] = self.errors;
        // The content moves against the difference.
        Some([
            -(yy * ex - xy * ey) / determinant,
            -(xx * ey - xy * ex) / determinant,
        ])
    }
}

/// Refines a translation; none where the motion is not found.
fn refine(before: &Reduced, now: &Reduced, start: Motion) -> Option<Motion> {
    let mut motion = start;
    for _ in 0..STEPS {
        let step = Overlap::of(before, now, motion)?.step()?;
        for (own, step) in motion.iter_mut().zip(step) {
            // A block at a time: gradients hold no further.
            *own += step.clamp(-1.0, 1.0);
        }
        if libm::hypot(step[0], step[1]) < CONVERGED {
            break;
        }
    }
    let last = Overlap::of(before, now, motion)?;
    (last.residual < MAX_RESIDUAL).then_some(motion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    const WIDTH: usize = 256;
    const HEIGHT: usize = 192;

    /// A picture of a function of the place (pixels from its middle).
    fn picture(value: impl Fn(f64, f64) -> f64) -> Luma {
        let at = |k: usize| {
            let [x, y] = [k % WIDTH, k / WIDTH].map(|n| n as f64);
            value(x - WIDTH as f64 / 2.0, y - HEIGHT as f64 / 2.0)
        };
        let values = (0..WIDTH * HEIGHT).map(|k| libm::round(at(k).clamp(0.0, 255.0)) as u8);
        Luma::new(WIDTH, values.collect())
    }

    /// Waves of several lengths and directions, none a multiple of another.
    fn room(seed: f64) -> impl Fn(f64, f64) -> f64 + Copy {
        move |x, y| {
            let waves = (1..12).map(|k| {
                let k = f64::from(k);
                let (length, turn) = (9.0 + 11.3 * k, 2.399 * k + seed);
                let along = x * libm::cos(turn) + y * libm::sin(turn);
                12.0 * libm::sin(TAU * along / length + k * k + 3.0 * seed)
            });
            128.0 + waves.sum::<f64>()
        }
    }

    fn flow(before: &Luma, now: &Luma) -> Option<Motion> {
        let mut flow = Flow::new();
        assert_eq!(flow.next(before), None, "a first picture has no motion");
        flow.next(now)
    }

    #[test]
    fn shifts_from_half_a_pixel_to_an_eighth_of_the_width_are_found() {
        let room = room(0.0);
        let before = picture(room);
        for turn in 0..12 {
            for length in [0.5, 1.0, 3.3, 12.0, 32.0] {
                let (dx, dy) = (
                    length * libm::cos(0.3 + f64::from(turn)),
                    length * libm::sin(0.3 + f64::from(turn)),
                );
                let found = flow(&before, &picture(|x, y| room(x - dx, y - dy)));
                let found = found.unwrap_or([f64::NAN; 2]);
                let off = libm::hypot(found[0] - dx, found[1] - dy);
                assert!(off < 0.1, "({dx}, {dy}): {found:?}");
            }
        }
    }

    #[test]
    fn pictures_that_become_brighter_stand_still() {
        let room = room(1.0);
        let [dx, dy] = flow(&picture(room), &picture(|x, y| room(x, y) + 30.0)).unwrap();
        assert!(libm::hypot(dx, dy) < 0.02, "{dx}, {dy}");
    }

    #[test]
    fn flat_pictures_stripes_and_other_scenes_have_no_flow() {
        let flat = picture(|_, _| 90.0);
        assert_eq!(flow(&flat, &flat), None);
        for turn in [0.0, PI / 4.0, PI / 2.0] {
            let stripes = |x: f64, y: f64| {
                128.0 + 80.0 * libm::sin(0.2 * (x * libm::cos(turn) + y * libm::sin(turn)))
            };
            let before = picture(stripes);
            assert_eq!(
                flow(&before, &picture(|x, y| stripes(x - 2.0, y - 2.0))),
                None,
                "{turn}"
            );
        }
        for seed in 2..8 {
            let other = picture(room(f64::from(seed)));
            assert_eq!(flow(&picture(room(0.0)), &other), None, "{seed}");
        }
        // Of different sizes, and too small.
        let half = Luma::new(WIDTH / 2, vec![9; WIDTH * HEIGHT / 2]);
        assert_eq!(flow(&picture(room(0.0)), &half), None);
        let small = Luma::new(8, (0..64).collect());
        assert_eq!(flow(&small, &small), None);
        let none = Luma::new(0, Vec::new());
        assert_eq!(flow(&none, &none), None);
    }
}
