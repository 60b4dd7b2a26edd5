//! `becomingone info`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::recording::{attached_scene, metadata};
use crate::requests::{self, Requests};
use becomingone::Plugins;
use becomingone::record::journal::Item;
use becomingone::record::{EVENTS, Journal};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `info`.
#[derive(Args)]
pub(crate) struct InfoArgs {
    /// A recording made by `run --record`.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl InfoArgs {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let file = self.file.as_path();
        let mut journal = Journal::open(file)?;
        let mut info = Info {
            file: file.display().to_string(),
            scene: metadata(&journal, "scene"),
            scene_hash: metadata(&journal, "scene_hash"),
            seed: metadata(&journal, "seed").parse().unwrap_or_default(),
            engine: metadata(&journal, "engine"),
            journal: metadata(&journal, "journal"),
            tick_ns: metadata(&journal, "tick_ns").parse().unwrap_or_default(),
            threads: metadata(&journal, "threads"),
            metadata: journal.metadata().clone(),
            runs: 0,
            ticks: 0,
            duration_s: 0.0,
            agents: Vec::new(),
            attachments: BTreeMap::new(),
            links: Vec::new(),
            topics: Vec::new(),
            dropped: 0,
            faults: Vec::new(),
            closed: false,
            end_s: 0.0,
            state_hash: String::new(),
            requests: None,
        };
        let mut applied = Vec::new();
        let sizes = journal.attachments().iter();
        info.attachments = sizes.map(|(name, b)| (name.clone(), b.len())).collect();
        if let Ok(loaded) = attached_scene(&journal, file, plugins) {
            let agents = loaded.scene.agents.iter();
            info.agents = agents.map(|a| a.name.clone()).collect();
        }
        while let Some(item) = journal.read()? {
            match item {
                Item::Run(run) => {
                    info.runs = run.run;
                    info.links = run.links;
                    info.state_hash = run.state_hash;
                }
                Item::Dropped(ticks) => info.dropped += ticks,
                Item::Tick(tick) => {
                    info.ticks += 1;
                    applied.extend(requests::of(&tick));
                    let events = tick.messages.iter().filter(|m| *m.topic == *EVENTS);
                    info.faults.extend(events.filter_map(|m| fault(&m.bytes)));
                    info.end_s = tick.now_ns as f64 / 1e9;
                    info.state_hash = tick.hash;
                }
            }
        }
        info.requests = requests::compare(file, applied)?;
        info.closed = journal.ending().closed.is_some();
        info.duration_s = info.ticks as f64 * info.tick_ns as f64 / 1e9;
        let topics = journal.topics().into_iter().map(|t| Topic {
            rate_hz: (info.duration_s > 0.0).then(|| t.count as f64 / info.duration_s),
            topic: t.topic,
            encoding: t.encoding,
            schema: t.schema,
            count: t.count,
        });
        info.topics = topics.collect();
        if self.json {
            let text = serde_json::to_string_pretty(&info);
            print_out!("{}", text.map_err(|e| Failure::Run(e.to_string()))?);
        } else {
            print_out!("{info}");
        }
        Ok(Exit::SUCCESS)
    }
}

/// Contents of a recording.
#[derive(Debug, Serialize)]
struct Info {
    file: String,
    scene: String,
    scene_hash: String,
    seed: u64,
    /// Version of the engine that recorded.
    engine: String,
    journal: String,
    tick_ns: u64,
    threads: String,
    /// All metadata.
    metadata: BTreeMap<String, String>,
    /// Runs, separated by resets.
    runs: u64,
    ticks: u64,
    duration_s: f64,
    agents: Vec<String>,
    attachments: BTreeMap<String, usize>,
    links: Vec<String>,
    topics: Vec<Topic>,
    /// Ticks lost because the disk was too slow.
    dropped: u64,
    faults: Vec<String>,
    /// Whether the file was closed properly.
    closed: bool,
    /// Simulated time at which the file ends (s).
    end_s: f64,
    /// The state hash at the end.
    state_hash: String,
    /// What was acknowledged to clients of `--serve`; null where there is no file of it beside the recording.
    requests: Option<Requests>,
}

#[derive(Debug, Serialize)]
struct Topic {
    topic: String,
    encoding: String,
    schema: String,
    count: u64,
    /// Messages in a simulated second; null where there is no duration.
    rate_hz: Option<f64>,
}

impl std::fmt::Display for Info {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use comfy_table::{Cell, CellAlignment, Table, presets};
        writeln!(
            f,
            "{}: {}  scene {}  seed {}  engine {}  journal {}",
            self.file, self.scene, self.scene_hash, self.seed, self.engine, self.journal
        )?;
        let end = if self.closed {
            "closed".to_owned()
        } else {
            format!("cut at {:.3} s", self.end_s)
        };
        write!(
            f,
            "{:.3} s  {} ticks of {} ms  {} run{}  {end}  state {}",
            self.duration_s,
            self.ticks,
            self.tick_ns as f64 / 1e6,
            self.runs,
            if self.runs == 1 { "" } else { "s" },
            self.state_hash
        )?;
        if self.dropped > 0 {
            write!(f, "\n{} ticks dropped: the disk was too slow", self.dropped)?;
        }
        let list = |f: &mut std::fmt::Formatter<'_>, name: &str, all: &[String]| {
            if all.is_empty() {
                return Ok(());
            }
            write!(f, "\n{name}: {}", all.join(", "))
        };
        list(f, "agents", &self.agents)?;
        list(f, "links", &self.links)?;
        list(f, "faults", &self.faults)?;
        if let Some(requests) = &self.requests {
            write!(f, "\n{requests}")?;
        }
        let files: Vec<String> = self
            .attachments
            .iter()
            .map(|(name, bytes)| format!("{name} ({bytes} bytes)"))
            .collect();
        list(f, "files", &files)?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(vec![
            "topic",
            "count",
            "per second",
            "schema",
        ]);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        for t in &self.topics {
            table.add_row(vec![
                Cell::new(&t.topic),
                right(t.count.to_string()),
                right(t.rate_hz.map_or("-".to_owned(), |r| format!("{r:.1}"))),
                Cell::new(&t.schema),
            ]);
        }
        write!(f, "\n{table}")
    }
}

/// Text of an event that begins or ends a fault.
fn fault(bytes: &[u8]) -> Option<String> {
    let event: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    event["what"].as_str()?.starts_with("Fault").then(|| {
        let s = event["source_ns"].as_u64().unwrap_or_default() as f64 / 1e9;
        let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        format!("{s:.3} s {}: {}", word("agent"), word("text"))
    })
}
