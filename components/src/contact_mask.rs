//! Which shapes touch which.

/// Groups of a shape, and the groups that it touches. Two shapes touch when either's filter has a group of the other, as
/// by `contype` and `conaffinity` of `MuJoCo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactMask {
    /// Groups that it belongs to, a bit each.
    pub groups: u32,
    /// Groups that it touches.
    pub filter: u32,
}

impl ContactMask {
    /// Group of the scene's own ground, walls and obstacles; robots have the others.
    const SCENE_GROUP: u32 = 1 << 31;
    /// The scene's own ground, walls and obstacles: what they touch is up to the robots.
    pub const SCENE: Self = Self {
        groups: Self::SCENE_GROUP,
        filter: 0,
    };

    /// Masks of a file, of which a bit is left for the scene, which this shape does not touch.
    pub const fn of_file(contype: u32, conaffinity: u32) -> Self {
        Self {
            groups: contype & !Self::SCENE_GROUP,
            filter: conaffinity & !Self::SCENE_GROUP,
        }
    }

    /// This mask, of a shape that touches the scene.
    #[must_use]
    pub const fn with_scene(mut self) -> Self {
        self.filter |= Self::SCENE_GROUP;
        self
    }

    /// Whether two shapes touch.
    pub const fn touches(self, other: Self) -> bool {
        self.groups & other.filter != 0 || other.groups & self.filter != 0
    }
}

impl Default for ContactMask {
    /// A robot's part: it touches the scene and other robots.
    fn default() -> Self {
        Self::of_file(1, 1).with_scene()
    }
}
