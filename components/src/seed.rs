//! Random numbers: one generator an entity, seeded by the run's seed and the entity's stable name,
//! so that adding an entity changes no other entity's numbers.

use bevy_ecs::prelude::*;
use rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The seed of the run.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSeed(pub u64);

/// A seeded generator that one entity owns.
#[derive(Component, Clone, Debug)]
pub struct Rng(Pcg64Mcg);

impl Rng {
    /// For the entity with this stable name, say `rover/imu`.
    pub fn for_name(seed: RunSeed, name: &str) -> Self {
        Self(Pcg64Mcg::from_seed(
            xxh3_128_with_seed(name.as_bytes(), seed.0).to_le_bytes(),
        ))
    }

    /// A number from the normal distribution with mean 0 and deviation 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
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
