//! What a sentence means, by a table of templates: nothing is guessed. A sentence is understood where a template covers it
//! to the last word; else it is asked back.
//!
//! - `table`: the templates. `template`: how they are written. `words`, `quantity`: sentences, numbers with units.
//! - `stop`: what stops, and what is a yes, whatever else is said. `clause`: what may stand beside a sentence.
//! - `names`: what a run has. `cover`: whether a template covers a sentence. `meaning`: arguments of a kind.

mod clause;
mod cover;
mod meaning;
mod names;
mod quantity;
mod stop;
mod table;
mod template;
mod words;

pub use names::Names;
pub use stop::{is_no, is_yes};
pub use table::Class;

use cover::Templates;
use names::Lists;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use table::ROWS;
use words::{clauses, words};

/// Longest sentence that is looked at (words).
const MAX_WORDS: usize = 48;
/// Sentences that are offered in place of one that is not understood.
const OFFERED: usize = 3;

/// What a sentence means.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// Its kind: `go_to`.
    pub kind: &'static str,
    /// Whether it asks, acts, or is kept.
    pub class: Class,
    /// Its arguments, in SI units: `{"place": "dock"}`.
    pub arguments: Map<String, Value>,
}

/// The table, ready for use.
///
/// ```
/// use becomingone_assistant::grammar::{Grammar, Names};
///
/// let grammar = Grammar::new()?;
/// let names = Names { agents: vec!["rover".to_owned()], places: vec!["dock".to_owned()], ..Names::default() };
/// let grammar = grammar.of(&names);
/// let meaning = grammar.understand("Could you go to the dock, please?").unwrap();
/// assert_eq!((meaning.kind, meaning.arguments["place"].as_str()), ("go_to", Some("dock")));
/// assert!(grammar.understand("don't go to the dock").is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grammar {
    templates: std::sync::Arc<Templates>,
    lists: Lists,
    names: Names,
}

impl Grammar {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// A template that is written wrongly: a fault of this crate, which its tests find.
    pub fn new() -> Result<Self, String> {
        Ok(Self {
            templates: std::sync::Arc::new(Templates::read()?),
            lists: Lists::default(),
            names: Names::default(),
        })
    }

    /// The same table, for what this run has.
    #[must_use]
    pub fn of(&self, names: &Names) -> Self {
        Self {
            templates: self.templates.clone(),
            lists: Lists::new(names),
            names: names.clone(),
        }
    }

    /// The names that it speaks of.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What a sentence means.
    ///
    /// A reason may stand before or after it, apart by a comma or a full stop: `it is blocking the door, back up by 1 m`.
    /// What could change what is meant may not: `if it is safe, go to the dock`, `drive 2 m, backwards`.
    ///
    /// # Errors
    ///
    /// The nearest sentences that would be understood, nearest first.
    pub fn understand(&self, sentence: &str) -> Result<Meaning, Vec<String>> {
        self.stop(sentence)
            .or_else(|| self.whole(sentence))
            .or_else(|| self.beside(sentence))
            .ok_or_else(|| {
                let said = words(sentence);
                self.nearest(
                    &said
                        .iter()
                        .map(|word| word.text.as_str())
                        .collect::<Vec<_>>(),
                )
            })
    }

    /// A stop as a meaning.
    fn stop(&self, sentence: &str) -> Option<Meaning> {
        let agent = self.stops(sentence)?;
        Some(Meaning {
            kind: "stop",
            class: Class::Act,
            arguments: agent
                .map(|agent| ("agent".to_owned(), Value::from(agent)))
                .into_iter()
                .collect(),
        })
    }

    /// What a sentence means that has something beside it.
    fn beside(&self, sentence: &str) -> Option<Meaning> {
        let parts = clauses(sentence);
        let is_word = |part: &str| clause::is_interjection(part, &self.names.assistant);
        let understood: Vec<_> = parts
            .iter()
            .map(|part| (!is_word(part)).then(|| self.whole(part)).flatten())
            .collect();
        let mut known: Vec<&Meaning> = understood.iter().flatten().collect();
        known.dedup();
        let meaning = match known.as_slice() {
            [one] => (*one).clone(),
            _ => return None,
        };
        let is_sure = match meaning.class {
            // A word alone, as `alright?`, asks nothing.
            Class::Question => {
                let mut asked = parts
                    .iter()
                    .zip(&understood)
                    .filter(|(_, understood)| understood.is_some());
                asked.any(|(part, _)| part.contains(' '))
                    || matches!(meaning.kind, "help" | "status")
            }
            Class::Act
                if parts
                    .iter()
                    .zip(&understood)
                    .any(|(part, understood)| understood.is_some() && !clause::has_verb(part)) =>
            {
                false
            }
            _ => {
                let beside = parts
                    .iter()
                    .zip(&understood)
                    .filter(|(_, understood)| understood.is_none());
                let mut beside = beside.map(|(part, _)| part);
                beside.all(|part| clause::is_reason(part, &self.names.assistant))
                    && !sentence.contains('"')
            }
        };
        is_sure.then_some(meaning)
    }

    /// What a sentence means that one template covers.
    fn whole(&self, sentence: &str) -> Option<Meaning> {
        let said = words(sentence);
        if said.len() > MAX_WORDS {
            return None;
        }
        let mut covers = self.templates.cover(&said, sentence, &self.lists);
        let may_act = clause::may_act(sentence, &self.names.assistant);
        covers.find_map(|(row, arguments)| {
            if row.class == Class::Act && !may_act {
                return None;
            }
            let arguments = meaning::arguments(row.kind, arguments)?;
            Some(Meaning {
                kind: row.kind,
                class: row.class,
                arguments,
            })
        })
    }

    /// Whether a sentence stops something: the agent that it names, or all. In doubt it does. Found without the table, in
    /// the time of reading its words.
    pub fn stops(&self, sentence: &str) -> Option<Option<String>> {
        stop::stops(sentence, &self.names)
    }

    /// A sentence of each kind that this run has names for, with those names.
    pub fn examples(&self) -> impl Iterator<Item = (&'static str, Class, String)> {
        ROWS.iter()
            .filter_map(|row| Some((row.kind, row.class, self.example(row.example)?)))
    }

    /// An example with names of this run in place of those of the table; none where it has no such name.
    fn example(&self, text: &str) -> Option<String> {
        let sensors = self
            .names
            .sensors
            .iter()
            .filter_map(|name| Some(format!("the {}", name.split_once('/')?.1)));
        let sensors: Vec<_> = sensors.collect();
        let mut text = text.to_owned();
        for (name, known) in [
            ("rover", &self.names.agents),
            ("dock", &self.names.places),
            ("warehouse_robot", &self.names.scenes),
            ("run.mcap", &self.names.recordings),
            ("imu/gyro_z", &self.names.channels),
            ("the imu", &sensors),
            (
                "scene robot",
                &self
                    .names
                    .scenes
                    .iter()
                    .map(|name| format!("scene {name}"))
                    .collect(),
            ),
        ] {
            if text.contains(name) && !known.iter().any(|other| other == name) {
                text = text.replace(name, known.first()?);
            }
        }
        Some(text)
    }

    /// The sentences of the table that share most with these words.
    fn nearest(&self, said: &[&str]) -> Vec<String> {
        let said: BTreeSet<&str> = said
            .iter()
            .copied()
            .filter(|word| !table::FILLERS.contains(word))
            .collect();
        let mut scored: Vec<(f64, usize, String)> = ROWS
            .iter()
            .enumerate()
            .filter(|(_, row)| !matches!(row.kind, "yes" | "no"))
            .filter_map(|(index, row)| {
                let example = self.example(row.example)?;
                let words = words(&example);
                let words: BTreeSet<&str> = words
                    .iter()
                    .map(|word| word.text.as_str())
                    .filter(|word| !table::FILLERS.contains(word))
                    .collect();
                let alike = |word: &str| {
                    let best = words
                        .iter()
                        .map(|other| strsim::jaro_winkler(word, other))
                        .fold(0.0, f64::max);
                    if best > 0.85 { best } else { 0.0 }
                };
                let shared: f64 = said.iter().map(|word| alike(word)).sum();
                Some((
                    shared / (said.len().max(1) + words.len()) as f64,
                    index,
                    example,
                ))
            })
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let near = scored
            .iter()
            .filter(|(score, ..)| *score > 0.0)
            .map(|(.., text)| text.clone());
        let usual = ["help", "status", "what is wrong"].map(str::to_owned);
        let mut offered: Vec<String> = Vec::new();
        for text in near.chain(usual) {
            if offered.len() < OFFERED && !offered.contains(&text) {
                offered.push(text);
            }
        }
        offered
    }
}
