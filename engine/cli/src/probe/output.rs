//! Output of a probe: lines for people, or JSON.

use super::raw::{RawLines, hex, text};
use super::scene_line::SceneLines;
use super::seen::Seen;
use super::watch::{Item, Kind, Rhythm, Totals, What};
use crate::terminal;
use becomingone::components::link::LinkState;
use becomingone::components::sensor::Schema;
use becomingone::sources::SourceAddress;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;

/// Lines a second on a terminal; more cannot be read.
const LINES_A_SECOND: u32 = 30;
/// Time between two status lines (ns).
const REDRAW_NS: u64 = 200_000_000;

pub(super) struct Output {
    json: bool,
    /// Lines fit the width of the terminal.
    is_terminal: bool,
    has_status: bool,
    /// Earliest time of the next status line (ns).
    redraw_ns: u64,
    /// The second whose lines are counted.
    second: u64,
    lines: u32,
    left_out: u64,
    raw: RawLines,
    raw_ns: u64,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            is_terminal: std::io::stdout().is_terminal(),
            has_status: !json && std::io::stderr().is_terminal(),
            redraw_ns: 0,
            second: 0,
            lines: 0,
            left_out: 0,
            raw: RawLines::default(),
            raw_ns: 0,
        }
    }

    fn object(&self, object: &Value) {
        terminal::clear();
        print_out!("{object}");
    }

    /// One line, cut to the width of a terminal.
    fn line(&self, line: &str) {
        terminal::clear();
        match self.is_terminal {
            true => print_out!("{}", terminal::cut(line)),
            false => print_out!("{line}"),
        }
    }

    /// A line of data, of which a terminal shows only so many a second.
    fn data(&mut self, at_ns: u64, line: &str) {
        let second = at_ns / 1_000_000_000;
        if second != self.second {
            (self.second, self.lines) = (second, 0);
        }
        self.lines += 1;
        if self.is_terminal && self.lines > LINES_A_SECOND {
            self.left_out += 1;
            return;
        }
        self.line(&format!("{:9.3} s  {line}", at_ns as f64 / 1e9));
    }

    pub(super) fn start(&self, source: &SourceAddress) {
        let (driver, port) = (source.driver(), source.port());
        match self.json {
            true => self.object(&json!({"type": "start", "driver": driver, "port": port})),
            false => self.line(&format!("{driver} {port}; Ctrl-C ends")),
        }
    }

    pub(super) fn state(&self, at_ns: u64, state: LinkState) {
        let t_s = at_ns as f64 / 1e9;
        match self.json {
            true => self.object(&json!({"type": "state", "t_s": t_s, "state": state.to_string()})),
            false => self.line(&format!("{t_s:9.3} s  link {state}")),
        }
    }

    pub(super) fn item(&mut self, item: &Item) {
        let t_s = item.at_ns as f64 / 1e9;
        match &item.what {
            What::Bytes { bytes, length, .. } if self.json => {
                let (key, content) = match text(bytes) {
                    Some(text) => ("text", text.to_owned()),
                    None => ("hex", hex(bytes)),
                };
                self.object(&json!({"type": "raw", "t_s": t_s, "bytes": length, key: content}));
            }
            What::Bytes {
                bytes, is_stream, ..
            } => {
                self.raw_ns = item.at_ns;
                for line in self.raw.add(bytes, *is_stream) {
                    self.data(item.at_ns, &format!("raw  {line}"));
                }
            }
            What::Message { name, numbers } if self.json => {
                let numbers: Map<String, Value> = numbers
                    .iter()
                    .map(|(name, x)| (name.clone(), json!(x)))
                    .collect();
                self.object(
                    &json!({"type": "message", "t_s": t_s, "name": name, "numbers": numbers}),
                );
            }
            What::Message { name, numbers } => {
                let line = format!("{}  {}", name.escape_debug(), shown(numbers));
                self.data(item.at_ns, &line);
            }
        }
    }

    pub(super) fn reading(&mut self, at_ns: u64, schema: &Schema, numbers: &[f64]) {
        if self.json {
            let t_s = at_ns as f64 / 1e9;
            return self.object(&json!({"type": "reading", "t_s": t_s, "numbers": numbers}));
        }
        let named: Vec<_> = schema
            .fields
            .iter()
            .cloned()
            .zip(numbers.iter().copied())
            .collect();
        self.data(at_ns, &format!("reading  {}", shown(&named)));
    }

    /// The state of the link, in a line that is overwritten.
    pub(super) fn status(
        &mut self,
        now_ns: u64,
        source: &SourceAddress,
        seen: &Seen,
        totals: &Totals,
    ) {
        if !self.has_status || now_ns < self.redraw_ns {
            return;
        }
        self.redraw_ns = now_ns + REDRAW_NS;
        let rhythm = match seen.readings.count {
            0 => totals.rhythm(),
            _ => &seen.readings,
        };
        let mut line = format!("{}: {}", seen.state, pace(rhythm));
        let counts = &seen.counts;
        for (count, what) in [
            (counts.dropped, "dropped"),
            (counts.gaps, "missing"),
            (counts.garbage, "garbage"),
            (self.left_out + totals.hidden, "lines not shown"),
        ] {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        terminal::overwrite_line(&format!("{line}, {}", source.port()));
    }

    pub(super) fn summary(&mut self, seen: &Seen, totals: &Totals, scene: &SceneLines) {
        for line in self.raw.finish() {
            self.data(self.raw_ns, &format!("raw  {line}"));
        }
        let counts = &seen.counts;
        if self.json {
            let kinds: BTreeMap<&String, Value> = totals
                .kinds
                .iter()
                .map(|(name, kind)| (name, rhythm_json(&kind.rhythm)))
                .collect();
            return self.object(&json!({
                "type": "summary",
                "state": seen.state.to_string(),
                "bytes": totals.bytes,
                "messages": totals.messages,
                "kinds": kinds,
                "readings": rhythm_json(&seen.readings),
                "counts": counts,
                "clock": seen.clock,
                "not_shown": totals.hidden,
                "scene": scene.lines,
                "notes": scene.notes,
            }));
        }
        terminal::clear();
        print_out!("");
        for (name, kind) in &totals.kinds {
            let name = name.escape_debug();
            print_out!("{name}: {} ({})", pace(&kind.rhythm), names(kind));
        }
        if seen.readings.count > 0 {
            print_out!("readings: {}", pace(&seen.readings));
        }
        print_out!(
            "link {}: {} bytes, {} messages, {} dropped, {} missing, {} duplicates, {} garbage, {} restarts",
            seen.state,
            totals.bytes,
            totals.messages,
            counts.dropped,
            counts.gaps,
            counts.duplicates,
            counts.garbage,
            counts.restarts
        );
        if !scene.lines.is_empty() {
            print_out!("\nfor `sensors: [..]` of a scene:");
        }
        for line in &scene.lines {
            print_out!("{line}");
        }
        for note in &scene.notes {
            print_out!("// {note}");
        }
    }
}

/// `12 messages, 5.00 Hz, jitter 1.2 ms`.
fn pace(rhythm: &Rhythm) -> String {
    let mut text = match rhythm.count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    if let Some(rate) = rhythm.rate_hz() {
        text += &format!(", {rate:.2} Hz");
    }
    if let Some(jitter) = rhythm.jitter_s() {
        text += &format!(", jitter {:.1} ms", jitter * 1e3);
    }
    text
}

fn rhythm_json(rhythm: &Rhythm) -> Value {
    json!({"count": rhythm.count, "rate_hz": rhythm.rate_hz(), "jitter_s": rhythm.jitter_s()})
}

/// Names of the numbers that had a value.
fn names(kind: &Kind) -> String {
    let names = kind.numbers.iter().filter(|number| number.had_value);
    let names: Vec<String> = names.map(|n| n.name.escape_debug().to_string()).collect();
    match names.is_empty() {
        true => "no numbers".to_owned(),
        false => names.join(", "),
    }
}

/// Names and values; numbers without one are left out.
fn shown(numbers: &[(String, f64)]) -> String {
    let known = numbers.iter().filter(|(_, x)| !x.is_nan());
    let known = known.map(|(name, x)| {
        // Nine digits: all that a measurement has.
        let x: f64 = format!("{x:.8e}").parse().unwrap_or(*x);
        format!("{} {x}", name.escape_debug())
    });
    let known: Vec<String> = known.collect();
    match known.is_empty() {
        true => "no value".to_owned(),
        false => known.join("  "),
    }
}
