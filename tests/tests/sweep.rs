//! `sweep` of the built binary: rows and hashes, resumption, shards, failed runs, plans on other machines, error messages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds a wait by the wall clock"
)]

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array as _, RecordBatch};
use becomingone_tests::{binary, finish, folder, run, say, signal, summary, until};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

type Rows = Vec<Map<String, Value>>;

const SPEED: &str = "agents.rover.controller.speed_m_s";

/// Rover on a patrol, with a model and an overlay beside it.
const PATROL: &str = "(version: 1, name: \"patrol\", seed: 1, agents: [(
    name: \"rover\", model: \"mine.urdf\", drive: Auto,
    sensors: [(name: \"imu\", kind: Imu(gyro: (white_sd: 0.01)), rate_hz: 100)],
    controller: Patrol(waypoints_m: [(4, 0), (4, 3)], laps: None, speed_m_s: 1.0, localisation: Truth),
)])";

const OVERLAY: &str = "agents:\n  - name: rover\n    controller: {tolerance_m: 0.2}\n";

fn batches(file: &Path) -> Vec<RecordBatch> {
    let opened = File::open(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap();
    builder.build().unwrap().map(Result::unwrap).collect()
}

fn cell(batch: &RecordBatch, column: usize, row: usize) -> Value {
    let array = batch.column(column);
    if array.is_null(row) {
        return Value::Null;
    }
    if let Some(counts) = array.as_primitive_opt::<UInt64Type>() {
        return json!(counts.value(row));
    }
    if let Some(numbers) = array.as_primitive_opt::<Float64Type>() {
        return json!(numbers.value(row));
    }
    if let Some(flags) = array.as_boolean_opt() {
        return json!(flags.value(row));
    }
    json!(array.as_string::<i32>().value(row))
}

fn rows(file: &Path) -> Rows {
    let mut rows = Rows::new();
    for batch in batches(file) {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let cells = schema.fields().iter().enumerate();
            rows.push(
                cells
                    .map(|(k, field)| (field.name().clone(), cell(&batch, k, row)))
                    .collect(),
            );
        }
    }
    rows
}

/// Rows but for their wall time.
fn timeless(file: &Path) -> Rows {
    let mut rows = rows(file);
    for row in &mut rows {
        assert!(row.remove("wall_s").is_some());
    }
    rows
}

/// Runs a sweep to its success.
fn sweep(here: &Path, args: &[&str]) -> String {
    let ran = run(here, &[&["sweep"], args].concat());
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    ran.stdout
}

/// Error of a sweep that is refused.
fn refused(here: &Path, args: &[&str]) -> String {
    let ran = run(here, &[&["sweep"], args].concat());
    assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
    ran.stderr
}

/// Parts of a sweep, with the times of their last change.
fn parts(out: &Path) -> BTreeMap<String, SystemTime> {
    let folder = out.with_extension("parquet.parts");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    let entries = entries.map(Result::unwrap);
    let named = entries.map(|e| (e.file_name().into_string().unwrap(), e.metadata()));
    named
        .filter(|(name, _)| name.starts_with("part-"))
        .map(|(name, data)| (name, data.unwrap().modified().unwrap()))
        .collect()
}

fn start(here: &Path, args: &[&str]) -> std::process::Child {
    let mut command = Command::new(binary());
    command.arg("sweep").args(args).current_dir(here);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn rows_have_the_values_and_hashes_of_run() {
    let here = folder(&[]);
    let vary = format!("{SPEED}=0.5,1.0");
    let table = sweep(
        here.path(),
        &[
            "robot",
            "--seeds",
            "0..40",
            "--vary",
            &vary,
            "--duration",
            "500ms",
            "--out",
            "r.parquet",
        ],
    );
    assert!(table.contains("80 runs, 0 failed"), "{table}");
    assert!(table.contains(&format!("{SPEED} = 0.5")), "{table}");
    let file = here.path().join("r.parquet");
    let rows = rows(&file);
    assert_eq!(rows.len(), 80);
    for (k, row) in rows.iter().enumerate() {
        assert_eq!(row["run"], k);
        assert_eq!(row["seed"], k % 40);
        assert_eq!(row[SPEED], if k < 40 { 0.5 } else { 1.0 });
        assert_eq!(row["error"], Value::Null);
    }
    for k in [0, 7, 39, 40, 79] {
        let (seed, set) = ((k % 40).to_string(), format!("{SPEED}={}", rows[k][SPEED]));
        let alone = summary(&[
            "robot",
            "--seed",
            &seed,
            "--set",
            &set,
            "--duration",
            "500ms",
        ]);
        for name in ["scene_hash", "state_hash", "ticks", "sim_s", "seed"] {
            assert_eq!(rows[k][name], alone[name], "{k} {name}");
        }
        let agent = &alone["agents"][0];
        assert_eq!(rows[k]["rover.distance_m"], agent["distance_m"]);
        assert_eq!(rows[k]["rover.kernel.order"], agent["kernel"]["order"]);
        assert_eq!(rows[k]["rover.position.y"], agent["position"][1]);
        assert_eq!(
            rows[k]["rover.kernel.witness.alarmed"],
            agent["kernel"]["witness"]["alarmed"]
        );
        assert_eq!(
            rows[k]["rover.sensors.imu.readings"],
            agent["sensors"][0]["readings"]
        );
    }
    let names: Vec<&String> = rows[0].keys().collect();
    assert!(names.len() > 50, "{names:?}");
    other_readers(here.path());
}

/// The same file in pyarrow, where Python has it, and in `analyze`.
fn other_readers(here: &Path) {
    let ran = run(
        here,
        &[
            "analyze",
            "r.parquet",
            "--time",
            "run",
            "--baseline",
            "64",
            "--out",
            "s.csv",
        ],
    );
    assert!(ran.code == Some(0), "{}", ran.stderr);
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        say("skipped: a sweep in pyarrow, as BECOMINGONE_PYTHON is not set");
        return;
    };
    let text = "import pyarrow.parquet as p; t = p.read_table('r.parquet'); \
        print(t.num_rows, t.schema.names[0], t.schema.names[-1], t.schema.field('seed').type, \
        t.schema.field('rover.distance_m').type, t.schema.field('state_hash').type)";
    let mut command = Command::new(&python);
    command.args(["-c", text]).current_dir(here);
    let ran = finish(&mut command, Duration::from_secs(20));
    if ran.stderr.contains("No module named 'pyarrow'") {
        say("skipped: a sweep in pyarrow, which BECOMINGONE_PYTHON does not have");
        return;
    }
    assert_eq!(
        ran.stdout.trim(),
        "80 run wall_s uint64 double string",
        "{}",
        ran.stderr
    );
}

#[test]
fn a_killed_sweep_does_what_is_missing_alone() {
    let here = folder(&[]);
    let args = [
        "robot",
        "--seeds",
        "0..24",
        "--duration",
        "2s",
        "--chunk-runs",
        "3",
        "--quiet",
    ];
    let of = |out| [&args[..], &["--out", out]].concat();
    let (killed, whole) = (here.path().join("k.parquet"), here.path().join("w.parquet"));
    let mut child = start(here.path(), &of("k.parquet"));
    until(Duration::from_secs(30), "two parts", || {
        parts(&killed).len() >= 2
    });
    signal("KILL", child.id());
    child.wait().unwrap();
    let before = parts(&killed);
    assert!((2..8).contains(&before.len()), "{before:?}");
    assert!(!killed.exists());
    let list = sweep(
        here.path(),
        &["--plan", "k.parquet.parts/plan.json", "--list"],
    );
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["chunks"], 8);
    assert_eq!(list["missing"].as_array().unwrap().len(), 8 - before.len());
    sweep(here.path(), &of("k.parquet"));
    let after = parts(&killed);
    assert_eq!(after.len(), 8);
    for (name, changed) in &before {
        assert_eq!(after[name], *changed, "{name} was done again");
    }
    sweep(here.path(), &of("w.parquet"));
    assert_eq!(timeless(&killed), timeless(&whole));
}

#[test]
fn shards_are_one_sweep_and_its_parts_have_one_schema() {
    let here = folder(&[]);
    let args = [
        "arm_wave",
        "robot",
        "--seeds",
        "3,1,4,15",
        "--duration",
        "100ms",
        "--chunk-runs",
        "1",
    ];
    for shard in ["2/3", "3/3", "1/3"] {
        let text = sweep(
            here.path(),
            &[&args[..], &["--out", "s.parquet", "--shard", shard]].concat(),
        );
        assert_eq!(text.contains("written to"), shard == "1/3", "{text}");
    }
    sweep(
        here.path(),
        &[&args[..], &["--out", "w.parquet", "--threads", "1"]].concat(),
    );
    let [shards, whole] = ["s.parquet", "w.parquet"].map(|name| here.path().join(name));
    assert_eq!(timeless(&shards), timeless(&whole));
    let schema = batches(&whole)[0].schema();
    let names = parts(&shards);
    assert_eq!(names.len(), 8);
    for name in names.keys() {
        let part = here.path().join("s.parquet.parts").join(name);
        assert_eq!(batches(&part)[0].schema(), schema, "{name}");
    }
    // Agents of one scene are empty in the other.
    let rows = rows(&whole);
    assert_eq!(rows[0]["scene"], "arm_wave");
    assert_eq!((&rows[0]["seed"], &rows[1]["seed"]), (&json!(3), &json!(1)));
    assert_eq!(rows[0]["rover.distance_m"], Value::Null);
    assert!(rows[4]["rover.distance_m"].is_f64());
    assert_eq!(rows[4]["arm.distance_m"], Value::Null);
}

#[test]
fn another_sweep_in_the_same_place_is_refused_and_says_what_differs() {
    let here = folder(&[("scene.ron", &PATROL.replace("mine.urdf", "rover.urdf"))]);
    let args = [
        "scene.ron",
        "--seeds",
        "0..2",
        "--duration",
        "50ms",
        "--out",
        "r.parquet",
    ];
    sweep(here.path(), &args);
    let first = std::fs::read(here.path().join("r.parquet")).unwrap();
    let error = refused(
        here.path(),
        &[
            "scene.ron",
            "--seeds",
            "0..3",
            "--duration",
            "60ms",
            "--out",
            "r.parquet",
        ],
    );
    for part in [
        "seeds: found 0..2, not 0..3",
        "--duration: found 50ms, not 60ms",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let faster = PATROL
        .replace("mine.urdf", "rover.urdf")
        .replace("1.0", "0.7");
    std::fs::write(here.path().join("scene.ron"), faster).unwrap();
    let error = refused(here.path(), &args);
    assert!(error.contains("scene.ron: was changed since"), "{error}");
    assert_eq!(std::fs::read(here.path().join("r.parquet")).unwrap(), first);
    // A table without its plan is not overwritten.
    std::fs::remove_dir_all(here.path().join("r.parquet.parts")).unwrap();
    let error = refused(here.path(), &args);
    assert!(error.contains("expected another name"), "{error}");
}

#[test]
fn runs_that_fail_are_rows_and_the_others_go_on() {
    let here = folder(&[]);
    let vary = format!("{SPEED}=0.5,-1.0,0.7");
    let args = [
        "robot",
        "--seeds",
        "0..2",
        "--vary",
        &vary,
        "--duration",
        "50ms",
    ];
    let ran = run(
        here.path(),
        &[&["sweep"], &args[..], &["--out", "r.parquet"]].concat(),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("6 runs, 2 failed"), "{}", ran.stdout);
    assert!(ran.stderr.contains("failed runs: 2"), "{}", ran.stderr);
    let rows = rows(&here.path().join("r.parquet"));
    for (k, row) in rows.iter().enumerate() {
        let is_wrong = k / 2 == 1;
        assert_eq!(row["error"].is_string(), is_wrong, "{row:?}");
        assert_eq!(row["state_hash"].is_null(), is_wrong);
        assert_eq!(row["seed"], k % 2);
    }
    let error = rows[2]["error"].as_str().unwrap();
    assert!(error.contains(&format!("{SPEED}=-1.0")), "{error}");
    assert!(error.contains("speed_m_s"), "{error}");
    assert_eq!(rows[2][SPEED], -1.0);
}

#[test]
fn what_is_wrong_before_a_run_is_said_at_once() {
    let here = folder(&[("scene.ron", &PATROL.replace("mine.urdf", "rover.urdf"))]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["--seeds", "5..5"], &["--seeds", "A..B"]),
        (&["--seeds", "x"], &["--seeds", "A..B"]),
        (&["--shard", "4/3"], &["--shard", "I from 1 to N"]),
        (&["--vary", "agents.rover"], &["--vary", "PATH=VALUE"]),
        (&["--vary", "a=1,,2"], &["found an empty value"]),
        (
            &["--vary", "agents.rover.controller.speed=0.5"],
            &["found unknown key `speed`", "did you mean `speed_m_s`"],
        ),
        (
            &["--vary", "agents.rover.controller.speed_m_s=-1,0.5"],
            &["speed_m_s", "expected"],
        ),
        (&["--vary", "a=1", "--vary", "a=2"], &["found `a` twice"]),
        (
            &["--sample", "8", "--between", "a=2..1"],
            &["--between", "A < B"],
        ),
        (&["--between", "a=1..2"], &["--sample"]),
        (&["--sample", "8"], &["--between"]),
        (
            &["--design", "halton", "--sample", "8", "--between", "a=1..2"],
            &["sobol, lhs"],
        ),
        (&["--address", "auto"], &["--on ray"]),
        (&["--model", "none.urdf"], &["none.urdf"]),
    ];
    for (args, expected) in cases {
        let args = [&["scene.ron", "--out", "r.parquet"], *args].concat();
        let error = refused(here.path(), &args);
        for part in *expected {
            assert!(error.contains(part), "{args:?}: {error}");
        }
    }
    let scene = here.path().join("scene.ron");
    for (args, expected) in [
        (
            &["scene.ron", "--out", "scene.ron"][..],
            "a file of the scenes",
        ),
        (&["scene.ron", "--out", "no/r.parquet"], "No such file"),
        (
            &["scene.ron", "scene.ron", "--out", "r.parquet"],
            "found `scene.ron` twice",
        ),
        (&["scenne.ron", "--out", "r.parquet"], "scenne.ron"),
        (&["robbot", "--out", "r.parquet"], "did you mean `robot`"),
        (&["scene.ron"], "--out"),
        (&["--plan", "scene.ron", "--list"], "expected a plan"),
    ] {
        let error = refused(here.path(), args);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    let mut wrong = std::fs::read_to_string(&scene).unwrap();
    wrong = wrong.replace("drive: Auto", "drive: Automatic");
    std::fs::write(&scene, wrong).unwrap();
    let error = refused(here.path(), &["scene.ron", "--out", "r.parquet"]);
    assert!(error.contains("scene.ron:2:"), "{error}");
    assert!(!here.path().join("r.parquet.parts").exists());
}

#[test]
fn ctrl_c_keeps_whole_parts_and_says_how_to_go_on() {
    let here = folder(&[]);
    let args = [
        "robot",
        "--seeds",
        "0..12",
        "--duration",
        "10s",
        "--chunk-runs",
        "1",
        "--out",
        "r.parquet",
    ];
    let out = here.path().join("r.parquet");
    let child = start(here.path(), &args);
    until(Duration::from_secs(30), "a part", || {
        !parts(&out).is_empty()
    });
    signal("INT", child.id());
    let ended = child.wait_with_output().unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{error}");
    assert!(
        error.contains("of 12 runs are in r.parquet.parts; to go on, type:"),
        "{error}"
    );
    assert!(error.contains("sweep robot --seeds 0..12"), "{error}");
    assert!(!out.exists());
    for name in parts(&out).keys() {
        assert_eq!(
            rows(&here.path().join("r.parquet.parts").join(name)).len(),
            1
        );
    }
    let left = std::fs::read_dir(here.path().join("r.parquet.parts")).unwrap();
    let left = left.map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.starts_with('.')));
}

#[test]
fn a_plan_alone_is_enough_on_another_machine() {
    let model = becomingone_tests::root().join("assets/rover.urdf");
    let model = std::fs::read_to_string(model).unwrap();
    let files = [
        ("scene.ron", PATROL),
        ("mine.urdf", &model),
        ("over.yaml", OVERLAY),
    ];
    let here = folder(&files);
    let args = [
        "scene.ron",
        "--profile",
        "over.yaml",
        "--seeds",
        "0..3",
        "--duration",
        "100ms",
        "--chunk-runs",
        "2",
        "--out",
        "r.parquet",
    ];
    sweep(here.path(), &args);
    let expected = timeless(&here.path().join("r.parquet"));
    let elsewhere = folder(&[]);
    std::fs::copy(
        here.path().join("r.parquet.parts/plan.json"),
        elsewhere.path().join("plan.json"),
    )
    .unwrap();
    drop(here);
    let list = sweep(elsewhere.path(), &["--plan", "plan.json", "--list"]);
    assert_eq!(list.trim(), r#"{"chunks":2,"missing":[0,1]}"#);
    sweep(
        elsewhere.path(),
        &[
            "--plan",
            "plan.json",
            "--part",
            "0",
            "--to",
            "part-000000.parquet",
        ],
    );
    // The second by standard output.
    let mut command = Command::new(binary());
    command.args(["sweep", "--plan", "plan.json", "--part", "1", "--to", "-"]);
    let piped = command.current_dir(elsewhere.path()).output().unwrap();
    assert_eq!(piped.status.code(), Some(0));
    let second = elsewhere.path().join("second.parquet");
    std::fs::write(&second, piped.stdout).unwrap();
    let mut found = timeless(&elsewhere.path().join("part-000000.parquet"));
    found.extend(timeless(&second));
    assert_eq!(found, expected);
    assert!(found.iter().all(|row| row["error"].is_null()));
    let error = refused(
        elsewhere.path(),
        &["--plan", "plan.json", "--part", "2", "--to", "-"],
    );
    assert!(error.contains("a plan of 2 chunks"), "{error}");
    let list = sweep(elsewhere.path(), &["--plan", "plan.json", "--list"]);
    assert_eq!(list.trim(), r#"{"chunks":2,"missing":[1]}"#);
}

#[test]
fn designs_are_spread_between_their_bounds() {
    let here = folder(&[]);
    let speed = format!("{SPEED}=0.5..1.5");
    let args = [
        "robot",
        "--duration",
        "10ms",
        "--sample",
        "8",
        "--between",
        &speed,
        "--between",
        "agents.rover.controller.lookahead_m=1..3",
    ];
    let column = |name: &str, column: &str| {
        let rows = rows(&here.path().join(name));
        let values = rows.iter().map(|row| row[column].as_f64().unwrap());
        values.collect::<Vec<_>>()
    };
    sweep(here.path(), &[&args[..], &["--out", "s.parquet"]].concat());
    // `0.5 + scipy.stats.qmc.Sobol(d=2, scramble=False).random(8)[:, 0]`, and `1 + 2 * .. [:, 1]` (scipy 1.17.1).
    let expected = [0.5, 1.0, 1.25, 0.75, 0.875, 1.375, 1.125, 0.625];
    assert_eq!(column("s.parquet", SPEED), expected);
    let expected = [1.0, 2.0, 1.5, 2.5, 1.75, 2.75, 1.25, 2.25];
    let lookahead = "agents.rover.controller.lookahead_m";
    assert_eq!(column("s.parquet", lookahead), expected);
    sweep(
        here.path(),
        &[&args[..], &["--design", "lhs", "--out", "l.parquet"]].concat(),
    );
    let speeds = column("l.parquet", SPEED);
    let mut slices: Vec<usize> = speeds.iter().map(|v| ((v - 0.5) * 8.0) as usize).collect();
    slices.sort_unstable();
    assert_eq!(slices, (0..8).collect::<Vec<_>>());
}

#[test]
fn recordings_of_runs_are_replayed_bit_by_bit() {
    let here = folder(&[("scene.ron", &PATROL.replace("mine.urdf", "rover.urdf"))]);
    let vary = format!("{SPEED}=0.5,0.8");
    let args = [
        "scene.ron",
        "--vary",
        &vary,
        "--duration",
        "200ms",
        "--record",
        "runs",
    ];
    sweep(here.path(), &[&args[..], &["--out", "r.parquet"]].concat());
    for file in ["runs/run-000000.mcap", "runs/run-000001.mcap"] {
        let ran = run(here.path(), &["replay", file, "--verify"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("verified: 200 ticks"), "{}", ran.stdout);
    }
}

/// The Python side in two lines of shell: it does the missing parts by the plan.
#[cfg(unix)]
#[test]
fn ray_is_given_the_plan_and_its_parts_are_merged() {
    use std::os::unix::fs::PermissionsExt as _;
    const PYTHON: &str = "#!/bin/sh
test \"$1\" = -c && exit 0
echo \"$@\" > arguments
unset BECOMINGONE_PARENT
program=$4 plan=$6
for chunk in 0 1; do
    \"$program\" sweep --plan \"$plan\" --part $chunk --to \"${plan%/*}/part-00000$chunk.parquet\" || exit 1
done
";
    let here = folder(&[("python", PYTHON), ("none", "#!/bin/sh\nexit 1\n")]);
    for name in ["python", "none"] {
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(here.path().join(name), executable).unwrap();
    }
    let args = [
        "arm_wave",
        "--seeds",
        "0..4",
        "--duration",
        "100ms",
        "--chunk-runs",
        "2",
    ];
    let on_ray = |python: &str| {
        let mut command = Command::new(binary());
        command
            .arg("sweep")
            .args(args)
            .args(["--out", "r.parquet", "--on", "ray"]);
        command.current_dir(here.path());
        command.env("BECOMINGONE_PYTHON", here.path().join(python));
        finish(&mut command, Duration::from_secs(20))
    };
    let ran = on_ray("none");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("pip install \"becomingone[ray]\""),
        "{}",
        ran.stderr
    );
    let ran = on_ray("python");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let given = std::fs::read_to_string(here.path().join("arguments")).unwrap();
    let program = binary().canonicalize().unwrap();
    assert_eq!(
        given.trim(),
        format!(
            "-m becomingone.ray --program {} --plan r.parquet.parts/plan.json --out r.parquet",
            program.display()
        )
    );
    sweep(here.path(), &[&args[..], &["--out", "w.parquet"]].concat());
    let [ray, threads] = ["r.parquet", "w.parquet"].map(|name| timeless(&here.path().join(name)));
    assert_eq!(ray, threads);
}
