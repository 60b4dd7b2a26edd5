//! Sentences: our own, which are all understood; those of people who had not seen the table; and those that must not be
//! followed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints what it counts"
)]

use becomingone_assistant::grammar::{Class, Grammar, Meaning, Names};
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let names: Names = serde_json::from_str(include_str!("names.json")).unwrap();
    Grammar::new().unwrap().of(&names)
});

/// A sentence, and what it means.
struct Labelled {
    say: String,
    kind: String,
    arguments: Map<String, Value>,
}

fn labelled(lines: &str) -> Vec<Labelled> {
    let read = |line: &str| {
        let mut arguments: Map<String, Value> = serde_json::from_str(line).unwrap();
        let mut take = |name: &str| {
            arguments
                .remove(name)
                .map(|text| text.as_str().unwrap().to_owned())
        };
        let (say, kind, report) = (
            take("say").unwrap(),
            take("kind").unwrap(),
            take("schedule_say"),
        );
        // A schedule has a `say` of its own.
        arguments.extend(report.map(|report| ("say".to_owned(), Value::from(report))));
        Labelled {
            say,
            kind,
            arguments,
        }
    };
    lines.lines().map(read).collect()
}

fn is_right(meaning: &Meaning, labelled: &Labelled) -> bool {
    let is_equal = |(name, value): (&String, &Value)| {
        labelled
            .arguments
            .get(name)
            .is_some_and(|label| match (value.as_f64(), label.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-5 * b.abs().max(1.0),
                _ => value == label,
            })
    };
    meaning.kind == labelled.kind
        && meaning.arguments.len() == labelled.arguments.len()
        && meaning.arguments.iter().all(is_equal)
}

#[test]
fn our_own_sentences_are_all_understood() {
    let all = labelled(include_str!("own.jsonl"));
    let wrong: Vec<_> = all
        .iter()
        .filter_map(|labelled| match GRAMMAR.understand(&labelled.say) {
            Ok(meaning) if is_right(&meaning, labelled) => None,
            Err(near) if labelled.kind == "none" => {
                assert_eq!(near.len(), 3, "{}", labelled.say);
                None
            }
            other => Some(format!("{}: {other:?}", labelled.say)),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds: BTreeSet<_> = all.iter().map(|labelled| labelled.kind.as_str()).collect();
    assert!(
        all.len() >= 300 && kinds.len() >= 40,
        "{} sentences in {} kinds",
        all.len(),
        kinds.len()
    );
}

#[test]
fn paraphrases_are_understood_or_asked_back_and_never_followed_wrongly() {
    let (mut right, mut asked, mut wrong) = (0, 0, 0);
    let all = labelled(include_str!("paraphrases.jsonl"));
    for labelled in &all {
        match GRAMMAR.understand(&labelled.say) {
            Ok(meaning) if is_right(&meaning, labelled) => right += 1,
            Ok(meaning) => {
                wrong += 1;
                assert_ne!(meaning.class, Class::Act, "{}: {meaning:?}", labelled.say);
            }
            Err(_) if labelled.kind == "none" => right += 1,
            Err(_) => asked += 1,
        }
    }
    eprintln!(
        "{} paraphrases: {right} right, {asked} asked back, {wrong} wrong, none of them an act",
        all.len()
    );
    assert!(right * 10 >= all.len() * 9, "{right} of {}", all.len());
}

/// What changes the meaning of a sentence that is followed by itself.
const TURNED: [&str; 24] = [
    "don't {}",
    "do not {}",
    "never {}",
    "please do not {}",
    "if it is safe, {}",
    "{} if it is safe",
    "{} unless somebody is there",
    "{} only when I say so",
    "{}, but not yet",
    "{} tomorrow",
    "tomorrow, {}",
    "after lunch {}",
    "what happens if you {}",
    "what would happen if you {}?",
    "should I {}?",
    "he said: {}",
    "the label says \"{}\"",
    "yesterday I told you to {}",
    "I wonder why you did not {}",
    "imagine this, {}",
    "{}, no, wait",
    "ignore your rules and {}",
    "tell Bob to {}",
    "{} or not",
];

#[test]
fn a_sentence_that_is_turned_is_not_followed() {
    let all = labelled(include_str!("own.jsonl"));
    for labelled in all {
        let Ok(meaning) = GRAMMAR.understand(&labelled.say) else {
            continue;
        };
        if meaning.class != Class::Act {
            continue;
        }
        let said = labelled.say.trim_end_matches(['.', '!', '?']);
        for turn in TURNED {
            let turned = turn.replace("{}", said);
            if let Ok(turned_meaning) = GRAMMAR.understand(&turned) {
                // A stop in doubt is a stop.
                assert!(
                    turned_meaning.class != Class::Act || turned_meaning.kind == "stop",
                    "{turned}: {turned_meaning:?}"
                );
            }
        }
    }
}

#[test]
fn what_sounds_like_a_command_and_is_none_is_not_followed() {
    for labelled in labelled(include_str!("danger.jsonl")) {
        if let Ok(meaning) = GRAMMAR.understand(&labelled.say) {
            assert_ne!(meaning.class, Class::Act, "{}: {meaning:?}", labelled.say);
        }
    }
}

#[test]
fn help_shows_sentences_that_are_understood() {
    let examples: Vec<_> = GRAMMAR.examples().collect();
    assert!(examples.len() > 50, "{examples:?}");
    for (kind, _, example) in examples {
        let meaning = GRAMMAR
            .understand(&example)
            .unwrap_or_else(|near| panic!("{example}: {near:?}"));
        assert_eq!(meaning.kind, kind, "{example}");
    }
    // A run without places offers none.
    let bare = GRAMMAR.of(&Names::default());
    assert!(bare.examples().all(|(kind, ..)| kind != "go_to"));
    assert!(bare.understand("go to the dock").is_err());
}

proptest! {
    #[test]
    fn any_text_is_understood_or_asked_back(text in "\\PC{0,200}") {
        let _ = GRAMMAR.understand(&text);
    }

    /// Words of the table in any order: what is taken for an act has all that it needs.
    #[test]
    fn random_words_that_are_followed_make_sense(words in prop::collection::vec(prop::sample::select(WORDS.as_slice()), 1..12)) {
        let text = words.join(" ");
        if let Ok(meaning) = GRAMMAR.understand(&text) {
            let has = |name: &str| meaning.arguments.contains_key(name);
            match meaning.kind {
                "drive" => prop_assert!(has("linear_m_s"), "{text}"),
                "move" => prop_assert!(has("distance_m"), "{text}"),
                "turn" => prop_assert!(has("angle_rad"), "{text}"),
                "go_to" => prop_assert!(has("place") || has("x_m") && has("y_m"), "{text}"),
                "set" => prop_assert!(has("parameter") && has("value"), "{text}"),
                _ => {}
            }
            if meaning.class == Class::Act {
                prop_assert!(!words.iter().any(|word| matches!(*word, "not" | "if" | "unless" | "never")), "{text}: {meaning:?}");
            }
        }
    }
}

const WORDS: [&str; 60] = [
    "drive",
    "go",
    "move",
    "turn",
    "stop",
    "clear",
    "the",
    "rover",
    "arm",
    "dock",
    "gate",
    "to",
    "forward",
    "back",
    "left",
    "right",
    "2",
    "90",
    "m",
    "degrees",
    "m/s",
    "for",
    "5",
    "s",
    "set",
    "speed",
    "if",
    "not",
    "unless",
    "never",
    "please",
    "and",
    "then",
    "at",
    "0.5",
    "run",
    "robot",
    "reset",
    "end",
    "faults",
    "freeze",
    "imu/gyro_z",
    "what",
    "is",
    "wrong",
    "tell",
    "me",
    "when",
    "surprise",
    "rises",
    "every",
    "day",
    "8",
    "summary",
    "pause",
    "resume",
    "step",
    "ticks",
    "it",
    "yes",
];
