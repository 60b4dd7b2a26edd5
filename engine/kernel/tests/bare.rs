//! The kernel needs no std: a program without std and without main, linked with it and nothing else, builds for
//! this machine and runs. A dependency that pulls std in would define a second panic handler (E0152).

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::path::Path;
use std::process::Command;

#[test]
fn a_program_without_std_links_and_its_checks_hold() {
    let bare = Path::new(env!("CARGO_MANIFEST_DIR")).join("bare");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--offline",
            "--locked",
            "--manifest-path",
        ])
        .arg(bare.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // The flags of this test's own build are not those of a program without main.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output();
    let built = built.unwrap_or_else(|error| panic!("cargo does not start: {error}"));
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    // Its exit code is the number of the first check that fails.
    let ran = Command::new(target.join("release/bare")).status();
    assert_eq!(ran.ok().and_then(|status| status.code()), Some(0));
}
