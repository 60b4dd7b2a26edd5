//! Reports of what happens: predicates that the run evaluates in its ticks. Here is what was asked for, on the disk, and
//! which event was reported last.

use crate::kept::{load, save};
use crate::link::Link;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// How long a surprise has to last (s).
const DWELL_S: f64 = 0.5;

/// What was asked for, and what was reported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Arguments of the tool `watch`.
    watches: Vec<Map<String, Value>>,
    /// The run that the events are of.
    run: String,
    /// The last event that was reported.
    told: u64,
    /// Begins the keys of our watches: others may watch the same run.
    owner: String,
}

#[derive(Debug)]
pub(crate) struct Watches {
    path: PathBuf,
    kept: Kept,
}

/// `rover's surprise rises`.
pub(crate) fn text(watch: &Map<String, Value>) -> String {
    let get = |name: &str| watch.get(name).and_then(Value::as_str);
    let what = match get("what").unwrap_or_default() {
        "channel" => format!("surprise of {}", get("channel").unwrap_or_default()),
        "sensor" => get("sensor").unwrap_or_default().to_owned(),
        "event" => get("event").unwrap_or_default().to_owned(),
        other => other.to_owned(),
    };
    let value = watch
        .get("value")
        .map_or(String::new(), |value| format!(" {value}"));
    let how = match get("how").unwrap_or_default() {
        "event" => String::new(),
        how => format!(" {how}"),
    };
    format!("{}: {what}{how}{value}", get("agent").unwrap_or_default())
}

impl Watches {
    pub(crate) fn open(path: &Path) -> Self {
        let mut kept: Kept = load(path);
        if kept.owner.is_empty() {
            kept.owner = format!("{:x}", jiff::Timestamp::now().as_nanosecond());
        }
        Self {
            path: path.to_owned(),
            kept,
        }
    }

    /// Keeps this in place of what was, once it is on the disk.
    fn keep(&mut self, kept: Kept) -> Result<(), String> {
        save(&self.path, &kept)?;
        self.kept = kept;
        Ok(())
    }

    /// A watch of ours, by its key.
    pub(crate) fn ours(&self, mut watch: Map<String, Value>) -> Map<String, Value> {
        let key = format!("{} {}", self.kept.owner, text(&watch));
        watch.insert("key".to_owned(), json!(key));
        watch
    }

    pub(crate) fn all(&self) -> &[Map<String, Value>] {
        &self.kept.watches
    }

    /// Keeps a watch, which the run has taken.
    pub(crate) fn add(&mut self, watch: Map<String, Value>) -> Result<(), String> {
        let mut kept = self.kept.clone();
        kept.watches.retain(|known| *known != watch);
        kept.watches.push(watch);
        self.keep(kept)
    }

    /// Ends all, and returns them.
    pub(crate) fn clear(&mut self) -> Result<Vec<Map<String, Value>>, String> {
        let mut kept = self.kept.clone();
        let all = std::mem::take(&mut kept.watches);
        self.keep(kept)?;
        Ok(all)
    }

    /// Gives the run what was asked for before this start; returns what it does not take.
    pub(crate) fn restore(&mut self, link: &Link, run: &str) -> Vec<String> {
        let mut kept = self.kept.clone();
        if kept.run != run {
            kept.run = run.to_owned();
            // What a run did before anybody listened is no news.
            kept.told = link.last_event();
        }
        // Another run of this name.
        kept.told = kept.told.min(link.last_event());
        if let Err(error) = self.keep(kept) {
            log::warn!("assistant: {error}");
        }
        let refused = self.kept.watches.iter().filter_map(|watch| {
            let refusal = match link.call("watch", watch.clone()) {
                Ok(answer) if !answer.is_refused => return None,
                Ok(answer) => answer.text,
                Err(error) => error,
            };
            Some(format!("{}: {refusal}", text(watch)))
        });
        refused.collect()
    }

    /// The run whose events are looked at.
    pub(crate) fn run(&self) -> &str {
        &self.kept.run
    }

    /// Whether the numbers of its events have begun anew: another run is there.
    pub(crate) fn is_of_another(&self, link: &Link) -> bool {
        self.kept.told > 0
            && link
                .get(&format!("events?after={}&most=1", self.kept.told - 1))
                .is_ok_and(|page| page["events"].as_array().is_some_and(Vec::is_empty))
    }

    /// Texts of the watches that have fired since the last time.
    pub(crate) fn fired(&mut self, link: &Link) -> Result<Vec<String>, String> {
        let (events, last) = link.events(self.kept.told)?;
        if last == self.kept.told {
            return Ok(Vec::new());
        }
        let is_ours = |event: &&Value| {
            let key = event["key"].as_str();
            event["watch"].is_string() && key.is_some_and(|key| key.starts_with(&self.kept.owner))
        };
        let fired = events.iter().filter(is_ours);
        let fired = fired.map(|event| {
            let s = event["time_s"].as_f64().unwrap_or_default();
            format!("{} [{s:.3} s]", event["text"].as_str().unwrap_or_default())
        });
        let fired = fired.collect();
        self.keep(Kept {
            told: last,
            ..self.kept.clone()
        })?;
        Ok(fired)
    }
}

/// Arguments of the tool `watch`, of what was said.
pub(crate) fn arguments(agent: &str, said: &Map<String, Value>) -> Map<String, Value> {
    let get = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let (what, how) = (get("what"), get("how"));
    let mut watch = Map::from_iter([("agent".to_owned(), json!(agent))]);
    let mut put = |name: &str, value: Value| watch.insert(name.to_owned(), value);
    match (what, how) {
        ("event", event) => {
            put("what", json!("event"));
            put("event", json!(event));
            put("how", json!("event"));
        }
        (sensor, "silent") => {
            put("what", json!("sensor"));
            put("sensor", json!(sensor));
            put("how", json!("silent"));
        }
        ("surprise" | "coherence" | "speed", how) => {
            put("what", json!(what));
            put("how", json!(how));
        }
        (channel, how) => {
            put("what", json!("channel"));
            put("channel", json!(channel));
            put("how", json!(how));
        }
    }
    if let Some(value) = said.get("value") {
        put("value", value.clone());
    }
    if matches!(what, "surprise") || what.contains('/') {
        // As an alarm, which has a dwell of its own: noise crosses a threshold for a tick.
        put("dwell_s", json!(DWELL_S));
    }
    watch
}
