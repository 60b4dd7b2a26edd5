//! Text of files, programs and web servers as documents: lines of JSON, or CSV with named columns.

pub use becomingone_systems::links::document::{Document, Refusal};
use becomingone_systems::links::document::{excerpt, parse};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Layout of text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Decode {
    /// A JSON document a line.
    #[default]
    JsonLines,
    /// A row of cells a line, as an object of its columns.
    Csv {
        /// Names of the columns; none: the first line has them.
        #[serde(default)]
        columns: Vec<String>,
        /// Sign between cells, of ASCII.
        #[serde(default = "comma")]
        separator: char,
    },
}

fn comma() -> char {
    ','
}

impl Decode {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Csv { separator, .. } if !separator.is_ascii() || *separator == '"' => Err(
                format!("found `separator: {separator:?}`; expected one such as ',', ';' or '\\t'"),
            ),
            _ => Ok(()),
        }
    }
}

/// Decodes lines.
#[derive(Clone, Debug)]
pub struct Decoder {
    decode: Decode,
    /// Columns of the first line.
    columns: Option<Vec<String>>,
}

impl Decoder {
    /// Before the first line.
    pub fn new(decode: Decode) -> Self {
        let mut decoder = Self {
            decode,
            columns: None,
        };
        decoder.restart();
        decoder
    }

    /// Whether the next line has the names of the columns.
    pub fn wants_header(&self) -> bool {
        matches!(self.decode, Decode::Csv { .. }) && self.columns.is_none()
    }

    /// Begins anew: another file.
    pub fn restart(&mut self) {
        self.columns = match &self.decode {
            Decode::Csv { columns, .. } if !columns.is_empty() => Some(columns.clone()),
            _ => None,
        };
    }

    /// Decodes a line; none of an empty line and of names of columns.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Document>, Refusal> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let Decode::Csv { separator, .. } = &self.decode else {
            return document(line).map(Some);
        };
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let cells = cells(line, *separator as u8)?;
        let Some(columns) = &self.columns else {
            self.columns = Some(cells);
            return Ok(None);
        };
        if *columns == cells {
            return Ok(None);
        }
        if columns.len() != cells.len() {
            return Err(Refusal {
                kind: "with another number of cells",
                reason: format!(
                    "found {} cells; expected {}, those of the columns `{}`",
                    cells.len(),
                    columns.len(),
                    excerpt(columns.join(", ").as_bytes())
                ),
            });
        }
        let mut row = Map::new();
        for (column, cell) in columns.iter().zip(cells) {
            let value = match cell.as_str() {
                "" => Value::Null,
                _ => Value::String(cell),
            };
            row.entry(column.as_str()).or_insert(value);
        }
        Ok(Some((Value::Object(row), 0)))
    }

    /// Decodes a whole text as the state that it holds: its JSON document, or its last row.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn state(&mut self, text: &[u8]) -> Result<Option<Document>, Refusal> {
        if self.decode == Decode::JsonLines {
            return match text.trim_ascii().is_empty() {
                true => Ok(None),
                false => document(text).map(Some),
            };
        }
        self.restart();
        let mut last = Ok(None);
        for line in text.split(|&byte| byte == b'\n') {
            let row = self.line(line.strip_suffix(b"\r").unwrap_or(line));
            if row != Ok(None) {
                last = row;
            }
        }
        last
    }
}

fn document(text: &[u8]) -> Result<Document, Refusal> {
    let kind = "not JSON";
    parse(text).map_err(|reason| Refusal { kind, reason })
}

fn cells(line: &[u8], separator: u8) -> Result<Vec<String>, Refusal> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(line.len().max(1))
        .from_reader(line);
    let mut record = csv::ByteRecord::new();
    reader
        .read_byte_record(&mut record)
        .map_err(|error| Refusal {
            kind: "not CSV",
            reason: error.to_string(),
        })?;
    let cell = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
    Ok(record.iter().map(cell).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn csv(columns: &[&str], separator: char) -> Decoder {
        let columns = columns.iter().map(|&c| c.to_owned()).collect();
        Decoder::new(Decode::Csv { columns, separator })
    }

    /// Quotes as in RFC 4180, section 2.
    #[test]
    fn rows_are_objects_of_their_columns() {
        let mut decoder = csv(&[], ',');
        assert!(decoder.wants_header());
        assert_eq!(decoder.line(b"\xEF\xBB\xBFt, level,\"a,b\""), Ok(None));
        let row = decoder.line(b"1,2.5,\"x \"\"y\"\"\"").unwrap().unwrap().0;
        assert_eq!(row, json!({"t": "1", "level": "2.5", "a,b": "x \"y\""}));
        assert_eq!(decoder.line(b"t,level,\"a,b\""), Ok(None));
        assert_eq!(decoder.line(b""), Ok(None));
        assert_eq!(
            decoder.line(b"1,,3").unwrap().unwrap().0["level"],
            Value::Null
        );
        let refusal = decoder.line(b"1,2").unwrap_err();
        assert!(
            refusal.reason.contains("found 2 cells; expected 3"),
            "{refusal:?}"
        );
        decoder.restart();
        assert!(decoder.wants_header());
        let mut named = csv(&["a", "b"], ';');
        assert_eq!(
            named.line(b"1;2").unwrap().unwrap().0,
            json!({"a": "1", "b": "2"})
        );
    }

    #[test]
    fn a_state_is_the_whole_document_or_the_last_row() {
        let mut decoder = Decoder::new(Decode::JsonLines);
        let state = decoder.state(b"{\n \"a\": NaN\n}\n").unwrap().unwrap();
        assert_eq!(state, (json!({"a": null}), 1));
        assert_eq!(decoder.state(b"42000\n").unwrap().unwrap().0, json!(42000));
        assert_eq!(decoder.state(b" \n"), Ok(None));
        let state = csv(&[], ',')
            .state(b"a,b\r\n1,2\r\n3,4\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(state.0, json!({"a": "3", "b": "4"}));
    }

    proptest! {
        #[test]
        fn any_line_is_a_document_or_a_refusal(lines: Vec<Vec<u8>>) {
            for mut decoder in [Decoder::new(Decode::JsonLines), csv(&[], ',')] {
                for line in &lines {
                    let _ = decoder.line(line);
                    let _ = decoder.clone().state(line);
                }
            }
        }
    }
}
