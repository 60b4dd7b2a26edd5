//! Bits of state, for the state hash.

use bevy_ecs::prelude::*;

/// Collector of the bits of state.
#[derive(Default)]
pub struct Bits(pub(crate) Vec<u8>);

impl Bits {
    /// Adds a whole number.
    pub fn u64(&mut self, x: u64) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }

    /// Adds a number, by its bits.
    pub fn f64(&mut self, x: f64) {
        self.u64(x.to_bits());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Adds numbers, by their bits.
    pub fn f32s<const N: usize>(&mut self, xs: [f32; N]) {
        for x in xs {
            self.0.extend_from_slice(&x.to_bits().to_le_bytes());
        }
    }
}

/// State whose bits decide whether two runs are the same.
pub trait HashState: Component {
    /// Adds all bits; nothing, where nothing changed in this tick.
    fn bits(&self, bits: &mut Bits);
}
