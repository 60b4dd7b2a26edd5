//! What stops, whatever else is said, and what is a yes. Both are looked at word by word, without the table.

use super::names::Names;
use super::words::{clauses, words};

/// Longest sentence (bytes).
const LONGEST: usize = 2000;

/// Words that stop.
const VERBS: &[&str] = &[
    "stop",
    "halt",
    "whoa",
    "abort",
    "brake",
    "cease",
    "standstill",
];

/// Sentences that stop without such a word.
const PHRASES: &[&str] = &[
    "freeze",
    "freeze now",
    "stand still",
    "stay put",
    "stay still",
    "stay there",
    "stay where you are",
    "hold still",
    "hold position",
    "hold your position",
    "hold it",
    "hit brakes",
    "slam on brakes",
    "emergency",
    "emergency brake",
    "do not move",
    "do not move another inch",
    "do not move any further",
    "e stop",
];

/// Words around such a sentence.
const AROUND: &[&str] = &[
    "please",
    "the",
    "a",
    "an",
    "now",
    "it",
    "robot",
    "everybody",
    "everyone",
    "all",
    "right",
    "immediately",
    "hey",
    "no",
    "oh",
    "just",
    "press",
    "pull",
    "trigger",
    "push",
    "button",
];

/// Words for several.
const ALL: &[&str] = &[
    "all",
    "everything",
    "everybody",
    "everyone",
    "robots",
    "them",
    "agents",
    "and",
];

/// Conditions, times and negations: what is meant is no stop now.
const CONDITIONS: &[&str] = &[
    "if", "unless", "until", "when", "whenever", "once", "after", "tomorrow", "not", "never",
];

/// Questions, and speech of others. A sentence that begins with a stop is one all the same: `stop, what is wrong`.
const OTHER_SPEECH: &[&str] = &[
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
    "imagine",
    "suppose",
    "says",
    "told",
    "tell",
    "wonder",
    "asked",
    "yesterday",
    "later",
    "notify",
    "warn",
    "remember",
    "note",
    "reads",
    "lunch",
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
    "bring",
    "make",
    "trigger",
    "push",
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
    "freeze",
    "dear",
    "kindly",
    "sorry",
    "for",
];

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

/// Words of the assistant's name and of agents' names.
struct Called(Vec<String>);

impl Called {
    fn new(names: &Names) -> Self {
        let all = names.agents.iter().chain([&names.assistant]);
        Self(
            all.flat_map(|name| words(name))
                .map(|word| word.text)
                .collect(),
        )
    }

    fn has(&self, text: &str) -> bool {
        self.0.iter().any(|word| word == text)
    }

    /// Whether a word before a stop changes nothing.
    fn is_before(&self, text: &str) -> bool {
        BEFORE.contains(&text) || self.has(text) || is_verb(text) || text == "-"
    }

    /// Whether a clause stops: nothing but calls before the word, and nothing else that is to be stopped after it.
    fn is_stop(&self, texts: &[&str]) -> bool {
        let Some(at) = texts.iter().position(|text| is_verb(text)) else {
            return false;
        };
        let (before, after) = texts.split_at(at);
        let is_other = after
            .iter()
            .skip(1)
            .take(4)
            .any(|text| OTHERS.contains(text));
        before.iter().all(|text| self.is_before(text)) && !is_other
    }
}

/// Whether a clause is one of the phrases.
fn is_phrase(texts: &[&str]) -> bool {
    let said: Vec<&str> = texts
        .iter()
        .copied()
        .filter(|text| !AROUND.contains(text))
        .collect();
    PHRASES.contains(&said.join(" ").as_str())
}

/// Whether a condition or a negation is among these words; `at once` is none.
fn has_condition(texts: &[&str]) -> bool {
    let mut before = "";
    texts.iter().any(|text| {
        let is_condition = CONDITIONS.contains(text) && (before, *text) != ("at", "once");
        before = text;
        is_condition
    })
}

/// Whether a sentence stops something: one agent, or all.
pub(super) fn stops(sentence: &str, names: &Names) -> Option<Option<String>> {
    let is_quoting =
        sentence.contains(['"', '\u{201c}', '\u{ab}']) && sentence.split_whitespace().count() > 1;
    if sentence.len() > LONGEST || is_quoting {
        return None;
    }
    let cleaned = sentence.replace(['"', '(', ')', '[', ']', '/', '*', '@', '`'], " ");
    let said = words(&cleaned);
    let texts: Vec<&str> = said.iter().map(|word| word.text.as_str()).collect();
    let parts: Vec<Vec<_>> = clauses(&cleaned).into_iter().map(words).collect();
    let parts: Vec<Vec<&str>> = parts
        .iter()
        .map(|part| part.iter().map(|word| word.text.as_str()).collect())
        .collect();
    let called = Called::new(names);
    // `stop, what is wrong` is a stop, whatever comes after it.
    let begins = parts.len() > 1
        && parts.first().is_some_and(|first| {
            first.len() <= 2 && first.first().is_some_and(|word| is_verb(word))
        });
    // `rover: stop`, and no `he said: stop`.
    let is_of_another = cleaned.split_once(':').is_some_and(|(before, _)| {
        !words(before)
            .iter()
            .all(|word| called.is_before(&word.text))
    });
    let is_other_speech =
        is_of_another || !begins && texts.iter().any(|text| OTHER_SPEECH.contains(text));
    let is_stop = parts.iter().any(|part| is_phrase(part))
        || !is_other_speech
            && !has_condition(&texts)
            && parts.iter().any(|part| called.is_stop(part));
    is_stop.then(|| agent_of(&texts, names))
}

/// The one agent that these words name; none where they name none, several, or all.
fn agent_of(texts: &[&str], names: &Names) -> Option<String> {
    let is_named = |agent: &&String| {
        let form = words(agent);
        texts
            .windows(form.len().max(1))
            .any(|window| window.iter().zip(&form).all(|(a, b)| *a == b.text))
    };
    let named: Vec<_> = names.agents.iter().filter(is_named).collect();
    match named.as_slice() {
        [one] if !texts.iter().any(|text| ALL.contains(text)) => Some((*one).clone()),
        _ => None,
    }
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
    YES.contains(&bare(line).as_str())
}

/// Whether a line is a no and nothing else. Any other line that is no yes declines, too, and is a line of its own.
pub fn is_no(line: &str) -> bool {
    const NO: [&str; 12] = [
        "no",
        "n",
        "nope",
        "nah",
        "no thanks",
        "no thank you",
        "no way",
        "not now",
        "better not",
        "never",
        "cancel",
        "decline",
    ];
    NO.contains(&bare(line).as_str())
}

fn bare(line: &str) -> String {
    let line = line.trim().trim_end_matches(['.', '!']);
    line.to_lowercase().replace(',', "")
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
            ("bring it to a stop", None),
            ("bring the rover to a standstill", Some("rover")),
            ("halt the rover at once", Some("rover")),
            ("hit the brakes!", None),
            ("don't move", None),
            ("freeze", None),
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
            "don't move the rover",
            "freeze imu/gyro_z for 10 s",
            "once you are there, stop",
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
