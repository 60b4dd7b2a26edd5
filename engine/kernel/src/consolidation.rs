//! [`AgeOctaves`]: an unbounded history in bounded memory, by merging old and weak items.
//!
//! ```text
//! age      0        2 D     4 D     8 D     16 D              ..             age_max
//! octave   |    0    |   1   |   2   |   3   |                              |
//! items    a b c d   | ef gh | i j   | k  lm | n                 at most b in each
//!
//! merge    the two weakest of an octave that has more than b:
//!          s = 1 - (1 - s_1)(1 - s_2),     age = that of the older, name = that of the stronger
//! ```
//!
//! With b items an octave there are at most `b (floor(log2(age_max/D)) + 1)` of them, right after
//! [`Blend::consolidate`]. (Related: exponential histograms, Datar et al. 2002; the octaves of a
//! [`Pyramid`](crate::Pyramid).) If a strength is the probability that an event is remembered, that of a merged
//! item is the probability that either was, and the product of all 1 - s does not change; it has the form of a
//! recall, in which the weaker regenerates the stronger.

use crate::blend::Kept;
use crate::{Blend, ConfigError, Real};

/// Octaves of age, with a maximum number of items in each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgeOctaves {
    shortest_s: f64,
    items: usize,
}

impl AgeOctaves {
    /// At most `items` in each octave, the first of which reaches to twice `shortest_s`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::AgeOctaves`] unless `shortest_s` is positive and finite, and `items` at least
    /// 1.
    pub fn new(shortest_s: f64, items: usize) -> Result<Self, ConfigError> {
        let usable = shortest_s >= f64::MIN_POSITIVE && shortest_s.is_finite() && items > 0;
        if !usable {
            return Err(ConfigError::AgeOctaves { shortest_s, items });
        }
        Ok(Self { shortest_s, items })
    }

    /// The octave of an age: floor(log2(age/D)), 0 below 2 D.
    pub fn octave_of(&self, age_s: f64) -> u32 {
        // The quotient overflows for ages that are 2^1024 times the shortest: all in one octave.
        let ratio = (age_s / self.shortest_s).min(f64::MAX);
        if ratio >= 2.0 {
            libm::ilogb(ratio).unsigned_abs()
        } else {
            0
        }
    }

    /// Most items up to this age, right after [`Blend::consolidate`].
    pub fn bound(&self, age_s: f64) -> usize {
        self.items
            .saturating_mul(self.octave_of(age_s) as usize + 1)
    }

    /// Most items in one octave.
    pub fn items(&self) -> usize {
        self.items
    }
}

impl<R: Real, T, const CAP: usize> Blend<R, T, CAP> {
    /// Merges the two weakest of each octave of age until none has more than its number of items,
    /// and returns the number of merges. Call it before a new item is remembered, not at every tick.
    ///
    /// `merge` gets the stronger item first, of equals the older, and returns the item that is kept in its
    /// place and under its serial number; the other's place is freed.
    ///
    /// ```
    /// use becomingone_kernel::{AgeOctaves, Blend, BlendConfig};
    ///
    /// let config = BlendConfig {
    ///     fading_per_s: 0.0,
    ///     protection: 0.9,
    ///     recall: 0.3,
    ///     forget_below: 0.0,
    /// };
    /// // Counts of an event: one count for each item, over eleven days.
    /// let mut blend = Blend::<f64, u32, 64>::new(config)?;
    /// let octaves = AgeOctaves::new(60.0, 3)?;
    /// for _ in 0..10_000 {
    ///     blend.consolidate(&octaves, |one, other| one + other);
    ///     blend.remember(1, 0.01);
    ///     blend.advance(100.0, None);
    /// }
    /// let all: u32 = blend.iter().map(|held| held.item).sum();
    /// assert_eq!(all, 10_000);
    /// assert!(blend.count() <= octaves.bound(1e6) + 1);
    /// # Ok::<(), becomingone_kernel::ConfigError>(())
    /// ```
    pub fn consolidate(
        &mut self,
        octaves: &AgeOctaves,
        mut merge: impl FnMut(&T, &T) -> T,
    ) -> usize {
        let mut merges = 0;
        let mut from = 0;
        // Merging makes no item younger, so a finished octave stays finished.
        while let Some(octave) = self.next_octave(octaves, from) {
            while let Some((strong, weak)) = self.two_weakest(octaves, octave) {
                self.merge(strong, weak, &mut merge);
                merges += 1;
            }
            from = octave + 1;
        }
        merges
    }

    /// The octave of the item in a place.
    fn octave(&self, octaves: &AgeOctaves, slot: usize) -> Option<u32> {
        Some(octaves.octave_of(self.age_s(slot)?))
    }

    /// The first octave from this one on that has items.
    fn next_octave(&self, octaves: &AgeOctaves, from: u32) -> Option<u32> {
        let all = (0..CAP).filter_map(|slot| self.octave(octaves, slot));
        all.filter(|&octave| octave >= from).min()
    }

    /// The places of the two weakest of an octave that has too many, the stronger first.
    fn two_weakest(&self, octaves: &AgeOctaves, octave: u32) -> Option<(usize, usize)> {
        let mut count = 0;
        // Strength and serial number: of equals, the younger is the weaker.
        let mut weakest = [(0, R::infinity(), 0); 2];
        for held in self.iter() {
            if self.octave(octaves, held.slot) != Some(octave) {
                continue;
            }
            count += 1;
            let weaker = |than: &(usize, R, u64)| {
                held.strength < than.1 || (held.strength == than.1 && held.serial > than.2)
            };
            let found = (held.slot, held.strength, held.serial);
            if weaker(&weakest[0]) {
                weakest = [found, weakest[0]];
            } else if weaker(&weakest[1]) {
                weakest[1] = found;
            }
        }
        (count > octaves.items).then_some((weakest[1].0, weakest[0].0))
    }

    fn merge(&mut self, strong: usize, weak: usize, merge: &mut impl FnMut(&T, &T) -> T) {
        let (Some(a), Some(b)) = (self.get(strong), self.get(weak)) else {
            return;
        };
        let one = R::one();
        let strength = one - (one - a.strength) * (one - b.strength);
        let item = merge(a.item, b.item);
        // Rounding must not make the merged item weaker than before.
        let (serial, strength) = (a.serial, strength.max(a.strength).min(one));
        let born_s = [strong, weak]
            .into_iter()
            .filter_map(|slot| Some(self.kept.get(slot)?.as_ref()?.born_s))
            .fold(f64::MAX, f64::min);
        let faded = self.faded;
        if let Some(place) = self.kept.get_mut(strong) {
            *place = Some(Kept {
                serial,
                strength,
                faded,
                born_s,
                item,
            });
        }
        if let Some(place) = self.kept.get_mut(weak) {
            *place = None;
        }
    }
}
