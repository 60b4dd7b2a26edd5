//! Height fields: ground whose height is given on a grid.

use glam::Vec3;

/// Heights on a regular grid in the x-y plane, about its own origin; the surface is linear between them.
#[derive(Clone, Debug, PartialEq)]
pub struct HeightField {
    /// Its name in the description.
    pub name: String,
    /// Samples along y, at least 2.
    pub rows: usize,
    /// Samples along x, at least 2.
    pub columns: usize,
    /// Half of its extent along x and y (metres).
    pub half_size_m: [f32; 2],
    /// Heights over z = 0 (metres), row by row: the first row at the least y, its first sample at the least x.
    pub heights_m: Vec<f32>,
}

impl HeightField {
    /// Position of a sample (metres).
    pub fn point(&self, row: usize, column: usize) -> Vec3 {
        let at = |k: usize, count: usize, half: f32| {
            half * (2.0 * k as f32 / (count.max(2) - 1) as f32 - 1.0)
        };
        let [x, y] = self.half_size_m;
        let height = self.heights_m.get(row * self.columns + column);
        Vec3::new(
            at(column, self.columns, x),
            at(row, self.rows, y),
            height.copied().unwrap_or_default(),
        )
    }

    /// All sample positions, row by row (metres).
    pub fn points(&self) -> impl Iterator<Item = Vec3> + '_ {
        (0..self.rows).flat_map(move |r| (0..self.columns).map(move |c| self.point(r, c)))
    }

    /// Triangles of the surface, which face upwards, as indices into [`points`](Self::points). Each cell is halved from
    /// its corner at the least x and y.
    pub fn triangles(&self) -> Vec<[u32; 3]> {
        let at = |row: usize, column: usize| (row * self.columns + column) as u32;
        let cells = (1..self.rows).flat_map(|r| (1..self.columns).map(move |c| (r, c)));
        cells
            .flat_map(|(r, c)| {
                let (low, high) = (at(r - 1, c - 1), at(r, c));
                [[low, at(r - 1, c), high], [low, high, at(r, c - 1)]]
            })
            .collect()
    }
}
