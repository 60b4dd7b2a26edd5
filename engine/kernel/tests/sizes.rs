//! State sizes in bytes, as documented in the README.

use becomingone_kernel::{Bins, Pair, PhaseVelocity, Pyramid, SelfModel, Synchrony, Trainer};

/// Phase velocity, Emissary and Master as a pair, and synchrony of `N` channels at the default lags.
const fn order<R, const N: usize>() -> usize {
    size_of::<PhaseVelocity<R, N>>() + size_of::<Pair<R, N, 3, 5>>() + size_of::<Synchrony<R>>()
}

#[test]
fn the_micro_controller_profile_is_under_two_kilobytes() {
    // On a 32-bit machine it is a little less: lags are usize.
    assert!(order::<f32, 4>() < 2048, "{}", order::<f32, 4>());
}

#[test]
#[cfg(target_pointer_width = "64")]
fn state_bytes_are_those_of_the_readme() {
    let found = [
        [order::<f32, 4>(), order::<f64, 4>()],
        [order::<f32, 8>(), order::<f64, 8>()],
        [order::<f32, 16>(), order::<f64, 16>()],
        [
            size_of::<Trainer<f32, 4, 0>>(),
            size_of::<Trainer<f64, 4, 0>>(),
        ],
        [
            size_of::<Trainer<f32, 8, 3>>(),
            size_of::<Trainer<f64, 8, 3>>(),
        ],
        [
            size_of::<Trainer<f32, 16, 12>>(),
            size_of::<Trainer<f64, 16, 12>>(),
        ],
        [
            size_of::<SelfModel<f32, 4, 0>>(),
            size_of::<SelfModel<f64, 4, 0>>(),
        ],
        [
            size_of::<SelfModel<f32, 8, 3>>(),
            size_of::<SelfModel<f64, 8, 3>>(),
        ],
        [
            size_of::<SelfModel<f32, 16, 12>>(),
            size_of::<SelfModel<f64, 16, 12>>(),
        ],
        [size_of::<Bins<f32, 8>>(), size_of::<Bins<f64, 8>>()],
        [
            size_of::<Pyramid<f32, 8, 8, 30>>(),
            size_of::<Pyramid<f64, 8, 8, 30>>(),
        ],
    ];
    let of_readme = [
        [816, 1512],
        [1248, 2376],
        [2112, 4104],
        [3280, 6272],
        [13432, 26504],
        [66632, 132792],
        [1424, 2584],
        [3096, 5856],
        [9048, 17648],
        [480, 704],
        [56160, 112296],
    ];
    assert_eq!(found, of_readme, "change the README's table, too");
}
