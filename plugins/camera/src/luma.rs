//! Luma of a picture, one byte a pixel.

/// Luma of all pixels, row by row from the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Luma {
    width: usize,
    values: Vec<u8>,
}

impl Luma {
    /// Luma of a picture of this width (pixels); the values of an unfinished row are dropped.
    pub fn new(width: usize, mut values: Vec<u8>) -> Self {
        let whole = values.len().checked_div(width).unwrap_or(0) * width;
        values.truncate(whole);
        Self { width, values }
    }

    /// Luma of red, green and blue (ITU-R BT.601, in the 16-bit fractions that `libjpeg` and Pillow use).
    pub fn of_rgb(width: usize, rgb: &[u8]) -> Self {
        let luma =
            |[r, g, b]: [u32; 3]| ((19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16) as u8;
        let pixels = rgb.chunks_exact(3);
        let values = pixels.map(|p| luma([p[0], p[1], p[2]].map(u32::from)));
        Self::new(width, values.collect())
    }

    /// Width and height (pixels).
    pub fn size(&self) -> [usize; 2] {
        let height = self.values.len().checked_div(self.width).unwrap_or(0);
        [self.width, height]
    }

    /// Mean, from 0 to 1.
    pub(crate) fn mean(&self) -> f64 {
        let sum: u64 = self.values.iter().map(|&v| u64::from(v)).sum();
        sum as f64 / (255.0 * self.values.len() as f64)
    }

    /// Mean squared difference, of values from 0 to 1; none between pictures of different sizes.
    pub(crate) fn energy(&self, before: &Self) -> Option<f64> {
        if self.size() != before.size() {
            return None;
        }
        let both = self.values.iter().zip(&before.values);
        let sum: u64 = both.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        Some(sum as f64 / (255.0 * 255.0 * self.values.len() as f64))
    }

    /// Means of blocks of this many pixels on a side, without those that the right and lower border cut: width, values.
    pub(crate) fn reduced(&self, side: usize) -> (usize, Vec<f32>) {
        let [width, height] = self.size().map(|n| n / side);
        let mut sums = vec![0u32; width * height];
        if width == 0 {
            return (0, Vec::new());
        }
        let rows = self.values.chunks_exact(self.width).take(height * side);
        for (y, row) in rows.enumerate() {
            let into = &mut sums[y / side * width..][..width];
            for (sum, block) in into.iter_mut().zip(row.chunks_exact(side)) {
                *sum += block.iter().map(|&v| u32::from(v)).sum::<u32>();
            }
        }
        let share = 1.0 / (side * side) as f32;
        (width, sums.iter().map(|&sum| sum as f32 * share).collect())
    }
}
