//! [`HealthyFile`]: an argument of `--healthy`.

use crate::files::is_same_file;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// A healthy file, or some of its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HealthyFile {
    pub(super) file: PathBuf,
    pub(super) rows: Option<RangeInclusive<u64>>,
}

impl HealthyFile {
    /// Whether some of its rows may be rows of the other.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let apart = match (&self.rows, &other.rows) {
            (Some(a), Some(b)) => a.end() < b.start() || b.end() < a.start(),
            _ => false,
        };
        !apart && is_same_file(&self.file, &other.file)
    }
}

impl fmt::Display for HealthyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match &self.rows {
            Some(rows) => write!(f, ":{}-{}", rows.start(), rows.end()),
            None => Ok(()),
        }
    }
}

/// `FILE` or `FILE:FROM-TO`.
pub(super) fn healthy_file(text: &str) -> Result<HealthyFile, String> {
    let whole = HealthyFile {
        file: PathBuf::from(text),
        rows: None,
    };
    if text == "-" {
        return Err("expected a file, not standard input".to_owned());
    }
    if whole.file.exists() {
        // Whatever its name is.
        return Ok(whole);
    }
    let Some((file, (from, to))) = text
        .rsplit_once(':')
        .and_then(|(file, rows)| Some((file, rows.split_once('-')?)))
    else {
        return Ok(whole);
    };
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(is_number(from) && is_number(to)) {
        // A colon of the name.
        return Ok(whole);
    }
    let (from, to) = (from.parse::<u64>().ok(), to.parse::<u64>().ok());
    let Some((from, to)) = from
        .zip(to)
        .filter(|(from, to)| from < to && !file.is_empty())
    else {
        return Err("expected FILE, or FILE:FROM-TO with a first and a later last row".to_owned());
    };
    Ok(HealthyFile {
        file: PathBuf::from(file),
        rows: Some(from..=to),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_healthy_file_are_behind_a_colon() {
        let rows = |text: &str| healthy_file(text).map(|h| (h.file, h.rows));
        let named = |file: &str| (PathBuf::from(file), None);
        assert_eq!(rows("a.csv"), Ok(named("a.csv")));
        assert_eq!(rows("C:\\a-b.csv"), Ok(named("C:\\a-b.csv")));
        let part = (PathBuf::from("a.csv"), Some(100..=400));
        assert_eq!(rows("a.csv:100-400"), Ok(part));
        assert!(rows("a.csv:0-").is_err() && rows("a.csv:0-99999999999999999999").is_err());
        assert!(rows("a.csv:400-100").is_err() && rows(":1-2").is_err() && rows("-").is_err());
    }
}
