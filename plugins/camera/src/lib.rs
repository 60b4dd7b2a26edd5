//! Cameras: a driver of MJPEG over HTTP, of folders of pictures, and of the cameras of a Linux machine.
//!
//! # In a scene
//!
//! ```ron
//! (name: "eye", rate_hz: 10, kind: Camera(), queue: Latest,
//!  source: Driver("camera", (url: "http://127.0.0.1:8080/stream.mjpg"))),
//! (name: "eye", rate_hz: 10, kind: Camera(), queue: Latest,
//!  source: Driver("camera", (folder: "pictures", rate_hz: 10, loop: true))),
//! (name: "eye", rate_hz: 30, kind: Camera(), queue: Latest,
//!  source: Driver("camera", (device: "/dev/video0", width: 640, height: 480, fps: 30))),
//! ```
//!
//! | field | meaning | default |
//! |---|---|---|
//! | `url` | address of a stream of `multipart/x-mixed-replace` | |
//! | `timeout_s` | longest wait for a picture, then it is connected to again; beside `device` too | 5 |
//! | `allow` | hosts that redirects and private addresses may lead to, as in the driver `http` | none |
//! | `ca`, `token` | beside `https://`: issuers of its certificate, and the token that the server asks for, as in the driver `http` | those of the machine, none |
//! | `folder` | folder of `.jpg` and `.png` files, in the order of their names | |
//! | `rate_hz`, `loop` | files in a second; whether it begins again after the last | 10, `false` |
//! | `device`, `width`, `height`, `fps` | a camera of this machine that gives JPEG; feature `v4l2` | as the camera has them |
//!
//! A reading has the numbers of [`Picture`](becomingone_components::sensor::Picture), as [`Analyzer`] finds them, and
//! the picture as JPEG; a sensor of `Values` takes those numbers that its fields name. Pictures are decoded in the
//! driver's thread. The newest wins: those that came while one was decoded are gaps of the link.

mod analyzer;
mod config;
mod decode;
#[cfg(all(target_os = "linux", feature = "v4l2"))]
mod device;
mod driver;
mod flow;
mod folder;
mod luma;
mod mailbox;
pub mod multipart;
mod request;
mod sinks;
mod stream;

pub use analyzer::Analyzer;
pub use driver::CameraKind;
pub use luma::Luma;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver kind `camera`.
pub struct CameraPlugin;

impl Plugin for CameraPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(CameraKind);
    }
}
