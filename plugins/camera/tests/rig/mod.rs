//! An engine of one camera.

use becomingone_camera::CameraKind;
use becomingone_components::link::Queue;
use becomingone_components::scene::SensorSpec;
use becomingone_components::sensor::Picture;
use becomingone_systems::sensing::Camera;

pub(crate) type Rig = becomingone_rig::Rig<Picture>;

/// A camera `eye`.
pub(crate) fn open(config: &str) -> Rig {
    let camera = SensorSpec {
        queue: Queue::DropOldest(200),
        ..SensorSpec::new("eye", Camera {}, 100.0)
    };
    Rig::new(CameraKind, [(camera, config)], None, false)
}
