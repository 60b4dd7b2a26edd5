//! Binary frames and lines against published examples.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_serial::Deframer;
use becomingone_serial::protocol::framed::{
    Check, Endian, FrameKind, Framed, Framing, Layout, LengthType,
};
use becomingone_serial::protocol::lines::{Format, Lines};
use becomingone_serial::protocol::{Message, Protocol, Verdict};

fn layout(text: &str) -> Layout {
    let options =
        ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    options.from_str(text).unwrap()
}

fn read(protocol: impl Protocol, bytes: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    Deframer::new(protocol).feed(bytes, &mut |messages: &mut Vec<Message>, _: &Verdict| {
        all.append(messages);
    });
    all
}

fn numbers(messages: &[Message], name: &str) -> Vec<f64> {
    messages.iter().filter_map(|m| m.get(name)).collect()
}

const MODBUS: Framing = Framing {
    frame: FrameKind::Cobs,
    check: Some(Check::Crc16Modbus),
    endian: Endian::Little,
};

#[test]
fn a_modbus_reply_is_read_and_written_byte_for_byte() {
    // Slave 1, function 4, two bytes, 0xFFFF: an example of the web's Modbus guides, with its check 0xB8 0x80.
    let bytes = [0x01, 0x04, 0x02, 0xFF, 0xFF, 0xB8, 0x80];
    let framing = Framing {
        frame: FrameKind::Start {
            bytes: vec![0x01, 0x04],
            length: Some(LengthType::U8),
            check_from_start: true,
        },
        ..MODBUS
    };
    let layout = layout("[(name: \"x\", type: I16)]");
    let messages = read(
        Framed::new(framing.clone(), vec![layout.clone()]).unwrap(),
        &bytes,
    );
    assert_eq!(numbers(&messages, "x"), [-1.0]);
    let fields = layout.encode(framing.endian, |_| Some(-1.0)).unwrap();
    assert_eq!(framing.encode(&fields), bytes);
}

#[test]
fn bytes_are_stuffed_as_in_the_paper_on_cobs() {
    // Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999; the zero behind it ends the frame.
    let framing = Framing {
        check: None,
        ..MODBUS
    };
    assert_eq!(
        framing.encode(&[0x11, 0x22, 0x00, 0x33]),
        [0x03, 0x11, 0x22, 0x02, 0x33, 0x00]
    );
    let layout = layout("[(name: \"a\", type: U16), (name: \"b\", type: U16)]");
    let bytes = [0x00, 0x03, 0x11, 0x22, 0x02, 0x33, 0x00];
    let messages = read(Framed::new(framing, vec![layout]).unwrap(), &bytes);
    assert_eq!(numbers(&messages, "a"), [f64::from(0x2211)]);
    assert_eq!(numbers(&messages, "b"), [f64::from(0x3300)]);
}

#[test]
fn every_check_is_that_of_the_catalogue() {
    // The `check` of each algorithm in the catalogue of parametrised CRC algorithms: that of "123456789".
    for (check, expected) in [
        (Check::Crc8Smbus, vec![0xF4]),
        (Check::Crc8Maxim, vec![0xA1]),
        (Check::Crc16Modbus, vec![0x4B, 0x37]),
        (Check::Crc16Ibm3740, vec![0x29, 0xB1]),
        (Check::Crc16Xmodem, vec![0x31, 0xC3]),
        (Check::Crc16Kermit, vec![0x21, 0x89]),
        (Check::Crc32IsoHdlc, vec![0xCB, 0xF4, 0x39, 0x26]),
        (Check::Crc32Iscsi, vec![0xE3, 0x06, 0x92, 0x83]),
    ] {
        let framing = Framing {
            frame: FrameKind::Start {
                bytes: vec![0xAA],
                length: None,
                check_from_start: false,
            },
            check: Some(check),
            endian: Endian::Big,
        };
        assert_eq!(framing.encode(b"123456789")[10..], expected, "{check:?}");
    }
}

#[test]
fn numbers_of_every_type_are_scaled_and_come_back() {
    let layout = layout(
        "[(name: \"a\", type: I8), (name: \"b\", type: U32, scale: 0.5, offset: -10), (name: \"c\", type: I64),
          (name: \"d\", type: F32), (name: \"e\", type: F64), (type: U16), (name: \"f\", type: I16, scale: 0.001)]",
    );
    for endian in [Endian::Little, Endian::Big] {
        let value = |name: &str| match name {
            "a" => Some(-128.0),
            "b" => Some(1e6),
            "c" => Some(-3e9),
            "d" => Some(0.15625),
            "e" => Some(-1e-200),
            // Beyond the largest number of its type.
            _ => Some(99.0),
        };
        let framing = Framing { endian, ..MODBUS };
        let bytes = framing.encode(&layout.encode(endian, value).unwrap());
        let messages = read(Framed::new(framing, vec![layout.clone()]).unwrap(), &bytes);
        for name in ["a", "b", "c", "d", "e"] {
            assert_eq!(messages[0].get(name), value(name), "{name}");
        }
        assert_eq!(messages[0].get("f"), Some(32_767.0 * 0.001));
    }
}

#[test]
fn frames_of_several_layouts_are_distinguished_by_their_constants() {
    let a = layout("[(value: 1, type: U8), (name: \"x\", type: U8)]");
    let b = layout("[(value: 2, type: U8), (name: \"y\", type: U8)]");
    let bytes = [[1, 10], [2, 20], [3, 30]].map(|fields| MODBUS.encode(&fields));
    let messages = read(Framed::new(MODBUS, vec![a, b]).unwrap(), &bytes.concat());
    assert_eq!(numbers(&messages, "x"), [10.0]);
    assert_eq!(numbers(&messages, "y"), [20.0]);
    let layouts: Vec<usize> = messages.iter().map(|m| m.layout).collect();
    assert_eq!(layouts, [0, 1]);
}

#[test]
fn counters_and_clocks_of_few_bits_go_on_after_their_largest_number() {
    let layout =
        layout("[(name: \"sequence\", type: U8), (name: \"stamp_us\", type: U16, scale: 10.0)]");
    let bytes = (65_500..65_700u32).flat_map(|k| {
        let stamp = (k as u16).to_le_bytes();
        MODBUS.encode(&[k as u8, stamp[0], stamp[1]])
    });
    let bytes: Vec<u8> = bytes.collect();
    let messages = read(Framed::new(MODBUS, vec![layout]).unwrap(), &bytes);
    let first = messages[0].sequence.unwrap();
    for (message, k) in messages.iter().zip(0..) {
        assert_eq!(message.sequence, Some(first + k));
        assert_eq!(message.stamp_ns, Some((65_500 + k) * 10_000));
    }
    assert_eq!(messages.len(), 200);
}

fn csv(columns: &[&str], separator: char) -> Format {
    Format::Csv {
        columns: columns.iter().map(|&c| c.to_owned()).collect(),
        separator,
    }
}

#[test]
fn lines_of_each_format_have_the_same_numbers() {
    for (format, lines) in [
        (
            csv(&[], ','),
            "half a line\nready\nt,x,name\n1,-2.5,a\nfault\n3,,b\n",
        ),
        (csv(&["t", "x"], ';'), "5;6\r\n1;-2.5\r\n3;\r\n"),
        (
            Format::JsonLines,
            "{\"t\": 1, \"x\": -2.5}\n\n{\"t\": 3, \"x\": null}\n",
        ),
        (Format::KeyValue, "9 x=9\nt=1 x=-2.5\nt:3, x:nan\n"),
    ] {
        let messages = read(Lines::new(format.clone()), lines.as_bytes());
        assert_eq!(numbers(&messages, "t"), [1.0, 3.0], "{format:?}");
        let x = numbers(&messages, "x");
        assert!(x[0] == -2.5 && x[1].is_nan(), "{format:?} {x:?}");
    }
}

#[test]
fn numbers_of_json_are_found_by_pointers() {
    let line = b"{\"g\": {\"a/b\": [1, 2.5]}, \"on\": true, \"text\": \"7\"}\n";
    let messages = read(Lines::new(Format::JsonLines), line);
    let found = ["/g/a~1b/1", "on", "text", "/g", "none"].map(|key| messages[0].get(key));
    assert_eq!(found, [Some(2.5), Some(1.0), Some(7.0), None, None]);
}
