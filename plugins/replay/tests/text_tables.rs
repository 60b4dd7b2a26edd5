//! Stamps and tables beside pandas (`BECOMINGONE_PYTHON`), and mutated tables.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod mutate;

use becomingone_replay::{Row, Table, Wanted};
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Stamps (ns) of the column `time`.
fn stamps(text: &str, wanted: &Wanted) -> Result<Vec<Option<i64>>, String> {
    let file = file(text.as_bytes());
    let mut table = Table::open(file.path(), wanted).map_err(|e| e.to_string())?;
    let (mut stamps, mut row) = (Vec::new(), Row::default());
    while table.read(&mut row).map_err(|e| e.to_string())? {
        stamps.push(row.stamp_ns);
    }
    Ok(stamps)
}

/// `strftime` formats; stamps of each are read by both.
const FORMATS: [&str; 26] = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S,%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S.%f+00:00",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S.%f",
    "%d/%m/%y %I:%M:%S %p",
    "%d-%m-%Y %H:%M:%S.%f",
    "%d-%b-%y %H:%M:%S.%f",
    "%d-%b-%Y %H:%M:%S",
    "%d %B %Y %H:%M:%S",
    "%B %d, %Y %I:%M:%S %p",
    "%a %b %d %H:%M:%S %Y",
    "%a, %d %b %Y %H:%M:%S +0000",
    "%d/%b/%Y:%H:%M:%S +0000",
    "%Y:%m:%d %H:%M:%S",
    "%Y-%jT%H:%M:%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H:%M:%S",
    "%H:%M:%S %d.%m.%Y",
];

#[test]
fn stamps_are_read_as_pandas_reads_them() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        let why = "skipped: pandas, as BECOMINGONE_PYTHON is not set";
        writeln!(std::io::stderr(), "{why}").unwrap();
        return;
    };
    // Forty stamps 1777.25 s apart, from 2023-11-14 22:13:20 on: the day exceeds 12, so that the order can be told.
    let script = "
import sys, json, datetime, pandas
start = datetime.datetime(2023, 11, 14, 22, 13, 20)
out = []
for form in json.load(sys.stdin):
    texts = [(start + datetime.timedelta(seconds=k * 1777.25)).strftime(form) for k in range(40)]
    read = pandas.to_datetime(pandas.Series(texts), format=form, utc=True)
    out.append([texts, [int(t) for t in read.astype('datetime64[ns, UTC]').astype('int64')]])
json.dump(out, sys.stdout)
";
    let mut child = Command::new(python)
        .args(["-c", script])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let formats = serde_json::to_vec(&FORMATS).unwrap();
    child.stdin.take().unwrap().write_all(&formats).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let read: Vec<(Vec<String>, Vec<i64>)> = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(read.len(), FORMATS.len());
    for (form, (texts, expected)) in FORMATS.iter().zip(read) {
        let rows = texts.iter().zip(0..);
        let table: String = rows
            .map(|(text, k)| format!("\"{text}\",{}\n", k * 7 % 13))
            .collect();
        let expected: Vec<Option<i64>> = expected.into_iter().map(Some).collect();
        let found = stamps(&format!("time,a\n{table}"), &Wanted::default());
        assert_eq!(found.as_ref(), Ok(&expected), "{form}: {}", texts[0]);
        if !form.contains(",%f") {
            let wanted = Wanted {
                time_format: Some(
                    form.replace(".%f", "%.f")
                        .replace("Z", "")
                        .replace("+00:00", "%:z")
                        + if form.ends_with('Z') { "Z" } else { "" },
                ),
                ..Wanted::default()
            };
            assert_eq!(
                stamps(&format!("time,a\n{table}"), &wanted),
                Ok(expected),
                "{form}, stated"
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn stamps_are_read_back(start in 0_i64..3_000_000_000, step_ms in 1_i64..100_000_000, form in 0_usize..FORMATS.len()) {
        let form = FORMATS[form];
        let times: Vec<jiff::Timestamp> = (0..20)
            .map(|k| jiff::Timestamp::from_millisecond(start * 1000 + k * step_ms).unwrap())
            .collect();
        let text = |t: &jiff::Timestamp| jiff::fmt::strtime::format(form.replace("%f", "%3f"), &t.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        let rows: String = times.iter().zip(0..).map(|(t, k)| format!("\"{}\",{}\n", text(t), k * 7 % 13)).collect();
        let whole = if form.contains("%f") { 1_000_000 } else { 1_000_000_000 };
        let expected: Vec<i64> = times.iter().map(|t| i64::try_from(t.as_nanosecond()).unwrap() / whole * whole).collect();
        match stamps(&format!("time,a\n{rows}"), &Wanted::default()) {
            // What cannot be told is asked for.
            Err(message) => proptest::prop_assert!(message.contains("--time-format"), "{}", message),
            Ok(found) => {
                let steps = |of: &[i64]| -> Vec<i64> { of.windows(2).map(|w| w[1] - w[0]).collect() };
                let found: Vec<i64> = found.into_iter().flatten().collect();
                proptest::prop_assert_eq!(steps(&found), steps(&expected), "{}", rows);
            }
        }
    }
}

#[test]
fn fuzz_text_tables() {
    let rows = |separator: &str, stamp: &dyn Fn(u32) -> String| -> String {
        (0..30)
            .map(|k| {
                format!(
                    "{}{separator}{}.5{separator}{}\n",
                    stamp(k),
                    k * 7 % 13,
                    k % 5
                )
            })
            .collect()
    };
    let seconds = |k: u32| format!("{}.{:02}", k / 50, k % 50 * 2);
    let seeds = [
        format!(
            "Device,ADC-8\nSerial,000417\n\ntime,a,b\n{}\nTotal,30\n",
            rows(",", &seconds)
        ),
        format!("sep=;\nTIME;A;B\ns;bar;V\n{}", rows(";", &seconds)).replace('.', ","),
        format!("%time a b\n{}", rows(" ", &seconds)),
        format!(
            "time\ta\tb\r\n{}",
            rows("\t", &|k| format!("14.11.23 22:13:{k:02}")).replace('\n', "\r\n")
        ),
        format!(
            "Date,Time,a,b\n{}",
            rows(",", &|k| format!("11/14/2023,10:13:{k:02} PM"))
        ),
        format!(
            "sec,nanosec,a,b\n{}",
            rows(",", &|k| format!("1700000000,{}", k * 20_000_000))
        ),
        format!("time,a,b\n{}", rows(",", &|k| format!("\"1,{k:03}.5\""))),
        format!(
            "t,a,b\n{}",
            rows(",", &|k| format!(
                "{}",
                45_244.925 + f64::from(k) / 86_400.0
            ))
        ),
    ];
    let utf_16 = seeds[0].encode_utf16().flat_map(u16::to_le_bytes).collect();
    let seeds: Vec<Vec<u8>> = seeds
        .into_iter()
        .map(String::into_bytes)
        .chain([utf_16])
        .collect();
    mutate::fuzz("table.csv", &seeds, |file| {
        if let Ok(mut table) = Table::open(file, &Wanted::default()) {
            let mut row = Row::default();
            while table.read(&mut row).unwrap_or(false) {
                assert!(row.values.iter().flatten().all(|x| x.is_finite()));
            }
        }
    });
}
