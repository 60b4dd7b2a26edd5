//! How the numbers of each column of a CSV file are written.

use crate::cell::excerpt;
use crate::digits::{Evidence, NumberStyle};
use csv::ByteRecord;

/// Styles of the columns, and notes about them.
pub(super) struct Styles {
    pub(super) columns: Vec<NumberStyle>,
    pub(super) notes: Vec<String>,
    /// Cell whose sign may be a decimal point or separate thousands: its column, its text and the sign.
    pub(super) ambiguous: Option<(usize, String, &'static str)>,
}

/// Detects the styles by the first rows; `decimal` is that of `--decimal`.
pub(super) fn styles(
    names: &[String],
    rows: &[ByteRecord],
    separator: u8,
    decimal: Option<u8>,
) -> Styles {
    let mut evidence = vec![Evidence::default(); names.len()];
    let mut table = Evidence::default();
    for row in rows {
        for (cell, found) in row.iter().zip(&mut evidence) {
            if let Ok(cell) = std::str::from_utf8(cell) {
                found.look(cell);
            }
        }
    }
    if let Some(decimal) = decimal {
        let comma = decimal == b',';
        // `0.020` has no groups, whatever the decimal sign: `1.020` below it has none either.
        let style = |found: &Evidence| NumberStyle {
            comma,
            grouped: !comma || found.point == 0,
        };
        return Styles {
            columns: evidence.iter().map(style).collect(),
            notes: Vec::new(),
            ambiguous: None,
        };
    }
    evidence.iter().for_each(|found| table.add(*found));
    // The first cell of a column that has a sign.
    let cell_with = |index: usize, signs: &[char]| {
        let texts = rows
            .iter()
            .filter_map(|r| std::str::from_utf8(r.get(index)?).ok());
        let with = |cell: &&str| {
            let mut found = Evidence::default();
            found.look(cell);
            found != Evidence::default() && cell.trim().contains(signs)
        };
        texts
            .into_iter()
            .find(with)
            .map(excerpt)
            .unwrap_or_default()
    };
    let mut styles = Styles {
        columns: Vec::with_capacity(names.len()),
        notes: Vec::new(),
        ambiguous: None,
    };
    let (mut commas, mut groups) = (None, None);
    let table_points = table.point + table.grouped_point;
    for (index, found) in evidence.iter().enumerate() {
        let decimal = found.decimal_comma();
        let certain = decimal.or(table.decimal_comma());
        let comma = certain.unwrap_or(separator != b',' && found.either_comma > 0);
        if comma && certain.is_none() {
            let cell = cell_with(index, &[',']);
            styles.notes.push(format!(
                "`{cell}` in the column `{}` may have a decimal comma or thousands: commas are taken for decimal points; --decimal point reads thousands",
                names[index]
            ));
        } else if certain.is_none() && found.either_comma > 0 {
            let cell = cell_with(index, &[',']);
            styles.ambiguous.get_or_insert((index, cell, "comma"));
        } else if found.crosses_thousand()
            && decimal.is_none()
            && (certain.is_none() || (comma && table_points > 0))
        {
            let cell = cell_with(index, &['.']);
            styles.ambiguous.get_or_insert((index, cell, "point"));
        }
        let grouped = if comma {
            let by_table = found.either_point > 0
                && (table.grouped_comma > 0
                    || (certain == Some(true) && table_points == 0 && found.more_digits == 0));
            found.grouped_comma + found.grouped > 0
                || by_table
                || (decimal == Some(true) && found.either_point > 0)
        } else {
            // A point is decimal: a comma can only group.
            certain == Some(false) || found.grouped > 0
        };
        let point_groups = comma && grouped && found.grouped_comma + found.either_point > 0;
        let comma_groups = !comma && found.grouped_point + found.either_comma > 0;
        if groups.is_none() && (point_groups || comma_groups || found.grouped > 0) {
            let signs: &[char] = if comma {
                &['.', ' ', '\'', '\u{a0}', '\u{202f}', '\u{2009}', '\u{2019}']
            } else {
                &[',', ' ', '\'', '\u{a0}', '\u{202f}', '\u{2009}', '\u{2019}']
            };
            groups = Some((index, cell_with(index, signs)));
        }
        if comma && found.comma + found.grouped_comma + found.either_comma > 0 {
            commas = commas.or_else(|| {
                let cell = cell_with(index, &[',']);
                (!cell.is_empty()).then_some((index, cell))
            });
        }
        styles.columns.push(NumberStyle { comma, grouped });
    }
    if let Some((index, cell)) = commas {
        styles.notes.push(format!(
            "commas are decimal points, as in `{cell}` (column `{}`)",
            names[index]
        ));
    }
    if let Some((index, cell)) = groups {
        let name = &names[index];
        styles.notes.push(format!(
            "digits are in groups (thousands), as in `{cell}` (column `{name}`)"
        ));
    }
    styles
}
