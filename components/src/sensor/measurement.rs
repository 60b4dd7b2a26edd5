//! Measurements: named numbers with units.

use glam::Vec3;

/// A number of a measurement: name and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, unique within its measurement.
    pub name: &'static str,
    /// SI unit, `1` for none; `deg` of places on the Earth.
    pub unit: &'static str,
}

/// Creates a field.
pub const fn field(name: &'static str, unit: &'static str) -> Field {
    Field { name, unit }
}

/// A name for several consecutive numbers of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name, unique among parts and fields.
    pub name: &'static str,
    /// Index of its first number.
    pub first: usize,
    /// How many.
    pub count: usize,
}

/// Creates a part.
pub const fn part(name: &'static str, first: usize, count: usize) -> Part {
    Part { name, first, count }
}

/// Numbers, and bytes beside them, of a kind of measurement.
///
/// It declares its name and fields once: recorders, viewers, links, faults, diagnosis and the state hash derive from
/// it.
pub trait Measurement: Clone + Default + Send + Sync + 'static {
    /// Name of the kind: `imu`.
    const KIND: &'static str;
    /// Its numbers, in the order of [`Measurement::visit`]. A row repeats them.
    const FIELDS: &'static [Field];

    /// Names of groups of numbers.
    const PARTS: &'static [Part] = &[];
    /// Whether it is a row: any number of equal numbers.
    const IS_ROW: bool = false;
    /// Whether its numbers are counters: only increments are measured, and a fault acts on these.
    const COUNTS: bool = false;
    /// Whether a number may have no value, which is `NaN`.
    const GAPS: bool = false;
    /// Whether it depends on the agent's surroundings: diagnosis uses it only where a scene names it.
    const SURROUNDINGS: bool = false;
    /// Whether its numbers stay where they are, whatever the machine does: temperatures, voltages; never a
    /// place, an angle, a speed, or what depends on one. Diagnosis then judges their level, too, once a threshold of it
    /// was calibrated: `witness: (level: 28.1)`.
    const STATIONARY: bool = false;
    /// Encoding of the bytes beside the numbers, as a media type: `image/jpeg`. None: there are no bytes.
    const ENCODING: Option<&'static str> = None;

    /// Smallest and largest value of each number; the largest stands for no target. None: unbounded.
    fn limits(&self) -> Option<[f64; 2]> {
        None
    }

    /// Calls `each` with every number in order.
    fn visit(&self, each: &mut dyn FnMut(f64));

    /// Sets every number in order, as from [`visit`](Self::visit). Returns whether their count is that of this
    /// measurement.
    fn fill(&mut self, numbers: &[f64]) -> bool;

    /// Bytes beside the numbers, in [`ENCODING`](Self::ENCODING).
    fn bytes(&self) -> &[u8] {
        &[]
    }

    /// Sets the bytes, as from [`bytes`](Self::bytes). Returns whether they are accepted.
    fn set_bytes(&mut self, bytes: &[u8]) -> bool {
        bytes.is_empty()
    }

    /// Whether every number is finite.
    fn is_finite(&self) -> bool {
        let mut finite = true;
        self.visit(&mut |x| finite &= x.is_finite());
        finite
    }
}

/// A vector of three numbers.
pub(super) fn vec3(v: [f64; 3]) -> Vec3 {
    Vec3::from_array(v.map(|x| x as f32))
}
