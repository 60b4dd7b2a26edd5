//! What may stand beside a sentence, apart by a comma or a full stop: `it is blocking the door, back up by 1 m`.

use super::words::words;

/// Words of a reason. With another one, a clause could change what the sentence beside it means.
const OF_REASONS: &[&str] = &[
    "door",
    "truck",
    "wall",
    "way",
    "in",
    "at",
    "on",
    "of",
    "to",
    "and",
    "here",
    "there",
    "waiting",
    "nearly",
    "almost",
    "flat",
    "low",
    "empty",
    "full",
    "ready",
    "seen",
    "enough",
    "wrap",
    "badly",
    "taking",
    "ages",
    "long",
    "camera",
    "facing",
    "corners",
    "too",
    "much",
    "floor",
    "wet",
    "about",
    "take",
    "over",
    "driving",
    "forgetting",
    "look",
    "getting",
    "nerves",
    "kid",
    "child",
    "person",
    "man",
    "woman",
    "dog",
    "aisle",
    "lunch",
    "meeting",
    "tired",
    "dark",
    "late",
    "night",
    "day",
    "home",
    "room",
    "near",
    "standing",
    "blocking",
    "charge",
    "charged",
    "table",
    "shelf",
    "box",
    "crate",
    "leaving",
    "early",
    "done",
    "finished",
    "with",
    "for",
    "today",
    "work",
    "shift",
    "very",
    "really",
    "quite",
    "just",
    "now",
    "coming",
    "gone",
    "away",
    "free",
    "bit",
    "off",
];

/// Words that begin a clause of its own.
const SUBJECTS: &[&str] = &[
    "i",
    "we",
    "it",
    "they",
    "the",
    "this",
    "that",
    "there",
    "here",
    "my",
    "our",
    "his",
    "her",
    "their",
    "someone",
    "somebody",
    "something",
    "everybody",
    "everyone",
    "everything",
    "a",
    "an",
    "battery",
    "robot",
    "people",
    "somehow",
];

/// Words that a clause of its own has one of.
const VERBS: &[&str] = &[
    "is", "are", "am", "was", "were", "has", "have", "will", "want", "need", "needs", "wants",
    "looks", "seems", "went", "goes", "got", "gets", "came", "comes", "keep", "keeps", "stands",
    "sits", "blocks", "cuts", "takes", "lies", "works", "worked", "done", "seen", "finished",
    "closes", "feel", "feels",
];

/// Words that say nothing by themselves.
const INTERJECTIONS: &[&str] = &[
    "okay", "alright", "hey", "hi", "hello", "oh", "ah", "well", "so", "now", "please", "thanks",
    "thank", "you", "ta", "cheers", "bud", "buddy", "mate", "great", "good", "nice", "perfect",
    "fine", "whoa", "wow", "hang", "on", "all", "clear", "come", "sorry", "yes", "yeah", "guys",
    "folks", "man", "dude", "dear", "friend", "my", "enough", "ugh", "argh", "damn", "god", "hell",
    "hurry", "up", "cool", "super", "would", "will", "can", "morning", "right",
];

/// Marks of quotations, files and programs: what stands beside them is nobody's wish.
const MARKS: [char; 22] = [
    '"', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}', '`', '<', '>', '{', '}', '[', ']', '|', '\\',
    '#', '$', '&', '~', '^', '@', '*', ':',
];

/// Words that turn a movement round, or change it: alone after a comma, they are a second thought.
const SECOND_THOUGHTS: &[&str] = &[
    "back",
    "backward",
    "backwards",
    "forward",
    "forwards",
    "left",
    "right",
    "reverse",
    "slow",
    "slowly",
    "fast",
    "carefully",
    "gently",
    "clockwise",
    "opposite",
    "down",
    "up",
    "away",
    "in",
];

/// Whether a sentence may be followed as a whole: it quotes nothing, and has no second thought after a comma.
pub(super) fn may_act(sentence: &str, assistant: &str) -> bool {
    let mut text = sentence.trim();
    // `Solaria: stop`
    if let Some((name, rest)) = text.split_once(':')
        && name.trim().eq_ignore_ascii_case(assistant)
    {
        text = rest.trim();
    }
    let is_time = |at: usize| {
        text.get(at + 1..)
            .is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_marked = text
        .char_indices()
        .any(|(at, c)| MARKS.contains(&c) && !(c == ':' && is_time(at)));
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '+')
        || text
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_second = |part: &str| {
        let said = words(part);
        said.first()
            .is_some_and(|first| SECOND_THOUGHTS.contains(&first.text.as_str()))
            && said.len() <= 2
    };
    begins
        && !is_marked
        && (!text.contains('?') || is_request(text))
        && !text.split(',').skip(1).any(is_second)
}

/// Whether a question asks for an act: `could you ..?`
fn is_request(text: &str) -> bool {
    let said = words(text);
    let mut texts = said
        .iter()
        .map(|word| word.text.as_str())
        .skip_while(|text| {
            INTERJECTIONS.contains(text) && !matches!(*text, "would" | "will" | "can")
        });
    matches!(
        (texts.next(), texts.next()),
        (Some("can" | "could" | "would" | "will"), Some("you" | "we"))
            | (Some("how"), Some("about"))
    )
}

/// First words of a movement that has no verb: beside something else, `2 m ahead` may say where something is.
const BARE: &[&str] = &[
    "forward",
    "forwards",
    "ahead",
    "straight",
    "back",
    "backwards",
    "backward",
    "backup",
    "another",
    "left",
    "right",
    "clockwise",
    "counter",
    "half",
    "a",
    "an",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "reverse",
];

/// Whether a command has a verb, and does not begin with a number or a direction.
pub(super) fn has_verb(clause: &str) -> bool {
    words(clause).first().is_some_and(|first| {
        !BARE.contains(&first.text.as_str())
            && !first
                .text
                .starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
    })
}

/// Whether a clause is made of words that say nothing by themselves.
pub(super) fn is_interjection(clause: &str, assistant: &str) -> bool {
    let name = assistant.to_lowercase();
    words(clause)
        .iter()
        .all(|word| INTERJECTIONS.contains(&word.text.as_str()) || word.text == name)
}

/// Whether a clause cannot change what the sentence beside it asks for. It is a reason, or a mere word.
pub(super) fn is_reason(clause: &str, assistant: &str) -> bool {
    if clause.contains(['"', '\u{201c}', '\u{201d}', '\u{ab}', '\u{bb}', '`']) {
        return false;
    }
    let said = words(clause);
    let texts: Vec<&str> = said.iter().map(|word| word.text.as_str()).collect();
    if is_interjection(clause, assistant) {
        return true;
    }
    if matches!(texts.as_slice(), ["no", "rush" | "hurry" | "worries"]) {
        return true;
    }
    let has_number = texts
        .iter()
        .any(|text| text.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
    let is_known = texts.iter().all(|text| {
        [OF_REASONS, SUBJECTS, VERBS, INTERJECTIONS]
            .iter()
            .any(|list| list.contains(text))
    });
    // `the battery's low`: the ending is gone from the words.
    let has_verb = texts.iter().any(|text| VERBS.contains(text))
        || clause.contains("'s ")
        || clause.contains("\u{2019}s ");
    let begins = texts.first().is_some_and(|text| SUBJECTS.contains(text));
    texts.len() >= 3 && begins && has_verb && is_known && !has_number
}

#[cfg(test)]
mod tests {
    use super::is_reason;

    #[test]
    fn a_reason_changes_nothing_and_all_else_may() {
        for clause in [
            "it's blocking the door",
            "the truck is there",
            "I've seen enough",
            "okay",
            "hey Solaria",
            "no rush",
            "the battery's nearly flat",
        ] {
            assert!(is_reason(clause, "Solaria"), "{clause}");
        }
        for clause in [
            "slowly",
            "backwards",
            "the other way",
            "if it is safe",
            "when the door is open",
            "I was asked to",
            "then turn",
            "not the arm",
            "the gate",
            "3 m",
            "it said \"go\"",
            "the manual says",
            "it would be nice",
            "we did it yesterday",
            "I am not sure",
            "it is forbidden",
            "the operator is against it",
            "he is yelling",
            "it is blocked",
            "carefully",
            "both of them",
        ] {
            assert!(!is_reason(clause, "Solaria"), "{clause}");
        }
    }
}
