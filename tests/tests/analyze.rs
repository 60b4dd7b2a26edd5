//! `becomingone analyze`: scores of a table, warnings about unusual data, error messages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{LONG, Ran, binary, finish, folder, run, say};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const HEADER: &str = "row,time,t_emissary,t_master,coherence,delta,k1,k2,k3,flag,cause";

/// Reproducible pseudo-random numbers between -0.5 and 0.5.
struct Scatter(u64);

impl Scatter {
    fn next(&mut self) -> f64 {
        // Knuth's MMIX generator; the upper bits are the most random.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }
}

/// Pump: three sensors of one level, 10 rows per second. From row `broken` on, `flow` jitters.
fn pump(rows: usize, broken: usize) -> String {
    let mut scatter = Scatter(7);
    let mut text = "time;flow;power;speed\n".to_owned();
    let mut level = 0.0;
    for k in 0..rows {
        level = 0.9 * level + scatter.next();
        let power = 2.0 * level + 0.1 * scatter.next();
        let jitter = if k < broken { 0.1 } else { 5.0 };
        let flow = level + jitter * scatter.next();
        let speed = 5.0 - level + 0.1 * scatter.next();
        writeln!(text, "{}.{};{flow};{power};{speed}", k / 10, k % 10).unwrap();
    }
    text
}

fn analyze(folder: &Path, more: &[&str]) -> Ran {
    let mut args = vec!["analyze", "log.csv", "--rerun", "off"];
    args.extend(more);
    run(folder, &args)
}

fn ok(folder: &Path, more: &[&str]) -> Ran {
    let ran = analyze(folder, more);
    assert_eq!(ran.code, Some(0), "{more:?}: {}", ran.stderr);
    ran
}

fn scores(folder: &TempDir) -> Vec<HashMap<String, String>> {
    let text = std::fs::read_to_string(folder.path().join("scores.csv")).unwrap();
    table(&text)
}

/// Cells of a row; quoted cells may contain commas.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            sign => cells.last_mut().unwrap().push(sign),
        }
    }
    cells
}

/// Rows, by column name.
fn table(text: &str) -> Vec<HashMap<String, String>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert!(header.join(",").starts_with(HEADER), "{header:?}");
    lines
        .map(|line| {
            let cells = cells(line);
            assert_eq!(cells.len(), header.len(), "{line}");
            header.iter().map(|h| (*h).to_owned()).zip(cells).collect()
        })
        .collect()
}

#[test]
fn faulty_sensor_is_detected_isolated_and_timed() {
    let folder = folder(&[("log.csv", &pump(1500, 1000))]);
    let ran = ok(folder.path(), &["--baseline", "500", "--out", "scores.csv"]);
    let rows = scores(&folder);
    assert_eq!(rows.len(), 1500);
    for (k, row) in rows.iter().enumerate() {
        assert_eq!(row["row"], k.to_string());
        assert_eq!(row["time"], format!("{}.{}", k / 10, k % 10));
        for name in ["coherence", "k2", "k3"] {
            assert_eq!(row[name].is_empty(), k < 500, "row {k}: {name}");
        }
        if k < 500 {
            assert_eq!((row["flag"].as_str(), row["cause"].as_str()), ("0", ""));
            continue;
        }
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        let (surprise, coherence) = (number("surprise"), number("coherence"));
        assert!(
            (coherence - 1.0 / (1.0 + surprise)).abs() < 1e-12,
            "row {k}"
        );
        if k > 550 {
            let (e, m) = (number("t_emissary"), number("t_master"));
            assert!((number("delta") - (m.abs() - e.abs()).abs()).abs() < 1e-12);
            // K1 = max(Re T_sync, 0)^2; T_sync is the mean of the two.
            let k1 = (0.5 * (e + m)).max(0.0).powi(2);
            assert!((number("k1") - k1).abs() < 1e-12, "row {k}");
        }
        assert_eq!(row["cause"].is_empty(), row["flag"] == "0");
    }
    let flagged: Vec<usize> = (0..1500).filter(|&k| rows[k]["flag"] == "1").collect();
    assert!(flagged.iter().all(|&k| k >= 1000), "{flagged:?}");
    let first = *flagged.first().unwrap();
    assert!(first < 1030, "found after {} rows", first - 1000);
    let blamed = flagged
        .iter()
        .filter(|&&k| rows[k]["cause"] == "flow")
        .count();
    assert!(
        blamed * 10 > flagged.len() * 9,
        "{blamed} of {}",
        flagged.len()
    );

    let out = &ran.stdout;
    assert!(
        out.contains("log.csv: 3 channels: flow, power, speed"),
        "{out}"
    );
    assert!(
        out.contains(
            "time: `time` (seconds assumed: no unit is stated, --time-unit states it, guessed: --time selects another), a row every 100 ms"
        ),
        "{out}"
    );
    assert!(
        out.contains(&format!("  {}.{} to ", first / 10, first % 10)),
        "{out}"
    );
    assert!(out.contains(": flow, peak surprise "), "{out}");
}

#[test]
fn constant_sensor_is_reported() {
    let lines = pump(900, usize::MAX);
    let lines = lines.lines().enumerate().map(|(k, line)| {
        let mut cells: Vec<&str> = line.split(';').collect();
        // Line 0 is the header.
        if k > 500 {
            cells[1] = "0.25";
        }
        cells.join(";") + "\n"
    });
    let folder = folder(&[("log.csv", &lines.collect::<String>())]);
    let ran = ok(folder.path(), &["--baseline", "300"]);
    assert!(
        ran.stderr.contains("`flow` does not change after row 500"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("flagged:"), "{}", ran.stdout);
}

#[test]
fn healthy_rows_are_not_flagged() {
    let folder = folder(&[("log.csv", &pump(5000, usize::MAX))]);
    let ran = ok(folder.path(), &["--baseline", "1000"]);
    assert!(
        ran.stdout.contains("nothing flagged in 4000 rows"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn scores_do_not_depend_on_the_table_format() {
    let plain = pump(900, 700);
    let commas = plain.replace('.', ",");
    let tabs = plain.replace(';', "\t").replace('\n', "\r\n");
    let quoted: String = plain
        .lines()
        .map(|line| {
            let cells: Vec<String> = line.split(';').map(|c| format!("\"{c}\"")).collect();
            cells.join(",") + "\n"
        })
        .collect();
    let marked = format!("\u{feff}# logger\n{plain}");
    let mut known = None;
    for text in [&plain, &commas, &tabs, &quoted, &marked] {
        let folder = folder(&[("log.csv", text)]);
        ok(folder.path(), &["--time", "time"]);
        let scores = scores(&folder);
        let numbers: Vec<String> = scores
            .iter()
            .map(|r| r["k3"].clone() + &r["flag"])
            .collect();
        assert_eq!(known.get_or_insert_with(|| numbers.clone()), &numbers);
    }
}

#[test]
fn labels_text_counters_and_empty_columns_are_reported() {
    let mut text = String::new();
    for (k, line) in pump(900, usize::MAX).lines().enumerate() {
        let more = match k {
            0 => "n;state;spare;label".to_owned(),
            k => format!("{k};run;;{}", u8::from(k > 600)),
        };
        writeln!(text, "{line};{more}").unwrap();
    }
    let folder = folder(&[("log.csv", &text)]);
    let ran = ok(folder.path(), &[]);
    for expected in [
        "`state`: text, not a channel",
        "`spare`: empty in the first rows, not a channel",
        "`n`: a row counter, not a channel",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let switch = "switches (0 and 1 alone): `label`; they are not judged";
    assert!(ran.stdout.contains(switch), "{}", ran.stdout);
    // The label is 1 from row 600 on, which it never was before: neither a fault nor health.
    let rows = scores(&folder);
    assert!(rows[400..600].iter().all(|r| r["state"] == "healthy"));
    assert!(
        rows[600..]
            .iter()
            .all(|r| r["state"] == "outside" && r["flag"] == "0")
    );
    assert!(
        ran.stdout.contains("4 channels: flow, power, speed, label"),
        "{}",
        ran.stdout
    );
    let ran = ok(folder.path(), &["--ignore", "label,state", "--ignore", "n"]);
    assert!(
        !ran.stderr.contains("label") && !ran.stderr.contains("`n`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stdout.contains("3 channels: flow, power, speed"),
        "{}",
        ran.stdout
    );
}

#[test]
fn gaps_missing_cells_and_invalid_stamps_are_handled() {
    let mut text = String::new();
    for (k, line) in pump(1200, usize::MAX).lines().enumerate() {
        let mut cells: Vec<&str> = line.split(';').collect();
        match k {
            // A gap of 50 s.
            700..750 => continue,
            // A repeated stamp, one before its predecessor, a missing one, and text.
            800 => cells[0] = "79.8",
            810 => cells[0] = "3.0",
            820 => cells[0] = "",
            830 => cells[0] = "noon",
            // A sensor that pauses, and a faulty one.
            840..860 => cells[1] = "",
            870 => cells[2] = "NaN",
            871 => cells[2] = "inf",
            872 => cells[2] = "fail",
            880 => cells.truncate(2),
            881 => cells.push("9"),
            // A sensor that is lost for good.
            900.. => cells[3] = "",
            _ => {}
        }
        writeln!(text, "{}", cells.join(";")).unwrap();
    }
    let folder = folder(&[("log.csv", &text)]);
    let ran = ok(folder.path(), &["--baseline", "300"]);
    let rows = scores(&folder);
    // One line for each row that was not skipped above.
    assert_eq!(rows.len(), 1150);
    assert!(
        rows[300..]
            .iter()
            .all(|r| r["k3"].parse::<f64>().unwrap().is_finite())
    );
    for expected in [
        "2 rows whose stamp is not after that of the row before",
        "2 stamps that cannot be read",
        "stamps that cannot be read: these rows are assumed to follow at the usual time (first in line 771: `` in the column `time`)",
        "1 rows with too few cells: the rest of them is missing (first in line 831: 2 cells for 4 columns)",
        "1 rows with too many cells: the surplus is ignored (first in line 832: 5 cells",
        "1 cells of channels that are infinite: missing (first in line 822: `inf` in the column `power`)",
        "1 cells of channels that contain text: missing (first in line 823: `fail` in the column `power`)",
        "`speed` has no value after row 848",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
}

#[test]
fn rows_that_are_not_scored_are_reported() {
    let changed = |change: &dyn Fn(usize, &mut Vec<String>)| {
        let mut text = String::new();
        for (k, line) in pump(1200, usize::MAX).lines().enumerate() {
            let mut cells: Vec<String> = line.split(';').map(str::to_owned).collect();
            if k > 0 {
                change(k, &mut cells);
            }
            writeln!(text, "{}", cells.join(";")).unwrap();
        }
        let folder = folder(&[("log.csv", &text)]);
        ok(folder.path(), &["--baseline", "300"]).stderr
    };
    let healthy = changed(&|_, _| {});
    assert!(!healthy.contains("warning"), "{healthy}");
    // One outlier in the baseline; the standard deviation of the level is about 1.3.
    let spike = changed(&|k, cells| {
        if k == 51 {
            cells[2] = "2000000".to_owned();
        }
    });
    let expected = "`power` is 2000000 in row 50 of the baseline, far from its other values there: its deviation becomes ";
    let (_, factor) = spike
        .split_once(expected)
        .unwrap_or_else(|| panic!("{spike}"));
    let (factor, _) = factor.split_once(" times").unwrap();
    let factor: f64 = factor.parse().unwrap();
    // 2e6/sqrt(300), relative to it.
    assert!((7e4..1.5e5).contains(&factor), "{factor}");
    // Values whose square overflows are missing, also in bins.
    for bins in [
        &["--baseline", "300"][..],
        &["--baseline", "300", "--bins", "5"],
    ] {
        let text = pump(1200, usize::MAX);
        let (head, rest) = text.split_once("\n5.0;").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let folder = folder(&[("log.csv", &format!("{head}\n5.0;1e300;1;5\n{rest}"))]);
        let ran = ok(folder.path(), bins);
        let expected = "1 values that are too large to be squared: treated as missing";
        assert!(ran.stderr.contains(expected), "{bins:?}: {}", ran.stderr);
    }
    // A logger that starts late.
    let few = changed(&|k, cells| {
        if (22..=300).contains(&k) {
            cells[2].clear();
        }
    });
    let expected = "`power` has 21 values in the 300 ticks of the baseline: too few to learn from, at least 64 are needed";
    assert!(few.contains(expected), "{few}");
    // Every tenth value only, after a baseline without gaps.
    let seldom = changed(&|k, cells| {
        if k > 400 && k % 10 != 0 {
            cells[2].clear();
        }
    });
    let expected = "`power` is missing for longer at a time than in the baseline: 80 of its 180 values are not judged";
    assert!(seldom.contains(expected), "{seldom}");
    // Error code of an instrument: a fault of it.
    let text = pump(1200, usize::MAX);
    let code = text.lines().enumerate().map(|(k, line)| {
        let (start, speed) = line.rsplit_once(';').unwrap();
        let (start, power) = start.rsplit_once(';').unwrap();
        let power = if k > 1000 { "4294967295" } else { power };
        format!("{start};{power};{speed}\n")
    });
    let folder = folder(&[("log.csv", &code.collect::<String>())]);
    ok(folder.path(), &["--baseline", "300"]);
    let rows = scores(&folder);
    assert!(rows[300..1000].iter().all(|r| r["flag"] == "0"));
    assert!(
        rows[1010..]
            .iter()
            .all(|r| r["flag"] == "1" && r["cause"] == "power")
    );
    // From here on one reading every 2 s instead of ten per second.
    let slower = changed(&|k, cells| {
        if k > 1000 {
            cells[0] = format!("{}", 100.0 + 2.0 * (k - 1000) as f64);
        }
    });
    let expected =
        "200 gaps of more than ten steps of the baseline: the machine is judged anew from there";
    assert!(slower.contains(expected), "{slower}");
}

#[test]
fn faulty_sensor_that_drops_values_is_found_and_silence_is_no_health() {
    let text = pump(1200, usize::MAX);
    let lines = text.lines().enumerate().map(|(k, line)| {
        let cells: Vec<&str> = line.split(';').collect();
        let [time, flow, power, speed] = cells[..] else {
            panic!("{line}")
        };
        match k {
            600..900 if k % 5 == 0 => format!("{time};{flow};;{speed}\n"),
            600..900 => format!(
                "{time};{flow};{};{speed}\n",
                power.parse::<f64>().unwrap() + 20.0
            ),
            1000..1150 => format!("{time};;;\n"),
            _ => format!("{line}\n"),
        }
    });
    let folder = folder(&[("log.csv", &lines.collect::<String>())]);
    let ran = ok(folder.path(), &["--baseline", "300"]);
    let rows = scores(&folder);
    let flagged = rows[605..899].iter().filter(|r| r["flag"] == "1");
    let flagged = flagged.count();
    assert!(flagged > 280, "{flagged}: {}", ran.stdout);
    let silent = rows[1010..1145].iter().filter(|r| r["state"] == "healthy");
    assert_eq!(silent.count(), 0);
    assert!(ran.stdout.contains("rows are `outside`"), "{}", ran.stdout);
}

#[test]
fn rows_without_time_stamps_use_the_given_rate() {
    let text = pump(600, usize::MAX)
        .lines()
        .fold(String::new(), |text, line| {
            text + line.split_once(';').unwrap().1 + "\n"
        });
    let folder = folder(&[("log.csv", &text)]);
    let ran = ok(folder.path(), &["--rate", "10"]);
    assert!(
        ran.stdout.contains("time: --rate, a row every 100 ms"),
        "{}",
        ran.stdout
    );
    assert_eq!(scores(&folder)[500]["time"], "");
    let ran = ok(folder.path(), &[]);
    assert!(
        ran.stdout.contains("no column of stamps was found"),
        "{}",
        ran.stdout
    );
}

#[test]
fn stamps_of_whole_seconds_for_ten_rows_are_too_coarse() {
    let text = pump(600, usize::MAX)
        .lines()
        .fold(String::new(), |text, line| {
            let (stamp, rest) = line.split_once(';').unwrap();
            let second = stamp.split('.').next().unwrap();
            text + second + ";" + rest + "\n"
        });
    let folder = folder(&[("log.csv", &text)]);
    let ran = ok(folder.path(), &[]);
    assert!(
        ran.stderr.contains("90 % of the first stamps are those of the row before: rows are assumed to be 100 ms apart"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("skipped"), "{}", ran.stderr);
}

#[test]
fn more_channels_than_the_kernel_holds() {
    let table = |columns: usize| {
        let mut scatter = Scatter(3);
        let mut text: String = (0..columns).map(|c| format!("c{c},")).collect();
        text += "t\n";
        for k in 0..700 {
            for _ in 0..columns {
                write!(text, "{:.4},", scatter.next()).unwrap();
            }
            writeln!(text, "{k}").unwrap();
        }
        text
    };
    let many = folder(&[("log.csv", &table(40))]);
    let ran = ok(many.path(), &["--baseline", "600"]);
    assert!(ran.stdout.contains("40 channels"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let more = folder(&[("log.csv", &table(70))]);
    let ran = ok(more.path(), &["--baseline", "600"]);
    assert!(ran.stdout.contains("64 channels"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("70 columns of numbers are more than the 64 that are supported: the first 64 are used, up to `c63`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn errors_are_named_and_files_are_kept() {
    let text = pump(300, usize::MAX);
    let mut newest: Vec<&str> = text.lines().collect();
    newest[1..].reverse();
    let newest = newest.join("\n");
    let commas: String = text
        .lines()
        .map(|l| l.replace(['.', ';'], ",") + "\n")
        .collect();
    let folder = folder(&[
        ("log.csv", &text),
        ("words.csv", "a,b\nx,y\nz,w\n"),
        ("empty.csv", ""),
        ("header.csv", "time,flow\n"),
        ("newest.csv", &newest),
        ("commas.csv", &commas),
        ("zero.csv", "time,flow\n0,1\n1,\0\n"),
        ("units.csv", "time,flow\n0,1 V\n1,2 V\n"),
        ("loggers.csv", &two_loggers(60, 99.0)),
    ]);
    let path = folder.path();
    std::fs::hard_link(path.join("log.csv"), path.join("hard.csv")).unwrap();
    for (args, expected) in [
        (
            &["log.csv"][..],
            "log.csv: found 300 rows in a CSV; expected more than the 400 training rows of --baseline, or a smaller one (at least 64)",
        ),
        (&["log.csv", "--baseline", "10"], "10 is not in 64.."),
        (
            &["log.csv", "--time", "tim"],
            "found no column `tim`; expected one of: time, flow, power, speed; did you mean `time`?",
        ),
        (
            &["log.csv", "--time", "flow;power"],
            "no column `flow;power`",
        ),
        (&["log.csv", "--ignore", "flaw"], "did you mean `flow`?"),
        (
            &["log.csv", "--ignore", "flow,power,speed"],
            "found no column of numbers in its first rows: `time` (the time), `flow` (ignored)",
        ),
        (
            &["log.csv", "--out", "log.csv"],
            "--out log.csv: found the table itself; expected a file of its own",
        ),
        (&["log.csv", "--out", "./log.csv"], "found the table itself"),
        (
            &["log.csv", "--out", "hard.csv"],
            "--out hard.csv: found the table itself",
        ),
        (
            &["log.csv", "--rerun", "save=hard.csv"],
            "--rerun hard.csv: found the table itself",
        ),
        (
            &["log.csv", "--rerun", "save=log.csv"],
            "--rerun log.csv: found the table itself",
        ),
        (
            &["log.csv", "--rerun", "save=scores.csv"],
            "found the file of --rerun",
        ),
        (
            &["log.csv", "--rerun", "spawn"],
            "expected off or save=FILE",
        ),
        (
            &["log.csv", "--out", "no/such/folder.csv"],
            "--out no/such/folder.csv: No such file or directory",
        ),
        (&["log.csv", "--separator", "ab"], "expected one character"),
        (&["log.csv", "--rate", "0"], "expected rows a second"),
        (
            &["words.csv"],
            "found no column of numbers in its first rows: `a` (text, line 2: `x`), `b` (text, line 2: `y`)",
        ),
        (
            &["empty.csv"],
            "empty.csv: found an empty file; expected a header and rows",
        ),
        (
            &["header.csv"],
            "header.csv: found no value below the header `time`, `flow`; expected rows of numbers",
        ),
        (
            &["newest.csv"],
            "newest.csv: 100 % of the first stamps in `time` are before that of the row above; expected the oldest row first",
        ),
        (
            &["commas.csv"],
            "commas.csv:2: found 8 cells under a header of 4, in every row: commas as decimal points",
        ),
        (&["zero.csv"], "zero.csv:3: found a zero byte"),
        (&["units.csv"], "`flow` (text, line 2: `1 V`)"),
        (
            &["log.csv", "--separator", ","],
            "found no column of numbers in its first rows: `time;flow;power;speed` (text, line 2: `0.0;",
        ),
        (
            &["log.csv", "--bins", "often"],
            "expected auto, off, or bins a second",
        ),
        (
            &["loggers.csv", "--bins", "1"],
            "in the first 400 rows; expected at least 64 to learn from: a larger --baseline",
        ),
        (&["none.csv"], "none.csv: No such file or directory"),
        (&["."], "found a folder without files of a ROS 2 bag"),
    ] {
        let mut all = vec!["analyze"];
        all.extend(args);
        if !args.contains(&"--rerun") {
            all.extend(["--rerun", "off"]);
        }
        let ran = run(path, &all);
        assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(path.join("log.csv")).unwrap(), text);
    // A short table is scored, too: one line for each row.
    assert_eq!(scores(&folder).len(), 300);
}

#[test]
fn stdout_carries_only_the_scores() {
    let folder = folder(&[("log.csv", &pump(900, 600))]);
    let ran = ok(folder.path(), &["--out", "-"]);
    assert_eq!(table(&ran.stdout).len(), 900);
    assert!(
        ran.stderr.contains("3 channels") && ran.stderr.contains("flagged:"),
        "{}",
        ran.stderr
    );
    assert!(!folder.path().join("-").exists());
    let ran = ok(folder.path(), &["--quiet"]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn recording_is_saved_beside_the_table_under_its_name() {
    let folder = folder(&[("pump.csv", &pump(900, 600))]);
    let ran = run(folder.path(), &["analyze", "pump.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = std::fs::read(folder.path().join("pump.rrd")).unwrap();
    assert!(bytes.starts_with(b"RRF2"), "{:?}", &bytes[..4]);
    assert!(
        ran.stdout.contains("recorded pump.rrd; to view it:"),
        "{}",
        ran.stdout
    );
}

/// Writes a table of this size: all sensors in each row at even times, or one sensor per row at its own times.
fn write_long(to: impl std::io::Write, bytes: u64, one_by_one: bool) -> std::io::Result<u64> {
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let mut scatter = Scatter(11);
    writeln!(to, "time_ms,a,b,c,d")?;
    let (mut written, mut rows, mut ms) = (0, 0_u64, 0_u64);
    let mut line = String::new();
    while written < bytes {
        line.clear();
        ms += if one_by_one {
            1 + (8.0 * (scatter.next() + 0.5)) as u64
        } else {
            20
        };
        write!(line, "{ms}").unwrap();
        for channel in 0..4 {
            if one_by_one && rows % 4 != channel {
                line.push(',');
            } else {
                write!(line, ",{:.6}", scatter.next()).unwrap();
            }
        }
        line.push('\n');
        to.write_all(line.as_bytes())?;
        written += line.len() as u64;
        rows += 1;
    }
    to.flush()?;
    Ok(rows)
}

/// The table is generated while it is read, and never stored.
#[cfg(target_os = "linux")]
#[test]
fn memory_use_does_not_depend_on_length() {
    let peak_kb = |bytes: u64, one_by_one: bool| {
        let mut child = Command::new(binary())
            .args(["analyze", "-", "--out", "/dev/null", "--quiet"])
            .args(["--baseline", "1000"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || write_long(to, bytes, one_by_one));
        // Peak memory from the operating system, while the process exists.
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0_u64;
        let code = loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let peak = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
            let kb = peak.and_then(|p| p.trim().trim_end_matches(" kB").parse().ok());
            most = most.max(kb.unwrap_or(0));
            if let Some(code) = child.try_wait().unwrap() {
                break code;
            }
            std::thread::yield_now();
        };
        assert!(code.success());
        (most, writer.join().unwrap().unwrap())
    };
    for one_by_one in [false, true] {
        let (short_kb, _) = peak_kb(2 << 20, one_by_one);
        let (long_kb, rows) = peak_kb(100 << 20, one_by_one);
        say(&format!(
            "100 MB, {rows} rows, sensors one by one: {one_by_one}: at most {long_kb} kB of memory; 2 MB: {short_kb} kB"
        ));
        assert!(
            long_kb < short_kb + 2 * 1024,
            "{short_kb} kB, then {long_kb} kB"
        );
        assert!(long_kb < 40 * 1024, "{long_kb} kB");
    }
}

/// One level recorded by two loggers: `flow` at 10 Hz, the others at 10 Hz in separate rows, with times that scatter by half
/// a step. From `broken_s` on, `flow` has an error as large as the variation of the level.
fn two_loggers(seconds: usize, broken_s: f64) -> String {
    let mut scatter = Scatter(5);
    let mut rows: Vec<(f64, bool)> = Vec::new();
    for flow in [true, false] {
        let mut t = 0.0;
        while t < seconds as f64 {
            rows.push((t, flow));
            t += 0.1 * (1.0 + scatter.next());
        }
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut text = "time,flow,power,speed\n".to_owned();
    let mut level = Vec::new();
    let mut x = 0.0;
    for _ in 0..=seconds * 100 {
        // Correlation time of a second; standard deviation 1.
        x = 0.99 * x + 0.488 * scatter.next();
        level.push(x);
    }
    for (t, flow) in rows {
        let level = level[(t * 100.0) as usize];
        if flow {
            let off = if t < broken_s { 0.0 } else { 1.0 };
            let flow = level + off + 0.1 * scatter.next();
            writeln!(text, "{t:.4},{flow:.5},,").unwrap();
        } else {
            let power = 2.0 * level + 0.1 * scatter.next();
            let speed = 5.0 - level + 0.1 * scatter.next();
            writeln!(text, "{t:.4},,{power:.5},{speed:.5}").unwrap();
        }
    }
    text
}

#[test]
fn sensors_in_separate_rows_are_combined() {
    let text = two_loggers(400, 300.0);
    let folder = folder(&[("log.csv", &text)]);
    let found = |bins: &str| {
        let ran = ok(
            folder.path(),
            &["--baseline", "1500", "--bins", bins, "--out", "scores.csv"],
        );
        let rows = scores(&folder);
        // One line for each row, in order, with its own stamp.
        assert_eq!(rows.len(), text.lines().count() - 1);
        for (k, (row, line)) in rows.iter().zip(text.lines().skip(1)).enumerate() {
            assert_eq!(row["row"], k.to_string());
            assert_eq!(Some(row["time"].as_str()), line.split(',').next());
            // The first bin after the baseline ends within a few rows.
            if !(1500..1510).contains(&k) {
                assert_eq!(row["k3"].is_empty(), k < 1500, "row {k}");
            }
        }
        let at = |row: &HashMap<String, String>| row["time"].parse::<f64>().unwrap();
        let flagged: Vec<f64> = rows.iter().filter(|r| r["flag"] == "1").map(at).collect();
        let of = rows.iter().filter(|r| at(r) >= 300.0).count();
        let early = flagged.iter().filter(|t| **t < 300.0).count();
        (
            early,
            (flagged.len() - early) as f64 / of as f64,
            flagged.first().copied().unwrap_or(f64::INFINITY),
            ran.stdout,
        )
    };
    let (early, share, first_s, out) = found("auto");
    say(&format!(
        "two loggers: {:.0} % of the fault flagged, from {:.1} s on",
        100.0 * share,
        first_s - 300.0
    ));
    assert!(out.contains("ticks: means over bins of 1"), "{out}");
    assert!(out.contains("channels come in rows of their own"), "{out}");
    assert!(out.contains("learned from 1500 rows in "), "{out}");
    assert_eq!(early, 0);
    assert!(share > 0.9 && first_s < 305.0, "{share} {first_s}");
    // Each row by itself, against advice: half of the values are missing.
    let (early, _, _, out) = found("off");
    assert!(early < 60 && !out.contains("ticks:"), "{early}: {out}");
    let (early, share, ..) = found("5");
    assert!(early == 0 && share > 0.9, "{early} {share}");
}

#[test]
fn much_slower_channel_is_reported() {
    // Ten rows per second; `flow` once per second.
    let lines = pump(1500, usize::MAX);
    let lines = lines.lines().enumerate().map(|(k, line)| {
        let mut cells: Vec<&str> = line.split(';').collect();
        // Line 0 is the header.
        if k % 10 != 0 {
            cells[1] = "";
        }
        cells.join(";") + "\n"
    });
    let folder = folder(&[("log.csv", &lines.collect::<String>())]);
    let ran = ok(folder.path(), &["--baseline", "1000"]);
    // Stamps are even, and each row is a tick.
    assert!(!ran.stdout.contains("ticks:"), "{}", ran.stdout);
    let expected =
        "`flow`: much slower than others, and hardly judged beside them; --bins 1.000 judges them";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    let ran = ok(folder.path(), &["--baseline", "1000", "--bins", "1.000"]);
    assert!(
        ran.stdout.contains("learned from 1000 rows in 99 bins"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stderr.contains("slower"), "{}", ran.stderr);
}

#[test]
fn scores_are_causal() {
    for (text, cut) in [(pump(1500, 1000), 1300), (two_loggers(150, 110.0), 2600)] {
        let begin: String = text.lines().take(cut + 1).flat_map(|l| [l, "\n"]).collect();
        let of = |text: &str| {
            let folder = folder(&[("log.csv", text)]);
            ok(folder.path(), &["--baseline", "800"]);
            std::fs::read_to_string(folder.path().join("scores.csv")).unwrap()
        };
        let (whole, part) = (of(&text), of(&begin));
        assert_eq!(part.lines().count(), cut + 1);
        assert!(whole.starts_with(&part));
        assert!(part.contains(",1,"), "nothing was flagged");
    }
}

#[test]
fn clock_set_back_and_late_rows_do_not_change_scores() {
    let text = two_loggers(200, 150.0);
    let set: String = text
        .lines()
        .enumerate()
        .map(|(k, line)| match line.split_once(',') {
            Some((t, rest)) if k > 0 => {
                let t: f64 = t.parse().unwrap();
                // Set back by an hour at 100 s; and one wrong stamp.
                let t = if k == 1500 {
                    7.0
                } else if t < 100.0 {
                    5000.0 + t
                } else {
                    1400.0 + t
                };
                format!("{t:.4},{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let folder = folder(&[("log.csv", &set)]);
    let ran = ok(folder.path(), &["--baseline", "1200"]);
    for expected in [
        "3 rows whose stamp is before that of a row above",
        "1 times the clock was set back",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let rows = scores(&folder);
    let flagged: Vec<f64> = rows
        .iter()
        .filter(|r| r["flag"] == "1")
        .map(|r| r["time"].parse().unwrap())
        .collect();
    assert!(flagged.iter().all(|t| *t >= 1550.0), "{flagged:?}");
    assert!(flagged.len() > 500, "{}", flagged.len());
}

#[test]
fn stamp_at_the_numeric_limit_does_not_stop_the_clock() {
    // i64::MAX ns, from a clock that was not set.
    let text = pump(1200, 800).replace("\n60.0;", "\n9223372036.854775;");
    let folder = folder(&[("log.csv", &text)]);
    let ran = ok(folder.path(), &["--bins", "10"]);
    for expected in [
        "1 times the clock was set back: time continues from there",
        "1 gaps of more than ten steps of the baseline",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let rows = scores(&folder);
    let flagged = rows[800..].iter().filter(|r| r["flag"] == "1");
    assert!(flagged.count() > 200, "{}", ran.stdout);
    // A rate that overflows 64 bits of nanoseconds.
    let ran = ok(folder.path(), &["--rate", "1e-7", "--bins", "1e-7"]);
    assert!(!ran.stderr.contains("64 bits"), "{}", ran.stderr);
    let ran = ok(folder.path(), &["--rate", "2e-8", "--bins", "2e-8"]);
    // 2^64/5e16 are 368 steps; the baseline is the first 400 rows.
    assert!(ran.stderr.contains("64 bits"), "{}", ran.stderr);
}

#[test]
fn bin_length_matches_the_report() {
    // One row per nanosecond.
    let mut text = String::new();
    for (k, line) in pump(600, usize::MAX).lines().enumerate() {
        match line.split_once(';') {
            Some((_, rest)) if k > 0 => writeln!(text, "{};{rest}", k - 1).unwrap(),
            _ => writeln!(text, "{}", line.replace("time", "time_ns")).unwrap(),
        }
    }
    let folder = folder(&[("log.csv", &text)]);
    for (rate, bin, count) in [("1e9", "1 ns", 399), ("333333333", "3 ns", 133)] {
        let ran = ok(folder.path(), &["--bins", rate]);
        for expected in [
            format!("ticks: means over bins of {bin}\n"),
            format!("learned from 400 rows in {count} bins;"),
        ] {
            assert!(ran.stdout.contains(&expected), "{expected}: {}", ran.stdout);
        }
    }
}

#[test]
fn stamps_of_any_kind_give_the_same_scores() {
    let plain = pump(900, 700);
    let stamped = |name: &str, write: &dyn Fn(usize) -> String| -> String {
        let lines = plain.lines().enumerate().map(|(k, line)| {
            let rest = line.split_once(';').unwrap().1;
            match k {
                0 => format!("{name};{rest}\n"),
                k => format!("{};{rest}\n", write(k - 1)),
            }
        });
        lines.collect()
    };
    let day = |k: usize| (k / 3600, k / 60 % 60, k % 60);
    let iso = |k: usize, between: &str, zone: &str| {
        let (h, m, s) = day(k);
        format!("2020-03-09{between}{:02}:{m:02}:{s:02}{zone}", 10 + h)
    };
    let since = |k: usize, zeros: usize| format!("{}{}", 1_583_748_000 + k, "0".repeat(zeros));
    let texts = [
        stamped("when", &|k| iso(k, " ", "")),
        stamped("when", &|k| iso(k, "T", "")),
        stamped("when", &|k| iso(k, "T", "Z")),
        stamped("when", &|k| iso(k, " ", ".000+01:00")),
        stamped("when", &|k| since(k, 0)),
        stamped("when", &|k| since(k, 3)),
        stamped("when", &|k| since(k, 6)),
        stamped("when", &|k| since(k, 9)),
        stamped("time", &|k| k.to_string()),
        stamped("t_ms", &|k| (1000 * k).to_string()),
        stamped("when", &|k| {
            let (h, m, s) = day(k);
            format!("{}:{m:02}:{s:02}", 10 + h)
        }),
        stamped("when", &|k| {
            let (h, m, s) = day(k);
            format!("20200309{}{m:02}{s:02}", 10 + h)
        }),
        stamped("when", &|k| {
            let (h, m, s) = day(k);
            format!("09-Mar-2020 {}:{m:02}:{s:02}", 10 + h)
        }),
    ];
    let mut known = None;
    for text in &texts {
        let folder = folder(&[("log.csv", text)]);
        let ran = ok(folder.path(), &[]);
        assert!(ran.stdout.contains("a row every 1 s"), "{}", ran.stdout);
        assert_eq!(ran.stderr, "", "{}", text.lines().nth(1).unwrap());
        let scores = scores(&folder);
        let numbers: Vec<String> = scores
            .iter()
            .map(|r| r["k3"].clone() + &r["flag"] + &r["cause"])
            .collect();
        assert_eq!(known.get_or_insert_with(|| numbers.clone()), &numbers);
    }
}

#[test]
fn full_disk_is_reported() {
    let folder = folder(&[("log.csv", &pump(3000, usize::MAX))]);
    if !Path::new("/dev/full").exists() {
        return;
    }
    let ran = analyze(folder.path(), &["--out", "/dev/full"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("/dev/full: No space left on device"),
        "{}",
        ran.stderr
    );
}

/// Folder with the recordings of a real machine; `None` with a notice if it is missing.
fn recordings() -> Option<PathBuf> {
    let folder =
        std::env::var_os("BECOMINGONE_TEST_DATA").map(|f| Path::new(&f).join("skab/valve1"));
    if folder.as_ref().is_none_or(|f| !f.is_dir()) {
        say(
            "skipped: figures on a real machine, as BECOMINGONE_TEST_DATA does not name the recordings",
        );
        return None;
    }
    folder
}

/// AUC: probability that a faulty row scores above a healthy one (Mann and Whitney), ties as half.
fn auc(scored: &[(f64, bool)]) -> f64 {
    let (mut above, mut pairs) = (0.0, 0.0);
    for (x, _) in scored.iter().filter(|(_, fault)| *fault) {
        for (y, _) in scored.iter().filter(|(_, fault)| !*fault) {
            pairs += 1.0;
            above += if x > y {
                1.0
            } else if x < y {
                0.0
            } else {
                0.5
            };
        }
    }
    above / pairs
}

/// Confusion matrix of flags and labels by row, as in the benchmark.
#[derive(Clone, Copy, Default)]
struct Met {
    hits: f64,
    false_alarms: f64,
    misses: f64,
    quiet: f64,
}

impl Met {
    fn add(&mut self, flag: bool, fault: bool) {
        *match (flag, fault) {
            (true, true) => &mut self.hits,
            (true, false) => &mut self.false_alarms,
            (false, true) => &mut self.misses,
            (false, false) => &mut self.quiet,
        } += 1.0;
    }

    fn and(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            false_alarms: self.false_alarms + other.false_alarms,
            misses: self.misses + other.misses,
            quiet: self.quiet + other.quiet,
        }
    }

    fn false_alarm_rate(&self) -> f64 {
        self.false_alarms / (self.false_alarms + self.quiet)
    }

    fn balanced(&self) -> f64 {
        let missed = self.misses / (self.misses + self.hits);
        1.0 - 0.5 * (self.false_alarm_rate() + missed)
    }
}

impl std::fmt::Display for Met {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "F1 {:.3}, false alarms {:.1} %, misses {:.1} %, balanced accuracy {:.1} %",
            2.0 * self.hits / (2.0 * self.hits + self.false_alarms + self.misses),
            100.0 * self.false_alarm_rate(),
            100.0 * self.misses / (self.misses + self.hits),
            100.0 * self.balanced()
        )
    }
}

/// The whole program on faults of a real machine (SKAB, valve1): the first 400 rows of each file are the baseline, labels are
/// used for evaluation only. The constants of the detector were chosen on the even-numbered files, and on others.
#[test]
fn faults_of_a_real_machine_are_detected() {
    let Some(data) = recordings() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut halves = [Met::default(), Met::default()];
    let mut area = 0.0;
    for number in 0..16 {
        let file = data.join(format!("{number}.csv"));
        let mut command = Command::new(binary());
        command
            .current_dir(folder.path())
            .arg("analyze")
            .arg(&file)
            .args([
                "--time",
                "datetime",
                "--baseline",
                "400",
                "--out",
                "scores.csv",
                "--ignore",
                "anomaly,changepoint",
                "--rerun",
                "off",
            ]);
        let ran = finish(&mut command, LONG);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stdout.contains("8 channels: Accelerometer1RMS"),
            "{}",
            ran.stdout
        );
        let given = std::fs::read_to_string(&file).unwrap();
        let given: Vec<Vec<&str>> = given
            .lines()
            .skip(1)
            .map(|l| l.split(';').collect())
            .collect();
        let rows = scores(&folder);
        assert_eq!(rows.len(), given.len(), "valve1/{number}");
        let mut scored = Vec::new();
        let mut met = Met::default();
        let mut causes: HashMap<&str, usize> = HashMap::new();
        for (row, given) in rows.iter().zip(&given).skip(400) {
            assert_eq!(row["time"], given[0]);
            let fault = given[9].parse::<f64>().unwrap() > 0.5;
            let flag = row["flag"] == "1";
            met.add(flag, fault);
            if flag && fault {
                *causes.entry(&row["cause"]).or_default() += 1;
            }
            scored.push((row["surprise"].parse().unwrap(), fault));
        }
        let most = causes.iter().max_by_key(|(_, rows)| **rows);
        let (cause, named) = most.map_or(("none", 0), |(cause, rows)| (*cause, *rows));
        say(&format!(
            "valve1/{number}: {met}; `{cause}` is isolated in {named} of {} hits",
            met.hits
        ));
        area += auc(&scored) / 16.0;
        halves[number % 2] = std::mem::take(&mut halves[number % 2]).and(met);
    }
    let [even, odd] = halves;
    say(&format!("even files alone: {even}"));
    say(&format!("odd files: {odd}"));
    let all = even.and(odd);
    say(&format!("analyze, 16 files: {all}, mean AUC {area:.3}"));
    assert!(all.balanced() > 0.874 && all.false_alarm_rate() < 0.15);
    assert!(area > 0.94, "{area}");
}
