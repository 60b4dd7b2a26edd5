//! `StillCamera`: PNG images from a driver; it is not simulated.

use becomingone::prelude::*;
use serde::{Deserialize, Serialize};

/// Scene: `kind: StillCamera(), source: Driver("udp", (..))`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StillCamera {}

/// An image and its exposure time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// Exposure time (s).
    pub exposure_s: f64,
    /// The image, a PNG file.
    pub png: Vec<u8>,
}

impl Measurement for Image {
    const KIND: &'static str = "still_camera";
    const FIELDS: &'static [Field] = &[field("exposure", "s")];
    const ENCODING: Option<&'static str> = Some("image/png");

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.exposure_s);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[exposure_s] = numbers else {
            return false;
        };
        self.exposure_s = exposure_s;
        true
    }

    fn bytes(&self) -> &[u8] {
        &self.png
    }

    fn set_bytes(&mut self, bytes: &[u8]) -> bool {
        self.png.clear();
        self.png.extend_from_slice(bytes);
        true
    }
}

impl Kind for StillCamera {
    const NAME: &'static str = "StillCamera";
    const ABOUT: &'static str = "images of a real camera, as PNG";
}

impl SensorKind for StillCamera {
    type Measurement = Image;
    type Model = ();
    type Param = ();

    const SIMULATED: bool = false;

    fn model(&self, _: &SensorContext<'_>, _: &mut Rng) {}

    /// Nothing to simulate: readings come from a driver.
    fn truth((): &mut (), _: &SensorAt, (): &(), _: &mut Image) -> bool {
        false
    }

    fn measure((): &mut (), _: &SensorAt, _: &Image, _: &mut Rng, _: &mut Image) {}
}
