//! Random numbers: one generator per entity, seeded by the run's seed and the entity's stable name, so that adding an
//! entity changes no other entity's numbers.

use bevy_ecs::prelude::*;
use rand_core::{Rng as _, SeedableRng};
use rand_pcg::Pcg64Mcg;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The seed of the run.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSeed(pub u64);

/// A seeded generator that one entity owns.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Rng {
    source: Pcg64Mcg,
    /// The second normal number of a pair.
    spare: Option<f64>,
}

impl Rng {
    /// Creates the generator of the entity with this stable name, as `rover/imu`.
    pub fn for_name(seed: RunSeed, name: &str) -> Self {
        let hash = xxh3_128_with_seed(name.as_bytes(), seed.0);
        Self {
            source: Pcg64Mcg::from_seed(hash.to_le_bytes()),
            spare: None,
        }
    }

    /// A number from the normal distribution with mean 0 and deviation 1.
    ///
    /// Marsaglia's polar method (SIAM Review 6(3), 1964) on libm's logarithm: the same bits on every machine, which
    /// the usual crates do not guarantee.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (self.symmetric(), self.symmetric());
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let scale = (-2.0 * libm::log(s) / s).sqrt();
                self.spare = Some(v * scale);
                return u * scale;
            }
        }
    }

    /// A uniform number from -1 to 1, with 53 bits.
    pub fn symmetric(&mut self) -> f64 {
        2.0 * self.share() - 1.0
    }

    /// A uniform number from 0 to below 1, with 53 bits.
    pub fn share(&mut self) -> f64 {
        (self.source.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_seed_decide_the_numbers() {
        let draw = |seed, name| Rng::for_name(RunSeed(seed), name).normal().to_bits();
        assert_eq!(draw(1, "rover/imu"), draw(1, "rover/imu"));
        assert_ne!(draw(1, "rover/imu"), draw(2, "rover/imu"));
        assert_ne!(draw(1, "rover/imu"), draw(1, "rover/lidar"));
    }

    #[test]
    fn normal_numbers_are_normal() {
        let mut rng = Rng::for_name(RunSeed(7), "x");
        let n = 100_000;
        let xs: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = xs.iter().sum::<f64>() / f64::from(n);
        let var = xs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(n);
        // Five standard errors of each.
        assert!(mean.abs() < 5.0 / f64::from(n).sqrt());
        assert!((var - 1.0).abs() < 5.0 * (2.0 / f64::from(n)).sqrt());
    }
}
