//! Seeded mutator of valid files, to fuzz a reader: bits flipped, pieces removed, repeated, swapped or overwritten with
//! extreme numbers, and the end cut off.
//!
//! A test does `mod mutate;` and `mutate::fuzz("name.csv", &seeds, |file| read(file))`. The number of inputs is
//! `BECOMINGONE_FUZZ_CASES` (20 000 by default; `cargo xtask soak` sets a million); a panic names the case, and
//! `BECOMINGONE_FUZZ_FIRST` starts there.

use becomingone_rig::Random;
use std::path::Path;

/// Number of inputs of each reader.
pub(crate) const CASES: u64 = 20_000;

/// Numbers that break length checks.
const EXTREMES: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// The `case`-th mutation of a file.
pub(crate) fn mutate(seed: &[u8], case: u64) -> Vec<u8> {
    let mut random = Random(case);
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let long = random.below(64).min(bytes.len().saturating_sub(at));
        match random.below(8) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
            3 => {
                let extreme = EXTREMES[random.below(EXTREMES.len())].to_le_bytes();
                let wide = [1, 2, 4, 8][random.below(4)];
                for (to, from) in bytes.iter_mut().skip(at).zip(&extreme[..wide]) {
                    *to = *from;
                }
            }
            4 => drop(bytes.drain(at..at + long)),
            5 => {
                let piece = bytes[at..at + long].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let other = random.below(bytes.len());
                if !bytes.is_empty() {
                    bytes.swap(at, other);
                }
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Reads mutations of valid files, each from a file of this name; a panic of the reader names the case.
pub(crate) fn fuzz(name: &str, seeds: &[Vec<u8>], read: impl Fn(&Path)) {
    // In memory where there is such a folder: a disk takes longer than the readers.
    let memory = Path::new("/dev/shm");
    let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let file = folder.path().join(name);
    let number = |key: &str| std::env::var(key).ok().and_then(|text| text.parse().ok());
    let cases: u64 = number("BECOMINGONE_FUZZ_CASES").unwrap_or(CASES);
    let first: u64 = number("BECOMINGONE_FUZZ_FIRST").unwrap_or(0);
    for case in first..first.saturating_add(cases) {
        let Some(seed) = seeds.get((case % seeds.len().max(1) as u64) as usize) else {
            return;
        };
        std::fs::write(&file, mutate(seed, case)).unwrap();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&file)));
        assert!(
            done.is_ok(),
            "{name}: panic at case {case}; BECOMINGONE_FUZZ_FIRST={case} repeats it"
        );
    }
}
