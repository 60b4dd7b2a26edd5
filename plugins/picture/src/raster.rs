//! Triangles as pixels, by a depth buffer, four samples a pixel.

use crate::camera::HALF_VIEW;
use crate::surface::Triangle;
use crate::{Picture, SIDES};
use glam::{Mat3, Vec2, Vec3};

/// Samples of a pixel along each side.
const SAMPLES: u32 = 2;
/// Nearest depth that is seen, as a share of the camera's distance.
const NEAR: f32 = 0.02;
/// Towards the light; it has no source, so that nothing is black.
const LIGHT: Vec3 = Vec3::new(0.35, 0.25, 0.9);
/// Lengths of the ground's squares (m): the smallest one that is not too small in the picture.
const SQUARES_M: [f32; 4] = [0.1, 1.0, 10.0, 100.0];
/// Their least length, as a share of the camera's distance.
const LEAST_SQUARE: f32 = 0.04;

const SKY_LOW: Vec3 = Vec3::new(0.93, 0.95, 0.97);
const SKY_HIGH: Vec3 = Vec3::new(0.72, 0.80, 0.90);
const GROUND: Vec3 = Vec3::new(0.80, 0.81, 0.80);

/// A picture on its way.
pub(crate) struct Raster {
    size: [u32; 2],
    eye_m: Vec3,
    axes: Mat3,
    /// Distance of the camera from what it looks at (m).
    distance_m: f32,
    /// Samples a unit of the tangent.
    scale: f32,
    colours: Vec<Vec3>,
    /// 1/depth (1/m); 0 where nothing is.
    nearness: Vec<f32>,
}

impl Raster {
    /// An empty picture; its sides are within [`SIDES`].
    pub(crate) fn new(size: [u32; 2], target_m: Vec3, axes: Mat3, distance_m: f32) -> Self {
        debug_assert!(size.iter().all(|side| SIDES.contains(side)));
        let size = size.map(|side| side * SAMPLES);
        let count = size[0] as usize * size[1] as usize;
        Self {
            size,
            eye_m: target_m - axes.col(2) * distance_m,
            axes,
            distance_m,
            scale: size[1] as f32 / (2.0 * HALF_VIEW),
            colours: vec![Vec3::ZERO; count],
            nearness: vec![0.0; count],
        }
    }

    /// A point in the frame of the camera (m).
    fn seen(&self, p_m: Vec3) -> Vec3 {
        self.axes.transpose() * (p_m - self.eye_m)
    }

    fn near_m(&self) -> f32 {
        NEAR * self.distance_m
    }

    /// Place among the samples of a point in front of the camera.
    fn place(&self, seen_m: Vec3) -> Vec2 {
        let [width, height] = self.size.map(|side| side as f32);
        let at = seen_m.truncate() / seen_m.z * self.scale;
        at + Vec2::new(width, height) / 2.0
    }

    /// Draws a triangle in this colour (sRGB, 0 to 1), by the light on it.
    pub(crate) fn triangle(&mut self, triangle: Triangle, colour: Vec3) {
        let [a, b, c] = triangle;
        let normal = (b - a).cross(c - a).normalize_or_zero();
        // From whichever side it is seen.
        let facing = normal * -(normal.dot(a - self.eye_m)).signum();
        let light = 0.62 + 0.38 * facing.dot(LIGHT.normalize());
        let colour = colour * light;
        // What is behind the camera is cut off.
        let seen = triangle.map(|p| self.seen(p));
        let near = self.near_m();
        let mut corners = Vec::with_capacity(4);
        for k in 0..3 {
            let (from, to) = (seen[k], seen[(k + 1) % 3]);
            if from.z >= near {
                corners.push(from);
            }
            if (from.z >= near) != (to.z >= near) {
                corners.push(from.lerp(to, (near - from.z) / (to.z - from.z)));
            }
        }
        for k in 2..corners.len() {
            self.fill([corners[0], corners[k - 1], corners[k]], colour);
        }
    }

    /// Fills a triangle in front of the camera.
    fn fill(&mut self, seen: Triangle, colour: Vec3) {
        let [a, b, c] = seen.map(|p| self.place(p));
        let area = (b - a).perp_dot(c - a);
        if !(area.abs() > 1e-12 && area.is_finite()) {
            return;
        }
        let [width, height] = self.size;
        let low = a.min(b).min(c).floor().max(Vec2::ZERO);
        let high = a.max(b).max(c).ceil();
        let high = high.min(Vec2::new(width as f32, height as f32));
        let nearness = seen.map(|p| 1.0 / p.z);
        for y in low.y as u32..high.y.max(0.0) as u32 {
            for x in low.x as u32..high.x.max(0.0) as u32 {
                let p = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
                let of_a = (b - p).perp_dot(c - p) / area;
                let of_b = (c - p).perp_dot(a - p) / area;
                let of_c = 1.0 - of_a - of_b;
                if of_a < 0.0 || of_b < 0.0 || of_c < 0.0 {
                    continue;
                }
                // Linear over the picture.
                let near = of_a * nearness[0] + of_b * nearness[1] + of_c * nearness[2];
                self.sample(x, y, near, colour);
            }
        }
    }

    fn sample(&mut self, x: u32, y: u32, nearness: f32, colour: Vec3) {
        let k = y as usize * self.size[0] as usize + x as usize;
        if nearness > self.nearness[k] {
            self.nearness[k] = nearness;
            self.colours[k] = colour;
        }
    }

    /// Draws a dot of some samples, a little in front of what it lies on.
    pub(crate) fn dot(&mut self, p_m: Vec3, colour: Vec3) {
        let seen = self.seen(p_m);
        if seen.z < self.near_m() {
            return;
        }
        let at = self.place(seen);
        let [width, height] = self.size;
        // Of 480 lines, a dot has 4.
        let half = (height as f32 / 480.0).max(1.0);
        let low = (at - half).max(Vec2::ZERO);
        let high = (at + half).min(Vec2::new(width as f32, height as f32));
        for y in low.y as u32..high.y.max(0.0) as u32 {
            for x in low.x as u32..high.x.max(0.0) as u32 {
                self.sample(x, y, 1.01 / seen.z, colour);
            }
        }
    }

    /// Ground and sky where nothing else is; the picture from the samples.
    pub(crate) fn finish(mut self, has_ground: bool) -> Picture {
        let [width, height] = self.size;
        let square_m = SQUARES_M
            .into_iter()
            .find(|m| *m > LEAST_SQUARE * self.distance_m)
            .unwrap_or(SQUARES_M[3]);
        for y in 0..height {
            for x in 0..width {
                let at = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
                let at = (at - Vec2::new(width as f32, height as f32) / 2.0) / self.scale;
                let ray = self.axes * at.extend(1.0);
                let k = y as usize * width as usize + x as usize;
                // 1/depth of the ground.
                let ground = -ray.z / self.eye_m.z;
                let is_ground = has_ground && self.eye_m.z > 0.0 && ground > 0.0;
                if is_ground && ground > self.nearness[k] {
                    let p = (self.eye_m + ray / ground) / square_m;
                    let is_light = (p.x.floor() + p.y.floor()).rem_euclid(2.0) < 1.0;
                    // Far squares become one.
                    let contrast = (0.05 * ground * self.distance_m).min(0.05);
                    let shade = if is_light { contrast } else { -contrast };
                    let far = (ground * self.distance_m * 8.0).min(1.0);
                    self.colours[k] = SKY_LOW.lerp(GROUND + shade, far);
                } else if self.nearness[k] == 0.0 {
                    let up = ray.normalize().z.clamp(0.0, 1.0);
                    self.colours[k] = SKY_LOW.lerp(SKY_HIGH, up);
                }
            }
        }
        let size = self.size.map(|side| side / SAMPLES);
        let mut rgb = Vec::with_capacity(size[0] as usize * size[1] as usize * 3);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let mut sum = Vec3::ZERO;
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let row = (y * SAMPLES + dy) as usize * width as usize;
                    sum += self.colours[row + (x * SAMPLES + dx) as usize];
                }
                let colour = sum / 4.0 * 255.0;
                rgb.extend(colour.to_array().map(|c| c.round().clamp(0.0, 255.0) as u8));
            }
        }
        Picture { size, rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Camera;

    fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let k = (y * picture.size[0] + x) as usize * 3;
        [picture.rgb[k], picture.rgb[k + 1], picture.rgb[k + 2]]
    }

    /// Looks along x at the origin from 10 m.
    fn raster() -> Raster {
        let ahead = Camera {
            yaw_rad: 0.0,
            pitch_rad: 0.0,
            ..Camera::default()
        };
        Raster::new([64, 64], Vec3::ZERO, ahead.axes(), 10.0)
    }

    fn wall(x_m: f32) -> [Triangle; 2] {
        let corner = |y: f32, z: f32| Vec3::new(x_m, y, z);
        let [a, b, c, d] = [
            corner(-1.0, -1.0),
            corner(1.0, -1.0),
            corner(1.0, 1.0),
            corner(-1.0, 1.0),
        ];
        [[a, b, c], [a, c, d]]
    }

    #[test]
    fn what_is_near_hides_what_is_far_in_any_order() {
        let (red, blue) = (Vec3::X, Vec3::Z);
        for order in [[(0.0, red), (1.0, blue)], [(1.0, blue), (0.0, red)]] {
            let mut raster = raster();
            for (x_m, colour) in order {
                for triangle in wall(x_m) {
                    raster.triangle(triangle, colour);
                }
            }
            let [r, _, b] = pixel(&raster.finish(false), 32, 32);
            assert!(r > 100 && b == 0, "{r} {b}");
        }
    }

    #[test]
    fn a_square_has_its_size() {
        let mut raster = raster();
        for triangle in wall(0.0) {
            raster.triangle(triangle, Vec3::X);
        }
        let picture = raster.finish(false);
        let is_red = |k: &usize| picture.rgb[3 * k + 2] < 50;
        let red = (0..64 * 64).filter(is_red).count();
        // 2 m of 2 x 10 x 0.364 m.
        let expected = (64.0_f32 * 2.0 / 7.28).powi(2);
        assert!(
            (red as f32 / expected - 1.0).abs() < 0.06,
            "{red} {expected}"
        );
    }

    #[test]
    fn what_is_behind_the_camera_is_cut_off() {
        let mut raster = raster();
        let far = 1e6;
        // From far behind to the horizon, below the camera.
        let strip = [
            Vec3::new(-far, -far, -1.0),
            Vec3::new(far, 0.0, -1.0),
            Vec3::new(-far, far, -1.0),
        ];
        raster.triangle(strip, Vec3::X);
        raster.triangle([Vec3::NAN; 3], Vec3::Y);
        raster.triangle([Vec3::ZERO; 3], Vec3::Y);
        let picture = raster.finish(false);
        assert!(pixel(&picture, 32, 60)[2] < 50);
        assert!(pixel(&picture, 32, 10)[2] > 100);
    }
}
