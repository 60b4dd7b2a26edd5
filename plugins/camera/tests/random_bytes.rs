//! Random and changed streams into the parser of multipart streams: no panic, bounded memory, and the same events however
//! the bytes are split. `BECOMINGONE_FUZZ_CASES` inputs (100 000 by default); a panic names the case.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_camera::multipart::{Event, MAX_PICTURE, Multipart, boundary};
use becomingone_rig::{Random, fuzz};

/// Pieces of streams, of which a case is made.
const PIECES: [&[u8]; 16] = [
    b"--cut\r\n",
    b"\r\n--cut\r\n",
    b"\n--cut\n",
    b"cut\r\n",
    b"\r\n--cut--\r\n",
    b"Content-Type: image/jpeg\r\n",
    b"Content-Type: text/plain\r\n",
    b"Content-Length: 10\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 99999999999999999999999\r\n",
    b"X-Timestamp: 12.5\r\n",
    b"X-Timestamp: -inf\r\n",
    b"\r\n",
    b"\xFF\xD8 0123 \xFF\xD9",
    b"--cu",
    b"-",
];

fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(24) {
        match random.below(6) {
            0 => bytes.extend((0..random.below(40)).map(|_| random.next() as u8)),
            _ => bytes.extend_from_slice(PIECES[random.below(PIECES.len())]),
        }
    }
    for _ in 0..random.below(4) {
        if !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
    }
    bytes
}

fn events<'a>(boundary: &str, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut parser = Multipart::new(boundary);
    let mut all = Vec::new();
    for piece in pieces {
        parser.push(piece, |event| all.push(event));
        assert!(parser.held() <= 2 * (MAX_PICTURE + (1 << 17)));
    }
    all
}

#[test]
fn any_bytes_give_the_same_events_however_they_are_split() {
    let mut pictures = 0;
    let cases = fuzz("streams", input, |bytes, random| {
        let name = ["cut", "--cut", "-", "c"][random.below(4)];
        let whole = events(name, std::iter::once(bytes));
        let split = events(name, bytes.chunks(1 + random.below(9)));
        assert_eq!(whole, split);
        pictures += whole
            .iter()
            .filter(|e| matches!(e, Event::Picture { .. }))
            .count() as u64;
        let text = String::from_utf8_lossy(bytes);
        let _ = boundary(&text);
        let _ = boundary(&format!("multipart/x-mixed-replace;{text}"));
    });
    assert!(
        pictures > cases / 10,
        "{pictures} pictures in {cases} cases"
    );
}

/// The forms that cameras and servers have, of RFC 2046 and beside it: each has the same two pictures.
#[test]
fn every_form_of_delimiters_and_headers_is_read() {
    let one = b"\xFF\xD8 one \r\n--cu \xFF\xD9".as_slice();
    let two = b"\xFF\xD8 two --\xFF\xD9".as_slice();
    for declared in [
        "multipart/x-mixed-replace;boundary=cut",
        "multipart/x-mixed-replace; boundary=\"cut\"",
        "multipart/x-mixed-replace; boundary=--cut",
        "multipart/x-mixed-replace; charset=x; BOUNDARY=\"--cut\"",
        "Multipart/X-Mixed-Replace; boundary= cut",
    ] {
        for (dashes, end) in [("--", "\r\n"), ("--", "\n"), ("", "\r\n")] {
            for is_counted in [true, false] {
                let mut bytes = b"some words before\r\n".to_vec();
                for picture in [one, two] {
                    bytes.extend(format!("{dashes}cut{end}Content-type: image/jpeg{end}").bytes());
                    if is_counted {
                        bytes.extend(format!("CONTENT-LENGTH: {}{end}", picture.len()).bytes());
                    }
                    bytes.extend(format!("X-Timestamp: 1.25{end}{end}").bytes());
                    bytes.extend(picture);
                    bytes.extend(end.bytes());
                }
                bytes.extend(format!("{dashes}cut--{end}").bytes());
                let name = boundary(declared).unwrap();
                for size in [1, 7, bytes.len()] {
                    let picture = |bytes: &[u8]| Event::Picture {
                        bytes: bytes.to_vec(),
                        stamp_ns: Some(1_250_000_000),
                    };
                    assert_eq!(
                        events(&name, bytes.chunks(size)),
                        [
                            Event::Begin,
                            picture(one),
                            Event::Begin,
                            picture(two),
                            Event::End
                        ],
                        "{declared}, {dashes:?}, {end:?}, {is_counted}, {size}"
                    );
                }
            }
        }
    }
    for none in [
        "text/html",
        "image/jpeg",
        "multipart/x-mixed-replace",
        "multipart/x; boundary=",
        "",
    ] {
        assert!(boundary(none).is_err(), "{none}");
    }
}

#[test]
fn a_part_without_end_is_refused_and_the_next_one_is_read() {
    for length in ["", "Content-Length: 999999999999\r\n"] {
        let mut parser = Multipart::new("cut");
        let mut all = Vec::new();
        let begin = format!("--cut\r\n{length}\r\n");
        parser.push(begin.as_bytes(), |event| all.push(event));
        let piece = vec![b'-'; 1 << 16];
        let mut most = 0;
        for _ in 0..1024 {
            parser.push(&piece, |event| all.push(event));
            most = most.max(parser.held());
        }
        assert!(most <= 2 * (MAX_PICTURE + (1 << 17)), "{most} bytes");
        assert!(parser.held() < 1 << 18, "{} bytes", parser.held());
        parser.push(b"\r\n--cut\r\n\r\n\xFF\xD8\xFF\xD9\r\n--cut\r\n", |event| {
            all.push(event);
        });
        let refused = all
            .iter()
            .filter(|e| matches!(e, Event::Refused(_)))
            .count();
        let pictures = all
            .iter()
            .filter(|e| matches!(e, Event::Picture { .. }))
            .count();
        assert_eq!((refused, pictures), (1, 1), "{length}");
    }
}
