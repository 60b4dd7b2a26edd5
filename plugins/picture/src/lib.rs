//! Pictures of a run, drawn by the processor: no viewer, no window, no graphics card.
//!
//! A [`Sketch`] copies what is to be seen from a world; it is drawn where and when there is time:
//!
//! ```
//! use becomingone_picture::{Camera, Sketch};
//! # use bevy_ecs::world::World;
//! # let world = World::new();
//! let sketch = Sketch::of(&world); // engine.world()
//! let picture = sketch.draw(&Camera::default(), [320, 240])?;
//! assert_eq!(picture.rgb().len(), 320 * 240 * 3);
//! let file: Vec<u8> = picture.png()?;
//! # assert!(file.starts_with(b"\x89PNG"));
//! # Ok::<(), becomingone_picture::PictureError>(())
//! ```
//!
//! - `sketch`: what is seen: obstacles, ground, track, places, goals, agents by the poses of their links, the last scans.
//! - `camera`: from where.
//! - `surface`: shapes as triangles.
//! - `raster`: triangles as pixels, by a depth buffer.

mod camera;
mod raster;
mod sketch;
mod surface;

pub use camera::Camera;
pub use sketch::Sketch;

/// Smallest and largest side of a picture (pixels).
pub const SIDES: std::ops::RangeInclusive<u32> = 16..=2048;

/// Why there is no picture.
#[derive(Debug)]
pub enum PictureError {
    /// A side is too small or too large.
    Size([u32; 2]),
    /// A number of the camera is out of its range.
    Camera(&'static str),
    /// What the encoder says.
    Png(png::EncodingError),
}

impl std::fmt::Display for PictureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size([width, height]) => write!(
                f,
                "found a picture of {width} x {height} pixels; expected sides from 16 to 2048"
            ),
            Self::Camera(expected) => f.write_str(expected),
            Self::Png(error) => write!(f, "PNG: {error}"),
        }
    }
}

impl std::error::Error for PictureError {}

/// A drawn picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub(crate) size: [u32; 2],
    pub(crate) rgb: Vec<u8>,
}

impl Picture {
    /// Width and height (pixels).
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Red, green and blue (sRGB, 8 bits) of each pixel, row by row from the top left: shape (height, width, 3).
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    ///
    /// [`PictureError::Png`].
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let mut file = Vec::new();
        let [width, height] = self.size;
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(PictureError::Png)?;
        writer
            .write_image_data(&self.rgb)
            .map_err(PictureError::Png)?;
        writer.finish().map_err(PictureError::Png)?;
        Ok(file)
    }
}
