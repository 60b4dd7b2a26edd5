//! Camera measurement.

use super::measurement::{Field, Measurement, field};

/// A picture of a camera, its brightness, and its motion since the picture before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Mean luma of all pixels, from 0 for black to 1 for white: 0.299 R + 0.587 G + 0.114 B of the encoded values
    /// (ITU-R BT.601, as JFIF has it), which is not linear in the light.
    pub luminance: f64,
    /// Motion energy: mean over all pixels of the squared difference of the luma, each from 0 to 1, to the picture
    /// before. `NaN` where there is no picture before, or one of another size.
    pub motion_energy: f64,
    /// Direction in which the content moves through the picture, counter-clockwise from its right, from -π to π (rad);
    /// `NaN` where no motion of the whole is found.
    pub flow_phase_rad: f64,
    /// Length of that motion (pixels per picture); `NaN` where none is found.
    pub flow_px: f64,
    /// The picture, a JPEG file.
    pub jpeg: Vec<u8>,
}

impl Measurement for Picture {
    const KIND: &'static str = "camera";
    const FIELDS: &'static [Field] = &[
        field("luminance", "1"),
        field("motion_energy", "1"),
        field("flow_phase", "rad"),
        field("flow", "px"),
    ];
    const GAPS: bool = true;
    const SURROUNDINGS: bool = true;
    const ENCODING: Option<&'static str> = Some("image/jpeg");

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        [
            self.luminance,
            self.motion_energy,
            self.flow_phase_rad,
            self.flow_px,
        ]
        .into_iter()
        .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let Ok(numbers) = <[f64; 4]>::try_from(numbers) else {
            return false;
        };
        // One pattern of bits for every NaN.
        let numbers = numbers.map(|x| if x.is_nan() { f64::NAN } else { x });
        [
            self.luminance,
            self.motion_energy,
            self.flow_phase_rad,
            self.flow_px,
        ] = numbers;
        true
    }

    fn bytes(&self) -> &[u8] {
        &self.jpeg
    }

    fn set_bytes(&mut self, bytes: &[u8]) -> bool {
        self.jpeg.clear();
        self.jpeg.extend_from_slice(bytes);
        true
    }

    /// Every picture has a luminance; the first has no motion.
    fn is_finite(&self) -> bool {
        let mut is_finite = self.luminance.is_finite();
        self.visit(&mut |x| is_finite &= !x.is_infinite());
        is_finite
    }
}
