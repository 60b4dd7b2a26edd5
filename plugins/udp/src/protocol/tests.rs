use super::*;
use proptest::prelude::*;

fn decoded(bytes: &[u8]) -> Vec<Result<Reading, String>> {
    let mut all = Vec::new();
    decode(bytes, |reading| all.push(reading.map_err(|e| e.reason)));
    all
}

fn only(text: &str) -> Reading {
    let all = decoded(text.as_bytes());
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    all[0].clone().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn refused(bytes: &[u8]) -> String {
    let all = decoded(bytes);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone().unwrap_err()
}

#[test]
fn reading_is_decoded() {
    let text =
        r#" {"sequence": 3, "sensor": "a\/b", "values": [1, -2.5e3, null], "more": {"x": [1]}} "#;
    let Reading {
        sensor,
        sample,
        notes,
    } = only(text);
    assert_eq!((sensor.as_str(), notes.len()), ("a/b", 0));
    assert_eq!((sample.sequence, sample.stamp_ns), (Some(3), None));
    assert_eq!(sample.numbers[..2], [1.0, -2500.0]);
    assert!(sample.numbers[2].is_nan());
}

#[test]
fn nan_and_infinity_are_missing_values_in_every_spelling() {
    // Python's json writes the first three, printf the others (C17 7.21.6.1).
    for word in [
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "-nan",
        "inf",
        "-inf",
        "+Inf",
        "infinity",
        "NAN",
        "\"NaN\"",
        "\"inf\"",
    ] {
        let reading = only(&format!(
            r#"{{"sensor": "nan \"inf", "values": [{word}, 2.5]}}"#
        ));
        assert_eq!(reading.sensor, "nan \"inf");
        assert!(reading.sample.numbers[0].is_nan(), "{word}");
        assert_eq!(reading.sample.numbers[1], 2.5);
        assert_eq!(reading.notes, [Note::NotFinite], "{word}");
    }
}

#[test]
fn whole_numbers_are_read_however_they_are_written() {
    for (text, expected) in [
        ("17", Some(17)),
        ("17.0", Some(17)),
        ("1.7e1", Some(17)),
        ("\"17\"", Some(17)),
        ("null", None),
        ("-1", None),
        ("17.5", None),
        ("true", None),
        ("\"a\"", None),
    ] {
        for key in ["sequence", "stamp_ns", "session"] {
            let reading = only(&format!(
                r#"{{"sensor": "a", "{key}": {text}, "values": [1]}}"#
            ));
            let sample = &reading.sample;
            let found = match key {
                "sequence" => sample.sequence,
                "stamp_ns" => sample.stamp_ns,
                _ => sample.session,
            };
            assert_eq!(found, expected, "{key} {text}");
            let is_told = expected.is_none() && text != "null" || text.starts_with('"');
            assert_eq!(reading.notes.len(), usize::from(is_told), "{key} {text}");
        }
    }
    // Python's time.time() * 1e9.
    let reading = only(r#"{"sensor": "a", "stamp_ns": 1.7e+18, "values": ["2.5"]}"#);
    assert_eq!(reading.sample.stamp_ns, Some(1_700_000_000_000_000_000));
    assert_eq!(reading.sample.numbers, [2.5]);
    assert_eq!(reading.notes, [Note::TextNumber("values")]);
}

#[test]
fn stamps_are_nanoseconds_or_seconds_also_as_floats() {
    // Python's time.monotonic() * 1e9, time.time(), time.time() * 1e9 and 0.02 * 1e9.
    for (stamp, expected) in [
        ("\"stamp_ns\": 57031123456789.25", Some(57_031_123_456_789)),
        ("\"stamp_ns\": 20000000.000000004", Some(20_000_000)),
        ("\"stamp_ns\": 3.0", Some(3)),
        ("\"stamp_s\": 1700000000.5", Some(1_700_000_000_500_000_000)),
        ("\"stamp_s\": \"2.5\"", Some(2_500_000_000)),
        ("\"stamp_ns\": 7, \"stamp_s\": 2.5", Some(7)),
        ("\"stamp_ns\": 1700000000.123", None),
        ("\"stamp_s\": -1", None),
        ("\"stamp_s\": \"noon\"", None),
    ] {
        let reading = only(&format!(r#"{{"sensor": "a", {stamp}, "values": [1]}}"#));
        assert_eq!(reading.sample.stamp_ns, expected, "{stamp}");
        let is_noted = expected.is_none() || stamp.ends_with("\"2.5\"");
        assert_eq!(reading.notes.len(), usize::from(is_noted), "{stamp}");
    }
}

#[test]
fn what_surrounds_readings_is_skipped_and_several_are_read() {
    let one = r#"{"sensor": "a", "values": [1]}"#;
    for text in [
        format!("\u{feff}{one}"),
        format!("{one}\n"),
        format!("{one}\r\n\0\0\0"),
        format!("  {one}\0"),
    ] {
        assert_eq!(only(&text).sample.numbers, [1.0], "{text:?}");
    }
    for between in ["\n", " ", "", "\r\n\r\n"] {
        let nan = one.replace('1', "NaN");
        let all = decoded(format!("{one}{between}{nan}{between}{one}").as_bytes());
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(Result::is_ok), "{all:?}");
    }
    let all = decoded(format!("{one}\n{}", &one[..20]).as_bytes());
    assert!(
        all[0].is_ok() && all[1].as_ref().unwrap_err().contains("may be cut"),
        "{all:?}"
    );
}

#[test]
fn each_refusal_has_its_reason() {
    for (text, reason) in [
        ("", "found no text"),
        ("\0\n", "found no text"),
        ("{}", "found no `sensor`"),
        ("[]", "found a list; expected an object"),
        ("null", "found null; expected an object"),
        (r#"{"sensor": "a"}"#, "found no `values`"),
        (
            r#"{"sensor": "a", "value": [1]}"#,
            "found no `values`, but `value`",
        ),
        (r#"{"sensor": 1, "values": []}"#, "found 1 as `sensor`"),
        (
            r#"{"sensor": "a", "values": 1}"#,
            "found 1 as `values`; expected a list",
        ),
        (
            r#"{"sensor": "a", "values": [1e999]}"#,
            "number out of range",
        ),
        (
            r#"{"sensor": "a", "values": ["x"]}"#,
            "found the text `x` as number 1",
        ),
        (
            r#"{"sensor": "a", "values": [1, true]}"#,
            "found true as number 2",
        ),
        (
            r#"{"sensor": "a", "values": [], "bytes": "?"}"#,
            "not Base64",
        ),
        ("{'sensor': 'a', 'values': [1]}", "double quotes"),
        ("a,1.0,2.0", "not JSON"),
        ("{\"sensor\": \"\u{0}", "not JSON"),
        (&"[".repeat(60_000), "recursion limit"),
    ] {
        let found = refused(text.as_bytes());
        assert!(found.contains(reason), "{text}: {found}");
    }
    assert!(refused(b"\xff\xfe{}").contains("not UTF-8 at offset 0"));
}

#[test]
fn a_key_like_one_that_is_absent_is_noted() {
    let reading = only(r#"{"sensor": "a", "Sequence": 3, "unit": "m", "values": [1]}"#);
    let note = Note::LikeKey("Sequence".to_owned(), "sequence");
    assert_eq!(reading.notes, [note]);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!decoded(&bytes).is_empty());
    }

    #[test]
    fn any_text_like_json_is_decoded_or_refused(text in r#"[\[\]{}",:0-9a-zA-Z+.\\é -]{0,60}"#) {
        prop_assert!(!decoded(text.as_bytes()).is_empty());
    }

    #[test]
    fn reading_with_a_changed_byte_is_decoded_or_refused(at in 0..90usize, to in any::<u8>()) {
        let mut bytes = encode_reading("rover/imu", &Sample {
            sequence: Some(1),
            stamp_ns: Some(2),
            numbers: vec![0.1, -3e-7],
            ..Sample::default()
        });
        let at = at % bytes.len();
        bytes[at] = to;
        prop_assert!(!decoded(&bytes).is_empty());
    }

    /// Numbers are bit-identical after encoding and decoding.
    #[test]
    fn decoding_inverts_encoding(
        sensor in ".{0,20}",
        sequence in any::<u64>(),
        stamp_ns in any::<Option<u64>>(),
        session in any::<Option<u64>>(),
        numbers in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL, 0..20),
    ) {
        let sample = Sample { sequence: Some(sequence), session, stamp_ns, numbers, ..Sample::default() };
        let all = decoded(&encode_reading(&sensor, &sample));
        prop_assert_eq!(all.len(), 1);
        let again = all[0].clone().unwrap();
        prop_assert_eq!(again.sensor, sensor);
        prop_assert!(again.notes.is_empty());
        let bits = |s: &Sample| s.numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&again.sample), bits(&sample));
        let sample_of = |s: &Sample| (s.sequence, s.stamp_ns, s.session);
        prop_assert_eq!(sample_of(&again.sample), sample_of(&sample));
    }
}
