//! Numbers of a picture.

use crate::flow::Flow;
use crate::luma::Luma;
use becomingone_components::sensor::Picture;

/// Least motion that has a direction, as a share of the longer side: less is found between pictures that stand still.
const LEAST_FLOW: f64 = 1e-4;

/// Finds brightness and motion of successive pictures.
///
/// ```
/// use becomingone_camera::{Analyzer, Luma};
///
/// // A pattern of blobs, which moves 3 pixels to the right and 2 up.
/// let pattern = |x: f64, y: f64| 128.0 + 60.0 * (x * 0.19).sin() * (y * 0.23).cos() + 40.0 * (0.07 * (x + y)).sin();
/// let picture = |dx: f64, dy: f64| {
///     let values = (0..96 * 64).map(|k| pattern(f64::from(k % 96) - dx, f64::from(k / 96) - dy) as u8);
///     Luma::new(96, values.collect())
/// };
/// let mut analyzer = Analyzer::new();
/// assert!(analyzer.next(&picture(0.0, 0.0)).flow_px.is_nan());
/// let moved = analyzer.next(&picture(3.0, -2.0));
/// assert!((moved.flow_px - 13f64.sqrt()).abs() < 0.1, "{moved:?}");
/// assert!((moved.flow_phase_rad - 2f64.atan2(3.0)).abs() < 0.03, "{moved:?}");
/// ```
pub struct Analyzer {
    before: Option<Luma>,
    flow: Flow,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self::new()
    }
}

impl Analyzer {
    /// One without a picture.
    pub fn new() -> Self {
        Self {
            before: None,
            flow: Flow::new(),
        }
    }

    /// Forgets the picture before: the next one has no motion.
    pub fn forget(&mut self) {
        self.before = None;
        self.flow.forget();
    }

    /// Numbers of the next picture; its file is not among them.
    pub fn next(&mut self, luma: &Luma) -> Picture {
        let energy = self.before.as_ref().and_then(|before| luma.energy(before));
        let flow = self.flow.next(luma).filter(|_| energy.is_some());
        let [dx, dy] = flow.unwrap_or([f64::NAN; 2]);
        let flow_px = libm::hypot(dx, dy);
        let longer = luma.size().into_iter().max().unwrap_or(0) as f64;
        let has_direction = flow_px >= LEAST_FLOW * longer;
        self.before = Some(luma.clone());
        Picture {
            luminance: luma.mean(),
            motion_energy: energy.unwrap_or(f64::NAN),
            // Rows count downwards.
            flow_phase_rad: if has_direction {
                libm::atan2(-dy, dx)
            } else {
                f64::NAN
            },
            flow_px,
            jpeg: Vec::new(),
        }
    }
}
