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
use becomingone_systems::links::{Pick, Picker, SourceSite, read_config};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A splitmix generator (Steele, Lea, Flood 2014), so that a case is its number.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        // Bytes with a meaning come often.
        const LIKELY: &[u8] = b"{}[]\",:;\\\r\n\t -+.eE019ntN\xEF\xBB\xBF\0";
        match self.below(3) {
            0 => self.next() as u8,
            _ => LIKELY[self.below(LIKELY.len())],
        }
    }
}

/// Good lines of the layout, changed here and there.
fn input(random: &mut Random, seeds: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(4) {
        match random.below(5) {
            0 => bytes.extend((0..random.below(40)).map(|_| random.byte())),
            _ => bytes.extend_from_slice(seeds[random.below(seeds.len())].as_bytes()),
        }
    }
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = random.byte(),
            // Deep lists and long runs of one sign.
            2 => {
                let run = std::iter::repeat_n(random.byte(), 1 << random.below(9));
                bytes.splice(at..at, run).for_each(drop);
            }
            _ => bytes.insert(at, random.byte()),
        }
    }
    bytes
}

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
    let cases = std::env::var("BECOMINGONE_FUZZ_CASES");
    let cases = cases.map_or(100_000, |cases| cases.parse::<u64>().unwrap());
    let site = SourceSite {
        fields: vec!["x".to_owned(), "y".to_owned()],
        ..SourceSite::default()
    };
    let pick: Pick = read_config("{\"x\": \"/x\", \"y\": \"/y\"}").unwrap();
    let pointer = |text: &str| Some(read_config(text).unwrap());
    let picker = Picker::new(&pick, &site).unwrap();
    let picker = picker.with_order(pointer("\"/n\""), pointer("\"/t\""));
    let mut found = 0;
    for case in 0..cases {
        let mut random = Random(case);
        let bytes = input(&mut random, seeds);
        let run = AssertUnwindSafe(|| {
            let whole = documents(decode, &bytes, || bytes.len());
            let split = documents(decode, &bytes, || 1 + random.below(20));
            assert_eq!(whole, split);
            found += whole.iter().filter(|d| check(d, &picker)).count() as u64;
            if case % 4 == 0 {
                check(&Decoder::new(decode.clone()).state(&bytes), &picker);
            }
        });
        let done = catch_unwind(run);
        assert!(
            done.is_ok(),
            "{decode:?}, case {case}: {:?}",
            bytes.escape_ascii()
        );
    }
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
