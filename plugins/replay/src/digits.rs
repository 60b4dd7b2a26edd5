//! How numbers are written: decimal sign, and groups of digits (thousands).

use std::borrow::Cow;

/// Minus sign of typography.
const MINUS: char = '\u{2212}';
/// Most bytes of a number with groups.
const MAX_BYTES: usize = 64;

/// How the numbers of a column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NumberStyle {
    /// Whether a comma is the decimal sign; a point is read as well, unless it groups digits.
    pub(crate) comma: bool,
    /// Whether digits are in groups: by the sign that is not decimal, by spaces or by apostrophes.
    pub(crate) grouped: bool,
}

impl NumberStyle {
    pub(crate) const POINT: Self = Self {
        comma: false,
        grouped: false,
    };
    pub(crate) const COMMA: Self = Self {
        comma: true,
        grouped: false,
    };

    /// A number of a time without its groups and with a hyphen as its minus; other texts as they are.
    pub(crate) fn plain(self, cell: &str) -> Cow<'_, str> {
        let cell = with_hyphen(cell);
        match without_groups(&cell, self.comma).filter(|_| self.grouped) {
            Some(number) => number.into(),
            None => cell,
        }
    }
}

/// Signs between groups beside comma and point: spaces (also those that do not break, narrow and thin ones), apostrophes.
const GROUP_SIGNS: [char; 7] = [
    ' ', '\u{a0}', '\u{202f}', '\u{2009}', '\u{2007}', '\'', '\u{2019}',
];

/// Replaces the minus sign of typography with the hyphen that programs write.
pub(crate) fn with_hyphen(cell: &str) -> Cow<'_, str> {
    if cell.contains(MINUS) {
        cell.replace(MINUS, "-").into()
    } else {
        cell.into()
    }
}

/// A number without its groups and with a decimal point; `None` if it has no groups, or its groups are not valid: one to
/// three digits, then three each, or two each and three at the end as in India.
pub(crate) fn without_groups(text: &str, comma: bool) -> Option<String> {
    let (decimal, other) = if comma { (',', '.') } else { ('.', ',') };
    let text = text.trim();
    if text.len() > MAX_BYTES {
        return None;
    }
    let sign = text.len() - text.trim_start_matches(['-', '+']).len();
    if sign > 1 {
        return None;
    }
    let (sign, digits) = text.split_at(sign);
    let (whole, fraction) = match digits.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let separator = whole.chars().find(|c| !c.is_ascii_digit())?;
    if separator != other && !GROUP_SIGNS.contains(&separator) {
        return None;
    }
    let groups: Vec<&str> = whole.split(separator).collect();
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let even = |length: usize| middle.iter().all(|group| group.len() == length);
    let valid = groups.iter().all(|group| is_digits(group))
        && (1..=3).contains(&first.len())
        && last.len() == 3
        && (even(3) || (even(2) && first.len() < 3))
        && !first.starts_with('0');
    if !valid {
        return None;
    }
    let mut number = format!("{sign}{}", groups.concat());
    if let Some(fraction) = fraction {
        let digits = fraction.split(['e', 'E']).next().unwrap_or_default();
        if !is_digits(digits) {
            return None;
        }
        number.push('.');
        number.push_str(fraction);
    }
    Some(number)
}

/// What the cells of a column state about how its numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Cells that can only be read with a decimal point, such as `0.5`, and with groups, such as `4,919.81`.
    pub(crate) point: usize,
    pub(crate) grouped_point: usize,
    /// Cells that can only be read with a decimal comma, such as `0,5`, and with groups, such as `4.919,81`.
    pub(crate) comma: usize,
    pub(crate) grouped_comma: usize,
    /// Groups by signs that are never decimal, such as `4 919`.
    pub(crate) grouped: usize,
    /// Either way: `1,234` and `1.234`.
    pub(crate) either_comma: usize,
    pub(crate) either_point: usize,
    /// Whole numbers of three digits, below which groups begin, and of more, without groups.
    pub(crate) three_digits: usize,
    pub(crate) more_digits: usize,
}

impl Evidence {
    pub(crate) fn add(&mut self, other: Self) {
        self.point += other.point;
        self.grouped_point += other.grouped_point;
        self.comma += other.comma;
        self.grouped_comma += other.grouped_comma;
        self.grouped += other.grouped;
        self.either_comma += other.either_comma;
        self.either_point += other.either_point;
        self.three_digits += other.three_digits;
        self.more_digits += other.more_digits;
    }

    /// Whether the column is one of whole numbers in groups, such as `979` and `1.225`: a number with three digits after
    /// its point stands beside whole ones that have no group yet.
    pub(crate) fn crosses_thousand(self) -> bool {
        self.either_point > 0
            && self.three_digits > 0
            && self.more_digits + self.point + self.comma == 0
    }

    /// Whether the decimal sign is a comma; `None` if that is not certain.
    pub(crate) fn decimal_comma(self) -> Option<bool> {
        match (
            self.point + self.grouped_point,
            self.comma + self.grouped_comma,
        ) {
            (0, 0) => None,
            (points, commas) => Some(commas > points),
        }
    }

    /// Looks at a cell.
    pub(crate) fn look(&mut self, cell: &str) {
        let cell = with_hyphen(cell.trim());
        let cell = cell.as_ref();
        if !cell.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | ',')) {
            return;
        }
        let [as_point, as_comma] = [false, true].map(|comma| {
            let number = without_groups(cell, comma)?;
            number.parse::<f64>().is_ok().then_some(())
        });
        let plain = cell.parse::<f64>().is_ok();
        let digits = cell.trim_start_matches(['-', '+']);
        if plain && digits.bytes().all(|b| b.is_ascii_digit()) {
            match digits.len() {
                0..3 => {}
                3 => self.three_digits += 1,
                _ => self.more_digits += 1,
            }
            return;
        }
        let comma = !plain && has_one_comma(cell) && cell.replace(',', ".").parse::<f64>().is_ok();
        let counted = match (plain, comma, as_point.is_some(), as_comma.is_some()) {
            (true, _, _, true) => &mut self.either_point,
            (true, ..) if cell.contains('.') => &mut self.point,
            (_, true, true, _) => &mut self.either_comma,
            (_, true, ..) => &mut self.comma,
            (false, _, true, true) => &mut self.grouped,
            (false, _, true, _) => &mut self.grouped_point,
            (false, _, _, true) => &mut self.grouped_comma,
            _ => return,
        };
        *counted += 1;
    }
}

/// Whether the cell may have a decimal comma: one comma, no point.
pub(crate) fn has_decimal_comma(cell: &[u8]) -> bool {
    cell.iter().filter(|b| **b == b',').count() == 1 && !cell.contains(&b'.')
}

fn has_one_comma(cell: &str) -> bool {
    has_decimal_comma(cell.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_in_each_style() {
        for (text, comma, number) in [
            ("4,919.81", false, "4919.81"),
            ("-1,234,567", false, "-1234567"),
            ("1,23,456.7", false, "123456.7"),
            ("4.919,81", true, "4919.81"),
            ("4 919,81", true, "4919.81"),
            ("4\u{a0}919,81", true, "4919.81"),
            ("4\u{2009}919.81", false, "4919.81"),
            ("4'919.81", false, "4919.81"),
            ("4\u{2019}919", false, "4919"),
            ("1,234.5e3", false, "1234.5e3"),
        ] {
            assert_eq!(
                without_groups(text, comma).as_deref(),
                Some(number),
                "{text}"
            );
        }
        for (text, comma) in [
            ("4919.81", false),
            ("1,5", false),
            ("1,2345", false),
            ("1234,567.0", false),
            ("0001,234", false),
            ("1 234,567.0", false),
            ("1,234,56", false),
            ("4.919.81", true),
            ("14.11.2023", true),
            ("1 234 V", false),
            ("--1,234", false),
            ("", false),
        ] {
            assert_eq!(without_groups(text, comma), None, "{text}");
        }
    }

    #[test]
    fn cells_state_their_style() {
        let of = |cells: &[&str]| {
            let mut evidence = Evidence::default();
            cells.iter().for_each(|cell| evidence.look(cell));
            evidence
        };
        assert_eq!(of(&["0.5", "4,919.81"]).decimal_comma(), Some(false));
        assert_eq!(of(&["0,5", "4.919,81"]).decimal_comma(), Some(true));
        assert_eq!(of(&["1,234"]).decimal_comma(), None);
        assert_eq!(of(&["1.234"]).decimal_comma(), None);
        assert_eq!(of(&["4 919"]).grouped, 1);
        assert_eq!(of(&["1,234", "0,123"]).decimal_comma(), Some(true));
        assert_eq!(of(&["12", "x", "", "nan"]), Evidence::default());
    }

    proptest::proptest! {
        #[test]
        fn grouped_numbers_are_read_back(whole in 1_000_i64..1_000_000_000_000, cents in 0..100, sign in 0..6_usize, comma: bool) {
            let separator = ["\u{a0}", "'", " ", "\u{2009}", if comma { "." } else { "," }, "\u{202f}"][sign];
            let digits = whole.to_string();
            let mut text = String::new();
            for (k, digit) in digits.chars().enumerate() {
                if k > 0 && (digits.len() - k) % 3 == 0 {
                    text += separator;
                }
                text.push(digit);
            }
            let decimal = if comma { ',' } else { '.' };
            let text = format!("{text}{decimal}{cents:02}");
            let number = without_groups(&text, comma);
            proptest::prop_assert_eq!(number, Some(format!("{whole}.{cents:02}")));
        }
    }
}
