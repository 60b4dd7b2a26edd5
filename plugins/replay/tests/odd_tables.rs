//! Tables in the CSV dialects of other programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_replay::{Kind, Row, Table, TableError, Wanted};
use std::io::Write as _;
use tempfile::NamedTempFile;

fn file(bytes: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    file
}

/// Channels, all rows, and the table at its end.
fn all(bytes: impl AsRef<[u8]>, wanted: &Wanted) -> (Vec<String>, Vec<Row>, Table) {
    let file = file(bytes);
    let mut table = Table::open(file.path(), wanted).unwrap_or_else(|e| panic!("{e}"));
    let mut rows = Vec::new();
    let mut row = Row::default();
    while table.read(&mut row).unwrap() {
        rows.push(row.clone());
    }
    (table.channels().to_vec(), rows, table)
}

fn found(bytes: impl AsRef<[u8]>) -> (Vec<String>, Vec<Row>, Table) {
    all(bytes, &Wanted::default())
}

fn error(bytes: impl AsRef<[u8]>, wanted: &Wanted) -> String {
    let file = file(bytes);
    let error: TableError = Table::open(file.path(), wanted).map(drop).unwrap_err();
    error.to_string()
}

fn time(name: &str) -> Wanted {
    Wanted {
        time: Some(name.to_owned()),
        ..Wanted::default()
    }
}

const S: i64 = 1_000_000_000;

#[test]
fn all_separators_give_equal_rows() {
    for separator in [",", ";", "\t", "|"] {
        let text = "datetime,a,b\n2020-03-09 10:14:33,1.5,2\n2020-03-09 10:14:35,-1e3,4\n";
        let (channels, rows, table) = found(text.replace(',', separator));
        assert_eq!(channels, ["a", "b"], "{separator:?}");
        assert_eq!(rows[0].values, [Some(1.5), Some(2.0)]);
        assert_eq!(rows[1].values, [Some(-1000.0), Some(4.0)]);
        assert_eq!(rows[1].t_ns, Some(2 * S));
        assert_eq!(rows[1].time, "2020-03-09 10:14:35");
        assert_eq!(rows[1].number, 1);
        let time = table.time().unwrap();
        assert!(time.guessed && time.name == "datetime");
        assert_eq!(time.period_ns, Some(2_000_000_000));
    }
    // Other separators have to be given.
    let wanted = Wanted {
        separator: Some(b'^'),
        ..Wanted::default()
    };
    assert_eq!(
        all("a^b\n1^2\n", &wanted).1[0].values,
        [Some(1.0), Some(2.0)]
    );
}

#[test]
fn quotes_byte_order_marks_and_line_ends_are_not_part_of_cells() {
    let text = "\u{feff}\"time\",\"speed, \"\"true\"\"\"\r\n\"0.0\",\"1\"\r\n\"0.5\",\" 2 \"\r\n\r\n1.0,3\r\n";
    let (channels, rows, _) = found(text);
    assert_eq!(channels, ["speed, \"true\""]);
    let values: Vec<_> = rows.iter().map(|r| r.values[0]).collect();
    assert_eq!(values, [Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(rows[2].t_ns, Some(S));
    // An empty line is not a row.
    assert_eq!(rows[2].number, 2);
    // `\r` line ends, as on classic Mac OS; the last line may have no end.
    assert_eq!(found("a,b\r1,2\r3,4").1.len(), 2);
}

#[test]
fn table_aligned_by_spaces_has_no_empty_cells() {
    // Aligned like `df`, `ps` and Fortran: numbers to the right, spaces at the ends of lines.
    let text = "  time    flow  \"power drawn\"\n\
                 \u{20} 0.0   1.25          300   \n\
                 # 5\" pipe   fitted\n\
                 \u{20} 0.5  -1.5     \"  7\"\n\
                 \u{20}10.0     NaN      1e3\n";
    let wanted = Wanted {
        separator: Some(b' '),
        ..Wanted::default()
    };
    for end in ["\n", "\r\n"] {
        for wanted in [&Wanted::default(), &wanted] {
            let (channels, rows, table) = all(text.replace('\n', end), wanted);
            assert_eq!(channels, ["flow", "power drawn"]);
            let values: Vec<_> = rows.iter().map(|r| r.values.clone()).collect();
            assert_eq!(
                values,
                [
                    [Some(1.25), Some(300.0)],
                    [Some(-1.5), Some(7.0)],
                    [None, Some(1000.0)]
                ]
            );
            assert_eq!(rows[2].t_ns, Some(10 * S));
            let counts = table.counts();
            assert_eq!((counts.short_rows, counts.long_rows), (0, 0));
        }
    }
    // Header in a comment, and no header.
    assert_eq!(found("#  time   alpha\n   0  1\n   1  2\n").0, ["alpha"]);
    assert_eq!(found("   1   2\n  10  20\n").1[1].values.len(), 2);
    // With other separators, spaces do not separate.
    let (channels, rows, _) = found("a,   b,   c\n1,   2,   3\n4,    ,   6\n");
    assert_eq!(channels, ["a", "b", "c"]);
    assert_eq!(rows[1].values, [Some(4.0), None, Some(6.0)]);
}

#[test]
fn long_table_aligned_by_spaces_is_read_across_chunks() {
    // Chunks end anywhere, also within spaces.
    let mut text = String::from("time x\n");
    let rows = 60_000;
    for k in 0..rows {
        text += &format!("{k:>9}{:>17}  \n", (k * 7) % 1001);
    }
    let (_, given, table) = found(&text);
    assert_eq!(given.len(), rows);
    assert_eq!(
        (table.counts().short_rows, table.counts().long_rows),
        (0, 0)
    );
    for (k, row) in given.iter().enumerate() {
        assert_eq!(row.values, [Some(((k * 7) % 1001) as f64)], "row {k}");
        assert_eq!(row.t_ns, Some(k as i64 * S), "row {k}");
    }
}

#[test]
fn irregularities_have_the_line_number_of_an_editor() {
    let lines = |count: usize| "1,2\n".repeat(count);
    let table = |above: &str, good: usize, odd: &str| format!("{above}a,b\n{}{odd}\n", lines(good));
    for (text, line) in [
        (table("", 2, "3,x"), 4),
        (table("\n# logger\n\n", 2, "3,x"), 7),
        // Empty lines and comments between rows are lines.
        (table("", 2, "\n# battery changed\n\n3,x"), 7),
        (table("", 2, "\"two\nlines\",5\n3,x"), 4),
        // Beyond the buffer of the stream.
        (table("", 300_000, "# one more\n3,x"), 300_003),
    ] {
        for end in ["\n", "\r\n", "\r"] {
            // With `\r` line ends, a comment extends to the end of the file.
            if end == "\r" && text.contains('#') {
                continue;
            }
            let (_, _, table) = found(text.replace('\n', end));
            let message = table.firsts().text_cell.clone().unwrap_or_default();
            assert!(
                message.starts_with(&format!("line {line}: ")),
                "{end:?}: {message}"
            );
        }
    }
    for end in ["\n", "\r\n", "\r"] {
        let text = "a,note,b\n1,,2\n1,fine,3\n1,worn\n".replace('\n', end);
        let (_, _, table) = found(text);
        let note = table.columns()[1].text.clone().unwrap();
        assert!(note.starts_with("line 3: "), "{end:?}: {note}");
        let short = table.firsts().short_row.clone().unwrap();
        assert!(short.starts_with("line 4: "), "{end:?}: {short}");
        let message = error(format!("a,b{end}1,2{end}1,\0"), &Wanted::default());
        assert!(
            message.contains(":3: found a zero byte"),
            "{end:?}: {message}"
        );
        let message = error(
            format!("sep=,{end}a,b{end}1,5,2,5{end}"),
            &Wanted::default(),
        );
        assert!(message.contains(":3: found 4 cells"), "{end:?}: {message}");
    }
}

#[test]
fn decimal_commas_are_detected() {
    let text =
        "Zeit;Druck;Temperatur\n09.03.2020 10:14:33,250;0,5;-79,25\n09.03.2020 10:14:33,500;1;80\n";
    let (channels, rows, table) = found(text);
    assert_eq!(channels, ["Druck", "Temperatur"]);
    assert_eq!(rows[0].values, [Some(0.5), Some(-79.25)]);
    assert_eq!(rows[1].values, [Some(1.0), Some(80.0)]);
    assert!(table.notes().iter().any(|n| n.contains("decimal")));
    let text = "t;x\n0,5;1\n1,0;2\n1,5;4\n";
    let (_, rows, _) = found(text);
    assert_eq!(rows[2].t_ns, Some(S));
    assert_eq!(rows[2].values, [Some(4.0)]);
    // With decimal points in the table, a comma separates thousands, as in pandas' thousands=",".
    assert_eq!(
        found("a;b\n1.5;2\n2.5;1,000\n2.5;3\n").1[1].values,
        [Some(2.5), Some(1000.0)]
    );
    // Commas as separators and decimal points are ambiguous.
    let message = error("# made by x\na,b\n1,5,2,5\n1,5,3,5\n", &Wanted::default());
    assert!(
        message.contains(
            ":3: found 4 cells under a header of 2, in every row: commas as decimal points"
        ),
        "{message}"
    );
}

#[test]
fn missing_values_are_none() {
    let text = "t,a,b\n0,1,NaN\n1,,2\n2,null,N/A\n3,inf,x\n4,5\n5,6,7,8,9\n";
    let (_, rows, table) = found(text);
    let values: Vec<_> = rows.iter().map(|r| r.values.clone()).collect();
    assert_eq!(
        values,
        [
            [Some(1.0), None],
            [None, Some(2.0)],
            [None, None],
            [None, None],
            [Some(5.0), None],
            [Some(6.0), Some(7.0)],
        ]
    );
    let counts = table.counts();
    assert_eq!(
        (counts.rows, counts.short_rows, counts.long_rows),
        (6, 1, 1)
    );
    assert_eq!((counts.text_cells, counts.infinite_cells), (1, 1));
}

#[test]
fn columns_are_classified_by_their_first_rows() {
    let mut text = "index,when,state,empty,a,on\n".to_owned();
    for k in 0..20 {
        text += &format!("{k},{},run,,{},{}\n", 1_583_748_873 + k, k % 3, k % 2 == 0);
    }
    let (channels, rows, table) = found(&text);
    assert_eq!(channels, ["a", "on"]);
    let kinds: Vec<Kind> = table.columns().iter().map(|c| c.kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Counter,
            Kind::Time,
            Kind::Text,
            Kind::Empty,
            Kind::Numbers,
            Kind::Numbers
        ]
    );
    assert_eq!(rows[2].values, [Some(2.0), Some(1.0)]);
    assert_eq!(
        table.time().unwrap().format,
        "seconds since 1970, by the magnitude of `1583748873`"
    );
    let wanted = Wanted {
        ignore: vec!["a".to_owned()],
        ..Wanted::default()
    };
    assert_eq!(all(&text, &wanted).0, ["on"]);
    let wanted = Wanted {
        columns: vec!["on".to_owned(), "index".to_owned()],
        ..Wanted::default()
    };
    let (channels, rows, _) = all(&text, &wanted);
    assert_eq!(channels, ["on", "index"]);
    assert_eq!(rows[3].values, [Some(0.0), Some(3.0)]);
}

#[test]
fn missing_and_duplicate_names_are_replaced() {
    let (channels, rows, table) = found("1,2.5\n2,3.5\n");
    assert_eq!(channels, ["column_1", "column_2"]);
    assert_eq!(rows.len(), 2);
    assert!(table.notes()[0].contains("no header"));
    // A row of stamps and numbers is not a header.
    assert_eq!(
        found("2020-03-09 10:14:33;1\n2020-03-09 10:14:34;2\n")
            .1
            .len(),
        2
    );
    let (channels, _, table) = found("a,a,,a_2\n1,2,3,4\n");
    assert_eq!(channels, ["a", "a_3", "column_3", "a_2"]);
    assert!(table.notes()[0].contains("a_3"));
    // Latin-1.
    assert_eq!(found(b"T [\xb0C],p\n1,2\n").0[0], "T [°C]");
}

#[test]
fn comments_are_not_rows() {
    let text = "# logger 3\n#\nsep,b\n1,2\n# battery changed\n3,4\n";
    let (channels, rows, _) = found(text);
    assert_eq!(channels, ["sep", "b"]);
    assert_eq!(rows.len(), 2);
    // Header in a comment.
    let (channels, rows, _) = found("% made by x\n% time,alpha\n0,1\n1,2\n");
    assert_eq!(channels, ["alpha"]);
    assert_eq!(rows[1].t_ns, Some(S));
    assert_eq!(found("sep=;\na;b\n1;2\n").0, ["a", "b"]);
}

#[test]
fn stamps_may_repeat_decrease_or_be_missing() {
    let text = "time,x\n0,1\n0,2\n5,3\n4,4\n,5\nlater,6\n6,7\n1,8\n2,9\n3,1\n4,1\n5,1\n";
    let (_, rows, table) = all(text, &time("time"));
    let stamps: Vec<_> = rows.iter().take(7).map(|r| r.t_ns).collect();
    let s = |s: i64| Some(s * S);
    assert_eq!(stamps, [s(0), s(0), s(5), s(4), None, None, s(6)]);
    assert_eq!(rows[5].time, "later");
    assert_eq!(table.counts().bad_stamps, 2);
    assert!(!table.time().unwrap().guessed);
}

#[test]
fn stamps_are_exact_to_the_nanosecond() {
    let text =
        "timestamp,x\n2020-03-09T10:14:33.000000001+02:00,1\n2020-03-09T08:14:33.100000002Z,2\n";
    assert_eq!(found(text).1[1].t_ns, Some(100_000_001));
    let text = "t,x\n1583748873.000000001,1\n1583748873.100000002,2\n";
    assert_eq!(found(text).1[1].t_ns, Some(100_000_001));
    let text = "stamp_ns,x\n1583748873000000001,1\n1583748873100000002,2\n";
    assert_eq!(found(text).1[1].t_ns, Some(100_000_001));
    let text = "time_ms,x\n-5,1\n5.5,2\n";
    assert_eq!(found(text).1[1].t_ns, Some(10_500_000));
}

#[test]
fn tables_without_rows_are_valid() {
    let (channels, rows, _) = all("time,a,b\n", &time("time"));
    assert_eq!((channels.len(), rows.len()), (0, 0));
    assert!(error("", &Wanted::default()).contains("an empty file"));
    assert!(error("\n\n# nothing\n", &Wanted::default()).contains("expected a header and rows"));
}

#[test]
fn errors_say_what_to_do() {
    let text = "datetime;Pressure\n2020-03-09 10:14:33;1\n";
    let message = error(text, &time("datetim"));
    assert!(message.contains("no column `datetim`"), "{message}");
    assert!(
        message.ends_with("one of: datetime, Pressure; did you mean `datetime`?"),
        "{message}"
    );
    let wanted = Wanted {
        ignore: vec!["pressure".to_owned()],
        ..Wanted::default()
    };
    assert!(error(text, &wanted).contains("did you mean `Pressure`?"));
    let message = error("a,b\nx,1\ny,2\n", &time("a"));
    assert!(
        message.contains("found `x` in the column `a`; expected time: ISO 8601"),
        "{message}"
    );

    assert!(error(b"\x1f\x8b\x08\x00", &Wanted::default()).contains("gunzip"));
    assert!(error(b"PK\x03\x04abc", &Wanted::default()).contains("unzip"));
    assert!(error(b"a,b\n1,\x00\n", &Wanted::default()).contains("zero byte"));
    let folder = tempfile::tempdir().unwrap();
    let message = Table::open(folder.path(), &Wanted::default()).unwrap_err();
    assert!(message.to_string().contains("found a folder"), "{message}");
    let message = Table::open(folder.path().join("log.csv"), &Wanted::default()).unwrap_err();
    assert!(
        message.to_string().contains("log.csv: No such file"),
        "{message}"
    );
}

#[test]
fn unclosed_quote_does_not_read_the_file_into_memory() {
    for (more, found) in [
        (
            "1,2\n3,4\n5,6\n7,8\n9,0\n1,2\n3,4\n5,6\n7,8\n9,0\n",
            "a quote that is open for more than 100 lines",
        ),
        (
            "1,2;3,4;5,6;7,8;9,0;1,2;3,4;5,6;7,8;9,0;1,2;3,4;5,6;7,8;",
            "a row of more than 16 MB",
        ),
    ] {
        let mut text = "a,b\n1,2\n3,\"4\n".to_owned();
        while text.len() < 40 << 20 {
            text += more;
        }
        let file = file(text);
        let mut table = Table::open(file.path(), &Wanted::default()).unwrap();
        let mut row = Row::default();
        assert!(table.read(&mut row).unwrap());
        let message = table.read(&mut row).unwrap_err().to_string();
        assert!(message.contains(&format!(":3: found {found}")), "{message}");
    }
}

#[test]
fn stray_quote_ends_the_table_with_an_error_and_comments_do_not() {
    let rows = |n: usize| (0..n).fold(String::new(), |t, k| t + &format!("{k},{k}.5\n"));
    let comments = "# it's 5\" of rain\n".repeat(300);
    let text = |stray: &str| {
        format!(
            "a,b\n{}{comments}{}{stray}{}",
            rows(500),
            rows(500),
            rows(900)
        )
    };
    let read = |text: String| {
        let file = file(text);
        let mut table = Table::open(file.path(), &Wanted::default()).unwrap();
        let (mut row, mut count) = (Row::default(), 0);
        loop {
            match table.read(&mut row) {
                Ok(true) => count += 1,
                Ok(false) => return Ok(count),
                Err(error) => return Err((count, error.to_string())),
            }
        }
    };
    assert_eq!(read(text("")), Ok(1900));
    let (count, message) = read(text("7,\"8\n")).unwrap_err();
    assert!(
        count == 1000 && message.contains(":1302: found a quote that is open"),
        "{count} {message}"
    );
}

#[test]
fn quoted_cells_may_contain_line_ends() {
    let (_, rows, _) = found("a,note,b\n1,\"two\nlines\",2\n3,\"\",4\n");
    assert_eq!(rows[0].values, [Some(1.0), Some(2.0)]);
    assert_eq!(rows.len(), 2);
}

#[test]
fn row_across_the_end_of_the_head_is_read() {
    // Longer than the head, so that rows cross from the head to the streamed part.
    let mut text = "t,x\n".to_owned();
    let rows = 600_000;
    for k in 0..rows {
        text += &format!("{}.25,{}\n", k, (k * 7) % 1001);
    }
    assert!(text.len() > 5 << 20);
    let wanted = Wanted {
        look_rows: usize::MAX,
        ..Wanted::default()
    };
    let (_, given, table) = all(&text, &wanted);
    assert_eq!(given.len(), rows);
    assert_eq!(table.counts().short_rows, 0);
    for (k, row) in given.iter().enumerate() {
        assert_eq!(row.values, [Some(((k * 7) % 1001) as f64)], "row {k}");
        assert_eq!(row.t_ns, Some(k as i64 * S), "row {k}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let file = file(&bytes);
        if let Ok(mut table) = Table::open(file.path(), &Wanted::default()) {
            let mut row = Row::default();
            while table.read(&mut row).unwrap_or(false) {
                proptest::prop_assert!(row.values.iter().flatten().all(|x| x.is_finite()));
            }
        }
    }

    #[test]
    fn no_text_causes_a_panic(text in "[-+0-9a-zT:;,.|#%\"\\r\\n\\t ]{0,400}") {
        let file = file(&text);
        if let Ok(mut table) = Table::open(file.path(), &Wanted::default()) {
            let mut row = Row::default();
            while table.read(&mut row).unwrap_or(false) {}
        }
    }

    #[test]
    fn numbers_are_read_bit_identically(x in proptest::num::f64::NORMAL) {
        let wanted = Wanted { columns: vec!["a".to_owned()], ..Wanted::default() };
        let (_, rows, _) = all(format!("a,b\n{x},0\n{x:e},1\n"), &wanted);
        for row in rows {
            proptest::prop_assert_eq!(row.values[0].map(f64::to_bits), Some(x.to_bits()));
        }
    }
}

#[test]
fn points_in_whole_numbers_are_groups_where_commas_are_decimal() {
    let mut text = "Zeit;a;b\n".to_owned();
    let mut open = "time;a;b\n".to_owned();
    for k in 0..40 {
        let a = 900 + 20 * k + k % 3;
        let a = if a < 1000 {
            a.to_string()
        } else {
            format!("{}.{:03}", a / 1000, a % 1000)
        };
        text += &format!("{},{:03};{a};0,5{k}\n", k / 50, k % 50 * 20);
        open += &format!("{k};{a};543\n");
    }
    let (_, rows, _) = found(&text);
    assert_eq!(rows[39].values[0], Some(1680.0));
    assert_eq!(rows[0].values[0], Some(900.0));
    // Nothing else says what the decimal sign is.
    let asked = error(&open, &Wanted::default());
    assert!(asked.contains("--decimal"), "{asked}");
    assert!(
        asked.contains("`1.002` in the column `a`, whose point"),
        "{asked}"
    );
    let wanted = Wanted {
        decimal: Some(b','),
        ..Wanted::default()
    };
    assert_eq!(all(&open, &wanted).1[39].values[0], Some(1680.0));
    let wanted = Wanted {
        decimal: Some(b'.'),
        ..Wanted::default()
    };
    assert_eq!(all(&open, &wanted).1[39].values[0], Some(1.68));
}

#[test]
fn thousands_are_read_in_the_time_as_in_other_columns() {
    let group = |mut n: i64, sign: &str| {
        let mut parts = Vec::new();
        while n >= 1000 {
            parts.insert(0, format!("{:03}", n % 1000));
            n /= 1000;
        }
        parts.insert(0, n.to_string());
        parts.join(sign)
    };
    let rows = |line: &dyn Fn(i64) -> String| (0..200).map(line).collect::<String>();
    let ms = rows(&|k| format!("\"{}\",0.5,1.5\n", group(20 * k, ",")));
    let us = rows(&|k| format!("\"{}\",0.5,1.5\n", group(1_000_000 + 20_000 * k, ",")));
    let de = rows(&|k| format!("{};0,5;1,5\n", group(1_000_000 + 20_000 * k, ".")));
    let de_ms = rows(&|k| format!("{};0,5;1,5\n", group(20 * k, ".")));
    for text in [
        format!("time_ms,a,b\n{ms}"),
        format!("time_us,a,b\n{us}"),
        format!("us;a;b\n{de}"),
        format!("ms;a;b\n{de_ms}"),
    ] {
        let (_, rows, table) = found(&text);
        assert_eq!(table.time().unwrap().period_ns, Some(20_000_000));
        assert_eq!(rows[199].t_ns, Some(199 * 20_000_000), "{text:.60}");
        assert!(table.notes().iter().all(|n| !n.contains("``")));
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "time,a\u{1b}[31m,b").unwrap();
    for k in 0..40 {
        writeln!(file, "{k},{},{}", k * 7 % 13, k % 5).unwrap();
    }
    writeln!(file, "40,\u{1b}]0;x\u{7},1").unwrap();
    let mut table = Table::open(file.path(), &Wanted::default()).unwrap();
    let mut row = Row::default();
    while table.read(&mut row).unwrap() {}
    let first = table.firsts().text_cell.clone().unwrap();
    for text in table.channels().iter().chain(table.notes()).chain([&first]) {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    let wanted = Wanted {
        columns: vec!["c\u{1b}[2J".to_owned()],
        ..Wanted::default()
    };
    let error = Table::open(file.path(), &wanted).unwrap_err().to_string();
    assert!(
        error.contains("no column `c") && !error.contains('\u{1b}'),
        "{error:?}"
    );
}
