//! Parquet, Arrow, NumPy and JSON lines have the numbers that pandas, pyarrow and numpy wrote; files that are cut off give
//! what is whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[allow(unreachable_pub, reason = "shared by tests")]
mod mutate;
mod peers;

use becomingone_replay::{Row, Table, Wanted};
use std::path::Path;

const PARQUET: bool = cfg!(feature = "parquet");

#[test]
fn tables_have_the_numbers_of_pandas_pyarrow_and_numpy() {
    let Some((folder, expected)) = peers::files("typed_tables.py") else {
        return;
    };
    let mut files = 0;
    for (name, expected) in expected.as_object().unwrap() {
        if name.ends_with(".parquet") && !PARQUET {
            continue;
        }
        let columns = expected["columns"].as_object().unwrap();
        let wanted = Wanted {
            columns: columns.keys().cloned().collect(),
            ..Wanted::default()
        };
        let whole = peers::read(&folder.path().join(name), &wanted)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        for (column, values) in columns {
            let values: Vec<Option<f64>> = values
                .as_array()
                .unwrap()
                .iter()
                .map(serde_json::Value::as_f64)
                .collect();
            let found = &whole.columns[column];
            assert_eq!(found.len(), values.len(), "{name}: {column}");
            for (k, (found, value)) in found.iter().zip(&values).enumerate() {
                assert_eq!(found, value, "{name}: {column}, row {k}");
            }
        }
        assert_eq!(
            whole.table.time().map(|t| t.name.as_str()),
            expected["time"].as_str(),
            "{name}"
        );
        if let Some(t_ns) = expected["t_ns"].as_array() {
            for (k, (found, t)) in whole.t_ns.iter().zip(t_ns).enumerate() {
                assert_eq!(*found, t.as_i64(), "{name}, row {k}");
            }
        }
        let notes = whole.table.notes().join("\n");
        for unread in expected["unread"].as_array().into_iter().flatten() {
            let unread = format!("`{}` (", unread.as_str().unwrap());
            assert!(notes.contains(&unread), "{name}: {notes}");
        }
        assert!(!notes.contains("cut off"), "{name}: {notes}");
        files += 1;
    }
    assert!(files > 30, "{files}");
    // What cannot be read is refused with the reason.
    for (name, why) in [
        ("objects.npy", "objects"),
        ("cube.npy", "reshape"),
        ("unequal.npz", "`a` (1000), `b` (10)"),
        ("v1.feather", "Feather"),
    ] {
        let error = peers::read(&folder.path().join(name), &Wanted::default()).unwrap_err();
        assert!(error.contains(name) && error.contains(why), "{error}");
    }
}

fn count(file: &Path) -> Result<(u64, String), String> {
    let mut table = Table::open(file, &Wanted::default()).map_err(|e| e.to_string())?;
    let mut row = Row::default();
    while table.read(&mut row).map_err(|e| e.to_string())? {}
    Ok((table.counts().rows, table.notes().join("\n")))
}

#[test]
fn tables_that_are_cut_off_give_what_is_whole_and_say_so() {
    let Some((folder, _)) = peers::files("typed_tables.py") else {
        return;
    };
    for name in [
        "frame_lz4.feather",
        "types.arrows",
        "c.npy",
        "fortran.npy",
        "records.npy",
        "plain.npz",
        "nested.ndjson",
        "pretty.json",
        "array.json",
        "frame_snappy.parquet",
    ] {
        if name.ends_with(".parquet") && !PARQUET {
            continue;
        }
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        let cut = folder.path().join(format!("cut_{name}"));
        let mut last = 0;
        for percent in 1..100 {
            let part = &bytes[..bytes.len() * percent / 100];
            std::fs::write(&cut, part).unwrap();
            match count(&cut) {
                Ok((rows, notes)) => {
                    assert!(
                        rows >= last && rows <= 1000,
                        "{name} at {percent} %: {rows} after {last}"
                    );
                    last = rows;
                    let said = notes.contains("cut off")
                        || notes.contains("the file ends")
                        || notes.contains("no JSON object")
                        || part.ends_with(b"\n")
                        || name == "nested.ndjson" && part.ends_with(b"}");
                    assert!(said, "{name} at {percent} %: {notes}");
                }
                Err(error) => {
                    assert_eq!(last, 0, "{name} at {percent} %: {error}");
                    assert!(error.contains(&format!("cut_{name}")), "{error}");
                }
            }
        }
        // The description of these is at the end, or their columns are one after the other.
        let whole = ["fortran.npy", "plain.npz", "frame_snappy.parquet"];
        assert_eq!(last < 850, whole.contains(&name), "{name}: {last}");
    }
}

#[test]
fn damaged_arrays_of_an_archive_are_not_read() {
    let Some((folder, _)) = peers::files("typed_tables.py") else {
        return;
    };
    for name in ["plain.npz", "deflated.npz"] {
        let mut bytes = std::fs::read(folder.path().join(name)).unwrap();
        // Within the numbers of the first array, `x`.
        bytes[3000] ^= 0x10;
        let file = folder.path().join("damaged.npz");
        std::fs::write(&file, bytes).unwrap();
        let whole = peers::read(&file, &Wanted::default()).unwrap();
        let notes = whole.table.notes().join("\n");
        assert!(notes.contains("`x` (damaged: "), "{name}: {notes}");
        assert_eq!(whole.columns.len(), 3, "{name}");
    }
}

/// Reads mutations of short tables: no input may cause a panic, a hang or a large allocation.
fn fuzz(names: &[&str]) {
    let Some((folder, _)) = peers::files_of("typed_tables.py", 40) else {
        return;
    };
    let seeds: Vec<Vec<u8>> = names
        .iter()
        .map(|name| std::fs::read(folder.path().join(name)).unwrap())
        .collect();
    mutate::fuzz(names[0], &seeds, |file| {
        let _ = count(file);
    });
}

#[test]
fn fuzz_arrow() {
    fuzz(&["types.arrows", "frame_lz4.feather", "frame_zstd.feather"]);
}

#[test]
fn fuzz_npy() {
    fuzz(&["records.npy", "c.npy", "fortran.npy"]);
}

#[test]
fn fuzz_npz() {
    fuzz(&["plain.npz", "deflated.npz"]);
}

#[test]
fn fuzz_json_lines() {
    fuzz(&["nested.ndjson", "pretty.json", "array.json"]);
}

#[cfg(feature = "parquet")]
#[test]
fn fuzz_parquet() {
    fuzz(&["frame_snappy.parquet", "types.parquet"]);
}

#[test]
fn json_lines_that_are_no_json_and_late_members_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.jsonl");
    let mut text = String::new();
    for k in 0..2000 {
        text += &match k {
            7 => "not json\n".to_owned(),
            9 => "\n".to_owned(),
            11 => "42\n".to_owned(),
            1500 => format!("{{\"t\": {k}, \"x\": {}, \"late\": 1}}\n", k * k % 97),
            _ => format!("{{\"t\": {k}, \"x\": {}, \"ok\": true}}\n", k * k % 97),
        };
    }
    std::fs::write(&file, text).unwrap();
    let whole = peers::read(&file, &Wanted::default()).unwrap();
    assert_eq!(whole.t_ns.len(), 1997);
    let notes = whole.table.notes().join("\n");
    assert!(
        notes.contains("2 lines are no JSON object") && notes.contains("line 8: `not json`"),
        "{notes}"
    );
    assert!(notes.contains("`late` (line 1501)"), "{notes}");
    let object = folder.path().join("columns.json");
    let list: Vec<u32> = (0..100).collect();
    std::fs::write(
        &object,
        serde_json::json!({"a": list, "b": list}).to_string(),
    )
    .unwrap();
    let error = peers::read(&object, &Wanted::default()).unwrap_err();
    assert!(error.contains("jq -c"), "{error}");
}
