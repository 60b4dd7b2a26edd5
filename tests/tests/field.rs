//! Cases of public bug reports, each with an executable check of its own, below the folder `BECOMINGONE_TEST_DATA`.
#![cfg(unix)]

use becomingone_tests::{binary, finish, say};
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longest that all checks may take; each has a minute.
const ALL: Duration = Duration::from_secs(600);

#[test]
fn every_case_of_the_field_is_right() {
    let Some(folder) = env::var_os("BECOMINGONE_TEST_DATA").map(|f| Path::new(&f).join("field"))
    else {
        say("skipped: cases of the field, as BECOMINGONE_TEST_DATA is not set");
        return;
    };
    let run_all = folder.join("run_all");
    let ran = finish(Command::new(run_all).arg(binary()).arg(&folder), ALL);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}
