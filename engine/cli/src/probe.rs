//! `becomingone probe`: what a source sends, and the scene line that takes it.

mod output;
mod raw;
mod scene_line;
mod seen;
mod watch;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::STDOUT_ERROR;
use crate::parse::duration;
use becomingone::Plugins;
use becomingone::components::link::{LinkState, Payload};
use becomingone::components::sensor::Schema;
use becomingone::sources::SourceAddress;
use becomingone::systems::kinds::Kinds;
use becomingone::systems::links::document::without_query;
use becomingone_model::did_you_mean;
use clap::Args;
use output::Output;
use seen::Seen;
use std::sync::Arc;
use std::time::Duration;
use watch::Watch;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone probe 'serial:/dev/ttyUSB0?baud=9600&protocol=nmea'
  becomingone probe 'serial:usb:2341:0043?baud=115200&protocol=json_lines' --duration 10s
  becomingone probe udp:5005 --kind 'Imu()'
  becomingone probe 'file:tank.jsonl?follow=false'
  becomingone probe 'process:./probe --fast'
  becomingone probe 'http://127.0.0.1:8080/state?every_s=2'
  becomingone probe ws://127.0.0.1:9090/
  becomingone probe 'serial(port: \"/dev/ttyUSB0\", baud: 9600, protocol: Nmea)' --json

`becomingone list drivers` has the drivers, `becomingone list ports` the serial ports.

Exit status: 0 data was decoded, 1 none was, 2 bad input.";

/// Longest wait between two looks at the link.
const POLL_PERIOD: Duration = Duration::from_millis(20);

/// Arguments of `probe`.
#[derive(Args)]
pub(crate) struct ProbeArgs {
    /// DRIVER:ADDRESS?OPTION=VALUE&..., with the options of the driver in a scene; or the source as in a scene,
    /// DRIVER(OPTION: VALUE, ..).
    source: String,
    /// End after this time, as 5s [default: at Ctrl-C].
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// Kind of sensor that takes the readings, as in a scene: `Imu()`, `Values(fields: [(name: "level", unit: "m")])`.
    #[arg(long)]
    kind: Option<String>,
    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,
}

impl ProbeArgs {
    /// The source in a message: without queries of the web, and not at all where it may have a password.
    fn shown(&self) -> String {
        match self.source.contains('@') {
            true => "probe".to_owned(),
            false => without_query(&self.source),
        }
    }

    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let kinds = plugins.kinds();
        let source = SourceAddress::read(&self.source, &kinds)
            .map_err(|e| Failure::BadInput(format!("{}: {e}", self.shown())))?;
        let kind = self.kind.as_deref().map(|kind| schema(kind, &kinds));
        let schema = kind.transpose().map_err(Failure::BadInput)?;
        let interrupt = Interrupt::install()?;
        // The loop looks whether it is set.
        interrupt.on_first(|| ());
        let watch = Arc::new(Watch::default());
        let opened = source.open(schema.as_ref(), watch.clone());
        let mut probe = opened.map_err(|e| Failure::BadInput(format!("{}: {e}", self.shown())))?;
        let mut output = Output::new(self.json);
        output.start(&source);
        let mut seen = Seen::default();
        loop {
            probe.drain(&mut |sample| match sample.payload {
                Payload::State(state) => {
                    seen.state = state;
                    output.state(sample.arrival_ns, state);
                }
                Payload::Reading { numbers, .. } => {
                    if let Some(schema) = &schema {
                        seen.readings.beat(sample.arrival_ns);
                        output.reading(sample.arrival_ns, schema, &numbers);
                    }
                }
                Payload::Clock(clock) => seen.clock = clock,
                Payload::Counts(counts) => seen.counts = counts,
                Payload::Request(_) => {}
            });
            for item in watch.take() {
                output.item(&item);
            }
            let now_ns = probe.now_ns();
            let left = self.duration.map_or(POLL_PERIOD, |duration| {
                duration.saturating_sub(Duration::from_nanos(now_ns))
            });
            if left.is_zero() || interrupt.is_set() || STDOUT_ERROR.get().is_some() {
                break;
            }
            output.status(now_ns, &source, &seen, &watch.totals());
            std::thread::sleep(left.min(POLL_PERIOD));
        }
        let took_ns = probe.now_ns();
        drop(probe);
        watch.take().iter().for_each(|item| output.item(item));
        let totals = watch.totals();
        let kind = self.kind.as_deref().zip(schema.as_ref());
        let lines = scene_line::lines(&source, &totals, kind, &seen.readings, &kinds);
        output.summary(&seen, &totals, &lines);
        if totals.messages == 0 && seen.readings.count == 0 {
            return Err(Failure::Run(format!(
                "{}: found no data in {:.1} s: {}",
                self.shown(),
                took_ns as f64 / 1e9,
                reason(&source, &seen, totals.bytes)
            )));
        }
        Ok(Exit::SUCCESS)
    }
}

/// Why there may be no data, and what to try.
fn reason(source: &SourceAddress, seen: &Seen, bytes: u64) -> String {
    match (seen.state, bytes) {
        (LinkState::Up, 0) if source.driver() == "file" => {
            "a file is read from its end; `follow=false` reads what is in it now".to_owned()
        }
        (LinkState::Up, 0) => {
            "the link is up and nothing arrived; expected a device that sends by itself".to_owned()
        }
        (_, 0) => format!(
            "the link is {}; expected it to be up, see the warnings",
            seen.state
        ),
        (_, bytes) => {
            format!("none of {bytes} bytes was decoded; expected another protocol or baud rate")
        }
    }
}

/// Numbers of a kind of sensor.
fn schema(text: &str, kinds: &Kinds) -> Result<Schema, String> {
    let (name, fields) = text.split_at(text.find('(').unwrap_or(text.len()));
    let Some(entry) = kinds.sensors.get(name) else {
        return Err(format!(
            "--kind: found unknown kind `{name}`; expected one of `becomingone list sensors`{}",
            did_you_mean(name, kinds.sensors.keys().copied())
        ));
    };
    let kind = (entry.entry.read)(fields);
    let kind = kind.map_err(|e| format!("--kind: {}", becomingone::scene::explain(&e.code)))?;
    let schema = kind.schema();
    if schema.is_row || schema.fields.is_empty() {
        return Err(format!(
            "--kind: found `{name}`, whose number of numbers depends on a robot; expected a kind with names, such as Values(fields: [(name: \"x\", unit: \"m\")])"
        ));
    }
    Ok(schema)
}
