//! Designs of experiments: points in the unit cube that fill it evenly.

use becomingone_components::seed::{Rng, RunSeed};

/// Direction numbers of the Sobol sequence for its second and further dimensions: the primitive polynomial, all its
/// coefficients as bits, and the initial numbers m. From S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better
/// two-dimensional projections", SIAM Journal on Scientific Computing 30 (2008), set new-joe-kuo-6, as
/// `scipy.stats.qmc.Sobol` has them.
const DIRECTIONS: &[(u32, &[u32])] = &[
    (3, &[1]),
    (7, &[1, 3]),
    (11, &[1, 3, 1]),
    (13, &[1, 1, 1]),
    (19, &[1, 1, 3, 3]),
    (25, &[1, 3, 5, 13]),
    (37, &[1, 1, 5, 5, 17]),
    (41, &[1, 1, 5, 5, 5]),
    (47, &[1, 1, 7, 11, 19]),
    (55, &[1, 1, 5, 1, 1]),
    (59, &[1, 1, 1, 3, 11]),
    (61, &[1, 3, 5, 5, 31]),
    (67, &[1, 3, 3, 9, 7, 49]),
    (91, &[1, 1, 1, 15, 21, 21]),
    (97, &[1, 3, 1, 13, 27, 49]),
    (103, &[1, 1, 1, 15, 7, 5]),
    (109, &[1, 3, 1, 15, 13, 25]),
    (115, &[1, 1, 5, 5, 19, 61]),
    (131, &[1, 3, 7, 11, 23, 15, 103]),
    (137, &[1, 3, 7, 13, 13, 15, 69]),
    (143, &[1, 1, 3, 13, 7, 35, 63]),
    (145, &[1, 3, 5, 9, 1, 25, 53]),
    (157, &[1, 3, 1, 13, 9, 35, 107]),
    (167, &[1, 3, 1, 5, 27, 61, 31]),
    (171, &[1, 1, 5, 11, 19, 41, 61]),
    (185, &[1, 3, 5, 3, 3, 13, 69]),
    (191, &[1, 1, 7, 13, 1, 19, 1]),
    (193, &[1, 3, 7, 5, 13, 19, 59]),
    (203, &[1, 1, 3, 9, 25, 29, 41]),
    (211, &[1, 3, 5, 13, 23, 1, 55]),
    (213, &[1, 3, 7, 3, 13, 59, 17]),
    (229, &[1, 3, 1, 3, 5, 53, 69]),
    (239, &[1, 1, 5, 5, 23, 33, 13]),
    (241, &[1, 1, 7, 7, 1, 61, 123]),
    (247, &[1, 1, 7, 9, 13, 61, 49]),
    (253, &[1, 3, 3, 5, 3, 55, 33]),
    (285, &[1, 3, 1, 15, 31, 13, 49, 245]),
    (299, &[1, 3, 5, 15, 31, 59, 63, 97]),
    (301, &[1, 3, 1, 11, 11, 11, 77, 249]),
];

/// Most dimensions of [`sobol`].
pub(super) const SOBOL_DIMENSIONS: usize = DIRECTIONS.len() + 1;

/// Bits of a coordinate, and so 2 to this power of points at most.
const BITS: usize = 32;

/// The first points of the Sobol sequence without scrambling, the origin among them: I. M. Sobol, USSR Computational
/// Mathematics and Mathematical Physics 7 (1967), in the order of the Gray code by Antonov and Saleev, ibid. 19 (1980).
/// `None` for more than [`SOBOL_DIMENSIONS`] dimensions or 2^32 points.
pub(super) fn sobol(points: usize, dimensions: usize) -> Option<Vec<Vec<f64>>> {
    if dimensions > SOBOL_DIMENSIONS || points as u64 > 1 << BITS {
        return None;
    }
    let directions: Vec<[u32; BITS]> = (0..dimensions).map(directions).collect();
    let mut point = vec![0u32; dimensions];
    let mut all = Vec::with_capacity(points);
    for k in 0..points {
        all.push(
            point
                .iter()
                .map(|&x| f64::from(x) / (1u64 << BITS) as f64)
                .collect(),
        );
        // The next one differs by the direction of the lowest bit of k that is 0.
        let bit = (k.trailing_ones() as usize).min(BITS - 1);
        for (x, of) in point.iter_mut().zip(&directions) {
            *x ^= of[bit];
        }
    }
    Some(all)
}

/// Direction numbers of a dimension, shifted to the highest bits.
fn directions(dimension: usize) -> [u32; BITS] {
    let Some((polynomial, initial)) = dimension.checked_sub(1).and_then(|k| DIRECTIONS.get(k))
    else {
        return std::array::from_fn(|k| 1 << (BITS - 1 - k));
    };
    let degree = initial.len();
    let mut v = [0u32; BITS];
    for (k, m) in initial.iter().enumerate() {
        v[k] = m << (BITS - 1 - k);
    }
    for k in degree..BITS {
        v[k] = v[k - degree] ^ (v[k - degree] >> degree);
        for i in 1..degree {
            if polynomial >> (degree - i) & 1 == 1 {
                v[k] ^= v[k - i];
            }
        }
    }
    v
}

/// Latin hypercube: each of as many equal slices of each axis has one point, at a random place in it (Technometrics 21,
/// 1979, pages 239 to 245). The same points for the same seed on every machine.
pub(super) fn latin_hypercube(points: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut all = vec![vec![0.0; dimensions]; points];
    for dimension in 0..dimensions {
        let mut rng = Rng::for_name(RunSeed(seed), &format!("latin hypercube/{dimension}"));
        let mut slices: Vec<usize> = (0..points).collect();
        // Fisher and Yates.
        for k in (1..points).rev() {
            let other = (rng.share() * (k + 1) as f64) as usize;
            slices.swap(k, other.min(k));
        }
        for (point, slice) in all.iter_mut().zip(slices) {
            point[dimension] = (slice as f64 + rng.share()) / points as f64;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of scipy 1.17.1: `s = scipy.stats.qmc.Sobol(d=40, scramble=False).random(4096)`; `s[k][[0, 1, 2, 5, 20, 39]]`.
    #[test]
    fn sobol_points_are_those_of_scipy() {
        let points = sobol(4096, 40).unwrap();
        for (k, expected) in [
            (0, [0.0; 6]),
            (1, [0.5; 6]),
            (2, [0.75, 0.25, 0.25, 0.75, 0.25, 0.25]),
            (5, [0.875, 0.875, 0.125, 0.625, 0.625, 0.375]),
            (17, [0.59375, 0.96875, 0.96875, 0.46875, 0.21875, 0.40625]),
            (
                63,
                [0.015625, 0.796875, 0.359375, 0.140625, 0.234375, 0.171875],
            ),
            (
                4000,
                [
                    0.054931640625,
                    0.120849609375,
                    0.435791015625,
                    0.680419921875,
                    0.905517578125,
                    0.828857421875,
                ],
            ),
        ] {
            let found = [0, 1, 2, 5, 20, 39].map(|d| points[k][d]);
            assert_eq!(found, expected, "point {k}");
        }
        // `(s @ range(1, 41)).max()`: all dimensions.
        let weighted = points.iter().map(|p| {
            let terms = p.iter().enumerate().map(|(d, x)| (d + 1) as f64 * x);
            terms.sum::<f64>()
        });
        assert_eq!(weighted.fold(0.0, f64::max), 561.8232421875);
        assert!(sobol(4, SOBOL_DIMENSIONS + 1).is_none());
    }

    #[test]
    fn each_slice_of_a_latin_hypercube_has_one_point() {
        let points = latin_hypercube(50, 3, 0);
        for dimension in 0..3 {
            let slices = points.iter().map(|p| (p[dimension] * 50.0) as usize);
            let mut slices: Vec<usize> = slices.collect();
            assert!(!slices.is_sorted());
            slices.sort_unstable();
            assert_eq!(slices, (0..50).collect::<Vec<_>>());
        }
        assert_eq!(points, latin_hypercube(50, 3, 0));
        assert_ne!(points, latin_hypercube(50, 3, 1));
    }
}
