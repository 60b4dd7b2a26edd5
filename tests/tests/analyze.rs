//! `becomingone analyze`: a table in, scores out; what is odd is said, what is wrong is named.

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
use std::process::Command;
use tempfile::TempDir;

const HEADER: &str = "row,time,t_emissary,t_master,coherence,delta,k1,k2,k3,flag,cause";

/// Numbers that scatter between -0.5 and 0.5, the same each time.
struct Scatter(u64);

impl Scatter {
    fn next(&mut self) -> f64 {
        // Knuth's MMIX; the upper bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }
}

/// A pump: three sensors of one level, 10 rows a second. From row `broken` on, `flow` jitters.
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

/// Cells of a row; where one is in quotes, it may have a comma in it.
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

/// Rows by the names of their columns.
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
fn a_broken_sensor_is_flagged_named_and_timed() {
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
            // K1 = max(Re T_sync, 0)^2, T_sync the mean of the two.
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
        out.contains("time: `time` (seconds, guessed: --time says another), a row every 100 ms"),
        "{out}"
    );
    assert!(
        out.contains(&format!("  {}.{} to ", first / 10, first % 10)),
        "{out}"
    );
    assert!(out.contains(": flow, peak surprise "), "{out}");
}

#[test]
fn a_sensor_that_rests_is_said() {
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
        ran.stderr.contains("`flow` does not move after row 500"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("flagged:"), "{}", ran.stdout);
}

#[test]
fn what_is_healthy_is_not_flagged() {
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
fn the_same_table_gives_the_same_scores_however_it_is_written() {
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
fn labels_text_counters_and_empty_columns_are_said() {
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
    for said in [
        "`state`: text, no channel",
        "`spare`: nothing in the first rows, no channel",
        "`n`: counts rows, no channel",
        "constant in the first 400 rows: `label`",
        "pass it to --ignore",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
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
fn gaps_missing_cells_and_odd_stamps_are_taken() {
    let mut text = String::new();
    for (k, line) in pump(1200, usize::MAX).lines().enumerate() {
        let mut cells: Vec<&str> = line.split(';').collect();
        match k {
            // A gap of 50 s.
            700..750 => continue,
            // A stamp again, one that goes back, none, and one that is text.
            800 => cells[0] = "79.8",
            810 => cells[0] = "3.0",
            820 => cells[0] = "",
            830 => cells[0] = "noon",
            // A sensor that pauses, and one that is broken.
            840..860 => cells[1] = "",
            870 => cells[2] = "NaN",
            871 => cells[2] = "inf",
            872 => cells[2] = "fail",
            880 => cells.truncate(2),
            881 => cells.push("9"),
            // One that is gone for good.
            900.. => cells[3] = "",
            _ => {}
        }
        writeln!(text, "{}", cells.join(";")).unwrap();
    }
    let folder = folder(&[("log.csv", &text)]);
    let ran = ok(folder.path(), &["--baseline", "300"]);
    let rows = scores(&folder);
    // One line for each row: but for those that were left out above.
    assert_eq!(rows.len(), 1150);
    assert!(
        rows[300..]
            .iter()
            .all(|r| r["k3"].parse::<f64>().unwrap().is_finite())
    );
    for said in [
        "2 rows whose stamp is not after that of the row before",
        "2 stamps that cannot be read",
        "1 rows with too few cells",
        "1 rows with too many cells",
        "1 cells of channels that are infinite",
        "1 cells of channels with text in them",
        "`speed` has no value after row 848",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

#[test]
fn rows_without_a_clock_go_by_their_rate() {
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
        ran.stderr.contains("90 % of the first stamps are those of the row before: rows are taken to be 97.744 ms apart"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("not taken"), "{}", ran.stderr);
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
        ran.stderr.contains("70 columns of numbers are more than the 64 that a self-model takes: the first 64 are used, up to `c63`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn mistakes_are_named_and_nothing_is_lost() {
    let text = pump(300, usize::MAX);
    let folder = folder(&[
        ("log.csv", &text),
        ("words.csv", "a,b\nx,y\nz,w\n"),
        ("empty.csv", ""),
    ]);
    let path = folder.path();
    for (args, said) in [
        (
            &["log.csv"][..],
            "log.csv: found 300 rows; expected more than the 400 of --baseline, which are learned from, or a smaller one (at least 64)",
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
        (&["log.csv", "--separator", "ab"], "expected one sign"),
        (&["log.csv", "--rate", "0"], "expected rows a second"),
        (
            &["words.csv"],
            "found no column of numbers in its first rows: `a` (text), `b` (text)",
        ),
        (
            &["empty.csv"],
            "empty.csv: found an empty file; expected a header and rows",
        ),
        (&["none.csv"], "none.csv: No such file or directory"),
        (&["."], "found a folder; expected a recording: CSV or MCAP"),
    ] {
        let mut all = vec!["analyze"];
        all.extend(args);
        if !args.contains(&"--rerun") {
            all.extend(["--rerun", "off"]);
        }
        let ran = run(path, &all);
        assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read_to_string(path.join("log.csv")).unwrap(), text);
    // What there is of a short table is scored all the same: a line for each row.
    assert_eq!(scores(&folder).len(), 300);
}

#[test]
fn scores_go_to_stdout_alone() {
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
fn a_recording_is_saved_beside_and_named_as_the_table() {
    let folder = folder(&[("pump.csv", &pump(900, 600))]);
    let ran = run(folder.path(), &["analyze", "pump.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = std::fs::read(folder.path().join("pump.rrd")).unwrap();
    assert!(bytes.starts_with(b"RRF2"), "{:?}", &bytes[..4]);
    assert!(
        ran.stdout.contains("recorded pump.rrd; to look at it:"),
        "{}",
        ran.stdout
    );
}

/// A table of at least so many bytes.
fn long_table(bytes: u64) -> (TempDir, PathBuf, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let mut to = BufWriter::new(std::fs::File::create(&path).unwrap());
    let mut scatter = Scatter(11);
    writeln!(to, "time_ms,a,b,c,d,e,f,g,h").unwrap();
    let (mut written, mut rows) = (0, 0_u64);
    while written < bytes {
        let mut line = format!("{}", 20 * rows);
        for _ in 0..8 {
            write!(line, ",{:.6}", scatter.next()).unwrap();
        }
        writeln!(to, "{line}").unwrap();
        written += line.len() as u64 + 1;
        rows += 1;
    }
    to.flush().unwrap();
    (folder, path, rows)
}

/// Memory does not grow with the table: under a limit that a tenth of it would break, were it kept.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_the_same_for_any_length() {
    let peak_kb = |bytes: u64| {
        let (folder, _path, rows) = long_table(bytes);
        // The peak is what the kernel counted when the program ended.
        let mut command = Command::new(binary());
        command.current_dir(folder.path()).args([
            "analyze",
            "log.csv",
            "--rerun",
            "off",
            "--out",
            "/dev/null",
            "--quiet",
        ]);
        let mut child = command.spawn().unwrap();
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
        (most, rows)
    };
    let (short_kb, _) = peak_kb(2 << 20);
    let (long_kb, rows) = peak_kb(50 << 20);
    say(&format!(
        "50 MB, {rows} rows: at most {long_kb} kB of memory; 2 MB: {short_kb} kB"
    ));
    assert!(
        long_kb < short_kb + 8 * 1024,
        "{short_kb} kB, then {long_kb} kB"
    );
    assert!(long_kb < 40 * 1024, "{long_kb} kB");
}

#[test]
fn a_full_disk_is_said() {
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

/// Where the recordings of a real machine are. None, and a line that says so, where they are not.
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

/// How often a faulty row stands above a healthy one (Mann and Whitney), ties as half.
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

/// The whole program on a real machine's faults (SKAB, valve1): the first 400 rows of each file to learn, labels
/// only in what it is judged by. The defaults were chosen on the even-numbered files.
#[test]
fn faults_of_a_real_machine_are_found_by_the_program() {
    let Some(data) = recordings() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut pooled = [0.0; 4];
    let mut areas = [0.0; 3];
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
        let mut scored: [Vec<(f64, bool)>; 3] = Default::default();
        for (row, given) in rows.iter().zip(&given).skip(400) {
            assert_eq!(row["time"], given[0]);
            let fault = given[9].parse::<f64>().unwrap() > 0.5;
            let place = match (row["flag"] == "1", fault) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            pooled[place] += 1.0;
            for (scored, k) in scored.iter_mut().zip(["k1", "k2", "k3"]) {
                if let Ok(x) = row[k].parse() {
                    scored.push((x, fault));
                }
            }
        }
        for (sum, scored) in areas.iter_mut().zip(&scored) {
            *sum += auc(scored) / 16.0;
        }
    }
    let [tp, fp, missed, tn] = pooled;
    let (false_alarms, misses) = (fp / (fp + tn), missed / (missed + tp));
    let balanced = 1.0 - 0.5 * (false_alarms + misses);
    say(&format!(
        "analyze, 16 files: F1 {:.3}, false alarms {:.1} %, misses {:.1} %, balanced accuracy {:.1} %, mean AUC k1 {:.3} k2 {:.3} k3 {:.3}",
        2.0 * tp / (2.0 * tp + fp + missed),
        100.0 * false_alarms,
        100.0 * misses,
        100.0 * balanced,
        areas[0],
        areas[1],
        areas[2]
    ));
    assert!(balanced > 0.83 && false_alarms < 0.15);
    assert!(areas.iter().sum::<f64>() / 3.0 > 0.93, "{areas:?}");
}
