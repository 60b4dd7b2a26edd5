//! The kernel needs no std: a program without std and without main links with it, and runs.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use becomingone_kernel::{PhaseVelocity, Synchrony, Transducer};

type Checked = Result<(), Box<dyn Error>>;

#[test]
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn a_program_without_std_links_and_runs() -> Checked {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bare");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--offline", "--quiet"])
        .arg("--manifest-path")
        .arg(here.join("bare/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .output()?;
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let ended = Command::new(target.join("release/bare")).status()?;
    // The number of the first check that failed, or 0.
    assert_eq!(ended.code(), Some(0));
    Ok(())
}

#[test]
fn a_micro_controller_needs_less_than_two_kilobytes() {
    // f32, four channels, one pair of transducers, no pyramid.
    type Pair = (
        PhaseVelocity<f32, 4>,
        [Transducer<f32, 4, 3, 5>; 2],
        Synchrony<f32>,
    );
    assert!(size_of::<Pair>() < 2048, "{}", size_of::<Pair>());
}
