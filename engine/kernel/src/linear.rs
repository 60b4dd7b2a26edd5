//! Cholesky factors and solves, over the first rows and columns of anything that can be indexed.
//!
//! ```text
//! A = L L^T      L lower triangular; A symmetric and positive definite, its lower triangle is read
//! A x = b        L w = b, then L^T x = w;      w.w = b^T A^-1 b
//! ```
//!
//! ```text
//! | a          |   | l          | | l  l  l |     row by row: a pivot is the part of the diagonal that
//! | a  a       | = | l  l       | |    l  l |     the rows above do not explain; where it is 0, the row
//! | a  a  a    |   | l  l  l    | |       l |     is dependent and is the error
//! ```
//!
//! L^-1 whitens: for r of covariance A, w = L^-1 r has unit covariance, and with Omega = A^-1
//! `<u, v>_Omega = v^T Omega u = (L^-1 v).(L^-1 u)`.

use core::ops::{Index, IndexMut};

use crate::Real;

/// Turns the lower triangle of the first `size` rows of `a` into its Cholesky factor. `Err` holds the
/// row whose pivot was not positive, or not finite: `a` is then half done.
pub(crate) fn factor<R, A>(size: usize, a: &mut A) -> Result<(), usize>
where
    R: Real,
    A: IndexMut<usize> + ?Sized,
    A::Output: IndexMut<usize, Output = R>,
{
    for i in 0..size {
        for j in 0..=i {
            let mut sum = a[i][j];
            for k in 0..j {
                sum -= a[i][k] * a[j][k];
            }
            if j < i {
                a[i][j] = sum / a[j][j];
            } else if sum > R::min_positive_value() && sum.is_finite() {
                a[i][i] = sum.sqrt();
            } else {
                return Err(i);
            }
        }
    }
    Ok(())
}

/// b becomes `L^-1 b`.
pub(crate) fn whiten<R, A, B>(size: usize, l: &A, b: &mut B)
where
    R: Real,
    A: Index<usize> + ?Sized,
    A::Output: Index<usize, Output = R>,
    B: IndexMut<usize, Output = R> + ?Sized,
{
    for i in 0..size {
        let mut sum = b[i];
        for j in 0..i {
            sum -= l[i][j] * b[j];
        }
        b[i] = sum / l[i][i];
    }
}

/// w becomes `L^-T w`, which is `A^-1 b` where w is `L^-1 b`.
pub(crate) fn unwhiten<R, A, B>(size: usize, l: &A, w: &mut B)
where
    R: Real,
    A: Index<usize> + ?Sized,
    A::Output: Index<usize, Output = R>,
    B: IndexMut<usize, Output = R> + ?Sized,
{
    for i in (0..size).rev() {
        let mut sum = w[i];
        for j in i + 1..size {
            sum -= l[j][i] * w[j];
        }
        w[i] = sum / l[i][i];
    }
}

/// b becomes `A^-1 b`.
pub(crate) fn solve<R, A, B>(size: usize, l: &A, b: &mut B)
where
    R: Real,
    A: Index<usize> + ?Sized,
    A::Output: Index<usize, Output = R>,
    B: IndexMut<usize, Output = R> + ?Sized,
{
    whiten(size, l, b);
    unwhiten(size, l, b);
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [[f64; 3]; 3] = [[4.0, 2.0, -2.0], [2.0, 10.0, 2.0], [-2.0, 2.0, 6.0]];

    #[test]
    fn a_factor_times_itself_is_the_matrix() {
        let mut l = A;
        assert_eq!(factor(3, &mut l), Ok(()));
        // By hand: the pivots are 4, 9 and 4.
        assert_eq!([l[0][0], l[1][1], l[2][2]], [2.0, 3.0, 2.0]);
        assert_eq!([l[1][0], l[2][0], l[2][1]], [1.0, -1.0, 1.0]);
    }

    #[test]
    fn solving_inverts_and_whitening_gives_the_quadratic_form() {
        let mut l = A;
        assert_eq!(factor(3, &mut l), Ok(()));
        let (x, mut b) = ([1.0, -2.0, 3.0], [0.0; 3]);
        for (row, b) in A.iter().zip(&mut b) {
            *b = row.iter().zip(&x).map(|(a, x)| a * x).sum();
        }
        let energy: f64 = b.iter().zip(&x).map(|(b, x)| b * x).sum();
        whiten(3, &l, &mut b);
        assert!((b.iter().map(|w| w * w).sum::<f64>() - energy).abs() < 1e-12);
        unwhiten(3, &l, &mut b);
        assert!(b.iter().zip(&x).all(|(b, x)| (b - x).abs() < 1e-14));
    }

    #[test]
    fn rows_beyond_the_size_are_not_read() {
        let mut l = A;
        l[2] = [f64::NAN; 3];
        assert_eq!(factor(2, &mut l), Ok(()));
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_reported_by_row() {
        assert_eq!(factor(2, &mut [[1.0, 0.0], [1.0, 1.0]]), Err(1));
        assert_eq!(factor(2, &mut [[1.0, 0.0], [f64::NAN, 1.0]]), Err(1));
        assert_eq!(factor(1, &mut [[f64::INFINITY]]), Err(0));
    }
}
