//! Free places between rectangles, in connected areas.
//!
//! A cell is free where a circle, made smaller by half a cell's diagonal, fits about its middle: every way that the
//! circle has leads through free cells, so that what the grid has no way to has none.

/// Most cells of a grid.
const MAX_CELLS: f64 = 1e6;
/// Most tests of a cell against a rectangle.
const MAX_TESTS: f64 = 3e7;
/// Cells in the radius of the circle.
const CELLS: f64 = 5.0;
/// Fewest cells in the radius: coarser grids tell nothing.
const FEWEST_CELLS: f64 = 1.5;

/// A rectangle, seen from above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rectangle {
    middle_m: [f64; 2],
    pub(super) size_m: [f64; 2],
    sin: f64,
    cos: f64,
}

impl Rectangle {
    pub(super) fn new(middle_m: [f64; 2], size_m: [f64; 2], yaw_rad: f64) -> Self {
        let (sin, cos) = libm::sincos(yaw_rad);
        Self {
            middle_m,
            size_m,
            sin,
            cos,
        }
    }

    /// A place in the rectangle's own axes, from its middle (m).
    pub(super) fn local(&self, at_m: [f64; 2]) -> [f64; 2] {
        let [x, y] = [at_m[0] - self.middle_m[0], at_m[1] - self.middle_m[1]];
        [self.cos * x + self.sin * y, self.cos * y - self.sin * x]
    }

    /// Distance of a place from it (m); 0 inside.
    pub(super) fn distance_m(&self, at_m: [f64; 2]) -> f64 {
        let [x, y] = self.local(at_m);
        let dx = (x.abs() - self.size_m[0] / 2.0).max(0.0);
        let dy = (y.abs() - self.size_m[1] / 2.0).max(0.0);
        (dx * dx + dy * dy).sqrt()
    }

    /// Half extents along x and y (m).
    fn half_m(&self) -> [f64; 2] {
        let [w, h] = self.size_m;
        [
            (w * self.cos.abs() + h * self.sin.abs()) / 2.0,
            (w * self.sin.abs() + h * self.cos.abs()) / 2.0,
        ]
    }
}

/// A place with its tolerance.
pub(super) struct Disc {
    pub(super) centre_m: [f64; 2],
    pub(super) radius_m: f64,
}

/// Blocked cell.
const BLOCKED: u32 = u32::MAX;
/// Area outside of all rectangles, without end; also the label of cells that are not reached yet.
const OUTSIDE: u32 = 0;

/// Free places of a circle between rectangles.
pub(super) struct Grid {
    low_m: [f64; 2],
    cell_m: f64,
    size: [usize; 2],
    radius_m: f64,
    /// Area of each cell.
    areas: Vec<u32>,
}

impl Grid {
    /// None without rectangles, and where they are too many or too far apart.
    pub(super) fn new(rectangles: &[Rectangle], radius_m: f64) -> Option<Self> {
        if rectangles.is_empty() || radius_m <= 0.0 {
            return None;
        }
        let (mut low_m, mut high_m) = ([f64::MAX; 2], [f64::MIN; 2]);
        for r in rectangles {
            let half_m = r.half_m();
            for k in 0..2 {
                low_m[k] = low_m[k].min(r.middle_m[k] - half_m[k] - radius_m);
                high_m[k] = high_m[k].max(r.middle_m[k] + half_m[k] + radius_m);
            }
        }
        let extent_m = [high_m[0] - low_m[0], high_m[1] - low_m[1]];
        let finest_m = (extent_m[0] * extent_m[1] / MAX_CELLS).sqrt();
        let cell_m = (radius_m / CELLS).max(finest_m);
        if cell_m * FEWEST_CELLS > radius_m {
            return None;
        }
        // The outermost cells are free: the area outside.
        low_m = low_m.map(|x| x - 2.0 * cell_m);
        let size = extent_m.map(|x| (x / cell_m) as usize + 5);
        let mut grid = Self {
            low_m,
            cell_m,
            size,
            radius_m,
            areas: vec![OUTSIDE; size[0] * size[1]],
        };
        let tests: f64 = rectangles
            .iter()
            .map(|r| {
                let [x, y] = r.half_m().map(|h| 2.0 * (h + radius_m) / cell_m + 2.0);
                x * y
            })
            .sum();
        if tests > MAX_TESTS {
            return None;
        }
        rectangles.iter().for_each(|r| grid.block(r));
        grid.label();
        Some(grid)
    }

    fn slack_m(&self) -> f64 {
        self.cell_m * std::f64::consts::FRAC_1_SQRT_2
    }

    fn middle_m(&self, x: usize, y: usize) -> [f64; 2] {
        [
            self.low_m[0] + (x as f64 + 0.5) * self.cell_m,
            self.low_m[1] + (y as f64 + 0.5) * self.cell_m,
        ]
    }

    /// First and last cell of an interval along an axis, within the grid.
    fn range(&self, axis: usize, middle_m: f64, half_m: f64) -> std::ops::RangeInclusive<usize> {
        let cell = |x_m: f64| {
            let cell = (x_m - self.low_m[axis]) / self.cell_m;
            // The cast saturates.
            (cell as usize).min(self.size[axis] - 1)
        };
        cell(middle_m - half_m)..=cell(middle_m + half_m)
    }

    fn block(&mut self, r: &Rectangle) {
        let keep_m = self.radius_m - self.slack_m();
        let [half_x, half_y] = r.half_m().map(|h| h + self.radius_m);
        for y in self.range(1, r.middle_m[1], half_y) {
            for x in self.range(0, r.middle_m[0], half_x) {
                if r.distance_m(self.middle_m(x, y)) < keep_m {
                    self.areas[y * self.size[0] + x] = BLOCKED;
                }
            }
        }
    }

    /// Numbers the connected areas of free cells from 1, that outside first; then that is `OUTSIDE`.
    fn label(&mut self) {
        let mut next = 1;
        let mut open = Vec::new();
        for first in 0..self.areas.len() {
            if self.areas[first] != OUTSIDE {
                continue;
            }
            self.areas[first] = next;
            open.push(first);
            while let Some(cell) = open.pop() {
                let (x, y) = (cell % self.size[0], cell / self.size[0]);
                for ny in y.saturating_sub(1)..=(y + 1).min(self.size[1] - 1) {
                    for nx in x.saturating_sub(1)..=(x + 1).min(self.size[0] - 1) {
                        let near = ny * self.size[0] + nx;
                        if self.areas[near] == OUTSIDE {
                            self.areas[near] = next;
                            open.push(near);
                        }
                    }
                }
            }
            next += 1;
        }
        for area in &mut self.areas {
            // The first cell is a corner.
            if *area == 1 {
                *area = OUTSIDE;
            }
        }
    }

    /// Areas of the cells in a disc, that outside of the grid included.
    fn areas<'a>(&'a self, disc: &'a Disc) -> impl Iterator<Item = u32> + 'a {
        let reach_m = disc.radius_m + self.slack_m();
        let [x, y] = disc.centre_m;
        let beyond = (0..2).any(|k| {
            let (low_m, high_m) = (
                self.low_m[k],
                self.low_m[k] + self.size[k] as f64 * self.cell_m,
            );
            disc.centre_m[k] - reach_m < low_m || disc.centre_m[k] + reach_m > high_m
        });
        let cells = self.range(1, y, reach_m).flat_map(move |row| {
            self.range(0, x, reach_m).filter_map(move |column| {
                let [mx, my] = self.middle_m(column, row);
                let (dx, dy) = (mx - x, my - y);
                let area = self.areas[row * self.size[0] + column];
                (dx * dx + dy * dy <= reach_m * reach_m && area != BLOCKED).then_some(area)
            })
        });
        beyond.then_some(OUTSIDE).into_iter().chain(cells)
    }

    /// Whether the circle fits anywhere in a disc.
    pub(super) fn has_room(&self, disc: &Disc) -> bool {
        self.areas(disc).next().is_some()
    }

    /// Whether a way leads from a place to a disc; also where the place itself is blocked, of which another message tells.
    pub(super) fn leads(&self, from_m: [f64; 2], to: &Disc) -> bool {
        let here = Disc {
            centre_m: from_m,
            radius_m: 0.0,
        };
        let starts: Vec<u32> = self.areas(&here).collect();
        starts.is_empty() || self.areas(to).any(|area| starts.contains(&area))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(x: f64, y: f64, radius_m: f64) -> Disc {
        Disc {
            centre_m: [x, y],
            radius_m,
        }
    }

    /// Four walls of a room of 4 m by 4 m inside, with a door of this width (m) in the wall at x = 2.
    fn room(door_m: f64, yaw_rad: f64) -> Vec<Rectangle> {
        let (sin, cos) = libm::sincos(yaw_rad);
        let wall = |x: f64, y: f64, w: f64, h: f64| {
            Rectangle::new([cos * x - sin * y, sin * x + cos * y], [w, h], yaw_rad)
        };
        let part = (4.2 - door_m) / 2.0;
        let middle = (door_m + part) / 2.0;
        vec![
            wall(-2.05, 0.0, 0.1, 4.2),
            wall(0.0, 2.05, 4.2, 0.1),
            wall(0.0, -2.05, 4.2, 0.1),
            wall(2.05, middle, 0.1, part),
            wall(2.05, -middle, 0.1, part),
        ]
    }

    #[test]
    fn a_circle_passes_a_door_that_is_wider_than_it_and_no_closed_room() {
        for yaw_rad in [0.0, 0.3, 1.0] {
            let grid = |door_m| Grid::new(&room(door_m, yaw_rad), 0.3).unwrap();
            assert!(!grid(0.0).leads([0.0, 0.0], &disc(5.0, 0.0, 0.1)));
            assert!(!grid(0.0).leads([5.0, 0.0], &disc(0.0, 0.0, 0.1)));
            assert!(grid(0.0).leads([0.0, 0.0], &disc(1.0, 1.0, 0.1)));
            // Never a false alarm; a door of half the width is too narrow.
            assert!(grid(0.61).leads([0.0, 0.0], &disc(50.0, 0.0, 0.1)));
            assert!(!grid(0.3).leads([0.0, 0.0], &disc(50.0, 0.0, 0.1)));
        }
    }

    #[test]
    fn a_place_in_a_rectangle_has_room_within_a_large_tolerance_only() {
        let grid = Grid::new(&[Rectangle::new([2.0, 0.0], [0.8, 0.8], 0.5)], 0.2).unwrap();
        assert!(!grid.has_room(&disc(2.0, 0.0, 0.4)));
        assert!(grid.has_room(&disc(2.0, 0.0, 0.7)));
        assert!(grid.has_room(&disc(3.0, 0.0, 0.1)));
        assert!(grid.has_room(&disc(1e6, -1e6, 0.1)));
        assert!(grid.leads([0.0, 0.0], &disc(4.0, 0.0, 0.1)));
    }

    #[test]
    fn distances_are_those_of_a_turned_rectangle() {
        let r = Rectangle::new([1.0, 1.0], [2.0, 1.0], std::f64::consts::FRAC_PI_2);
        assert_eq!(r.distance_m([1.0, 1.9]), 0.0);
        assert!((r.distance_m([1.0, 3.0]) - 1.0).abs() < 1e-12);
        assert!((r.distance_m([2.5, 1.0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_too_large_to_judge_is_not_judged() {
        let far = [
            Rectangle::new([-900.0, 0.0], [1.0, 1.0], 0.0),
            Rectangle::new([900.0, 900.0], [1.0, 1.0], 0.0),
        ];
        assert!(Grid::new(&far, 0.2).is_none());
        assert!(Grid::new(&[], 0.2).is_none());
    }
}
