//! Whitening: a symmetric root of the inverse of a covariance, so that each of its components belongs to a channel.

use super::square::Square;

/// Sweeps of Jacobi's method: it converges quadratically, six are usual.
const MAX_SWEEPS: usize = 60;
/// Least variance of a component.
const MIN_VARIANCE: f64 = 1e-6;

/// `(C + ridge I)^-1/2`, symmetric (ZCA: Kessy, Lewin, Strimmer, The American Statistician 72, 2018), its rows scaled so that
/// each component has variance 1 under C.
///
/// ```text
/// C = V diag(w) V^T      M = V diag((max(w, 0) + ridge)^-1/2) V^T      row i over sqrt((M C M^T)_ii)
/// ```
pub(super) fn whitening(c: &Square, ridge: f64) -> Square {
    let n = c.size();
    let mut m = of_eigenvalues(c, |w| 1.0 / libm::sqrt(w.max(0.0) + ridge));
    let mut product = alloc::vec![0.0; n];
    for i in 0..n {
        c.apply(&m[i], &mut product);
        let variance: f64 = m[i].iter().zip(&product).map(|(a, b)| a * b).sum();
        let sd = libm::sqrt(variance.max(MIN_VARIANCE));
        for x in &mut m[i] {
            *x /= sd;
        }
    }
    m
}

/// `(C + ridge I)^-1`.
pub(super) fn inverse(c: &Square, ridge: f64) -> Square {
    of_eigenvalues(c, |w| 1.0 / (w.max(0.0) + ridge))
}

/// `V diag(f(w)) V^T`.
fn of_eigenvalues(c: &Square, f: impl Fn(f64) -> f64) -> Square {
    let n = c.size();
    let (values, vectors) = eigen(c.clone());
    let mut m = Square::zero(n);
    for (k, value) in values.iter().enumerate() {
        let factor = f(*value);
        for i in 0..n {
            let left = vectors[i][k] * factor;
            for j in 0..n {
                m[i][j] += left * vectors[j][k];
            }
        }
    }
    m
}

/// Eigenvalues of a symmetric matrix, and its eigenvectors as columns: cyclic Jacobi rotations (Golub, Van Loan, Matrix
/// Computations, 8.5).
fn eigen(mut a: Square) -> (alloc::vec::Vec<f64>, Square) {
    let n = a.size();
    let mut v = Square::zero(n);
    for i in 0..n {
        v[i][i] = 1.0;
    }
    for _ in 0..MAX_SWEEPS {
        let (mut off, mut all) = (0.0, 0.0);
        for i in 0..n {
            for j in 0..n {
                all += a[i][j] * a[i][j];
                if i != j {
                    off += a[i][j] * a[i][j];
                }
            }
        }
        if off <= 1e-30 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] != 0.0 {
                    rotate(&mut a, &mut v, p, q);
                }
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), v)
}

/// Rotation that makes the element of row `p` and column `q` zero.
fn rotate(a: &mut Square, v: &mut Square, p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = 1.0 / (theta.abs() + libm::sqrt(theta * theta + 1.0));
    let t = if theta < 0.0 { -t } else { t };
    let c = 1.0 / libm::sqrt(t * t + 1.0);
    let s = t * c;
    for k in 0..a.size() {
        let (x, y) = (a[k][p], a[k][q]);
        (a[k][p], a[k][q]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..a.size() {
        let (x, y) = (a[p][k], a[q][k]);
        (a[p][k], a[q][k]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (v[k][p], v[k][q]);
        (v[k][p], v[k][q]) = (c * x - s * y, s * x + c * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_are_whitened_as_in_closed_form() {
        // Eigenvalues 1.8 and 0.2 with the vectors (1, 1) and (1, -1) over sqrt(2).
        let mut c = Square::zero(2);
        (c[0][0], c[1][1]) = (1.0, 1.0);
        (c[0][1], c[1][0]) = (0.8, 0.8);
        let m = whitening(&c, 0.0);
        let (a, b) = (1.0 / libm::sqrt(1.8), 1.0 / libm::sqrt(0.2));
        assert!((m[0][0] - 0.5 * (a + b)).abs() < 1e-12);
        assert!((m[0][1] - 0.5 * (a - b)).abs() < 1e-12);
    }

    #[test]
    fn components_have_variance_one_and_the_matrix_is_symmetric_before_scaling() {
        let n = 7;
        let mut c = Square::zero(n);
        for i in 0..n {
            for j in 0..n {
                let apart = i.abs_diff(j) as f64;
                c[i][j] = libm::exp(-0.3 * apart);
            }
        }
        let m = whitening(&c, 0.1);
        let mut product = alloc::vec![0.0; n];
        for i in 0..n {
            c.apply(&m[i], &mut product);
            let variance: f64 = m[i].iter().zip(&product).map(|(a, b)| a * b).sum();
            assert!((variance - 1.0).abs() < 1e-12);
        }
        // Without a variance there is nothing to whiten, and no number that is not finite.
        let m = whitening(&Square::zero(3), 0.1);
        assert!(m.rows().flatten().all(|x| x.is_finite()));
    }
}
