//! The world of a scene: gravity, place on the Earth, ground, obstacles, track, named places.

use crate::geodesy::Geodetic;
use crate::track::TrackSpec;
use serde::{Deserialize, Serialize};

/// The fixed part of the world.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldSpec {
    /// Acceleration of free fall (m/s²).
    pub gravity_m_s2: [f64; 3],
    /// Position of (0, 0, 0) on the Earth; x points east, y north. A scene with a GNSS needs one: there is no default
    /// place.
    pub origin: Option<Geodetic>,
    /// Magnetic flux density, east, north and up (T), the same everywhere; [`MAGNETIC_FIELD_T`] where neither this
    /// nor an origin is set. A scene with an origin and a magnetometer must set the field of its place.
    pub magnetic_field_t: Option<[f64; 3]>,
    /// The plane z = 0; none for no ground.
    pub ground: Option<GroundSpec>,
    /// Static objects.
    pub obstacles: Vec<ObstacleSpec>,
    /// Track of vehicles.
    pub track: Option<TrackSpec>,
    /// Named places, to which agents can be sent. Their names are apart from those of obstacles and agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceSpec>,
}

/// A named place.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceSpec {
    /// Unique among places.
    pub name: String,
    /// World position (m).
    pub position_m: [f64; 2],
    /// Heading there (rad), for users of the place: requests to go there leave the heading open.
    #[serde(default)]
    pub yaw_rad: f64,
}

impl WorldSpec {
    /// The place of this name.
    ///
    /// ```
    /// # use becomingone_components::world::{PlaceSpec, WorldSpec};
    /// let place = PlaceSpec { name: "dock".to_owned(), position_m: [2.0, 1.0], yaw_rad: 0.0 };
    /// let world = WorldSpec { places: vec![place], ..WorldSpec::default() };
    /// assert_eq!(world.place("dock").map(|place| place.position_m), Some([2.0, 1.0]));
    /// assert_eq!(world.place("gate"), None);
    /// ```
    pub fn place(&self, name: &str) -> Option<&PlaceSpec> {
        self.places.iter().find(|place| place.name == name)
    }
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
            places: Vec::new(),
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

/// A static object. Its position is the middle of its base.
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
        /// Whether it is drivable: contact with it is no collision.
        #[serde(default)]
        drivable: bool,
        /// Coulomb friction coefficient; none: the ground's. If set, it limits every contact with it, as of ice:
        /// contacts take the smaller coefficient of the two surfaces, instead of the mean.
        #[serde(default)]
        friction: Option<f64>,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
    /// A wedge that rises along its own x from zero to its height. It is drivable: contact with it is no collision.
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
        /// Coulomb friction coefficient; none: the ground's. If set, it limits every contact with it, as of ice:
        /// contacts take the smaller coefficient of the two surfaces, instead of the mean.
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
        /// Position of the mesh's origin (m).
        position_m: [f64; 3],
        /// Scale: metres per unit of the file.
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

    /// Friction coefficient, if set.
    pub fn friction(&self) -> Option<f64> {
        match self {
            Self::Box { friction, .. } | Self::Ramp { friction, .. } => *friction,
            Self::Mesh { .. } => None,
        }
    }
}
