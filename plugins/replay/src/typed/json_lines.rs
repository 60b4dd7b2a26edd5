//! JSON lines (`.jsonl`, `.ndjson`): an object a line; also objects one after the other, and one array of objects.
//!
//! Members of members are `a/b`, items of short lists `a/0`. The columns are those of the first records; members that come
//! later are said.

mod split;

use super::source::{Columns, TypedSource};
use super::value::Value;
use crate::error::TableError;
use crate::source::{MAX_LIST, below};
use serde_json::Value as Json;
use split::{Mode, Splitter, parse};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Records by which the columns are found.
const HEAD_RECORDS: usize = 1024;
/// Most columns, and most names that are said.
const MAX_COLUMNS: usize = 4096;
const MAX_SAID: usize = 8;

/// Whether a text is JSON in one of the forms that are read.
pub(super) fn is_json(head: &[u8]) -> bool {
    Mode::of(head).is_some()
}

/// Records of JSON lines.
#[derive(Debug)]
pub(crate) struct JsonLinesSource {
    splitter: Splitter,
    index: HashMap<String, usize>,
    values: Vec<Option<Json>>,
    /// Line of the record, and number of records.
    line: u64,
    records: u64,
    /// Texts that are no record, and the first of them: line and what is wrong.
    broken: u64,
    first_broken: Option<String>,
    /// Members that are no column, with the line where they first are.
    later: BTreeMap<String, u64>,
    long_lists: BTreeSet<String>,
}

impl JsonLinesSource {
    /// Reads the next record and gives each of its members to `each`.
    fn read(
        &mut self,
        file: &Path,
        each: &mut dyn FnMut(&mut Self, &str, &Json),
    ) -> Result<bool, TableError> {
        while let Some((line, text)) = self.splitter.next(file)? {
            self.line = line;
            let parsed = parse(&text);
            match parsed {
                Ok(record @ (Json::Object(_) | Json::Array(_))) => {
                    self.records += 1;
                    let mut path = String::new();
                    self.visit(&record, &mut path, 0, each);
                    return Ok(true);
                }
                other => {
                    self.broken += 1;
                    self.first_broken.get_or_insert_with(|| {
                        let text = String::from_utf8_lossy(&text);
                        let excerpt: String = text.trim().chars().take(40).collect();
                        match other {
                            Err(error) => format!("line {line}: `{excerpt}` ({error})"),
                            Ok(_) => format!("line {line}: `{excerpt}`, which is no object"),
                        }
                    });
                }
            }
        }
        Ok(false)
    }

    fn visit(
        &mut self,
        value: &Json,
        path: &mut String,
        depth: usize,
        each: &mut dyn FnMut(&mut Self, &str, &Json),
    ) {
        let name = |path: &str| path.trim_start_matches('/').to_owned();
        match value {
            Json::Object(members) => {
                for (member, value) in members {
                    below(path, member, |path| {
                        self.visit(value, path, depth + 1, each);
                    });
                }
            }
            Json::Array(items) if items.len() <= MAX_LIST => {
                for (k, item) in items.iter().enumerate() {
                    if depth == 0 {
                        // A record that is a list.
                        let own = format!("column_{}", k + 1);
                        below(path, &own, |path| self.visit(item, path, depth + 1, each));
                    } else {
                        below(path, &k, |path| self.visit(item, path, depth + 1, each));
                    }
                }
            }
            Json::Array(_) => {
                if self.long_lists.len() < MAX_COLUMNS {
                    self.long_lists.insert(name(path));
                }
            }
            value => each(self, path.trim_start_matches('/'), value),
        }
    }
}

impl TypedSource for JsonLinesSource {
    fn open(file: &Path) -> Result<(Columns, Self), TableError> {
        let open = || {
            Ok(Self {
                splitter: Splitter::open(file)?,
                index: HashMap::new(),
                values: Vec::new(),
                line: 0,
                records: 0,
                broken: 0,
                first_broken: None,
                later: BTreeMap::new(),
                long_lists: BTreeSet::new(),
            })
        };
        let mut head: Self = open()?;
        let mut names: Vec<String> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        while head.records < HEAD_RECORDS as u64
            && head.read(file, &mut |_, name, _| {
                if names.len() < MAX_COLUMNS && !index.contains_key(name) {
                    index.insert(name.to_owned(), names.len());
                    names.push(name.to_owned());
                }
            })?
        {}
        if head.splitter.mode() == Mode::Values && head.records == 1 && !head.long_lists.is_empty()
            || names.is_empty()
        {
            let lists: Vec<String> = head.long_lists.iter().take(MAX_SAID).cloned().collect();
            return Err(TableError::invalid(
                file,
                match lists.as_slice() {
                    [] => "JSON without a record".to_owned(),
                    lists => format!("one JSON object with lists: {}", lists.join(", ")),
                },
                "an object a line: `jq -c '.[]'` makes them of an array, pandas' `to_json(.., orient='records', lines=True)` of a frame",
            ));
        }
        let mut columns = Columns {
            names,
            ..Columns::default()
        };
        if !head.long_lists.is_empty() {
            let names: Vec<String> = head.long_lists.iter().map(|n| format!("`{n}`")).collect();
            columns.notes.push(format!(
                "lists of more than {MAX_LIST} items are not read: {}",
                names.join(", ")
            ));
        }
        let mut source = open()?;
        source.values = vec![None; columns.names.len()];
        source.index = index;
        columns.make_unique();
        Ok((columns, source))
    }

    fn advance(&mut self, file: &Path) -> Result<bool, TableError> {
        self.values.fill(None);
        self.read(file, &mut |own, name, value| match own.index.get(name) {
            Some(&k) => own.values[k] = Some(value.clone()),
            None => {
                if own.later.len() < MAX_COLUMNS && !own.later.contains_key(name) {
                    own.later.insert(name.to_owned(), own.line);
                }
            }
        })
    }

    fn width(&self) -> usize {
        self.values.len()
    }

    fn value(&self, index: usize) -> Value<'_> {
        match self.values.get(index).and_then(Option::as_ref) {
            Some(Json::Bool(on)) => Value::Int(i128::from(*on)),
            Some(Json::Number(number)) => Value::Decimal(number.to_string().into()),
            Some(Json::String(text)) => Value::Text(text.as_str().into()),
            _ => Value::Missing,
        }
    }

    fn number(&self) -> u64 {
        self.line
    }

    fn at_end(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(first) = &self.first_broken {
            notes.push(format!(
                "{} lines are no JSON object, and are left out; the first one is {first}",
                self.broken
            ));
        }
        if !self.later.is_empty() {
            let said = self.later.iter().take(MAX_SAID);
            let said: Vec<String> = said
                .map(|(n, line)| format!("`{n}` (line {line})"))
                .collect();
            let more = match self.later.len().saturating_sub(MAX_SAID) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            notes.push(format!(
                "members that are in none of the first {HEAD_RECORDS} records are not read: {}{more}",
                said.join(", ")
            ));
        }
        notes.extend(self.splitter.rest());
        notes
    }

    const PLACE: &'static str = "line";
}
