//! NMEA 0183: sentences of GNSS receivers and compasses, of any talker.
//!
//! | sentence | numbers |
//! |---|---|
//! | GGA | `latitude`, `longitude` (deg), `height` over the ellipsoid (m), `altitude` over sea level (m), `satellites`, `hdop`, `fix_quality` |
//! | RMC | `latitude`, `longitude` (deg), `speed` (m/s), `course` (deg), `valid` |
//! | VTG | `course` (deg), `speed` (m/s) |
//! | GSA | `fix_mode` (1 none, 2 flat, 3 full), `satellites_used`, `pdop`, `hdop`, `vdop` |
//! | ZDA | `unix_s` |
//! | HDT | `heading` (deg) |
//!
//! A `Gnss` takes messages `fix`: the place of a GGA with the velocity of an RMC of the same time, or of a VTG that
//! follows one of them. NMEA has no vertical velocity: it is 0. Receivers leave out the course at a standstill: below
//! 0.5 m/s, the velocity is then 0.

use super::{FIX, Message, Protocol, Scan, Verdict, decimal, east_north, named};
use chrono::{NaiveTime, Timelike as _};
use nmea::ParseResult;
use nmea::sentences::FixType;
use nmea::sentences::rmc::RmcStatusOfFix;
use std::borrow::Cow;

/// Longest sentence, without line end (bytes). NMEA allows 80; receivers exceed it.
const MAX_SENTENCE: usize = nmea::SENTENCE_MAX_LEN;
/// 1852 m an hour (m/s).
const KNOT_M_S: f64 = 1852.0 / 3600.0;
/// Speed below which a missing course is a standstill (m/s).
const STANDSTILL_M_S: f64 = 0.5;

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Numbers of a message, by name.
type Numbers = Vec<(Cow<'static, str>, f64)>;

/// NMEA 0183 sentences.
#[derive(Default)]
pub struct Nmea {
    /// Midnight of the last date (ns since 1970), and the time of day with which it came.
    date: Option<(i64, i64)>,
    /// Time of day of the epoch (ns).
    time_ns: Option<i64>,
    place: Option<[f64; 3]>,
    velocity: Option<[f64; 2]>,
    given: bool,
    line_end: LineEnd,
}

/// Line ends after a sentence are no garbage; other ones are.
#[derive(Clone, Copy, Default)]
pub(super) struct LineEnd(bool);

impl LineEnd {
    /// A sentence was valid.
    pub(super) fn may_come(&mut self) {
        self.0 = true;
    }

    /// Whether this byte is one.
    pub(super) fn is_one(&mut self, byte: u8) -> bool {
        self.0 &= matches!(byte, b'\r' | b'\n');
        self.0
    }
}

/// What bytes begin, the first of which is no line end after a sentence.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    if bytes.first() != Some(&b'$') {
        let next = bytes.iter().position(|b| *b == b'$');
        return Scan::Skip(next.unwrap_or(bytes.len()));
    }
    for (k, byte) in bytes.iter().enumerate().skip(1).take(MAX_SENTENCE - 3) {
        match byte {
            b'*' => {
                let end = k + 3;
                return match bytes.get(k + 1..end.min(bytes.len())) {
                    Some(hex) if !hex.iter().all(u8::is_ascii_hexdigit) => Scan::Skip(k),
                    _ if bytes.len() < end => Scan::More,
                    _ => Scan::Frame(end),
                };
            }
            b' '..=b'~' if *byte != b'$' => {}
            // The begin of the next one, a line end, or noise.
            _ => return Scan::Skip(k),
        }
    }
    if bytes.len() < MAX_SENTENCE - 2 {
        Scan::More
    } else {
        Scan::Skip(1)
    }
}

/// Text between `$` and `*` of a sentence with the right checksum.
pub(super) fn checked(frame: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(frame).ok()?;
    let (body, check) = text.strip_prefix('$')?.split_once('*')?;
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    (u8::from_str_radix(check, 16) == Ok(sum)).then_some(body)
}

impl Protocol for Nmea {
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        match self.line_end.is_one(bytes[0]) {
            true => Scan::Between(1),
            false => scan(bytes),
        }
    }

    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict {
        let Some(body) = checked(frame) else {
            return Verdict::BadChecksum { skip: frame.len() };
        };
        self.line_end.may_come();
        let kind = body.get(2..5).unwrap_or_default();
        // Sentences of other kinds, and those of makers ($P...), are valid and not used.
        if body.starts_with('P') || !["GGA", "RMC", "VTG", "GSA", "ZDA", "HDT"].contains(&kind) {
            return Verdict::Valid;
        }
        if kind == "GSA" {
            let Some(numbers) = gsa(body) else {
                return Verdict::Unreadable(format!(
                    "found `${body}`; expected two modes, 12 satellites and 3 dilutions of precision"
                ));
            };
            self.give("GSA", numbers, messages);
            return Verdict::Valid;
        }
        match nmea::parse_bytes(frame) {
            Ok(sentence) => {
                self.sentence(&sentence, messages);
                Verdict::Valid
            }
            Err(error) => Verdict::Unreadable(format!("found `${body}`: {error}")),
        }
    }

    fn gives_up_when_idle(&self) -> bool {
        false
    }

    fn interrupted(&mut self) {
        *self = Self::default();
    }
}

fn or_nan(x: Option<impl Into<f64>>) -> f64 {
    x.map_or(f64::NAN, Into::into)
}

impl Nmea {
    fn sentence(&mut self, sentence: &ParseResult, messages: &mut Vec<Message>) {
        let (name, numbers) = match sentence {
            ParseResult::GGA(gga) => {
                self.epoch(gga.fix_time.map(time_ns));
                let quality = gga.fix_type.unwrap_or(FixType::Invalid);
                let altitude = or_nan(gga.altitude);
                // Without the separation of the geoid, the height is that over sea level.
                let height = altitude + f64::from(gga.geoid_separation.unwrap_or(0.0));
                let place = [or_nan(gga.latitude), or_nan(gga.longitude), height];
                let is_fix = quality != FixType::Invalid && place.iter().all(|x| x.is_finite());
                self.place = is_fix.then_some(place);
                let numbers = vec![
                    named("latitude", place[0]),
                    named("longitude", place[1]),
                    named("height", height),
                    named("altitude", altitude),
                    named("satellites", gga.fix_satellites.map_or(f64::NAN, f64::from)),
                    named("hdop", or_nan(gga.hdop)),
                    named("fix_quality", code(quality)),
                ];
                ("GGA", numbers)
            }
            ParseResult::RMC(rmc) => {
                self.epoch(rmc.fix_time.map(time_ns));
                if let Some((date, time)) = rmc.fix_date.zip(rmc.fix_time) {
                    self.dated(date.and_time(time).and_utc().timestamp_nanos_opt());
                }
                let valid = rmc.status_of_fix != RmcStatusOfFix::Invalid;
                let speed = or_nan(rmc.speed_over_ground) * KNOT_M_S;
                let course = or_nan(rmc.true_course);
                self.velocity = velocity(speed, course).filter(|_| valid);
                let numbers = vec![
                    named("latitude", or_nan(rmc.lat)),
                    named("longitude", or_nan(rmc.lon)),
                    named("speed", speed),
                    named("course", course),
                    named("valid", f64::from(u8::from(valid))),
                ];
                ("RMC", numbers)
            }
            ParseResult::VTG(vtg) => {
                let speed = or_nan(vtg.speed_over_ground) * KNOT_M_S;
                let course = or_nan(vtg.true_course);
                self.velocity = self.velocity.or_else(|| velocity(speed, course));
                ("VTG", vec![named("course", course), named("speed", speed)])
            }
            ParseResult::ZDA(zda) => {
                let unix_ns = zda.utc_date_time();
                let unix_ns = unix_ns.and_then(|at| at.and_utc().timestamp_nanos_opt());
                self.dated(unix_ns);
                let unix_s = unix_ns.map_or(f64::NAN, |ns| ns as f64 / 1e9);
                ("ZDA", vec![named("unix_s", unix_s)])
            }
            ParseResult::HDT(hdt) => ("HDT", vec![named("heading", or_nan(hdt.heading))]),
            _ => return,
        };
        self.give(name, numbers, messages);
    }

    fn give(&mut self, name: &'static str, numbers: Numbers, messages: &mut Vec<Message>) {
        messages.push(Message {
            stamp_ns: self.stamp_ns(),
            ..Message::new(name, numbers)
        });
        self.fix(messages);
    }

    /// A sentence of this time of day: another time begins a new epoch.
    fn epoch(&mut self, time_ns: Option<i64>) {
        if self.time_ns != time_ns {
            (self.time_ns, self.place, self.velocity) = (time_ns, None, None);
            self.given = false;
        }
    }

    fn dated(&mut self, unix_ns: Option<i64>) {
        if let Some(unix_ns) = unix_ns {
            let time_ns = unix_ns.rem_euclid(DAY_NS);
            self.date = Some((unix_ns - time_ns, time_ns));
        }
    }

    /// Time of the epoch, once a date came; a time of day well below that of the date is one of the next day.
    fn stamp_ns(&self) -> Option<u64> {
        let ((midnight_ns, dated_ns), time_ns) = self.date.zip(self.time_ns)?;
        let days = i64::from(time_ns < dated_ns - DAY_NS / 2);
        u64::try_from(midnight_ns.checked_add(days * DAY_NS + time_ns)?).ok()
    }

    fn fix(&mut self, messages: &mut Vec<Message>) {
        let (Some([latitude, longitude, height]), Some([east, north]), false) =
            (self.place, self.velocity, self.given)
        else {
            return;
        };
        self.given = true;
        let numbers = vec![
            named("latitude", latitude),
            named("longitude", longitude),
            named("height", height),
            named("velocity_east", east),
            named("velocity_north", north),
            named("velocity_up", 0.0),
        ];
        messages.push(Message {
            stamp_ns: self.stamp_ns(),
            ..Message::new(FIX, numbers)
        });
    }
}

/// Numbers of a GSA: `name,mode,mode`, twelve satellites, three dilutions of precision, and in NMEA 4.1 a system. All may be
/// empty, and are then left out by some receivers.
///
/// The parser of the crate `nmea` (0.6) takes a dilution without a decimal point for a satellite, and panics at the
/// thirteenth one.
fn gsa(body: &str) -> Option<Numbers> {
    let fields: Vec<&str> = body.split(',').collect();
    let [_, "A" | "M", mode, rest @ ..] = &fields[..] else {
        return None;
    };
    let mode = match *mode {
        "1" => 1.0,
        "2" => 2.0,
        "3" => 3.0,
        _ => return None,
    };
    let mut used = 0.0;
    let mut dilutions = [f64::NAN; 3];
    if !rest.iter().all(|field| field.is_empty()) {
        let (satellites, others) = rest.split_at_checked(12)?;
        let ([pdop, hdop, vdop] | [pdop, hdop, vdop, _]) = others else {
            return None;
        };
        for satellite in satellites.iter().filter(|s| !s.is_empty()) {
            satellite.parse::<u32>().ok()?;
            used += 1.0;
        }
        for (dilution, field) in dilutions.iter_mut().zip([pdop, hdop, vdop]) {
            *dilution = decimal(field)?;
        }
    }
    Some(vec![
        named("fix_mode", mode),
        named("satellites_used", used),
        named("pdop", dilutions[0]),
        named("hdop", dilutions[1]),
        named("vdop", dilutions[2]),
    ])
}

fn velocity(speed_m_s: f64, course_deg: f64) -> Option<[f64; 2]> {
    if course_deg.is_finite() && speed_m_s.is_finite() {
        return Some(east_north(speed_m_s, course_deg));
    }
    (speed_m_s < STANDSTILL_M_S).then_some([0.0; 2])
}

/// Time of day (ns).
fn time_ns(time: NaiveTime) -> i64 {
    i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond())
}

/// As in the sentence.
fn code(quality: FixType) -> f64 {
    match quality {
        FixType::Invalid => 0.0,
        FixType::Gps => 1.0,
        FixType::DGps => 2.0,
        FixType::Pps => 3.0,
        FixType::Rtk => 4.0,
        FixType::FloatRtk => 5.0,
        FixType::Estimated => 6.0,
        FixType::Manual => 7.0,
        FixType::Simulation => 8.0,
    }
}

/// Names of all numbers.
pub const NAMES: &[&str] = &[
    "latitude",
    "longitude",
    "height",
    "altitude",
    "velocity_east",
    "velocity_north",
    "velocity_up",
    "speed",
    "course",
    "heading",
    "satellites",
    "satellites_used",
    "hdop",
    "pdop",
    "vdop",
    "fix_quality",
    "fix_mode",
    "valid",
    "unix_s",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Verdict, Vec<Message>) {
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        let mut messages = Vec::new();
        let frame = format!("${body}*{sum:02X}");
        let verdict = Nmea::default().take(frame.as_bytes(), &mut messages);
        (verdict, messages)
    }

    /// The parser of the crate `nmea` panicked: found by `nmea_survives_random_bytes`.
    #[test]
    fn a_dilution_without_a_decimal_point_is_no_satellite_and_too_many_satellites_are_refused() {
        let gsa = |body: &str| {
            let (verdict, messages) = read(body);
            assert_eq!(verdict, Verdict::Valid, "{body}");
            let keys = ["fix_mode", "satellites_used", "pdop", "hdop", "vdop"];
            keys.map(|key| messages[0].get(key).unwrap())
        };
        assert_eq!(
            gsa("GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1"),
            [3.0, 5.0, 2.5, 1.3, 2.1]
        );
        assert_eq!(
            gsa("GNGSA,M,2,04,05,06,07,08,09,10,11,12,13,14,15,99,99,99,1"),
            [2.0, 12.0, 99.0, 99.0, 99.0]
        );
        let [mode, used, none @ ..] = gsa("GNGSA,A,1,,,,,,,,,,,,,,,,2");
        assert_eq!((mode, used), (1.0, 0.0));
        assert!(none.iter().all(|x| x.is_nan()));
        let [mode, used, none @ ..] = gsa("GNGSA,A,1,,,");
        assert_eq!((mode, used), (1.0, 0.0));
        assert!(none.iter().all(|x| x.is_nan()));
        for body in [
            "GPGSA,A,3,04,05,,,,,,,,,,,,,,,,,,09,12,,,24,,,,,2.5,1.3,2.1",
            "GPGSA,A,3,04,05,2.5,1.3,2.1",
            "GPGSA,A,4,,,",
            "GPGSA,A",
        ] {
            let (verdict, messages) = read(body);
            assert!(matches!(verdict, Verdict::Unreadable(_)), "{body}");
            assert!(messages.is_empty(), "{body}");
        }
    }
}
