//! What stops, whatever else is said, and what is a yes. Both are looked at word by word, without the table.

use super::names::Names;
use super::words::words;

/// Words that stop.
const VERBS: &[&str] = &["stop", "halt", "whoa", "abort", "brake", "estop"];

/// With these, something else is asked for or said: when, whether, by whom.
const BLOCKS: &[&str] = &[
    "if",
    "unless",
    "until",
    "when",
    "whenever",
    "once",
    "tomorrow",
    "yesterday",
    "later",
    "after",
    "imagine",
    "suppose",
    "says",
    "told",
    "tell",
    "wonder",
    "asked",
    "why",
    "what",
    "did",
    "does",
    "was",
    "were",
    "which",
    "who",
    "how",
    "should",
    "notify",
    "warn",
    "remember",
    "note",
    "reads",
    "lunch",
    "not",
    "never",
];

/// What is not stopped by a stop: watches, reports, faults, the simulation. They are of the table.
const OTHERS: &[&str] = &[
    "watching",
    "watch",
    "watches",
    "telling",
    "warning",
    "notifying",
    "alerting",
    "pinging",
    "bothering",
    "monitoring",
    "keeping",
    "sending",
    "giving",
    "reports",
    "report",
    "schedules",
    "schedule",
    "scheduled",
    "summaries",
    "faults",
    "fault",
    "injecting",
    "simulating",
    "recording",
    "run",
    "simulation",
    "sim",
    "scene",
    "simulator",
    "clock",
    "playback",
    "everything's",
    "alerts",
    "notifications",
    "talking",
];

/// Words before a stop that change nothing.
const BEFORE: &[&str] = &[
    "oh",
    "no",
    "ah",
    "please",
    "hey",
    "wait",
    "careful",
    "help",
    "fire",
    "quick",
    "quickly",
    "just",
    "now",
    "okay",
    "alright",
    "all",
    "everybody",
    "everyone",
    "everything",
    "robots",
    "robot",
    "it",
    "you",
    "can",
    "could",
    "would",
    "will",
    "must",
    "and",
    "but",
    "so",
    "the",
    "a",
    "an",
    "emergency",
    "e",
    "full",
    "immediately",
    "i",
    "said",
    "watch",
    "out",
    "god",
    "damn",
    "yes",
    "yeah",
    "ugh",
    "hold",
    "on",
    "guys",
    "people",
    "danger",
    "attention",
    "agents",
    "machine",
    "them",
    "then",
    "come",
    "to",
    "hit",
    "press",
    "pull",
    "button",
    "vehicle",
    "car",
    "ignore",
    "your",
    "rules",
    "let",
    "us",
    "right",
    "hello",
    "hi",
    "well",
    "do",
    "go",
    "ahead",
    "immediate",
    "need",
    "want",
    "have",
    "has",
    "time",
    "must",
    "freeze",
    "dear",
    "kindly",
    "sorry",
    "for",
];

/// Parts that commas, full stops and exclamation marks set apart.
fn clauses(sentence: &str) -> impl Iterator<Item = &str> {
    sentence
        .split([',', '.', '!', ';', ':', '?', '\n', '\u{2014}'])
        .map(str::trim)
}

/// Whether a word stops, however often its letters are repeated.
fn is_verb(word: &str) -> bool {
    let mut short = String::new();
    for c in word.chars().filter(|c| c.is_alphabetic()) {
        if !short.ends_with(c) {
            short.push(c);
        }
    }
    VERBS.contains(&word) || matches!(short.as_str(), "stop" | "halt" | "whoa")
}

pub(super) fn stops(sentence: &str, names: &Names) -> Option<Option<String>> {
    if sentence.len() > 2000
        || sentence.contains(['"', '\u{201c}', '\u{ab}']) && sentence.split_whitespace().count() > 1
    {
        return None;
    }
    let cleaned: String = sentence
        .chars()
        .map(|c| {
            if matches!(c, '"' | '(' | ')' | '[' | ']' | '/' | '*' | '@' | '`') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let said = words(&cleaned);
    let texts: Vec<&str> = said.iter().map(|word| word.text.as_str()).collect();
    if texts.iter().any(|text| BLOCKS.contains(text)) {
        // `stop, what is wrong` begins with it.
        let first = clauses(&cleaned).next().map(words).unwrap_or_default();
        let is_first = first.len() <= 2
            && first.first().is_some_and(|word| is_verb(&word.text))
            && cleaned.contains([',', '!']);
        let is_question = texts.iter().all(|text| {
            !matches!(
                *text,
                "if" | "unless"
                    | "until"
                    | "when"
                    | "not"
                    | "never"
                    | "once"
                    | "after"
                    | "tomorrow"
            )
        });
        if !(is_first && is_question) {
            return None;
        }
    }
    let name = names.assistant.to_lowercase();
    let of_agent = |text: &str| {
        names
            .agents
            .iter()
            .any(|agent| words(agent).iter().any(|word| word.text == text))
    };
    // `rover: stop`, and no `he said: stop`.
    if let Some((before, _)) = cleaned.split_once(':')
        && !words(before).iter().all(|word| {
            BEFORE.contains(&word.text.as_str()) || word.text == name || of_agent(&word.text)
        })
    {
        return None;
    }
    let is_stop = clauses(&cleaned).any(|clause| {
        let said = words(clause);
        let texts: Vec<&str> = said.iter().map(|word| word.text.as_str()).collect();
        let Some(at) = texts.iter().position(|text| is_verb(text)) else {
            return false;
        };
        let before = texts.get(..at).unwrap_or_default();
        let after = texts.get(at + 1..).unwrap_or_default();
        let is_before = before.iter().all(|text| {
            BEFORE.contains(text)
                || *text == name
                || of_agent(text)
                || is_verb(text)
                || *text == "-"
        });
        let is_other =
            after.iter().take(4).any(|text| OTHERS.contains(text)) && !after.contains(&"moving");
        is_before && !is_other
    });
    if !is_stop {
        return None;
    }
    let named: Vec<&String> = names
        .agents
        .iter()
        .filter(|agent| {
            let form = words(agent);
            texts
                .windows(form.len().max(1))
                .any(|window| window.iter().zip(&form).all(|(a, b)| *a == b.text))
        })
        .collect();
    let is_all = texts.iter().any(|text| {
        matches!(
            *text,
            "all" | "everything" | "everybody" | "everyone" | "robots" | "them" | "agents" | "and"
        )
    });
    Some(match named.as_slice() {
        [one] if !is_all => Some((*one).clone()),
        _ => None,
    })
}

/// Whether a line is a yes and nothing else: what a person approves is not guessed.
pub fn is_yes(line: &str) -> bool {
    const YES: [&str; 24] = [
        "yes",
        "y",
        "yes please",
        "please yes",
        "yep",
        "yeah",
        "yup",
        "sure",
        "ok",
        "okay",
        "do it",
        "yes do it",
        "go ahead",
        "yes go ahead",
        "please do",
        "confirm",
        "confirmed",
        "approve",
        "approved",
        "granted",
        "allowed",
        "affirmative",
        "of course",
        "by all means",
    ];
    let text = line
        .trim()
        .trim_end_matches(['.', '!'])
        .to_lowercase()
        .replace(',', "");
    YES.contains(&text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_stops_and_other_words_do_not() {
        let names = Names {
            assistant: "Solaria".to_owned(),
            agents: vec![
                "rover".to_owned(),
                "robot_02".to_owned(),
                "robot_03".to_owned(),
            ],
            ..Names::default()
        };
        for (said, agent) in [
            ("stop", None),
            ("no, stop!", None),
            ("oh no, stop", None),
            ("wait, stop", None),
            ("watch out, stop", None),
            ("help! stop!", None),
            ("stop, you will hit the wall", None),
            ("stop before you hit the wall", None),
            ("stop, what is wrong", None),
            ("stop stop stop stop stop", None),
            ("STOPPP", None),
            ("stop turning", None),
            ("stop driving forward", None),
            ("rover: stop", Some("rover")),
            ("stop @rover", Some("rover")),
            ("\"stop\"", None),
            ("-stop", None),
            ("/stop", None),
            ("stop the robots", None),
            ("robots stop", None),
            ("all stop", None),
            ("stop robot_02 and robot_03", None),
            ("stop robot_03", Some("robot_03")),
            ("I said stop!", None),
            ("bring it to a stop, stop it", None),
        ] {
            assert_eq!(
                stops(said, &names),
                Some(agent.map(str::to_owned)),
                "{said}"
            );
        }
        for said in [
            "don't stop",
            "never stop",
            "stop if you see a person",
            "stop watching",
            "stop telling me",
            "stop the run",
            "clear the stop",
            "release the stop",
            "when did it stop",
            "tell me when it stops",
            "why did it stop",
            "stop the faults",
            "stop the simulation",
            "stop sending me reports",
            "he said stop",
            "the label says \"stop\"",
            "tomorrow, stop",
            "what happens if I say stop",
            "who stopped it",
        ] {
            assert_eq!(stops(said, &names), None, "{said}");
        }
    }

    #[test]
    fn a_yes_is_nothing_else() {
        for said in ["yes", "Yes!", "ok", "yes, go ahead", "do it."] {
            assert!(is_yes(said), "{said}");
        }
        for said in [
            "yes?",
            "can you confirm?",
            "okay, just a moment",
            "sure, it is too early",
            "yes when you can",
            "no",
            "",
            "yes yes drive",
        ] {
            assert!(!is_yes(said), "{said}");
        }
    }
}
