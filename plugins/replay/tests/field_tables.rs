//! Tables as instruments, ROS, spreadsheets and loggers write them: read as they are meant, or refused with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_replay::{Kind, Row, Table, Wanted};
use std::io::Write as _;
use tempfile::NamedTempFile;

const MS: u64 = 1_000_000;
const ROWS: u32 = 60;

/// A table that was read to its end.
#[derive(Debug)]
struct Read {
    channels: Vec<String>,
    rows: Vec<Row>,
    period_ns: Option<u64>,
    format: String,
    notes: String,
    repeated_headers: u64,
    irregular: u64,
    others: Vec<String>,
}

fn open(bytes: &[u8], wanted: &Wanted) -> Result<Read, String> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut table = Table::open(file.path(), wanted).map_err(|e| e.to_string())?;
    let (mut rows, mut row) = (Vec::new(), Row::default());
    while table.read(&mut row).map_err(|e| e.to_string())? {
        rows.push(row.clone());
    }
    let counts = table.counts();
    let times = table.columns().iter().filter(|c| c.kind == Kind::Time);
    Ok(Read {
        channels: table.channels().to_vec(),
        rows,
        period_ns: table.time().and_then(|t| t.period_ns),
        format: table.time().map(|t| t.format.clone()).unwrap_or_default(),
        notes: table.notes().join("\n"),
        repeated_headers: counts.repeated_headers,
        irregular: counts.bad_stamps + counts.short_rows + counts.long_rows + counts.text_cells,
        others: times.map(|c| c.name.clone()).collect(),
    })
}

#[track_caller]
fn read(text: impl AsRef<[u8]>) -> Read {
    open(text.as_ref(), &Wanted::default()).unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> String {
    match open(text.as_ref(), &Wanted::default()) {
        Ok(read) => panic!("{read:?}"),
        Err(message) => message,
    }
}

/// Rows of `t,a,b`: 50 a second.
fn rows(separator: &str) -> String {
    let row = |k: u32| {
        let (t, a) = (f64::from(k) * 0.02, f64::from(k * 7 % 13));
        format!("{t:.3}{separator}{a:.2}{separator}{:.3}\n", a * 0.5 - 2.0)
    };
    (0..ROWS).map(row).collect()
}

#[track_caller]
fn is_whole(table: &Read, channels: &[&str]) {
    assert_eq!(table.channels, channels, "{table:?}");
    assert_eq!(table.rows.len(), ROWS as usize, "{}", table.notes);
    assert_eq!(table.period_ns, Some(20 * MS), "{}", table.format);
    assert_eq!(table.irregular, 0);
    assert_eq!(table.rows[3].values, [Some(8.0), Some(2.0)]);
    assert_eq!(table.rows[59].t_ns, Some(1_180_000_000));
}

#[test]
fn text_above_the_header_is_not_read() {
    for (above, line) in [
        (
            "Device,ADC-8\nSerial,000417\nSample interval,0.02,s\nOperator,\"bench 2\"\n\n",
            Some(6),
        ),
        ("Device,ADC-8\n", Some(2)),
        (
            "Log of the pump\n\n\nstarted: 2023-11-14 22:13:20\n",
            Some(5),
        ),
        ("\"key: value\"\n\"rows: 60\"\n60,3\n", Some(4)),
        ("Start,2023-11-14,ok\nModel,5000,X\n", Some(3)),
        ("# logger 3\n#\n", None),
        ("% logger 3\n// more\n", None),
        ("\n\n", None),
        ("sep=,\n", None),
        ("sep=,\nDevice,ADC-8\n", Some(3)),
        ("\u{feff}Device,ADC-8\n", Some(2)),
        ("param,value\nP,1.5\nI,0.2\n\n", Some(5)),
    ] {
        for end in ["\n", "\r\n"] {
            let text = format!("{above}time,a,b\n{}", rows(",")).replace('\n', end);
            let table = read(&text);
            is_whole(&table, &["a", "b"]);
            let said = table.notes.contains("the header is in line");
            assert_eq!(said, line.is_some(), "{above:?}: {}", table.notes);
            if let Some(line) = line {
                let header = format!("the header is in line {line}:");
                assert!(table.notes.contains(&header), "{above:?}: {}", table.notes);
            }
        }
    }
    for separator in [";", "\t", "|", " "] {
        let above = format!("Device{separator}ADC-8\nserial{separator}000417\n");
        let header = format!("time{separator}a{separator}b\n");
        is_whole(&read(above + &header + &rows(separator)), &["a", "b"]);
    }
    // No header at all.
    let table = read(format!("Log of the pump\n\n{}", rows(",")));
    assert_eq!(table.channels.len(), 2, "{}", table.notes);
    assert!(
        table
            .notes
            .contains("no header above the first row in line 3"),
        "{}",
        table.notes
    );
    // Hundreds of lines.
    let above: String = (0..900).map(|k| format!("key {k},value {k}\n")).collect();
    is_whole(
        &read(format!("{above}time,a,b\n{}", rows(","))),
        &["a", "b"],
    );
}

#[test]
fn row_of_units_sets_the_scale_of_time() {
    for (header, units, ms) in [
        ("time,a,b", "s,V,V", 1000.0),
        ("time,a,b", "[s],[m/s],[V]", 1000.0),
        ("time,a,b", "(ms),(g),(V)", 1.0),
        ("time,a,b", "ms,g,V", 1.0),
        ("time,a,b", "us,g,", 1e-3),
        ("time,a,b", "µs,°C,%", 1e-3),
        ("time,a,b", "μs,°C,%", 1e-3),
        ("time,a,b", "[ns],[-],[-]", 1e-6),
        ("t,a,b", "min,bar,bar", 60_000.0),
        ("x,a,b", "ms,mm,mm", 1.0),
        ("time,a,b", "# ms,V,V", 1.0),
        ("time,a,b", "milliseconds,volts,amps", 1.0),
    ] {
        let body: String = (0..ROWS)
            .map(|k| format!("{},{}.5,{}.25\n", 20 * k, k * 7 % 13, k % 5))
            .collect();
        let table = read(format!("{header}\n{units}\n{body}"));
        let period = (20.0 * ms * 1e6) as u64;
        assert_eq!(table.period_ns, Some(period), "{units}: {}", table.format);
        assert!(
            table.format.contains("in line 2"),
            "{units}: {}",
            table.format
        );
        assert_eq!(table.channels, ["a", "b"], "{units}");
        assert_eq!(table.rows.len(), ROWS as usize);
    }
    let table = read(format!("TIME;A;B\ns;bar;V\n;well-a;\n{}", rows(";")));
    is_whole(&table, &["A", "B"]);
    assert!(
        table.notes.contains("line 3 is not part"),
        "{}",
        table.notes
    );
    // The unit in the name and below it.
    let text = format!("time_us,a,b\nms,V,V\n{}", rows(","));
    assert!(refused(&text).contains("--time-unit"));
}

#[test]
fn unit_in_the_header_sets_the_scale_of_time() {
    for (name, ms) in [
        ("time (ms)", 1.0),
        ("Time [us]", 1e-3),
        ("t_ms", 1.0),
        ("time/ms", 1.0),
        ("Zeit [ms]", 1.0),
        ("timestamp_us", 1e-3),
        ("Elapsed Time (min)", 60_000.0),
        ("Elapsed Time (hours)", 3_600_000.0),
        ("Time [µs]", 1e-3),
        ("Time [μs]", 1e-3),
        ("time_ns", 1e-6),
        ("millis", 1.0),
        ("time_s", 1000.0),
    ] {
        let body: String = (0..ROWS)
            .map(|k| format!("{},{},{}\n", 20 * k, k * 7 % 13, k * 5 % 11))
            .collect();
        let table = read(format!("{name},a,b\n{body}"));
        assert_eq!(
            table.period_ns,
            Some((20.0 * ms * 1e6) as u64),
            "{name}: {}",
            table.format
        );
    }
    // Without a unit: seconds, which is said.
    let body: String = (0..ROWS)
        .map(|k| format!("{},{}\n", 20 * k, k * 7 % 13))
        .collect();
    let table = read(format!("time,a\n{body}"));
    assert!(
        table.format.contains("no unit is stated"),
        "{}",
        table.format
    );
    assert!(table.notes.contains("--time-unit ms"), "{}", table.notes);
    let wanted = Wanted {
        time_unit: Some("ms".to_owned()),
        ..Wanted::default()
    };
    let table = open(format!("time,a\n{body}").as_bytes(), &wanted).unwrap();
    assert_eq!(table.period_ns, Some(20 * MS));
}

#[test]
fn commented_headers_name_the_columns() {
    for header in [
        "%time,field.a,field.b",
        "# time,field.a,field.b",
        "#time,field.a,field.b",
        "// time, field.a, field.b",
        "\"#time\",field.a,field.b",
        "; time,field.a,field.b",
        "# logger 3\n#\n# time,field.a,field.b\n#",
    ] {
        let table = read(format!("{header}\n{}", rows(",")));
        is_whole(&table, &["field.a", "field.b"]);
        assert!(
            !table.notes.contains("no header"),
            "{header}: {}",
            table.notes
        );
    }
    is_whole(&read(format!("#time a b\n{}", rows(" "))), &["a", "b"]);
    is_whole(
        &read(format!("# time a b\n{}", rows("\t").replace('\t', "  "))),
        &["a", "b"],
    );
    // As `rostopic echo -p` writes it: text among the numbers, and a second stamp.
    let body: String = (0..ROWS)
        .map(|k| {
            let ns = 1_700_000_000_000_000_000 + u64::from(k) * 20 * MS;
            format!(
                "{ns},{},{},imu_link,{}.5\n",
                100 + k,
                ns - 3 * MS - u64::from(k % 3),
                k * 7 % 13
            )
        })
        .collect();
    let table = read(format!(
        "%time,field.header.seq,field.header.stamp,field.header.frame_id,field.a\n{body}"
    ));
    assert_eq!(table.channels, ["field.a"]);
    assert_eq!(
        (table.rows.len(), table.period_ns),
        (ROWS as usize, Some(20 * MS))
    );
    assert_eq!(table.others, ["time", "field.header.stamp"]);
}

#[test]
fn stamps_in_two_columns_are_combined() {
    let forms: [(&str, &dyn Fn(u32) -> String); 7] = [
        ("sec,nanosec", &|k| {
            format!("{},{}", 1_700_000_000 + k / 50, k % 50 * 20_000_000)
        }),
        ("header.stamp.secs,header.stamp.nsecs", &|k| {
            format!("{},{:09}", 1_700_000_000 + k / 50, k % 50 * 20_000_000)
        }),
        ("tv_sec,tv_usec", &|k| {
            format!("{},{}", 1_700_000_000 + k / 50, k % 50 * 20_000)
        }),
        ("Date,Time", &|k| {
            format!("2023-11-14,22:13:{:02}.{:03}", 20 + k / 50, k % 50 * 20)
        }),
        ("Date,Time", &|k| {
            format!("14.11.2023,22:13:{:02}.{:03}", 20 + k / 50, k % 50 * 20)
        }),
        ("Date,Time", &|k| {
            format!("11/14/2023,10:13:{:02}.{:03} PM", 20 + k / 50, k % 50 * 20)
        }),
        ("Time,Date", &|k| {
            format!("22:13:{:02}.{:03},14-Nov-23", 20 + k / 50, k % 50 * 20)
        }),
    ];
    for (header, stamp) in forms {
        let body: String = (0..ROWS)
            .map(|k| format!("{},{}.5\n", stamp(k), k * 7 % 13))
            .collect();
        let table = read(format!("{header},a\n{body}"));
        assert_eq!(table.channels, ["a"], "{header} {}", stamp(0));
        assert_eq!(table.period_ns, Some(20 * MS), "{header}: {}", table.format);
        assert_eq!(
            table.rows[0].stamp_ns,
            Some(1_700_000_000_000_000_000),
            "{header} {}",
            stamp(0)
        );
        assert_eq!(
            table.rows[59].t_ns,
            Some(1_180_000_000),
            "{header} {}",
            stamp(0)
        );
        assert!(table.format.contains("the columns `"), "{}", table.format);
    }
}

#[test]
fn footers_are_not_rows() {
    for footer in [
        "\nTotal rows: 60\nChecksum,0x1A2B\n",
        "\nEnd of file\n",
        "--- statistics\nmean,5.1,0.3\nmax,12.0,4.0\n",
        "\n60\n",
        "Total,60\n",
        "\n,,\nSum,,12\n",
        "\u{1a}\n",
    ] {
        for end in ["\n", "\r\n"] {
            let text = format!("time,a,b\n{}{footer}", rows(",")).replace('\n', end);
            let table = read(&text);
            is_whole(&table, &["a", "b"]);
            assert!(
                table.notes.contains("below the data"),
                "{footer:?}: {}",
                table.notes
            );
            let line = if footer.starts_with('\n') { 63 } else { 62 };
            assert!(
                table.notes.contains(&format!("line {line}: ")),
                "{footer:?}: {}",
                table.notes
            );
        }
    }
    // Text between rows is no footer.
    let text = rows(",").replacen("0.400,", "pump restarted\n0.400,", 1);
    let table = read(format!("time,a,b\n{text}"));
    assert_eq!(table.rows.len(), ROWS as usize + 1);
    assert_eq!(table.irregular, 2, "a short row, without a stamp");
    // Rows without a stamp at the end are rows.
    let table = read(format!("time,a,b\n{},5,6\n,7,8\n", rows(",")));
    assert_eq!(table.rows.len(), ROWS as usize + 2);
}

#[test]
fn repeated_headers_and_second_tables_are_reported() {
    let text = format!("time,a,b\n{}time,a,b\n{}", rows(","), rows(","));
    let table = read(&text);
    assert_eq!(
        (table.rows.len(), table.repeated_headers),
        (2 * ROWS as usize, 1)
    );
    let text = format!(
        "time,a,b\n{}\ntime,x,y,z\n0.0,1,2,3\n0.1,1,2,3\n",
        rows(",")
    );
    let table = read(&text);
    is_whole(&table, &["a", "b"]);
    assert!(
        table
            .notes
            .contains("line 63: another table begins with `time, x, y, z`"),
        "{}",
        table.notes
    );
}

#[test]
fn thousands_are_read_or_asked_for() {
    let table = |cells: [&str; 3], separator: &str| {
        let row = |k: usize| format!("{:.2}{separator}{}\n", k as f64 * 0.02, cells[k % 3]);
        let body: String = (0..ROWS as usize).map(row).collect();
        format!("time{separator}a\n{body}")
    };
    for (cells, separator, first) in [
        (["\"4,919.81\"", "\"5,000.5\"", "\"999.25\""], ",", 4919.81),
        (["4.919,81", "5.000,5", "999,25"], ";", 4919.81),
        (["4 919,81", "5 000,5", "999,25"], ";", 4919.81),
        (["4\u{a0}919,81", "5\u{a0}000,5", "999,25"], ";", 4919.81),
        (
            ["4\u{202f}919.81", "5\u{202f}000.5", "999.25"],
            ",",
            4919.81,
        ),
        (["4'919.81", "5'000.5", "999.25"], ",", 4919.81),
        (["\"1,23,456.7\"", "\"1,000.5\"", "999.25"], ",", 123_456.7),
        (["\"1,234,567\"", "\"12,345,678\"", "999"], ",", 1_234_567.0),
        (["\"1,234\"", "\"5,678\"", "999.5"], ",", 1234.0),
        (["\"0,5\"", "\"1,25\"", "999"], ",", 0.5),
        (["1,234", "1,5", "2"], ";", 1.234),
    ] {
        let found = read(table(cells, separator));
        assert_eq!(
            found.rows[0].values,
            [Some(first)],
            "{cells:?}: {}",
            found.notes
        );
        assert_eq!(found.period_ns, Some(20 * MS), "{cells:?}");
        assert_eq!(found.irregular, 0, "{cells:?}");
        let said = found.notes.contains("thousands") || found.notes.contains("decimal");
        assert!(said, "{cells:?}: {}", found.notes);
    }
    // Thousands or a decimal comma?
    let text: String = (0..ROWS)
        .map(|k| format!("{},\"{},{:03}\"\n", 20 * k, 1 + k * 7 % 13, 234 + k))
        .collect();
    let text = format!("t_ms,a\n{text}");
    let message = refused(&text);
    assert!(
        message.contains(":2: found `1,234` in the column `a`") && message.contains("--decimal"),
        "{message}"
    );
    for (decimal, first) in [(b'.', 1234.0), (b',', 1.234)] {
        let wanted = Wanted {
            decimal: Some(decimal),
            ..Wanted::default()
        };
        let found = open(text.as_bytes(), &wanted).unwrap();
        assert_eq!(found.rows[0].values, [Some(first)]);
    }
}

#[test]
fn tables_in_other_encodings_are_read() {
    let text = format!("Zeit [ms]\tT [°C]\tp\n{}", rows("\t"));
    let utf_16: Vec<u16> = format!("\u{feff}{text}").encode_utf16().collect();
    let le: Vec<u8> = utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let be: Vec<u8> = utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let utf_8 = read(&text);
    assert_eq!(utf_8.channels, ["T [°C]", "p"]);
    for (bytes, name) in [
        (&le, "UTF-16LE"),
        (&be, "UTF-16BE"),
        (&latin, "windows-1252"),
    ] {
        let table = read(bytes);
        assert_eq!(table.channels, utf_8.channels, "{name}");
        assert_eq!(table.rows, utf_8.rows, "{name}");
        assert!(table.notes.contains(name), "{}", table.notes);
    }
}

#[test]
fn order_of_day_and_month_is_asked_for_where_steps_depend_on_it() {
    let table = |stamp: &dyn Fn(u32) -> String| {
        let body: String = (0..ROWS)
            .map(|k| format!("{},{}\n", stamp(k), k * 7 % 13))
            .collect();
        format!("time,a\n{body}")
    };
    // A row a day.
    let message = refused("time,a\n01/11/2023,1\n02/11/2023,2\n03/11/2023,3\n");
    assert!(message.contains("--time-format '%d/%m/%Y'"), "{message}");
    // A row an hour: with the month first, each midnight would be a month long.
    let found = read(table(&|k| {
        format!("0{}/11/2023 {:02}:00", 1 + k / 24, k % 24)
    }));
    assert_eq!(found.rows[59].t_ns, Some(59 * 3_600_000_000_000));
    assert!(found.notes.contains("--time-format"), "{}", found.notes);
    // Told by the rest of the file only: at midnight.
    let mut text = table(&|k| format!("03/11/2023 22:{k:02}"));
    text += "04/11/2023 00:00,5\n";
    let wanted = Wanted {
        look_rows: 20,
        ..Wanted::default()
    };
    let message = open(text.as_bytes(), &wanted).unwrap_err();
    assert!(
        message.contains("line 62") && message.contains("--time-format"),
        "{message}"
    );
    let wanted = Wanted {
        time_format: Some("%d/%m/%Y %H:%M".to_owned()),
        ..wanted
    };
    let found = open(text.as_bytes(), &wanted).unwrap();
    assert_eq!(found.rows[60].t_ns, Some(2 * 3_600_000_000_000));
}

#[test]
fn unquoted_commas_in_stamps_and_names_of_rows() {
    // Python's logging writes a comma before the milliseconds.
    let body: String = (0..ROWS)
        .map(|k| format!("2023-11-14 22:13:20,{:03},{k}.5,2\n", k * 2))
        .collect();
    let message = refused(format!("time,a,b\n{body}"));
    assert!(message.contains("4 cells under a header of 3"), "{message}");
    // R writes names of rows without a name for them.
    let body: String = rows(",")
        .lines()
        .enumerate()
        .map(|(k, row)| format!("\"{}\",{row}\n", k + 1))
        .collect();
    let table = read(format!("\"time\",\"a\",\"b\"\n{body}"));
    is_whole(&table, &["a", "b"]);
    assert!(table.notes.contains("names of rows"), "{}", table.notes);
}
