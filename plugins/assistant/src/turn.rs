//! One turn: from a sentence to a reply. The grammar decides what is meant; every act goes through the tools.

use crate::grammar::{Class, Grammar, Meaning};
use crate::kept::save;
use crate::link::{Link, lock};
use crate::model::{Given, Model};
use crate::notes::Notes;
use crate::people::{People, Role};
use crate::receipt::{Receipt, Reply};
use crate::reply::{self, cited};
use crate::schedule::Planned;
use crate::session::Session;
use crate::watches::{self, Watches};
use base64::Engine as _;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Most watches, and most schedules, of a person of a channel.
const MOST_KEPT: usize = 20;
/// Sentences with their replies that a model is given.
const BEFORE: usize = 3;
/// Events of a history, where no number is said.
const HISTORY: usize = 10;

/// What another thread looks at in between: watches, and reports that are due.
pub(crate) struct Shared {
    pub(crate) watches: Mutex<Watches>,
    pub(crate) planned: Mutex<Vec<Planned>>,
    /// Whether the turns have been asked for reports that are due.
    pub(crate) is_due: AtomicBool,
    /// What a person is asked leave for, as it is understood.
    pub(crate) about: Mutex<String>,
}

/// Takes one sentence after the other.
pub(crate) struct Turns {
    link: Link,
    grammar: Arc<Mutex<Grammar>>,
    session: Session,
    notes: Notes,
    folder: PathBuf,
    name: String,
    prompt: String,
    shared: Arc<Shared>,
    /// What its person may do; the owner may do everything.
    limit: Option<Role>,
    /// Of the owner's talk: who may speak by channels.
    people: Option<Arc<People>>,
    model: Option<Arc<Model>>,
    /// Asks the person something.
    ask: Ask,
    /// The last sentences and replies, oldest first.
    before: VecDeque<(String, String)>,
}

/// Asks a person, and returns whether they say yes.
pub(crate) type Ask = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A sentence that is understood, and cannot be followed as it stands.
type Refusal = String;

/// Where plans are kept.
pub(crate) fn plans_file(folder: &Path) -> PathBuf {
    folder.join("schedules.json")
}

/// A stop, and what the view says of it afterwards.
pub(crate) fn stop(link: &Link, agent: Option<&str>) -> Result<Reply, Refusal> {
    let arguments = agent.map(|agent| ("agent".to_owned(), json!(agent)));
    let answer = link.call("stop", arguments.into_iter().collect())?;
    if answer.is_refused {
        return Err(answer.text);
    }
    let receipts = vec![Receipt::of("stop", &answer)];
    let view = link.get("agents")?;
    let text = reply::each(&view, agent, |agent| {
        let name = agent["agent"].as_str().unwrap_or_default();
        match agent["mode"].as_str() {
            Some("stopped" | "safety_stop") => {
                format!("{name} is stopped, until `clear the stop`")
            }
            Some("no_drive") => format!("{name} has no drive"),
            _ => format!("{name}: the stop is given, and is NOT CONFIRMED yet"),
        }
    });
    Ok(Reply {
        text,
        receipts,
        is_last: false,
    })
}

impl Turns {
    pub(crate) fn new(
        link: Link,
        grammar: Arc<Mutex<Grammar>>,
        session: Session,
        folder: &Path,
        name: &str,
        prompt: &str,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            link,
            grammar,
            session,
            notes: Notes::new(folder),
            folder: folder.to_owned(),
            name: name.to_owned(),
            prompt: prompt.to_owned(),
            shared,
            limit: None,
            people: None,
            model: None,
            ask: Arc::new(|_| false),
            before: VecDeque::new(),
        }
    }

    /// What its person may do from now on.
    pub(crate) fn limit(&mut self, role: Role) {
        self.limit = Some(role);
    }

    /// Lets its person say who may speak by channels.
    pub(crate) fn of_people(&mut self, people: Arc<People>) {
        self.people = Some(people);
    }

    /// Lets a model propose sentences where the table has none; the person is asked before an act.
    pub(crate) fn think_with(&mut self, model: Option<Arc<Model>>, ask: Ask) {
        self.model = model;
        self.ask = ask;
    }

    /// A reply to a sentence; both are kept.
    pub(crate) fn turn(&mut self, sentence: &str) -> Reply {
        // Before it is acted on.
        if let Err(error) = self.session.message("user", sentence, &[]) {
            return Reply::new(format!(
                "nothing was done: what you said cannot be kept: {error}"
            ));
        }
        let reply = self.reply(sentence);
        if self.model.is_some() {
            if self.before.len() == BEFORE {
                self.before.pop_front();
            }
            self.before
                .push_back((sentence.to_owned(), reply.text.clone()));
        }
        let receipts: Vec<_> = reply.receipts.iter().map(Receipt::json).collect();
        if let Err(error) = self.session.message("assistant", &reply.text, &receipts) {
            log::warn!("assistant: {error}");
        }
        reply
    }

    /// Keeps what was said and answered elsewhere.
    pub(crate) fn keep(&mut self, sentence: &str, reply: &Reply) {
        let receipts: Vec<_> = reply.receipts.iter().map(Receipt::json).collect();
        let asked = match sentence {
            "" => Ok(()),
            sentence => self.session.message("user", sentence, &[]),
        };
        if let Err(error) =
            asked.and_then(|()| self.session.message("assistant", &reply.text, &receipts))
        {
            log::warn!("assistant: {error}");
        }
    }

    fn reply(&mut self, sentence: &str) -> Reply {
        if let Some(reply) = self.people(sentence) {
            return reply.unwrap_or_else(|error| Reply::new(format!("nothing was done: {error}")));
        }
        // A stop needs it meanwhile.
        let grammar = || lock(&self.grammar).clone();
        let understood = grammar().understand(sentence).or_else(|_| {
            // The run may have got other agents, places, recordings.
            self.refresh();
            grammar().understand(sentence)
        });
        match understood {
            Ok(meaning) => self
                .follow(&meaning)
                .unwrap_or_else(|refusal| Reply::new(format!("nothing was done: {refusal}"))),
            Err(near) => {
                let near: Vec<_> = near.iter().map(|near| format!("`{near}`")).collect();
                let text = format!(
                    "I do not understand that, and nothing was done. Did you mean {}?",
                    near.join(", ")
                );
                match self.model.clone() {
                    Some(model) => self.by_model(&model, sentence, text),
                    None => Reply::new(text),
                }
            }
        }
    }

    /// What a model makes of a sentence that the table does not know.
    fn by_model(&mut self, model: &Model, sentence: &str, otherwise: String) -> Reply {
        let grammar = lock(&self.grammar).clone();
        let examples: Vec<_> = grammar.examples().map(|(.., example)| example).collect();
        let given = Given {
            names: grammar.names(),
            examples: &examples,
            files: &["SOUL.md", "USER.md", "AGENTS.md"].map(|name| (name, self.notes.text(name))),
            before: self.before.make_contiguous(),
            sentence,
        };
        let proposal = match model.propose(&given) {
            Ok(proposal) => proposal,
            Err(error) => return Reply::new(format!("{otherwise} (the model: {error})")),
        };
        let mut all = Reply::default();
        for said in &proposal.sentences {
            let Ok(meaning) = grammar.understand(said) else {
                all.text += &format!("the model proposes `{said}`, which I do not understand\n");
                continue;
            };
            let is_act = meaning.class == Class::Act && meaning.kind != "stop";
            let may = !is_act || self.limit == Some(Role::Viewer);
            if !may
                && !(self.ask)(&format!(
                    "The model takes that for `{said}`. Is it to be done?"
                ))
            {
                all.text += &format!("`{said}`: nothing was done\n");
                continue;
            }
            let reply = self
                .follow(&meaning)
                .unwrap_or_else(|refusal| Reply::new(format!("nothing was done: {refusal}")));
            all.text += &format!("`{said}`: {}\n", reply.text);
            all.receipts.extend(reply.receipts);
        }
        if proposal.sentences.is_empty() {
            all.text = match proposal.words.as_str() {
                "" => otherwise,
                words => format!("(the model; nothing was done) {words}"),
            };
        }
        all.text.truncate(all.text.trim_end().len());
        all
    }

    /// The owner's sentences about who may speak: `people`, `pair CODE [as operator]`, `forget NAME`.
    fn people(&self, sentence: &str) -> Option<Result<Reply, Refusal>> {
        let people = self.people.as_ref()?;
        let words: Vec<_> = sentence.split_whitespace().collect();
        let (first, rest) = words.split_first()?;
        let text = match (first.to_lowercase().as_str(), rest) {
            ("people", []) => {
                let all: Vec<_> = people.all().iter().map(ToString::to_string).collect();
                Ok(match all.is_empty() {
                    true => "nobody was let in by a channel".to_owned(),
                    false => all.join("\n"),
                })
            }
            ("pair", [code]) | ("pair", [code, "as", "viewer"]) => people
                .pair(code, Role::Viewer)
                .map(|person| format!("{person}, is let in: asks and stops")),
            ("pair", [code, "as", "operator"]) => people
                .pair(code, Role::Operator)
                .map(|person| format!("{person}, is let in: asks, acts and stops")),
            ("pair", _) => Err("expected `pair CODE`, or `pair CODE as operator`".to_owned()),
            ("forget", [_, ..]) => people.forget(&rest.join(" ")).map(|gone| {
                let gone: Vec<_> = gone.iter().map(ToString::to_string).collect();
                format!("let in no longer: {}", gone.join("; "))
            }),
            _ => return None,
        };
        Some(text.map(Reply::new))
    }

    /// Looks again what there is to speak of.
    pub(crate) fn refresh(&self) {
        let names = self.link.names(&self.name);
        let mut grammar = lock(&self.grammar);
        if *grammar.names() != names {
            *grammar = grammar.of(&names);
        }
    }

    fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.link.get(path)
    }

    fn of_agent(&self, agent: &str, path: &str) -> Result<Value, Refusal> {
        self.link.of_agent(agent, path)
    }

    fn agents(&self) -> Vec<String> {
        lock(&self.grammar).names().agents.clone()
    }

    /// The agent that is named, or the only one.
    fn agent(&self, said: &Map<String, Value>) -> Result<String, Refusal> {
        if let Some(agent) = said.get("agent").and_then(Value::as_str) {
            return Ok(agent.to_owned());
        }
        let mut all = self.agents();
        match all.len() {
            1 => Ok(all.remove(0)),
            0 => Err("the run has no agent".to_owned()),
            _ => Err(format!("which one: {}?", all.join(", "))),
        }
    }

    /// The agent that has this sensor, or that is named.
    fn agent_with(&self, said: &Map<String, Value>, sensor: &str) -> Result<String, Refusal> {
        let sensors = lock(&self.grammar).names().sensors.clone();
        let with: Vec<_> = sensors
            .iter()
            .filter_map(|name| name.split_once('/'))
            .filter(|(_, name)| *name == sensor)
            .collect();
        match (said.get("agent").and_then(Value::as_str), with.as_slice()) {
            (Some(agent), _) => Ok(agent.to_owned()),
            (None, [(agent, _)]) => Ok((*agent).to_owned()),
            (None, _) => self.agent(said),
        }
    }

    /// Calls a tool; what it refuses is a refusal.
    fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<becomingone_api::ToolAnswer, Refusal> {
        let answer = self.link.call(tool, arguments)?;
        match answer.is_refused {
            true => Err(answer.text),
            false => Ok(answer),
        }
    }

    /// Does something by a tool.
    fn act(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        done: impl Into<String>,
    ) -> Result<Reply, Refusal> {
        let answer = self.call(tool, arguments)?;
        let receipt = Receipt::of(tool, &answer);
        Ok(Reply {
            text: format!("{}{}", done.into(), cited(&answer.content)),
            receipts: vec![receipt],
            is_last: false,
        })
    }

    /// Moves something: with the lease that there is, or one that a person grants now.
    fn moved(&self, tool: &str, said: &Map<String, Value>, done: &str) -> Result<Reply, Refusal> {
        let agent = self.agent(said)?;
        let mut arguments = said.clone();
        arguments.insert("agent".to_owned(), json!(agent));
        let first = self.act(tool, arguments.clone(), format!("{agent}: {done}"));
        let Err(refusal) = &first else {
            return first;
        };
        if !refusal.contains("Lease") && !refusal.contains("lease") {
            return first;
        }
        if self.get("run")?["playback"].is_object() {
            return Err(
                "this is a recording that is played: nothing in it can be moved".to_owned(),
            );
        }
        let lease = Map::from_iter([("agent".to_owned(), json!(agent))]);
        let numbers = said.iter().filter(|(name, _)| *name != "agent");
        let numbers: Vec<_> = numbers
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        *lock(&self.shared.about) = format!("{agent}: {done} ({})", numbers.join(", "));
        let granted = self.call("lease", lease)?;
        let mut reply = self.act(tool, arguments, format!("{agent}: {done}"))?;
        reply.receipts.insert(0, Receipt::of("lease", &granted));
        Ok(reply)
    }

    /// An answer about each agent.
    fn each(
        &self,
        said: &Map<String, Value>,
        sentence: impl Fn(&Value) -> String,
    ) -> Result<Reply, Refusal> {
        let view = self.get("agents")?;
        let wanted = said.get("agent").and_then(Value::as_str);
        Ok(Reply::new(reply::each(&view, wanted, sentence)))
    }

    fn follow(&mut self, meaning: &Meaning) -> Result<Reply, Refusal> {
        let said = &meaning.arguments;
        // Who may ask may stop.
        if self.limit == Some(Role::Viewer) && meaning.class == Class::Act && meaning.kind != "stop"
        {
            return Err(
                "you may ask, watch and stop; the owner can let you act, too: `pair CODE as operator`"
                    .to_owned(),
            );
        }
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let number = |name: &str| said.get(name).and_then(Value::as_f64);
        match meaning.kind {
            // Questions.
            "status" => self.each(said, reply::status),
            "where" => self.each(said, reply::place),
            "speed" => self.each(said, reply::speed),
            "surprise" => self.surprise(said),
            "coherence" => self.each(said, reply::coherence),
            "goal" => self.each(said, reply::goal),
            "diagnose" => self.diagnose(said),
            "summary" => self.summary(),
            "history" => {
                let most = said
                    .get("most")
                    .and_then(Value::as_u64)
                    .map_or(HISTORY, |most| most as usize);
                self.history(said, most)
            }
            "when" => self.when(said, text("event").unwrap_or_default()),
            "touched" => self.touched(said),
            "explain" => Ok(Reply::new(self.call("explain_event", said.clone())?.text)),
            "recall" => {
                let agent = self.agent(said)?;
                let answer = self.call(
                    "recall",
                    Map::from_iter([("agent".to_owned(), json!(agent))]),
                )?;
                Ok(Reply::new(format!(
                    "{agent}: {}{}",
                    answer.text,
                    cited(&answer.content)
                )))
            }
            "read" => {
                let sensor = text("sensor").unwrap_or_default();
                let agent = self.agent_with(said, sensor)?;
                let arguments = [
                    ("agent".to_owned(), json!(agent)),
                    ("sensor".to_owned(), json!(sensor)),
                ];
                Ok(Reply::new(
                    self.call("read_sensor", Map::from_iter(arguments))?.text,
                ))
            }
            "picture" => self.picture(said),
            "time" => {
                let state = self.get("run")?;
                let paused = if state["is_paused"] == true {
                    ", paused"
                } else {
                    ""
                };
                let s = state["time_s"].as_f64().unwrap_or_default();
                Ok(Reply::new(format!(
                    "{s:.3} s of the run{paused}{}",
                    cited(&state)
                )))
            }
            "agents" => Ok(Reply::new(reply::row(&self.agents(), "there is no agent"))),
            "sensors" => {
                let names = lock(&self.grammar).names().sensors.clone();
                let of_agent = |name: &&String| {
                    text("agent").is_none_or(|agent| name.split('/').next() == Some(agent))
                };
                let names: Vec<_> = names.iter().filter(of_agent).cloned().collect();
                Ok(Reply::new(reply::row(&names, "there is no sensor")))
            }
            "places" => {
                let names = lock(&self.grammar).names().places.clone();
                Ok(Reply::new(reply::row(
                    &names,
                    "the scene has no named places",
                )))
            }
            "scenes" => Ok(Reply::new(self.call("list_scenes", Map::new())?.text)),
            "runs" => Ok(Reply::new(self.call("list_runs", Map::new())?.text)),
            "recordings" => Ok(Reply::new(self.call("record", Map::new())?.text)),
            "parameters" | "parameter" => self.parameters(said, text("parameter")),
            "faults" => self.faults(said),
            "leases" => self.leases(),
            "watches" => {
                let watches = lock(&self.shared.watches);
                let all: Vec<_> = watches.all().iter().map(watches::text).collect();
                Ok(Reply::new(reply::row(&all, "there is no watch")))
            }
            "schedules" => {
                let planned = lock(&self.shared.planned);
                let lines: Vec<_> = planned
                    .iter()
                    .map(|plan| {
                        format!(
                            "{}: {}, next {}",
                            plan.when,
                            plan.say,
                            plan.next.strftime("%Y-%m-%d %H:%M:%S %Z")
                        )
                    })
                    .collect();
                Ok(Reply::new(match lines.is_empty() {
                    true => "nothing is scheduled".to_owned(),
                    false => lines.join("\n"),
                }))
            }
            "memory" => {
                let notes = self.notes.remembered();
                Ok(Reply::new(match notes.is_empty() {
                    true => "you have told me nothing to remember".to_owned(),
                    false => notes.join("\n"),
                }))
            }
            "help" => Ok(Reply::new(self.help())),
            "identity" => Ok(Reply::new(self.identity())),
            // Acts.
            "stop" => stop(&self.link, text("agent")),
            "clear_stop" => {
                let agent = self.stopped(said)?;
                self.act(
                    "clear_stop",
                    Map::from_iter([("agent".to_owned(), json!(agent))]),
                    format!("{agent}: the stop is cleared"),
                )
            }
            "pause" => self.act("pause", Map::new(), "paused"),
            "resume" => self.act(
                "pause",
                Map::from_iter([("paused".to_owned(), json!(false))]),
                "it goes on",
            ),
            "step" => self.act("step", said.clone(), "the ticks will be run"),
            "rate" => {
                let factor = number("factor").unwrap_or(1.0);
                let text = match factor {
                    0.0 => "it runs as fast as possible".to_owned(),
                    factor => format!("it runs at {factor} times real time"),
                };
                self.act(
                    "set",
                    Map::from_iter([("rate".to_owned(), json!(factor))]),
                    text,
                )
            }
            "reset" => self.act("reset", Map::new(), "the scene begins anew"),
            "drive" => self.moved("drive", said, "it drives"),
            "move" => self.moved("move", said, "it moves"),
            "turn" => self.moved("move", said, "it turns"),
            "go_to" => match (text("place"), number("x_m"), number("y_m")) {
                (Some(place), ..) => self.moved("go_to", said, &format!("it goes to {place}")),
                (None, Some(x), Some(y)) => {
                    self.moved("go_to", said, &format!("it goes to x {x} m, y {y} m"))
                }
                _ => Err("where to?".to_owned()),
            },
            "set" => {
                let (parameter, value) = (
                    text("parameter").unwrap_or_default(),
                    number("value").unwrap_or_default(),
                );
                self.moved("set", said, &format!("{parameter} is {value}"))
            }
            "fault" => {
                let (target, fault) = (
                    text("target").unwrap_or_default(),
                    text("fault").unwrap_or_default(),
                );
                self.moved(
                    "fault",
                    said,
                    &format!("the fault {fault} of {target} begins"),
                )
            }
            "end_faults" => {
                let mut said = said.clone();
                said.insert("end".to_owned(), json!(true));
                self.moved("fault", &said, "the faults end")
            }
            "arm" => {
                let agent = self.agent(said)?;
                let mut arguments = said.clone();
                arguments.insert("agent".to_owned(), json!(agent));
                let answer = self.call("lease", arguments)?;
                let receipt = Receipt::of("lease", &answer);
                Ok(Reply {
                    text: answer.text,
                    receipts: vec![receipt],
                    is_last: false,
                })
            }
            "disarm" => {
                // Whose motors are off does not move: its controller would.
                let agent = self.agent(said)?;
                let mut reply = stop(&self.link, Some(&agent))?;
                let arguments = [
                    ("agent".to_owned(), json!(agent)),
                    ("release".to_owned(), json!(true)),
                ];
                if let Ok(released) = self.call("lease", Map::from_iter(arguments)) {
                    reply.receipts.push(Receipt::of("lease", &released));
                    reply.text += "\nthe lease is given back";
                }
                Ok(reply)
            }
            "run" => self.run(said),
            "end_run" => {
                let Some(run) = self.link.run() else {
                    return Err("there is no run that can be ended".to_owned());
                };
                self.act(
                    "end_run",
                    Map::from_iter([("run".to_owned(), json!(run))]),
                    format!("the run `{run}` has ended"),
                )
            }
            "score" => {
                let answer = self.call(
                    "score",
                    Map::from_iter([(
                        "scene".to_owned(),
                        said.get("scene").cloned().unwrap_or_default(),
                    )]),
                )?;
                let receipt = Receipt::of("score", &answer);
                Ok(Reply {
                    text: answer.text,
                    receipts: vec![receipt],
                    is_last: false,
                })
            }
            "verify" => {
                let mut arguments = said.clone();
                arguments.insert("action".to_owned(), json!("verify"));
                Ok(Reply::new(self.call("record", arguments)?.text))
            }
            // Kept things.
            "schedule" | "watch" if self.keeps_enough() => Err(format!(
                "you have {MOST_KEPT} watches and schedules; expected fewer: `end the watches`, `end the schedules`"
            )),
            "watch" => self.watch(said),
            "unwatch" => self.unwatch(),
            "schedule" => {
                let now = jiff::Zoned::now();
                let plan = Planned::new(
                    text("when").unwrap_or_default(),
                    text("say").unwrap_or_default(),
                    &now,
                )?;
                let mut planned = lock(&self.shared.planned);
                let next = plan.next.strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
                let line = format!(
                    "{} {}: a {}; the next one on {next}",
                    "scheduled,", plan.when, plan.say
                );
                let mut next = planned.clone();
                next.push(plan);
                save(&plans_file(&self.folder), &next)?;
                *planned = next;
                Ok(Reply::new(line))
            }
            "unschedule" => {
                let mut planned = lock(&self.shared.planned);
                let count = planned.len();
                save(&plans_file(&self.folder), &Vec::<Planned>::new())?;
                let ended = std::mem::take(&mut *planned);
                let lines = ended
                    .iter()
                    .map(|plan| format!("{}: {}", plan.when, plan.say));
                let lines: Vec<_> = lines.collect();
                Ok(Reply::new(format!(
                    "{count} ended{}{}",
                    if count > 0 { ": " } else { "" },
                    lines.join("; ")
                )))
            }
            "remember" => {
                self.notes.remember(text("text").unwrap_or_default())?;
                Ok(Reply::new("noted"))
            }
            "new" => {
                self.session.reset()?;
                Ok(Reply::new("a new talk"))
            }
            "quit" => Ok(Reply {
                text: "goodbye".to_owned(),
                is_last: true,
                ..Reply::default()
            }),
            // Answers to questions that nobody has asked.
            "yes" | "no" => Ok(Reply::new(
                "there is no open question, and nothing was done",
            )),
            kind => Err(format!("`{kind}` is not known here")),
        }
    }

    /// The agent that is named, or the only one that is stopped.
    fn stopped(&self, said: &Map<String, Value>) -> Result<String, Refusal> {
        if said.contains_key("agent") {
            return self.agent(said);
        }
        let view = self.get("agents")?;
        let all = reply::agents(&view, None);
        let stopped = all
            .iter()
            .filter(|agent| !agent["stopped_by"].is_null() || agent["mode"] == "safety_stop");
        let names: Vec<_> = stopped
            .filter_map(|agent| agent["agent"].as_str())
            .collect();
        match names.as_slice() {
            [] => Err("no agent is stopped".to_owned()),
            [one] => Ok((*one).to_owned()),
            several => Err(format!("which one: {}?", several.join(", "))),
        }
    }

    fn surprise(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let Some(channel) = said.get("channel").and_then(Value::as_str) else {
            return self.each(said, reply::surprise);
        };
        let agent = self.agent_with(said, channel.split('/').next().unwrap_or_default())?;
        let detail = self.of_agent(&agent, "kernel")?;
        let text = match detail["energies"][channel].as_f64() {
            Some(x) => format!(
                "{agent}: the residual of {channel} has an energy of {x:.2}; 1 while healthy"
            ),
            None if detail["kernel"]["surprise"].is_null() => {
                format!("{agent}: no surprise yet, its self-model is not trained")
            }
            None => format!(
                "{agent}: {channel} was constant while the self-model was trained: it is not judged"
            ),
        };
        Ok(Reply::new(format!("{text}{}", cited(&detail))))
    }

    fn diagnose(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let answer = self.call("diagnose", said.clone())?;
        let status = &answer.content["status"];
        let (mut events, _) = self.link.events(0)?;
        // None of a later tick, nor of before a reset.
        let now_s = status["run"]["time_s"].as_f64().unwrap_or_default();
        events.retain(|event| event["time_s"].as_f64().is_some_and(|s| s <= now_s));
        let wanted = said.get("agent").and_then(Value::as_str);
        let view = json!({"agents": status["agents"], "tick": status["run"]["tick"], "time_s": status["run"]["time_s"]});
        let mut text = reply::each(&view, wanted, |agent| reply::diagnosis(agent, &events));
        for sensor in answer.content["sensors"].as_array().into_iter().flatten() {
            let name = sensor["sensor"].as_str().unwrap_or_default();
            if sensor["is_stale"] == true {
                text += &format!("\n{name} is stale");
            }
            if let Some(lost) = sensor["dropped"].as_u64().filter(|lost| *lost > 0) {
                text += &format!("\n{name} has lost {lost} readings");
            }
        }
        Ok(Reply::new(text))
    }

    /// All events of the agent that is meant.
    fn events(&self, said: &Map<String, Value>) -> Result<Vec<Value>, Refusal> {
        let (mut events, _) = self.link.events(0)?;
        if let Some(agent) = said.get("agent") {
            events.retain(|event| event["agent"] == *agent);
        }
        Ok(events)
    }

    fn history(&self, said: &Map<String, Value>, most: usize) -> Result<Reply, Refusal> {
        let events = self.events(said)?;
        let from = events.len().saturating_sub(most);
        let shown = events.get(from..).unwrap_or_default();
        let mut text = reply::events(shown);
        if from > 0 {
            text = format!(
                "the last {} of {} events:\n{text}",
                shown.len(),
                events.len()
            );
        }
        Ok(Reply::new(if shown.is_empty() {
            "nothing has happened".to_owned()
        } else {
            text
        }))
    }

    fn when(&self, said: &Map<String, Value>, kind: &str) -> Result<Reply, Refusal> {
        let events = self.events(said)?;
        let of_kind: Vec<_> = events
            .into_iter()
            .filter(|event| reply::is_of(event, kind))
            .collect();
        let from = of_kind.len().saturating_sub(HISTORY);
        Ok(Reply::new(match of_kind.get(from..) {
            None | Some([]) => "it has not happened in this run".to_owned(),
            Some(shown) => reply::events(shown),
        }))
    }

    fn touched(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let events = self.events(said)?;
        let of_kind: Vec<_> = events
            .into_iter()
            .filter(|event| reply::is_of(event, "collision"))
            .collect();
        Ok(Reply::new(match of_kind.is_empty() {
            true => "it has touched nothing in this run".to_owned(),
            false => reply::events(&of_kind),
        }))
    }

    fn summary(&self) -> Result<Reply, Refusal> {
        let view = self.get("agents")?;
        let (events, _) = self.link.events(0)?;
        let mut text = reply::each(&view, None, reply::status);
        let counts = [
            ("collision", "collisions"),
            ("goal", "goals reached"),
            ("alarm", "alarms"),
            ("stop", "stops"),
            ("stale", "sensors gone stale"),
        ];
        let counts = counts.iter().filter_map(|(kind, name)| {
            let count = events
                .iter()
                .filter(|event| reply::is_of(event, kind))
                .count();
            (count > 0).then(|| format!("{count} {name}"))
        });
        let counts: Vec<_> = counts.collect();
        text += &format!(
            "\n{} events: {}",
            events.len(),
            reply::row(&counts, "none of note")
        );
        if let Some(last) = events.last() {
            text += &format!(
                "\nthe last one: {}",
                reply::events(std::slice::from_ref(last))
            );
        }
        Ok(Reply::new(text))
    }

    /// Gives the reports that are due. They are planned anew once they are given: what is killed before is given again.
    pub(crate) fn give_reports(&mut self, show: impl Fn(&str)) {
        let now = jiff::Zoned::now();
        let due = lock(&self.shared.planned).clone().into_iter();
        for plan in due.filter(|plan| plan.is_due(&now)) {
            let reply = self.report(&plan.say);
            let text = format!("{}, as scheduled: {}", plan.say, reply.text);
            self.keep("", &Reply::new(&text));
            show(&text);
        }
        let shared = self.shared.clone();
        let mut planned = lock(&shared.planned);
        *planned = planned
            .iter()
            .filter_map(|plan| match plan.is_due(&now) {
                true => plan.given(&now),
                false => Some(plan.clone()),
            })
            .collect();
        if let Err(error) = save(&plans_file(&self.folder), &*planned) {
            log::warn!("assistant: {error}");
        }
        shared.is_due.store(false, Ordering::Release);
    }

    fn report(&self, say: &str) -> Reply {
        let report = match say {
            "status" => self.each(&Map::new(), reply::status),
            "diagnose" => self.diagnose(&Map::new()),
            _ => self.summary(),
        };
        report.unwrap_or_else(|refusal| Reply::new(format!("no report: {refusal}")))
    }

    fn picture(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let answer = self.call("picture", said.clone())?;
        let png = answer
            .picture
            .and_then(|png| base64::prelude::BASE64_STANDARD.decode(png).ok());
        let png = png.ok_or("the server sent no picture")?;
        let folder = self.folder.join("pictures");
        let name = jiff::Zoned::now()
            .strftime("%Y%m%d-%H%M%S-%3f.png")
            .to_string();
        let path = folder.join(name);
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, png));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Reply::new(format!("the picture is {}", path.display())))
    }

    fn parameters(
        &self,
        said: &Map<String, Value>,
        wanted: Option<&str>,
    ) -> Result<Reply, Refusal> {
        let agents = match said.get("agent").and_then(Value::as_str) {
            Some(agent) => vec![agent.to_owned()],
            None => self.agents(),
        };
        let mut lines = Vec::new();
        for agent in agents {
            let Ok(list) = self.of_agent(&agent, "parameters") else {
                continue;
            };

            for parameter in list["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default();
                if wanted.is_none_or(|wanted| wanted == name) {
                    lines.push(format!(
                        "{agent}: {name} is {}{}",
                        parameter["value"],
                        cited(&list)
                    ));
                }
            }
        }
        Ok(Reply::new(match lines.is_empty() {
            true => "there is no number to set".to_owned(),
            false => lines.join("\n"),
        }))
    }

    fn faults(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let agents = match said.get("agent").and_then(Value::as_str) {
            Some(agent) => vec![agent.to_owned()],
            None => self.agents(),
        };
        let mut lines = Vec::new();
        for agent in agents {
            let list = self.of_agent(&agent, "faults")?;
            for fault in list["faults"].as_array().into_iter().flatten() {
                let text = |name: &str| match &fault[name] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                lines.push(format!("{agent}: {} {}", text("target"), text("fault")));
            }
        }
        Ok(Reply::new(match lines.is_empty() {
            true => "no fault is simulated".to_owned(),
            false => lines.join("\n"),
        }))
    }

    fn leases(&self) -> Result<Reply, Refusal> {
        let list = self.get("leases")?;
        let lines = list["leases"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|lease| {
                let s = lease["ends_in_s"].as_f64().unwrap_or_default();
                format!(
                    "{}: a lease for {s:.0} s more",
                    lease["agent"].as_str().unwrap_or_default()
                )
            });
        let lines: Vec<_> = lines.collect();
        Ok(Reply::new(match lines.is_empty() {
            true => "nobody: there is no lease".to_owned(),
            false => lines.join("\n"),
        }))
    }

    fn run(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let answer = self.call("run_scene", said.clone())?;
        let run = answer.content["run"].as_str().map(str::to_owned);
        let before = self.link.speak_of(run.clone());
        self.refresh();
        let run = run.unwrap_or_default();
        let before =
            before.map(|before| format!("; `{before}` goes on, and is spoken of no longer"));
        let text = format!("the run `{run}` has begun{}", before.unwrap_or_default());
        Ok(Reply {
            text,
            receipts: vec![Receipt::of("run_scene", &answer)],
            is_last: false,
        })
    }

    fn watch(&self, said: &Map<String, Value>) -> Result<Reply, Refusal> {
        let what = said.get("what").and_then(Value::as_str).unwrap_or_default();
        let agent = self.agent_with(said, what.split('/').next().unwrap_or_default())?;
        let watch = watches::arguments(&agent, said);
        let watch = lock(&self.shared.watches).ours(watch);
        let answer = self.call("watch", watch.clone())?;
        let text = format!("I will tell you: {}", watches::text(&watch));
        lock(&self.shared.watches).add(watch)?;
        Ok(Reply {
            text,
            receipts: vec![Receipt::of("watch", &answer)],
            is_last: false,
        })
    }

    fn unwatch(&self) -> Result<Reply, Refusal> {
        let list = self.call("watches", Map::new())?;
        let ours = lock(&self.shared.watches).clear()?;
        let keys: Vec<_> = ours.iter().filter_map(|watch| watch.get("key")).collect();
        let mut receipts = Vec::new();
        for watch in list.content["watches"].as_array().into_iter().flatten() {
            if keys.contains(&&watch["key"]) {
                let answer = self.call(
                    "unwatch",
                    Map::from_iter([("id".to_owned(), watch["id"].clone())]),
                )?;
                receipts.push(Receipt::of("unwatch", &answer));
            }
        }
        Ok(Reply {
            text: format!("{} ended", ours.len()),
            receipts,
            is_last: false,
        })
    }

    /// Whether a person of a channel has as many watches, or schedules, as anybody may.
    fn keeps_enough(&self) -> bool {
        self.limit.is_some()
            && (lock(&self.shared.planned).len() >= MOST_KEPT
                || lock(&self.shared.watches).all().len() >= MOST_KEPT)
    }

    fn help(&self) -> String {
        let grammar = lock(&self.grammar);
        let mut parts: [(&str, Vec<String>); 3] = [
            ("ask", Vec::new()),
            ("tell", Vec::new()),
            ("keep", Vec::new()),
        ];
        for (kind, class, example) in grammar.examples() {
            let [ask, tell, keep] = &mut parts;
            match (class, kind) {
                (_, "yes" | "no") => {}
                (Class::Question, _) => ask.1.push(example),
                (Class::Act, _) => tell.1.push(example),
                (Class::Kept, _) => keep.1.push(example),
            }
        }
        let lines = parts
            .iter()
            .map(|(name, all)| format!("{name}:\n  {}", all.join("\n  ")));
        let text = lines.collect::<Vec<_>>().join("\n");
        let people = match self.people {
            Some(_) => {
                "\nwho may speak by a channel:\n  people\n  pair CODE\n  pair CODE as operator\n  forget NAME"
            }
            None => "",
        };
        format!(
            "{text}{people}\n`stop` overtakes everything. Other words for the same are understood, too; nothing is done that is not."
        )
    }

    fn identity(&self) -> String {
        let vibe = self.notes.identity("Vibe").map(|vibe| format!(" {vibe}."));
        let prompt = if self.prompt.is_empty() {
            String::new()
        } else {
            format!(" {}", self.prompt)
        };
        let thinks = match self.model {
            None => "I follow a grammar and no model",
            Some(_) => {
                "I follow a grammar, and a model proposes sentences of it for what I do not understand"
            }
        };
        format!(
            "{}, the assistant of this run.{}{prompt} {thinks}: every act goes through the same tools as everybody's.",
            self.name,
            vibe.unwrap_or_default()
        )
    }
}
