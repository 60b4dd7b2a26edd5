//! Seeded random inputs.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A splitmix generator (Steele, Lea, Flood 2014), so that a case is its number.
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Any byte, or, as often, one of these.
    fn byte(&mut self, likely: &[u8]) -> u8 {
        match self.below(2) {
            0 if !likely.is_empty() => likely[self.below(likely.len())],
            _ => self.next() as u8,
        }
    }
}

/// Number of inputs of each parser: `BECOMINGONE_FUZZ_CASES`, 100 000 by default.
pub fn cases() -> u64 {
    let cases = std::env::var("BECOMINGONE_FUZZ_CASES");
    cases.map_or(100_000, |cases| cases.parse().unwrap())
}

/// Checks an input of each case; a panic names the case and its input. Returns the number of cases.
pub fn fuzz(
    name: &str,
    input: impl Fn(&mut Random) -> Vec<u8>,
    mut check: impl FnMut(&[u8], &mut Random),
) -> u64 {
    let cases = cases();
    for case in 0..cases {
        let mut random = Random(case);
        let bytes = input(&mut random);
        let done = catch_unwind(AssertUnwindSafe(|| check(&bytes, &mut random)));
        assert!(
            done.is_ok(),
            "{name}: case {case}: {}",
            bytes.escape_ascii()
        );
    }
    cases
}

/// Up to so many good texts, one after the other or with random bytes between them, changed here and there: cut, with a
/// byte replaced or inserted, a bit flipped, or a long run of one byte, as of brackets. Some bytes mean something to a
/// parser: these come often.
pub fn mutated(
    random: &mut Random,
    most: usize,
    seeds: &[impl AsRef<[u8]>],
    likely: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(most) {
        match random.below(5) {
            0 => bytes.extend((0..random.below(60)).map(|_| random.byte(likely))),
            _ => bytes.extend_from_slice(seeds[random.below(seeds.len())].as_ref()),
        }
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = random.byte(likely),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            3 => {
                let run = std::iter::repeat_n(random.byte(likely), 1 << random.below(10));
                bytes.splice(at..at, run).for_each(drop);
            }
            _ => bytes.insert(at, random.byte(likely)),
        }
    }
    bytes
}
