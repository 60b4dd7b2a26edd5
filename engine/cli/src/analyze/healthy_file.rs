//! [`HealthyFile`]: an argument of `--healthy`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// A healthy file, or some of its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HealthyFile {
    pub(super) file: PathBuf,
    pub(super) rows: Option<RangeInclusive<u64>>,
}

/// `FILE` or `FILE:FROM-TO`.
pub(super) fn healthy_file(text: &str) -> Result<HealthyFile, String> {
    let whole = HealthyFile {
        file: PathBuf::from(text),
        rows: None,
    };
    let Some((file, (from, to))) = text
        .rsplit_once(':')
        .and_then(|(file, rows)| Some((file, rows.split_once('-')?)))
    else {
        return Ok(whole);
    };
    let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else {
        // A colon of the name.
        return Ok(whole);
    };
    if from >= to || file.is_empty() {
        return Err("expected FILE, or FILE:FROM-TO with a first and a later last row".to_owned());
    }
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
        assert!(rows("a.csv:400-100").is_err() && rows(":1-2").is_err());
    }
}
