//! Folders of pictures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    dead_code,
    reason = "a test fails by panicking, bounds its waits by the wall clock, and prints why it is skipped"
)]

mod peers;
mod rig;

use becomingone_components::link::LinkState;
use peers::grey;
use rig::{Rig, open};
use std::fs;
use std::path::Path;
use std::process::Command;

fn source(folder: &Path, options: &str) -> String {
    format!("(folder: {folder:?}, rate_hz: 50, {options})")
}

fn levels(rig: &Rig) -> Vec<i64> {
    let all = rig.readings("eye").iter();
    all.map(|p| (p.luminance * 255.0).round() as i64).collect()
}

#[test]
fn luminance_and_motion_energy_are_those_of_pillow_and_numpy() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        return eprintln!("skipped: BECOMINGONE_PYTHON is not set");
    };
    let here = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/pictures.py");
    let done = Command::new(python)
        .arg(script)
        .arg(here.path())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let expected: Vec<[f64; 2]> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let numbers = line.trim_matches(['[', ']']).split(", ");
            let numbers = numbers.map(|n| n.parse().unwrap_or(f64::NAN));
            numbers.collect::<Vec<f64>>().try_into().unwrap()
        })
        .collect();
    let mut rig = open(&source(here.path(), ""));
    let all = rig.next("eye", expected.len());
    for (picture, [luminance, energy]) in all.iter().zip(&expected) {
        // Decoders differ in the last bit.
        let off = (picture.luminance - luminance).abs();
        assert!(off < 0.002, "{} {luminance}", picture.luminance);
        let off = (picture.motion_energy / energy - 1.0).abs();
        assert!(
            off < 0.02 || energy.is_nan(),
            "{} {energy}",
            picture.motion_energy
        );
        assert!(
            picture.jpeg.starts_with(b"\xFF\xD8"),
            "PNG is encoded as JPEG"
        );
    }
    let [first, second] = [&all[0], &all[1]].map(|p| p.motion_energy.is_nan());
    assert!(first && !second);
    assert_eq!(rig.link("eye").counts.garbage, 0);
}

#[test]
fn corrupt_files_are_counted_and_new_pictures_found() {
    let here = tempfile::tempdir().unwrap();
    let mut rig = open(&source(&here.path().join("later"), ""));
    rig.until("no folder", |rig| rig.link("eye").state == LinkState::Down);
    let folder = here.path().join("later");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "no picture").unwrap();
    rig.until("an empty folder", |rig| {
        rig.link("eye").state == LinkState::Down
    });
    let put = |name: &str, bytes: &[u8]| {
        // As a whole.
        fs::write(here.path().join("new"), bytes).unwrap();
        fs::rename(here.path().join("new"), folder.join(name)).unwrap();
    };
    put("b.jpg", &grey(32));
    rig.until("a picture", |rig| rig.readings("eye").len() == 1);
    assert_eq!(rig.link("eye").state, LinkState::Up);
    put("c.jpg", b"garbage");
    put("d.jpg", &grey(64)[..200]);
    fs::create_dir(folder.join("e.jpg")).unwrap();
    put("f.png", b"\x89PNG and no more");
    put("g.JPEG", &grey(96));
    rig.until("the next good one", |rig| levels(rig).last() == Some(&96));
    assert_eq!(rig.link("eye").counts.garbage, 4);
    // Before the last one: it is not looked for.
    put("a.jpg", &grey(8));
    // One that is still written is taken once it is whole.
    let whole = grey(128);
    fs::write(folder.join("h.jpg"), &whole[..whole.len() / 2]).unwrap();
    let begun = std::time::Instant::now();
    rig.until("a look at the half of it", |_| {
        begun.elapsed().as_millis() > 25
    });
    fs::write(folder.join("h.jpg"), &whole).unwrap();
    put("i.jpg", &grey(160));
    rig.until("the last one", |rig| levels(rig).last() == Some(&160));
    let all = levels(&rig);
    assert!(all == [32, 96, 128, 160] || all == [32, 96, 160], "{all:?}");
    assert!(!all.contains(&8));
}

#[test]
fn a_folder_of_broken_files_alone_is_down_and_one_with_a_picture_is_up() {
    let here = tempfile::tempdir().unwrap();
    for k in 0..20 {
        fs::write(here.path().join(format!("{k:02}.jpg")), "garbage").unwrap();
    }
    let mut rig = open(&source(here.path(), "loop: true"));
    let mut was_up = false;
    rig.until("broken files", |rig| {
        was_up |= rig.link("eye").state == LinkState::Up;
        rig.link("eye").counts.garbage > 25
    });
    assert!(!was_up, "no picture has come");
    assert_eq!(rig.link("eye").state, LinkState::Down);
    fs::write(here.path().join("new"), grey(32)).unwrap();
    fs::rename(here.path().join("new"), here.path().join("99.jpg")).unwrap();
    rig.until("a picture", |rig| rig.link("eye").state == LinkState::Up);
    fs::remove_file(here.path().join("99.jpg")).unwrap();
    rig.until("broken files again", |rig| {
        rig.link("eye").state == LinkState::Down
    });
}

#[test]
fn a_loop_begins_again_and_takes_what_is_new() {
    let here = tempfile::tempdir().unwrap();
    for (name, level) in [("2.jpg", 64), ("1.jpg", 32), ("3.jpg", 96)] {
        fs::write(here.path().join(name), grey(level)).unwrap();
    }
    let mut rig = open(&source(here.path(), "loop: true"));
    rig.next("eye", 7);
    assert_eq!(levels(&rig)[..7], [32, 64, 96, 32, 64, 96, 32]);
    fs::write(here.path().join("0.jpg"), grey(8)).unwrap();
    fs::remove_file(here.path().join("2.jpg")).unwrap();
    rig.next("eye", 10);
    let all = levels(&rig);
    assert!(
        all.ends_with(&[8, 32, 96]) || all.windows(4).any(|w| w == [8, 32, 96, 8]),
        "{all:?}"
    );
    assert_eq!(rig.link("eye").counts.garbage, 0);
    for name in ["0.jpg", "1.jpg", "3.jpg"] {
        fs::remove_file(here.path().join(name)).unwrap();
    }
    rig.until("an empty folder", |rig| {
        rig.link("eye").state == LinkState::Down
    });
}

/// Those of the sample scene: 4 pixels to the right and 3 up.
#[test]
fn the_sample_pictures_have_the_flow_that_they_were_made_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/pictures");
    let mut rig = open(&source(&folder, "loop: true"));
    for picture in &rig.next("eye", 49)[1..] {
        assert!((picture.flow_px - 5.0).abs() < 0.1, "{}", picture.flow_px);
        let off = picture.flow_phase_rad - 3f64.atan2(4.0);
        assert!(off.abs() < 1f64.to_radians(), "{off} rad");
    }
}
