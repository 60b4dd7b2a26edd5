//! Sound: a driver of microphones, and a speaker that sounds alarms and makes coherence audible.
//!
//! # In a scene
//!
//! ```ron
//! (name: "ears", rate_hz: 50, kind: Microphone(), source: Driver("audio", (device: Default))),
//! ```
//!
//! | field | meaning | default |
//! |---|---|---|
//! | `device` | `Default`, or `Name("..")` as `becomingone list audio` prints it | `Default` |
//! | `channel` | which of its channels is used, from 0 | 0 |
//! | `every_s` | time between two readings (s) | 0.02 |
//!
//! A reading has the numbers of [`Sound`](becomingone_components::sensor::Sound), as [`Analyzer`] finds them in the
//! last 85 ms; a sensor of `Values` takes those that its fields name. Readings are numbered and stamped by the device's
//! own count of samples: the link maps this clock to the run's, and counts what was lost.
//!
//! The callbacks of the sound card neither allocate nor lock; they hand samples over in a ring of half a second.
//!
//! Devices need the feature `device`; without it this crate has the analysis alone.

mod analyzer;
#[cfg(feature = "device")]
mod device;
#[cfg(feature = "device")]
mod driver;
#[cfg(feature = "device")]
mod speaker;

pub use analyzer::Analyzer;
#[cfg(feature = "device")]
pub use device::devices;
#[cfg(feature = "device")]
pub use driver::AudioKind;
#[cfg(feature = "device")]
pub use speaker::{Speaker, SpeakerPlugin};

/// Registers the driver kind `audio`.
#[cfg(feature = "device")]
pub struct AudioPlugin;

#[cfg(feature = "device")]
impl bevy_app::Plugin for AudioPlugin {
    fn build(&self, app: &mut bevy_app::App) {
        use becomingone_systems::kinds::RegisterKinds as _;
        app.register_driver(AudioKind);
    }
}
