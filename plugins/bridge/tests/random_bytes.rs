//! Random and mutated text into the lines and layouts of files, programs and servers: no panic, bounded memory, and the same
//! documents however the bytes are split. `BECOMINGONE_FUZZ_CASES` inputs of each layout (100 000 by default); a panic
//! names the case.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_bridge::lines::{Line, Lines, MAX_LINE};
use becomingone_bridge::protocol::{Decode, Decoder, Document, Refusal};
use becomingone_rig::mutated;
use becomingone_systems::links::{Pick, Picker, SourceSite, read_config};

/// Bytes with a meaning.
const LIKELY: &[u8] = b"{}[]\",:;\\\r\n\t -+.eE019ntN\xEF\xBB\xBF\0";

type Decoded = Result<Option<Document>, Refusal>;

/// Documents of all lines, in pieces of these lengths.
fn documents(decode: &Decode, bytes: &[u8], mut piece: impl FnMut() -> usize) -> Vec<Decoded> {
    let (mut lines, mut decoder) = (Lines::default(), Decoder::new(decode.clone()));
    let mut all = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, behind) = rest.split_at(piece().min(rest.len()));
        lines.add(now, |line| match line {
            Line::Text(text) => all.push(decoder.line(text)),
            Line::TooLong => panic!("an input is shorter"),
        });
        assert!(lines.held() <= MAX_LINE.min(bytes.len()));
        rest = behind;
    }
    all.extend(lines.finish().map(|line| decoder.line(&line)));
    all
}

/// Checks what is taken from a document, and the length of the reason where there is none. Returns whether there is one.
fn check(decoded: &Decoded, picker: &Picker) -> bool {
    match decoded {
        Ok(None) => false,
        Ok(Some((document, _))) => {
            match picker.sample(document) {
                Ok(sample) => assert!(sample.numbers.iter().all(|x| x.is_finite() || x.is_nan())),
                Err(reason) => assert!(reason.len() < 8000, "{reason}"),
            }
            true
        }
        Err(refusal) => {
            assert!(refusal.reason.len() < 2000, "{refusal:?}");
            false
        }
    }
}

fn fuzz(decode: &Decode, seeds: &[&str]) {
    let site = SourceSite {
        fields: vec!["x".to_owned(), "y".to_owned()],
        ..SourceSite::default()
    };
    let pick: Pick = read_config("{\"x\": \"/x\", \"y\": \"/y\"}").unwrap();
    let pointer = |text: &str| Some(read_config(text).unwrap());
    let picker = Picker::new(&pick, &site).unwrap();
    let picker = picker.with_order(pointer("\"/n\""), pointer("\"/t\""));
    let (mut found, mut case) = (0, 0);
    let cases = becomingone_rig::fuzz(
        &format!("{decode:?}"),
        |random| mutated(random, 4, seeds, LIKELY),
        |bytes, random| {
            let whole = documents(decode, bytes, || bytes.len());
            let split = documents(decode, bytes, || 1 + random.below(20));
            assert_eq!(whole, split);
            found += whole.iter().filter(|d| check(d, &picker)).count() as u64;
            if case % 4 == 0 {
                check(&Decoder::new(decode.clone()).state(bytes), &picker);
            }
            case += 1;
        },
    );
    assert!(found > cases / 4, "{found} documents in {cases} cases");
}

#[test]
fn json_lines_survive_random_bytes() {
    let seeds = [
        "{\"x\": 1.5, \"y\": -2, \"n\": 7, \"t\": 0.25}\n",
        "{\"x\": NaN, \"y\": \"1e3\"}\r\n",
        "{\"x\": {\"z\": [1e999, -Infinity]}, \"y\": null}\n",
        "\"\\ud800\" 12 true\n",
        "[1.5, null]\n",
        "42\n",
        "[[[[[[\n",
    ];
    fuzz(&Decode::JsonLines, &seeds);
}

#[test]
fn rows_below_a_line_of_names_survive_random_bytes() {
    let decode = Decode::Csv {
        columns: Vec::new(),
        separator: ',',
    };
    let seeds = [
        "x,y\n",
        "1.5,-2\n",
        "1,\r\n",
        "\"1\"\"2\",3\n",
        "\"1\n2\",inf\n",
    ];
    fuzz(&decode, &seeds);
}

#[test]
fn rows_of_named_columns_survive_random_bytes() {
    let decode = Decode::Csv {
        columns: ["t", "x", "y", "x"].map(str::to_owned).to_vec(),
        separator: ';',
    };
    let seeds = [
        "0.5;1.5;-2;7\n",
        ";;;\n",
        "t;x;y;x\r\n",
        "1;\"a;b\";\u{b5};4\n",
        "\u{feff}1;2;3;4\n",
    ];
    fuzz(&decode, &seeds);
}
