//! Serialised messages byte by byte, after the specifications of `wire`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Notation, Wire, parse, visit};
use crate::source::Leaf;

fn leaves(text: &str, notation: Notation, bytes: &[u8]) -> Result<Vec<(String, f64)>, String> {
    let definition = parse("p/msg/M", text, notation, Wire::Cdr)?;
    let mut found = Vec::new();
    visit(
        &definition,
        Wire::Cdr,
        bytes,
        &mut "t".to_owned(),
        &mut |path, leaf| {
            if let Leaf::Number(x) = leaf {
                found.push((path.to_owned(), x));
            }
        },
    )?;
    Ok(found)
}

fn of(names: &[(&str, f64)]) -> Vec<(String, f64)> {
    names.iter().map(|(n, x)| ((*n).to_owned(), *x)).collect()
}

#[test]
fn wide_text_of_two_or_of_four_bytes_a_character_is_passed_over() {
    let text = "wstring w\nint32 x";
    let narrow = [0, 1, 0, 0, 2, 0, 0, 0, b'a', 0, b'b', 0, 5, 0, 0, 0];
    let wide = [
        0, 1, 0, 0, 2, 0, 0, 0, b'a', 0, 0, 0, b'b', 0, 0, 0, 5, 0, 0, 0,
    ];
    for bytes in [&narrow[..], &wide[..]] {
        assert_eq!(
            leaves(text, Notation::Msg, bytes).unwrap(),
            of(&[("t/x", 5.0)])
        );
    }
}

#[test]
fn alignment_is_eight_in_the_first_version_of_cdr_and_four_in_the_second() {
    let text = "uint8 a\nfloat64 x";
    let mut first = vec![0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
    first.extend(1.5_f64.to_be_bytes());
    let mut second = vec![0, 7, 0, 0, 3, 0, 0, 0];
    second.extend(1.5_f64.to_le_bytes());
    let right = of(&[("t/a", 3.0), ("t/x", 1.5)]);
    assert_eq!(leaves(text, Notation::Msg, &first).unwrap(), right);
    assert_eq!(leaves(text, Notation::Msg, &second).unwrap(), right);
}

#[test]
fn delimited_types_have_their_length_before_them() {
    let text = "P p\nint32 x\n===\nMSG: p/P\nint16 a";
    let bytes = [0, 9, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 7, 0, 9, 9, 5, 0, 0, 0];
    assert_eq!(
        leaves(text, Notation::Msg, &bytes).unwrap(),
        of(&[("t/p/a", 7.0), ("t/x", 5.0)])
    );
}

#[test]
fn idl_has_the_fields_of_the_same_message() {
    let text = r#"================================================================================
IDL: p/msg/M
// comment
#include "p/msg/P.idl"
module p { module msg {
  module M_Constants { const uint8 N = 2; };
  typedef double double__2[2];
  enum Mode { OFF, ON };
  @verbatim (language="comment", text="a ; struct \" {")
  struct M {
@unit (value="m") p::msg::P first;
double__2 pair;
sequence<p::msg::P, 3> list;
Mode mode;
@default (value=3) unsigned long long big;
string<4> name;
  };
}; };
================================================================================
IDL: p/msg/P
module p { module msg { struct P { int16 a; }; }; };
"#;
    let mut bytes = vec![0, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(1.5_f64.to_le_bytes());
    bytes.extend(2.5_f64.to_le_bytes());
    bytes.extend([1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // The list ends at 30; mode at 36, big at 40.
    bytes.truncate(4 + 40);
    bytes.extend(6_u64.to_le_bytes());
    bytes.extend([2, 0, 0, 0, b'a', 0]);
    let found = leaves(text, Notation::Idl, &bytes).unwrap();
    assert_eq!(
        found,
        of(&[
            ("t/first/a", 7.0),
            ("t/pair/0", 1.5),
            ("t/pair/1", 2.5),
            ("t/list/0/a", 9.0),
            ("t/mode", 1.0),
            ("t/big", 6.0)
        ])
    );
    let union = "module p { module msg { union M switch (long) { case 1: long a; }; }; };";
    let message = leaves(union, Notation::Idl, &bytes).unwrap_err();
    assert!(message.contains("`union`"), "{message}");
}

#[test]
fn schema_that_does_not_fit_or_contains_itself_is_an_error() {
    let bytes = [0, 1, 0, 0, 5, 0, 0, 0];
    let short = leaves("int32 a\nint32 b", Notation::Msg, &bytes).unwrap_err();
    assert!(short.contains("ends within a field"), "{short}");
    let long = [0, 1, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
    let long = leaves("int32 a", Notation::Msg, &long).unwrap_err();
    assert!(long.contains("8 of 16 bytes are left"), "{long}");
    // Buffers of a fixed length end with zeros.
    let filled = [&bytes[..], &[0; 24]].concat();
    assert_eq!(
        leaves("int32 a", Notation::Msg, &filled).unwrap(),
        of(&[("t/a", 5.0)])
    );
    let itself = leaves("M m", Notation::Msg, &bytes).unwrap_err();
    assert!(itself.contains("contain themselves"), "{itself}");
    let lacks = leaves("q/X m", Notation::Msg, &bytes).unwrap_err();
    assert!(lacks.contains("lacks the type `q/X`"), "{lacks}");
    let huge = "float64[4000000000] a";
    let huge = leaves(huge, Notation::Msg, &bytes).unwrap_err();
    assert!(huge.contains("ends within a field"), "{huge}");
}
