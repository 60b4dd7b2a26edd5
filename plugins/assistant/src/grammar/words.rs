//! A sentence as words: small letters, no punctuation, contractions written out, numbers apart from their units.

/// A word of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// In small letters.
    pub(crate) text: String,
    /// Where it begins in the sentence (bytes).
    pub(crate) at: usize,
}

/// What is written together, and its words.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("don't", "do not"),
    ("dont", "do not"),
    ("doesn't", "does not"),
    ("didn't", "did not"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("won't", "will not"),
    ("wouldn't", "would not"),
    ("shouldn't", "should not"),
    ("isn't", "is not"),
    ("aren't", "are not"),
    ("wasn't", "was not"),
    ("hasn't", "has not"),
    ("haven't", "have not"),
    ("what's", "what is"),
    ("whats", "what is"),
    ("where's", "where is"),
    ("how's", "how is"),
    ("who's", "who is"),
    ("when's", "when is"),
    ("which's", "which is"),
    ("it's", "it is"),
    ("that's", "that is"),
    ("there's", "there is"),
    ("here's", "here is"),
    ("everything's", "everything is"),
    ("something's", "something is"),
    ("anything's", "anything is"),
    ("let's", "let us"),
    ("lets", "let us"),
    ("i'm", "i am"),
    ("i'd", "i would"),
    ("i've", "i have"),
    ("i'll", "i will"),
    ("you're", "you are"),
    ("you've", "you have"),
    ("you'd", "you would"),
    ("we're", "we are"),
    ("we've", "we have"),
    ("they're", "they are"),
    ("gonna", "going to"),
    ("wanna", "want to"),
    ("gotta", "have got to"),
    ("gimme", "give me"),
    ("lemme", "let me"),
    ("pls", "please"),
    ("plz", "please"),
    ("u", "you"),
    ("thx", "thanks"),
    ("ok", "okay"),
    ("counterclockwise", "counter clockwise"),
    ("anticlockwise", "counter clockwise"),
    ("realtime", "real time"),
    ("one-eighty", "one eighty"),
    ("where'd", "where did"),
    ("when'd", "when did"),
    ("what'd", "what did"),
    ("how'd", "how did"),
    ("what've", "what have"),
    ("ya", "you"),
    ("what're", "what are"),
    ("where're", "where are"),
    ("how're", "how are"),
    ("mustn't", "must not"),
    ("needn't", "need not"),
    ("couldn't", "could not"),
    ("weren't", "were not"),
    ("ain't", "is not"),
    ("we'll", "we will"),
    ("it'll", "it will"),
    ("e-stop", "e stop"),
    ("estop", "e stop"),
];

/// The words of a sentence.
pub(crate) fn words(sentence: &str) -> Vec<Word> {
    let mut all: Vec<Word> = Vec::new();
    let mut at = 0;
    // `- 2`: a sign that stands apart.
    let mut sign: Option<usize> = None;
    for piece in sentence.split_inclusive(char::is_whitespace) {
        let begin = at;
        at += piece.len();
        let piece = piece.trim_end();
        if matches!(piece, "-" | "\u{2212}" | "\u{2013}") {
            sign = Some(begin);
            continue;
        }
        let signed;
        let piece = match sign.take() {
            Some(_) if piece.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                signed = format!("-{piece}");
                signed.as_str()
            }
            Some(at) => {
                all.push(Word {
                    text: "-".to_owned(),
                    at,
                });
                piece
            }
            None => piece,
        };
        let text = piece.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let text = text.trim_matches(|c: char| {
            matches!(
                c,
                ',' | '!' | '?' | ';' | ':' | '"' | '(' | ')' | '`' | '\u{201c}' | '\u{201d}'
            )
        });
        let text = text.trim_end_matches('.').trim_end_matches(',');
        let text = text.trim_start_matches("...").trim_matches('\'');
        if text.is_empty() {
            continue;
        }
        // `event #12`, but no comment.
        let text = match text.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
            _ => text,
        };
        if let Some((_, long)) = CONTRACTIONS.iter().find(|(short, _)| *short == text) {
            all.extend(long.split(' ').map(|text| Word {
                text: text.to_owned(),
                at: begin,
            }));
            continue;
        }
        let text = text.strip_suffix("'s").unwrap_or(text);
        // `crates'`
        let text = text.trim_end_matches('\'');
        split(text, begin, &mut all);
    }
    all.extend(sign.map(|at| Word {
        text: "-".to_owned(),
        at,
    }));
    all
}

/// Parts of a text that commas and full stops set apart; those in numbers do not.
pub(crate) fn clauses(text: &str) -> Vec<&str> {
    let is_in_number = |at: usize| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at..).and_then(|after| after.chars().nth(1));
        digit(after)
            || after.is_some_and(char::is_alphanumeric) && before.is_some_and(char::is_alphanumeric)
    };
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, mark) in text.char_indices() {
        if matches!(mark, ',' | '.' | '!' | ';' | '?' | ':' | '\n' | '\u{2014}')
            && !is_in_number(at)
        {
            parts.extend(text.get(begin..at));
            begin = at + mark.len_utf8();
        }
    }
    parts.extend(text.get(begin..));
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

fn is_number_start(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-', '\u{2212}']);
    unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Splits `50cm`, `1.5m/s`, `imu/gyro_z`, `half-way`, `(2,3)`.
fn split(text: &str, at: usize, all: &mut Vec<Word>) {
    let mut push = |text: &str| {
        if !text.is_empty() {
            all.push(Word {
                text: text.to_owned(),
                at,
            });
        }
    };
    if is_number_start(text) {
        let sign = text.len() - text.trim_start_matches(['+', '-', '\u{2212}']).len();
        let rest = &text[sign..];
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | ':')))
            .unwrap_or(rest.len());
        let (number, unit) = rest.split_at(end);
        let sign = if text.starts_with(['-', '\u{2212}']) {
            "-"
        } else {
            ""
        };
        push(&format!(
            "{sign}{}",
            number.trim_end_matches([',', '.', ':'])
        ));
        let unit = unit.trim_start_matches('-');
        // `1e3`, `3d`: what follows a number is a unit, or no word of ours.
        for unit in unit.split(['/', '_']) {
            push(unit.trim_matches(['.', ',']));
        }
        return;
    }
    for word in text.split(['/', '_', '-', '.', '=', ',', '\u{2013}']) {
        push(word.trim_matches(|c: char| matches!(c, ',' | '!' | '?' | ';' | ':' | '(' | ')')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sentence: &str) -> String {
        let all = words(sentence);
        all.iter()
            .map(|word| word.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn sentences_become_words() {
        for (sentence, expected) in [
            ("What's wrong?", "what is wrong"),
            ("Drive 50cm, please!", "drive 50 cm please"),
            ("at 1.5m/s for 2s", "at 1.5 m s for 2 s"),
            ("the rover's imu/gyro_z", "the rover imu gyro z"),
            (
                "set controller.speed_m_s to -0.5",
                "set controller speed m s to -0.5",
            ),
            ("turn 90\u{b0} left.", "turn 90 \u{b0} left"),
            ("go to x - 1 y -2", "go to x -1 y -2"),
            ("go - please", "go - please"),
            ("at 08:30", "at 08:30"),
            ("don\u{2019}t move", "do not move"),
            ("  ... ", ""),
        ] {
            assert_eq!(said(sentence), expected);
        }
    }
}
