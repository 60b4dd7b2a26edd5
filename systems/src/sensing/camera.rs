//! Cameras: pictures and numbers from them, received by a link.

use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{Picture, SensorAt, SensorContext, SensorKind};
use serde::{Deserialize, Serialize};

/// Pictures of a real camera, without simulation: nothing here renders a scene. It needs no body.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {}

impl Kind for Camera {
    const NAME: &'static str = "Camera";
    const ABOUT: &'static str =
        "pictures of a real camera: luminance, motion energy, optical flow (rad, px)";
}

impl SensorKind for Camera {
    type Measurement = Picture;
    type Model = ();
    type Param = ();

    const SIMULATED: bool = false;

    fn model(&self, _: &SensorContext<'_>, _: &mut Rng) {}

    fn truth((): &mut (), _: &SensorAt, (): &(), _: &mut Picture) -> bool {
        false
    }
}
