//! The world of a scene: gravity, place on the Earth, ground, obstacles, track.

use crate::geodesy::Geodetic;
use crate::track::TrackSpec;
use serde::{Deserialize, Serialize};

/// The fixed part of the world.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldSpec {
    /// Acceleration of free fall (m/s²).
    pub gravity_m_s2: [f64; 3],
    /// Where on the Earth (0, 0, 0) is; x points east, y north. A scene with a GNSS needs one: there is no
    /// place that would be right by itself.
    pub origin: Option<Geodetic>,
    /// Magnetic flux density, east, north and up (T), the same everywhere; [`MAGNETIC_FIELD_T`] where neither this
    /// nor an origin is said. A scene with an origin and a magnetometer says the field of its place.
    pub magnetic_field_t: Option<[f64; 3]>,
    /// The plane z = 0; none for no ground.
    pub ground: Option<GroundSpec>,
    /// Things that do not move.
    pub obstacles: Vec<ObstacleSpec>,
    /// Where vehicles are to stay.
    pub track: Option<TrackSpec>,
}

impl Default for WorldSpec {
    fn default() -> Self {
        Self {
            // Standard gravity (ISO 80000-3).
            gravity_m_s2: [0.0, 0.0, -9.80665],
            origin: None,
            magnetic_field_t: None,
            ground: Some(GroundSpec::default()),
            obstacles: Vec::new(),
            track: None,
        }
    }
}

/// The field at Greenwich (51.4779° N, 0° E, 0 m) at the start of 2025, of the World Magnetic Model 2025
/// (NOAA's wmm-calculator 1.4.4: north 19551.3 nT, east 324.3 nT, down 44998.2 nT).
pub const MAGNETIC_FIELD_T: [f64; 3] = [3.243e-7, 1.95513e-5, -4.49982e-5];

/// The plane z = 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroundSpec {
    /// Coulomb friction coefficient.
    pub friction: f64,
}

impl Default for GroundSpec {
    fn default() -> Self {
        Self { friction: 0.9 }
    }
}

/// A thing that does not move. Its position is the middle of its base.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum ObstacleSpec {
    /// A cuboid.
    Box {
        /// Unique among obstacles and agents.
        name: String,
        /// Middle of the base (m).
        position_m: [f64; 3],
        /// Along its own x, y, z (m).
        size_m: [f64; 3],
        /// About z (rad).
        #[serde(default)]
        yaw_rad: f64,
        /// Whether it is driven on, so that touching it is no collision.
        #[serde(default)]
        drivable: bool,
        /// Coulomb friction coefficient; none: the ground's. One that is said is the bound of every contact with it, as
        /// of ice: contacts take the smaller one of the two surfaces', where else they take the mean.
        #[serde(default)]
        friction: Option<f64>,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
    /// A wedge that rises along its own x from zero to its height. It is driven on: touching it is no collision.
    Ramp {
        /// Unique among obstacles and agents.
        name: String,
        /// Middle of the base (m).
        position_m: [f64; 3],
        /// Length, width and height (m).
        size_m: [f64; 3],
        /// About z (rad).
        #[serde(default)]
        yaw_rad: f64,
        /// Coulomb friction coefficient; none: the ground's. One that is said is the bound of every contact with it, as
        /// of ice: contacts take the smaller one of the two surfaces', where else they take the mean.
        #[serde(default)]
        friction: Option<f64>,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
    /// A triangle mesh: STL, COLLADA or OBJ, z up.
    Mesh {
        /// Unique among obstacles and agents.
        name: String,
        /// Path, from the scene's folder or among the built-in assets.
        file: String,
        /// Where the mesh's origin goes (m).
        position_m: [f64; 3],
        /// Metres for one unit of the file.
        #[serde(default = "one")]
        scale: f64,
        /// About z (rad).
        #[serde(default)]
        yaw_rad: f64,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
}

fn default_rgb() -> [f32; 3] {
    [0.55, 0.55, 0.58]
}

fn one() -> f64 {
    1.0
}

impl ObstacleSpec {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Box { name, .. } | Self::Ramp { name, .. } | Self::Mesh { name, .. } => name,
        }
    }

    /// The friction coefficient that is said of it.
    pub fn friction(&self) -> Option<f64> {
        match self {
            Self::Box { friction, .. } | Self::Ramp { friction, .. } => *friction,
            Self::Mesh { .. } => None,
        }
    }
}
