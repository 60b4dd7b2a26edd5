//! Tables whose time or layout is not certain: read right, or with a question or a note.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_replay::{Row, Table, Wanted};
use std::io::Write as _;
use tempfile::NamedTempFile;

const MS: u64 = 1_000_000;

/// Opens a table and reads it to its end.
fn open(text: &str, wanted: &Wanted) -> Result<Table, String> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut table = Table::open(file.path(), wanted).map_err(|e| e.to_string())?;
    let mut row = Row::default();
    while table.read(&mut row).unwrap() {}
    Ok(table)
}

fn found(text: &str) -> Table {
    open(text, &Wanted::default()).unwrap()
}

/// A header and 200 rows, by their number.
fn rows(head: &str, row: impl Fn(u64) -> String) -> String {
    let rows = (0..200).map(|k| row(k) + "\n");
    format!("{head}\n{}", rows.collect::<String>())
}

fn period(table: &Table) -> Option<u64> {
    table.time().and_then(|time| time.period_ns)
}

#[test]
fn even_steps_with_a_name_a_unit_or_fractions_are_time() {
    for name in ["TimeUS", "Tick (us)", "time_us", "us"] {
        let table = found(&rows(&format!("{name},a"), |k| {
            format!("{},{}", k * 20_000, k % 7)
        }));
        assert_eq!(period(&table), Some(20 * MS), "{name}");
        assert_eq!(table.channels(), ["a"]);
    }
    for name in ["X_Value", "Second", "X", "GPSTow_s"] {
        let text = rows(&format!("{name},a"), |k| {
            format!("{}.{:02},{}", k / 50, k % 50 * 2, k % 7)
        });
        assert_eq!(period(&found(&text)), Some(20 * MS), "{name}");
    }
    let counter = rows("X,a", |k| format!("{k},{}", k % 7));
    assert_eq!(found(&counter).time(), None);
    let wanted = Wanted {
        time_unit: Some("ms".to_owned()),
        ..Wanted::default()
    };
    let table = open(&counter, &wanted).unwrap();
    assert_eq!(period(&table), Some(MS));
}

#[test]
fn requested_formats_and_units_that_do_not_fit_are_errors() {
    let dates = rows("time,a", |k| {
        format!("2023-11-14 22:{:02}:{:02},{}", k / 60, k % 60, k % 7)
    });
    let wanted = Wanted {
        time_unit: Some("ms".to_owned()),
        ..Wanted::default()
    };
    let error = open(&dates, &wanted).unwrap_err();
    assert!(error.contains("`2023-11-14 22:00:00`") && error.contains("--time-unit"));
    let wanted = Wanted {
        time_format: Some("%m/%d/%Y %H:%M:%S".to_owned()),
        ..Wanted::default()
    };
    let error = open(&dates, &wanted).unwrap_err();
    assert!(error.contains("`2023-11-14 22:00:00`") && error.contains("%m/%d/%Y"));
}

#[test]
fn units_with_a_factor_are_applied_or_refused() {
    let text = |unit: &str| rows(&format!("time [{unit}],a"), |k| format!("{k},{}", k % 7));
    assert_eq!(period(&found(&text("0.1 s"))), Some(100 * MS));
    let error = open(&text("3 s"), &Wanted::default()).unwrap_err();
    assert!(error.contains("`3 s`"), "{error}");
}

#[test]
fn headers_are_told_from_annotations_types_and_descriptions() {
    let influx = rows(
        "#group,false,false,true\n#datatype,string,dateTime:RFC3339,double\n#default,_result,,\n,result,_time,_value",
        |k| format!(",,2023-11-14T22:00:00.{:03}Z,{}", k * 5, k % 7),
    );
    assert_eq!(found(&influx).channels(), ["_value"]);
    for above in [
        "time,a\nfloat,float\nms,V",
        "time,a\nTime since start,Voltage of a\nms,V",
        "ms,V\ntime,a",
    ] {
        let table = found(&rows(above, |k| format!("{},{}", 20 * k, k % 7)));
        assert_eq!(table.channels(), ["a"], "{above}");
        assert_eq!(period(&table), Some(20 * MS), "{above}");
    }
    let labview = rows(
        "LabVIEW Measurement\nSeparator\tTab\nDate\t2023/11/14\n***End_of_Header***\t\nChannels\t2\nDelta_X\t0.020000\t0.020000\nX0\t0.0\t0.0\n***End_of_Header***\t\t\nX_Value\tVoltage_0\tVoltage_1",
        |k| format!("{}.{:02}\t{}\t{}", k / 50, k % 50 * 2, k % 7, k % 5),
    );
    assert_eq!(found(&labview).channels(), ["Voltage_0", "Voltage_1"]);
}

#[test]
fn rows_of_one_stamp_share_the_time_from_change_to_change() {
    for (per_second, first) in [(50, 0), (10, 0), (10, 7)] {
        let text = rows("time,a", |k| {
            let s = (k + first) / per_second;
            format!("2023-11-14 22:00:{s:02},{}", k % 7)
        });
        let table = found(&text);
        let time = table.time().unwrap();
        let apart = (1.0 - time.repeated) * time.period_ns.unwrap() as f64 / 1e9;
        assert!((apart * per_second as f64 - 1.0).abs() < 1e-9, "{apart}");
    }
}

#[test]
fn stamps_of_other_programs_are_read() {
    let of = |stamp: &dyn Fn(u64) -> String| {
        period(&found(&rows("time,a", |k| {
            format!("\"{}\",{}", stamp(k), k % 7)
        })))
    };
    let s = |k: u64| (20 + k / 50, k % 50 * 20);
    for (place, stamp) in [
        &(|k| format!("22:13:{:02}:{:03}", s(k).0, s(k).1)) as &dyn Fn(u64) -> String,
        &|k| format!("11/14/2023 22:13:{:02}:{:03}", s(k).0, s(k).1),
        &|k| format!("202311142213{:02}.{:03}", s(k).0, s(k).1),
        &|k| format!("Nov 14, 2023 @ 22:13:{:02}.{:03}", s(k).0, s(k).1),
        &|k| format!("{}.{:02} s", k / 50, k % 50 * 2),
        &|k| format!("{} ms", 20 * k),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(of(stamp), Some(20 * MS), "{place}");
    }
}

#[test]
fn notes_say_what_is_doubtful() {
    let has = |text: &str, part: &str| {
        let table = found(text);
        let notes = table.notes().join("\n");
        assert!(notes.contains(part), "{notes}");
    };
    let micros = rows("time,a", |k| format!("{},{}", 20_000 * k, k % 7));
    has(&micros, "--time-unit ms or --time-unit us");
    let cut = rows("time,a,b", |k| format!("{k},{},2", k % 7)) + "200,1";
    has(&cut, "the file may be cut off");
    let long = rows("time,sensor,value", |k| {
        format!(
            "{}.{},{},{}",
            k / 2 / 50,
            k / 2 % 50,
            ["in", "out"][k as usize % 2],
            k % 7
        )
    });
    has(
        &long,
        "`value` has the rows of all that `sensor` names (`in`, `out`)",
    );
    has(micros.trim_end(), "the last line has no line end");
}

#[test]
fn parts_of_a_stamp_in_columns_are_joined() {
    let second = |k: u64| (k / 50, k % 50 * 20);
    let joined = |header: &str, row: &dyn Fn(u64) -> String| {
        let table = found(&rows(header, row));
        let time = table
            .time()
            .unwrap_or_else(|| panic!("{header}: {:?}", table.notes()));
        assert_eq!(table.channels(), ["a"], "{header}");
        assert!(time.epoch, "{header}");
        (time.name.clone(), time.period_ns, time.repeated)
    };
    let found = joined("Year,Month,Day,Hour,Minute,Second,a", &|k| {
        format!("2023,1,4,2,{},{},{}", k / 60, k % 60, k * 7 % 13)
    });
    let name = "Year + Month + Day + Hour + Minute + Second";
    assert_eq!(found, (name.to_owned(), Some(1000 * MS), 0.0));
    for (header, row) in [
        (
            "year,month,day,hour,min,sec,ms,a",
            &(|k| {
                let (s, ms) = second(k);
                format!("2023,11,14,22,13,{s},{ms},{}", k * 7 % 13)
            }) as &dyn Fn(u64) -> String,
        ),
        // As spreadsheets and pandas write whole numbers.
        ("YYYY,MM,DD,HH,MM,SS,a", &|k| {
            let (s, ms) = second(k);
            format!("2023.0,11.0,14.0,22.0,13.0,{s}.{ms:03},{}", k * 7 % 13)
        }),
        ("Date,Time,Millis,a", &|k| {
            let (s, ms) = second(k);
            format!("2023-11-14,22:13:{s:02},{ms},{}", k * 7 % 13)
        }),
        ("timestamp,us,a", &|k| {
            let (s, ms) = second(k);
            format!("14.11.2023 22:13:{s:02},{},{}", ms * 1000, k * 7 % 13)
        }),
    ] {
        let (_, period_ns, repeated) = joined(header, row);
        assert_eq!((period_ns, repeated), (Some(20 * MS), 0.0), "{header}");
    }
    let (_, period_ns, _) = joined("year,month,day,hour,a", &|k| {
        format!("2023,11,{},{},{}", 1 + k / 24, k % 24, k * 7 % 13)
    });
    assert_eq!(period_ns, Some(3_600_000 * MS));
}

#[test]
fn parts_beside_stamps_are_features_and_missing_parts_are_missing_stamps() {
    // A column of stamps wins, and is finer.
    let table = found(&rows("timestamp,year,month,day,hour,a", |k| {
        format!(
            "2023-11-14 10:{:02}:{:02},2023,11,14,10,{}",
            k / 60,
            k % 60,
            k * 7 % 13
        )
    }));
    let time = table.time().unwrap();
    assert_eq!(
        (time.name.as_str(), time.period_ns),
        ("timestamp", Some(1000 * MS))
    );
    // Milliseconds of something else, beside stamps that do not repeat.
    let table = found(&rows("Year,Month,Day,Hour,Minute,Second,ms,a", |k| {
        format!(
            "2023,11,14,22,{},{},{},{}",
            k / 60,
            k % 60,
            10 + k * 7 % 30,
            k * 7 % 13
        )
    }));
    assert_eq!(table.channels(), ["ms", "a"]);
    assert_eq!(table.time().unwrap().period_ns, Some(1000 * MS));
    // Seconds as a double has them, and an empty part.
    let text = rows("Year,Month,Day,Hour,Minute,Second,a", |k| {
        let second = k as f64 * 0.14;
        let hour = if k == 20 { "" } else { "22" };
        format!("2023,11,14,{hour},13,{second:.16},{}", k * 7 % 13)
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    let mut table = Table::open(file.path(), &Wanted::default()).unwrap();
    let mut row = becomingone_replay::Row::default();
    while table.read(&mut row).unwrap() {}
    assert_eq!(table.time().unwrap().period_ns, Some(140 * MS));
    assert_eq!(table.counts().bad_stamps, 1);
}
