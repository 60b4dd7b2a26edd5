//! Who may speak by a channel: a stranger is shown a code, by which the owner lets them in (`pair CODE`).

use crate::kept::{load, save};
use crate::link::lock;
use becomingone_api::Tokens;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How long a code is good, and how long it is not shown again (s).
const CODE_LASTS_S: i64 = 3600;
const SHOWN_EVERY_S: i64 = 600;
/// Most strangers of a channel who are waited for, and most people.
const MOST_WAITING: usize = 100;
const MOST_PEOPLE: usize = 500;
/// Longest name (characters).
const MAX_NAME: usize = 64;

/// What somebody may do; the second may do what the first may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Asks, has watches and notes, and stops.
    Viewer,
    /// Acts, too; leases are asked for in the talk.
    Operator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        })
    }
}

/// Somebody of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) channel: String,
    /// As the channel has it; names may change.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Where they wrote last: reports go there.
    pub(crate) chat: String,
    pub(crate) role: Role,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channel,
            id,
            name,
            role,
            ..
        } = self;
        write!(f, "{name} ({channel} {id}), {role}")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    code: String,
    /// Time at which the code is good no longer (s since 1970).
    until: i64,
    /// Time at which it was shown last.
    shown: i64,
    person: Person,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    people: Vec<Person>,
    waiting: Vec<Waiting>,
}

/// People of all channels.
#[derive(Debug)]
pub(crate) struct People {
    path: PathBuf,
    kept: Mutex<Kept>,
}

/// A name that is shown to others: one line, not long.
fn shown(name: &str) -> String {
    let name = name.split(char::is_whitespace).filter(|w| !w.is_empty());
    let name = name.collect::<Vec<_>>().join(" ");
    let plain = name.chars().filter(|c| !c.is_control());
    plain.take(MAX_NAME).collect()
}

fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl People {
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join("people.json");
        let kept = Mutex::new(load(&path));
        Self { path, kept }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Kept) -> Result<T, String>) -> Result<T, String> {
        let mut kept = lock(&self.kept);
        let mut next = kept.clone();
        let changed = change(&mut next)?;
        save(&self.path, &next)?;
        *kept = next;
        Ok(changed)
    }

    /// What somebody may do, if they were let in; where their reports go from now on.
    pub(crate) fn role(&self, channel: &str, id: &str, chat: &str) -> Option<Role> {
        let is_it = |person: &Person| person.channel == channel && person.id == id;
        let (role, is_there) = {
            let kept = lock(&self.kept);
            let person = kept.people.iter().find(|person| is_it(person))?;
            (person.role, person.chat == chat)
        };
        if !is_there {
            let moved = self.change(|kept| {
                for person in kept.people.iter_mut().filter(|person| is_it(person)) {
                    chat.clone_into(&mut person.chat);
                }
                Ok(())
            });
            if let Err(error) = moved {
                log::warn!("assistant: {error}");
            }
        }
        Some(role)
    }

    /// The code of a stranger: none where it was shown a while ago, or too many wait.
    pub(crate) fn code(&self, channel: &str, id: &str, name: &str, chat: &str) -> Option<String> {
        let now = now_s();
        let is_it =
            |waiting: &Waiting| waiting.person.channel == channel && waiting.person.id == id;
        {
            // A flood of strangers writes no files.
            let kept = lock(&self.kept);
            let of_channel =
                |waiting: &&Waiting| now < waiting.until && waiting.person.channel == channel;
            let mut waiting = kept.waiting.iter().filter(of_channel);
            let count = waiting.clone().count();
            let may = match waiting.find(|waiting| is_it(waiting)) {
                Some(known) => now >= known.shown + SHOWN_EVERY_S,
                None => count < MOST_WAITING,
            };
            if !may {
                return None;
            }
        }
        let made = self.change(|kept| {
            kept.waiting.retain(|waiting| now < waiting.until);
            if let Some(known) = kept.waiting.iter_mut().find(|waiting| is_it(waiting)) {
                known.shown = now;
                return Ok(known.code.clone());
            }
            let random = Tokens::random()?.0.to_uppercase();
            let code = format!(
                "{}-{}",
                random.get(..4).unwrap_or_default(),
                random.get(4..8).unwrap_or_default()
            );
            let name = match shown(name) {
                name if name.is_empty() => id.to_owned(),
                name => name,
            };
            kept.waiting.push(Waiting {
                code: code.clone(),
                until: now + CODE_LASTS_S,
                shown: now,
                person: Person {
                    channel: channel.to_owned(),
                    id: id.to_owned(),
                    name,
                    chat: chat.to_owned(),
                    role: Role::Viewer,
                },
            });
            Ok(code)
        });
        made.inspect_err(|error| log::warn!("assistant: {error}"))
            .ok()
    }

    /// Lets in the one with this code.
    pub(crate) fn pair(&self, code: &str, role: Role) -> Result<Person, String> {
        self.change(|kept| {
            kept.waiting.retain(|waiting| now_s() < waiting.until);
            let has = |waiting: &Waiting| waiting.code.eq_ignore_ascii_case(code);
            let Some(index) = kept.waiting.iter().position(has) else {
                return Err(format!(
                    "nobody has the code `{code}`, or not any more; who writes first is shown one"
                ));
            };
            if kept.people.len() >= MOST_PEOPLE {
                return Err(format!(
                    "found {MOST_PEOPLE} people; expected fewer: `forget NAME`"
                ));
            }
            let person = Person {
                role,
                ..kept.waiting.remove(index).person
            };
            kept.people
                .retain(|known| (&known.channel, &known.id) != (&person.channel, &person.id));
            kept.people.push(person.clone());
            Ok(person)
        })
    }

    /// Lets nobody of this name, or with this identity, in any more.
    pub(crate) fn forget(&self, name: &str) -> Result<Vec<Person>, String> {
        self.change(|kept| {
            let is_it =
                |person: &Person| person.name.eq_ignore_ascii_case(name) || person.id == name;
            let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut kept.people)
                .into_iter()
                .partition(is_it);
            kept.people = stay;
            match gone.is_empty() {
                true => Err(format!(
                    "nobody is called `{name}`; `people` lists who may speak"
                )),
                false => Ok(gone),
            }
        })
    }

    /// Whether somebody is let in.
    pub(crate) fn is_in(&self, channel: &str, id: &str) -> Option<Role> {
        let kept = lock(&self.kept);
        let mut people = kept.people.iter();
        let person = people.find(|person| person.channel == channel && person.id == id)?;
        Some(person.role)
    }

    /// Everybody who was let in.
    pub(crate) fn all(&self) -> Vec<Person> {
        lock(&self.kept).people.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_shown_one_code_and_it_is_good_once() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path());
        assert_eq!(people.role("t", "7", "c"), None);
        let code = people.code("t", "7", "A\nda  Lovelace", "c").unwrap();
        assert_eq!(people.code("t", "7", "Ada", "c"), None);
        assert!(people.pair("0000-0000", Role::Viewer).is_err());
        let person = people.pair(&code.to_lowercase(), Role::Operator).unwrap();
        assert_eq!(person.to_string(), "A da Lovelace (t 7), operator");
        assert!(people.pair(&code, Role::Operator).is_err());
        // After a start.
        let people = People::open(folder.path());
        assert_eq!(people.role("t", "7", "d"), Some(Role::Operator));
        assert_eq!(people.all()[0].chat, "d");
        // The same number elsewhere is somebody else.
        assert_eq!(people.role("u", "7", "c"), None);
        assert!(people.forget("nobody").is_err());
        assert_eq!(people.forget("a DA lovelace").unwrap().len(), 1);
        assert_eq!(people.role("t", "7", "d"), None);
    }

    #[test]
    fn strangers_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path());
        let shown =
            (0..MOST_WAITING + 20).filter(|k| people.code("t", &k.to_string(), "x", "c").is_some());
        assert_eq!(shown.count(), MOST_WAITING);
    }
}
