//! The judge of `cargo xtask detection`: its figures against closed forms and scikit-learn, and one small set.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{binary, folder, root, say};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A Python with scikit-learn.
fn python() -> Option<PathBuf> {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON").map(PathBuf::from) else {
        say("skipped: BECOMINGONE_PYTHON is not set");
        return None;
    };
    let mut import = Command::new(&python);
    import
        .args(["-c", "import sklearn, scipy, pandas"])
        .stderr(Stdio::null());
    if !import.status().is_ok_and(|status| status.success()) {
        say("skipped: BECOMINGONE_PYTHON has no scikit-learn; cargo xtask peers installs it");
        return None;
    }
    Some(python)
}

/// Lists of numbers in which `d` is the script.
fn evaluate(python: &Path, lists: &[&str]) -> Vec<Vec<f64>> {
    let code = format!(
        "import json, sys; sys.dont_write_bytecode = True; sys.path.insert(0, 'tests/peers')\n\
         import detection as d, numpy as np\n\
         from sklearn.metrics import roc_auc_score, average_precision_score\n\
         r = np.random.default_rng(0); y = r.integers(0, 2, 500); s = r.integers(0, 9, 500) + y\n\
         judged = d.summarise([d.judge([0, 0, 1, 1, 1, 0, 0, 1, 0, 0], [0] * 10, [1, 1, 0, 1, 0, 0, 0, 0, 0, 0])])\n\
         print(json.dumps([[float(x) for x in numbers] for numbers in [{}]]))",
        lists.join(", ")
    );
    let mut command = Command::new(python);
    let ran = command.args(["-c", &code]).current_dir(root()).output();
    let ran = ran.unwrap();
    let error = String::from_utf8_lossy(&ran.stderr);
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {error}"))
}

#[test]
fn figures_of_the_judge_are_the_closed_forms() {
    let Some(python) = python() else { return };
    let (third, root) = (100.0 / 3.0, |x: f64, n: f64| x.powf(1.0 / n));
    let cases: [(&str, &[f64]); 7] = [
        // Of four pairs of a faulty and a healthy row, three are ranked right; equal scores count half.
        (
            "[d.auc([0, 1, 0, 1], [1, 2, 3, 4]), d.auc([0, 1, 1], [1, 1, 2])]",
            &[0.75, 0.75],
        ),
        // The precision is 1 at the recall 1/2, and 2/3 at 1.
        (
            "[d.average_precision([0, 1, 0, 1], [1, 2, 3, 4])]",
            &[5.0 / 6.0],
        ),
        (
            "[d.auc(y, s) - roc_auc_score(y, s), d.average_precision(y, s) - average_precision_score(y, s)]",
            &[0.0, 0.0],
        ),
        // Two of six healthy rows flagged, three of four faulty ones missed; one of two events, after one row.
        (
            "[judged[k] for k in ('auc', 'far', 'mar', 'balanced', 'found', 'events', 'delay')]",
            &[0.5, third, 75.0, 62.5 - third / 2.0, 1.0, 2.0, 1.0],
        ),
        // The tails of a binomial law are powers where none or all, or all but one, have it.
        (
            "d.binomial_interval(0, 40)",
            &[0.0, 1.0 - root(0.025, 40.0)],
        ),
        ("d.binomial_interval(9, 9)", &[root(0.025, 9.0), 1.0]),
        (
            "[d.binomial_interval(1, 40)[0], d.binomial_interval(39, 40)[1]]",
            &[1.0 - root(0.975, 40.0), root(0.975, 40.0)],
        ),
    ];
    let found = evaluate(&python, &cases.map(|(list, _)| list));
    for ((list, expected), found) in cases.iter().zip(&found) {
        assert_eq!(found.len(), expected.len(), "{list}");
        for (a, b) in found.iter().zip(*expected) {
            assert!((a - b).abs() < 1e-9, "{list}: {found:?} {expected:?}");
        }
    }
    assert_eq!(found.len(), cases.len());
}

/// Two sensors of one level; from row 500 on, one of them is 30 deviations off.
fn small_set() -> tempfile::TempDir {
    let mut csv = String::from("stamp,a,b,label\n");
    let mut state = 1_u64;
    let mut noise = || {
        let mut sum = -6.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            sum += (state >> 40) as f64 / (1 << 24) as f64;
        }
        sum
    };
    for row in 0..600 {
        let (level, fault) = (noise(), f64::from(u8::from(row >= 500)));
        let (a, b) = (level + 0.3 * noise(), level + 0.3 * noise() + 30.0 * fault);
        csv += &format!("{row},{a},{b},{fault}\n");
    }
    let index =
        r#"{"files": [{"file": "one.csv.gz", "set": "one", "kind": "fault", "baseline": 300}]}"#;
    let here = folder(&[("one.csv", &csv)]);
    std::fs::create_dir(here.path().join("detection")).unwrap();
    std::fs::write(here.path().join("detection/index.json"), index).unwrap();
    here
}

#[test]
fn every_method_finds_a_fault_of_thirty_deviations() {
    let Some(python) = python() else { return };
    let here = small_set();
    let code =
        "import gzip; gzip.open('detection/one.csv.gz', 'wb').write(open('one.csv', 'rb').read())";
    let mut pack = Command::new(&python);
    let packed = pack.args(["-c", code]).current_dir(here.path()).status();
    assert!(packed.unwrap().success());
    let ran = Command::new(&python)
        .arg(root().join("tests/peers/detection.py"))
        .args([binary(), here.path()])
        .args(["--parts", "sets", "--json", "figures.json"])
        .current_dir(here.path())
        .output()
        .unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{error}");
    let figures = std::fs::read_to_string(here.path().join("figures.json")).unwrap();
    let figures: Value = serde_json::from_str(&figures).unwrap();
    let rows = figures["sets"].as_array().unwrap();
    assert_eq!(rows.len(), 6, "{out}");
    for row in rows {
        let method = row["method"].as_str().unwrap();
        let at_least = |key: &str, least: f64| {
            let found = row[key].as_f64().unwrap();
            assert!(found >= least, "{method}: {key} {found}");
        };
        at_least("auc", 0.99);
        at_least(
            "balanced",
            if method == "isolation forest" {
                70.0
            } else {
                90.0
            },
        );
        assert_eq!((&row["found"], &row["events"]), (&1.into(), &1.into()));
        assert!(out.contains(&format!("| one | {method} |")), "{out}");
    }
}
