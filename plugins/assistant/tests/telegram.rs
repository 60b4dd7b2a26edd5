//! The channel of Telegram against a server that speaks its bot API: in order, cut off, flooded, and killed in between.
#![cfg(all(unix, feature = "telegram"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::CoherenceEngine;
use becomingone::scene::SceneLoader;
use becomingone_api::{Api, Client, TOKEN_VARIABLE, Tokens};
use becomingone_assistant::AssistantApp;
use becomingone_rig::{Asked, Random, Web};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TOKEN: &str = "123456:AAH-secret-of-the-bot";
const LIMIT: Duration = Duration::from_secs(30);
/// By which this program is an assistant in a process of its own.
const CHILD: &str = "BECOMINGONE_TEST_ASSISTANT";

fn until(what: &dyn Fn() -> String, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !reached() {
        assert!(Instant::now() < end, "{}", what());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What Telegram has.
#[derive(Default)]
struct Bot {
    updates: Vec<Value>,
    last_update: i64,
    sent: Vec<(i64, String)>,
    /// Answers of `sendMessage` that are errors first.
    failures: Vec<(u16, Value)>,
    /// Whether nothing is answered.
    hangs: bool,
}

struct Telegram {
    bot: Arc<Mutex<Bot>>,
    web: Web,
}

impl Telegram {
    fn start() -> Self {
        let bot: Arc<Mutex<Bot>> = Arc::default();
        let answering = bot.clone();
        let web = Web::start(move |asked| answer(&answering, asked));
        Self { bot, web }
    }

    /// Somebody writes.
    fn write(&self, from: i64, text: &str) -> i64 {
        let mut bot = self.bot.lock().unwrap();
        bot.last_update += 1;
        let id = bot.last_update;
        let user = json!({"id": from, "is_bot": false, "first_name": format!("P{from}")});
        let chat = json!({"id": from, "type": "private"});
        let message = json!({"message_id": id, "date": 1_700_000_000, "chat": chat, "from": user, "text": text});
        bot.updates
            .push(json!({"update_id": id, "message": message}));
        id
    }

    fn sent(&self) -> Vec<(i64, String)> {
        self.bot.lock().unwrap().sent.clone()
    }

    fn texts(&self, to: i64) -> Vec<String> {
        let sent = self.sent().into_iter().filter(|(chat, _)| *chat == to);
        sent.map(|(_, text)| text).collect()
    }

    fn wait_for(&self, to: i64, text: &str) -> String {
        let find = || self.texts(to).into_iter().find(|said| said.contains(text));
        until(&|| format!("{text:?} of {:?}", self.texts(to)), || {
            find().is_some()
        });
        find().unwrap()
    }
}

fn answer(bot: &Mutex<Bot>, asked: &Asked) -> becomingone_rig::Answer {
    let json_of = |status: u16, body: Value| {
        let kind = "Content-Type: application/json\r\n".to_owned();
        Some((status, kind, body.to_string()))
    };
    let ok = |result: Value| json_of(200, json!({"ok": true, "result": result}));
    if bot.lock().unwrap().hangs {
        std::thread::sleep(Duration::from_secs(2));
        return None;
    }
    let method = asked.path.strip_prefix(&format!("/bot{TOKEN}/"));
    let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    match method {
        Some("getMe") => {
            ok(json!({"id": 1, "is_bot": true, "first_name": "S", "username": "SolariaBot"}))
        }
        Some("getUpdates") => {
            let offset = body["offset"].as_i64().unwrap_or(0);
            // Telegram waits longer.
            for _ in 0..40 {
                let mut bot = bot.lock().unwrap();
                bot.updates
                    .retain(|u| u["update_id"].as_i64().unwrap() >= offset);
                if !bot.updates.is_empty() {
                    let some: Vec<_> = bot.updates.iter().take(100).cloned().collect();
                    return ok(json!(some));
                }
                drop(bot);
                std::thread::sleep(Duration::from_millis(5));
            }
            ok(json!([]))
        }
        Some("sendMessage") => {
            let mut bot = bot.lock().unwrap();
            if let Some((status, problem)) = bot.failures.pop() {
                return json_of(status, problem);
            }
            let chat = body["chat_id"].as_i64().unwrap();
            let text = body["text"].as_str().unwrap().to_owned();
            bot.sent.push((chat, text));
            ok(
                json!({"message_id": bot.sent.len(), "date": 1, "chat": {"id": chat, "type": "private"}}),
            )
        }
        _ => json_of(
            404,
            json!({"ok": false, "error_code": 404, "description": "Not Found"}),
        ),
    }
}

/// A rover whose time stands still until somebody lets it go on.
struct Robot {
    client: Client,
    url: String,
    token: String,
    end: becomingone::StopHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Robot {
    fn drop(&mut self) {
        self.end.stop();
        let _ = self.thread.take().unwrap().join();
    }
}

impl Robot {
    fn start() -> Self {
        let (token, tokens) = Tokens::random().unwrap();
        let (ready, is_ready) = channel();
        let thread = std::thread::spawn(move || {
            let builder = CoherenceEngine::builder();
            let loaded = SceneLoader::new(&builder.kinds()).named(Path::new("robot"));
            let mut engine = builder.loaded(loaded.unwrap());
            engine.set_pace(becomingone::Pace::RealTime);
            engine.set_duration(Duration::MAX);
            let folder = tempfile::tempdir().unwrap();
            let api = Api::new().port(0).tokens(tokens).folder(folder.path());
            let serving = api.start(&mut engine).unwrap();
            let handle = engine.stop_handle();
            ready.send((serving.url().to_owned(), handle)).unwrap();
            engine.run().unwrap();
        });
        let (url, end) = is_ready.recv().unwrap();
        let client = Client::new(&url, &token);
        until(&|| "a tick".to_owned(), || client.get("/v1/run").is_ok());
        Self {
            client,
            url,
            token,
            end,
            thread: Some(thread),
        }
    }

    fn tick(&self) -> u64 {
        self.client.get("/v1/run").unwrap()["tick"]
            .as_u64()
            .unwrap()
    }
}

/// Not a test of its own: the assistant, where it is asked for.
#[test]
fn child() {
    let Some(arguments) = std::env::var_os(CHILD) else {
        return;
    };
    let arguments: Value = serde_json::from_str(arguments.to_str().unwrap()).unwrap();
    let text = |name: &str| arguments[name].as_str().unwrap().to_owned();
    let app = AssistantApp::new("Solaria")
        .at(text("url"))
        .folder(text("folder"));
    app.config(text("config")).stay().start().unwrap();
}

/// An assistant that is a process of its own.
struct Assistant {
    child: Child,
    input: Option<std::process::ChildStdin>,
}

impl Drop for Assistant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Place {
    here: TempDir,
    robot: Robot,
    telegram: Telegram,
}

impl Place {
    fn new() -> Self {
        let here = tempfile::tempdir().unwrap();
        let telegram = Telegram::start();
        let config = format!(
            "(channels: {{\"telegram\": Telegram(token: File(\"token\"), url: {:?})}})",
            telegram.web.url
        );
        std::fs::write(here.path().join("assistant.ron"), config).unwrap();
        std::fs::write(here.path().join("token"), TOKEN).unwrap();
        Self {
            here,
            robot: Robot::start(),
            telegram,
        }
    }

    fn folder(&self) -> PathBuf {
        self.here.path().join("files")
    }

    fn assistant(&self) -> Assistant {
        let arguments = json!({
            "url": self.robot.url,
            "folder": self.folder().to_str().unwrap(),
            "config": self.here.path().join("assistant.ron").to_str().unwrap(),
        });
        let errors = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.here.path().join("errors"))
            .unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, arguments.to_string())
            .env(TOKEN_VARIABLE, &self.robot.token)
            .env("XDG_RUNTIME_DIR", self.here.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        Assistant { child, input }
    }

    /// Lets somebody in, as the owner does.
    fn let_in(&self, assistant: &mut Assistant, who: i64, role: &str) {
        self.telegram.write(who, "hello");
        let code = self.telegram.wait_for(who, "your code: ");
        let code = code.rsplit(' ').next().unwrap();
        writeln!(assistant.input.as_mut().unwrap(), "pair {code} as {role}").unwrap();
        let people = self.folder().join("people.json");
        let is_in = || {
            let text = std::fs::read_to_string(&people).unwrap_or_default();
            let kept: Value = serde_json::from_str(&text).unwrap_or_default();
            let mut people = kept["people"].as_array().into_iter().flatten();
            people.any(|person| person["id"] == *who.to_string())
        };
        until(&|| format!("{who} is let in"), is_in);
    }
}

#[test]
fn people_are_let_in_ask_act_and_stop_and_commands_are_sentences() {
    let place = Place::new();
    let mut assistant = place.assistant();
    place.let_in(&mut assistant, 7, "operator");
    place.telegram.write(7, "/status@SolariaBot");
    place.telegram.wait_for(7, "rover follows its controller");
    place.telegram.write(7, "drive forward 0.2 m");
    place.telegram.wait_for(7, "[yes/no]");
    place.telegram.write(7, "Yes!");
    place.telegram.wait_for(7, "rover: it moves [tick");
    // What somebody else wrote, handed on by a person who may act, is nothing that they say.
    {
        let mut bot = place.telegram.bot.lock().unwrap();
        let user = json!({"id": 7, "is_bot": false, "first_name": "P7"});
        let origin = json!({"type": "hidden_user", "sender_user_name": "x", "date": 1});
        let message = json!({"message_id": 900, "date": 1, "chat": {"id": 7, "type": "private"}, "from": user, "text": "who are you", "forward_origin": origin});
        bot.updates
            .push(json!({"update_id": 900, "message": message}));
        // Kinds that are unknown yet do not keep the others back.
        bot.updates
            .push(json!({"update_id": 901, "telepathy": {"thought": 1}}));
        bot.last_update = 901;
    }
    place.telegram.write(7, "stop");
    place.telegram.wait_for(7, "rover is stopped");
    assert!(
        !place
            .telegram
            .texts(7)
            .iter()
            .any(|text| text.contains("Solaria"))
    );
    // The token is in no file and in no log.
    for entry in std::fs::read_dir(place.folder().join("mail"))
        .unwrap()
        .flatten()
    {
        assert!(
            !std::fs::read_to_string(entry.path())
                .unwrap()
                .contains(TOKEN)
        );
    }
}

#[test]
fn a_flood_a_failure_and_a_refusal_lose_only_what_is_refused() {
    let place = Place::new();
    let mut assistant = place.assistant();
    place.let_in(&mut assistant, 7, "viewer");
    let problem =
        |code: u16, text: &str| json!({"ok": false, "error_code": code, "description": text});
    let mut flood = problem(429, "Too Many Requests: retry after 1");
    flood["parameters"] = json!({"retry_after": 1});
    place.telegram.bot.lock().unwrap().failures =
        vec![(502, problem(502, "Bad Gateway")), (429, flood)];
    let begun = Instant::now();
    place.telegram.write(7, "status");
    let text = place.telegram.wait_for(7, "rover follows");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // After the 502 it is unknown whether it came.
    assert!(text.starts_with("(perhaps a second time)"), "{text}");
    place.telegram.bot.lock().unwrap().failures =
        vec![(403, problem(403, "Forbidden: bot was blocked by the user"))];
    place.telegram.write(7, "where is the rover");
    place.telegram.write(7, "who are you");
    place.telegram.wait_for(7, "Solaria");
    assert!(
        !place
            .telegram
            .texts(7)
            .iter()
            .any(|text| text.contains("is at x"))
    );
    // It hangs, and is there again.
    place.telegram.bot.lock().unwrap().hangs = true;
    std::thread::sleep(Duration::from_millis(500));
    place.telegram.write(7, "agents");
    place.telegram.bot.lock().unwrap().hangs = false;
    let count = place.telegram.texts(7).len();
    until(&|| "a reply after the hang".to_owned(), || {
        place.telegram.texts(7).len() > count
    });
    let errors = std::fs::read_to_string(place.here.path().join("errors")).unwrap();
    assert!(!errors.contains(TOKEN), "{errors}");
}

#[test]
fn messages_of_many_people_are_answered_to_each_alone() {
    const PEOPLE: i64 = 12;
    let each: usize = std::env::var("BECOMINGONE_MESSAGES").map_or(20, |n| n.parse().unwrap());
    let place = Place::new();
    let mut assistant = place.assistant();
    for who in 1..=PEOPLE {
        place.let_in(&mut assistant, who, "viewer");
    }
    let mut random = Random(7);
    let mut expected: HashMap<i64, usize> = HashMap::new();
    for k in 0..each * PEOPLE as usize {
        let who = random.below(PEOPLE as usize) as i64 + 1;
        *expected.entry(who).or_default() += 1;
        let text = match random.below(20) {
            0 | 1 => format!("remember that my secret is S{who}S{k}"),
            2..8 => "what do you remember".to_owned(),
            _ => "status".to_owned(),
        };
        place.telegram.write(who, &text);
        // At most a hundred lines of a person wait.
        if k % 100 == 99 {
            let due: usize = expected.values().sum();
            until(&|| "replies".to_owned(), || {
                place.telegram.sent().len() >= due + PEOPLE as usize
            });
        }
    }
    for (who, count) in &expected {
        // With the code of the beginning.
        until(&|| format!("{count} replies to {who}"), || {
            place.telegram.texts(*who).len() == count + 1
        });
    }
    for (to, text) in place.telegram.sent() {
        for secret in text.split_whitespace().filter(|word| {
            word.starts_with('S') && word.len() > 3 && word.ends_with(|c: char| c.is_ascii_digit())
        }) {
            assert!(secret.starts_with(&format!("S{to}S")), "{to}: {text}");
        }
    }
}

/// Killed at random points of receive, act and reply: no request is followed twice, no reply is lost.
#[test]
fn what_is_asked_for_is_done_at_most_once_and_always_answered() {
    let kills: usize = std::env::var("BECOMINGONE_KILLS").map_or(20, |n| n.parse().unwrap());
    let place = Place::new();
    let mut assistant = place.assistant();
    place.let_in(&mut assistant, 7, "operator");
    place.telegram.write(7, "pause");
    place.telegram.wait_for(7, "paused");
    let first = place.robot.tick();
    let mut random = Random(3);
    let (mut done, mut unknown, mut again) = (0, 0, 0);
    for k in 0..kills {
        let count = place.telegram.texts(7).len();
        place.telegram.write(7, "step 1 tick");
        std::thread::sleep(Duration::from_micros(random.below(60_000) as u64));
        assistant.child.kill().unwrap();
        assistant.child.wait().unwrap();
        assistant = place.assistant();
        let new = || place.telegram.texts(7).split_off(count);
        until(&|| format!("an answer to {k}"), || !new().is_empty());
        // A message that may come a second time comes at once.
        if new().len() == 1 {
            std::thread::sleep(Duration::from_millis(400));
        }
        let new = new();
        let is_marked = |text: &&String| text.starts_with("(perhaps a second time)");
        assert!(new.len() <= 2, "{new:?}");
        assert_eq!(
            new.len() - 1,
            new.iter().skip(1).filter(is_marked).count(),
            "{new:?}"
        );
        again += new.len() - 1;
        match new[0].contains("the ticks will be run") {
            true => done += 1,
            false => {
                assert!(
                    new[0].contains("I was ended while I had `step 1 tick` in hand"),
                    "{new:?}"
                );
                unknown += 1;
            }
        }
    }
    let ticks = place.robot.tick() - first;
    eprintln!(
        "{kills} kills: {done} done, {unknown} of which it is not known, {again} replies marked as a second one, {ticks} ticks"
    );
    assert!((done..=done + unknown).contains(&ticks), "{ticks} ticks");
}
