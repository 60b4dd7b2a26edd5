//! People who write by the page and by servers of messages to an assistant beside a run.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_rig::{Asked, Web};
use becomingone_tests::served::{OPERATOR, OWNER, Served, VIEWER};
use becomingone_tests::{folder, until};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// An assistant beside a run, with channels of Mattermost (`lab`), of the plain form (`plain`), and of ntfy (`phone`).
struct Gateway {
    served: Served,
    lab: Web,
    plain: Web,
    phone: Web,
    here: TempDir,
}

fn ok(_: &Asked) -> becomingone_rig::Answer {
    Some((200, String::new(), String::new()))
}

fn talk(served: &Served) -> Value {
    let (status, talk) = served.ask(OWNER, "GET", "/v1/talk", "", "");
    assert_eq!(status, 200, "{talk}");
    talk
}

fn serve(config: &Path) -> Served {
    let files = config.with_file_name("files");
    let run = ["run", "s.ron", "--serve=0", "--rerun", "off"];
    let assistant = ["--assistant=Solaria", "--assistant-stay"];
    let paths = [
        "--assistant-config",
        config.to_str().unwrap(),
        "--assistant-folder",
        files.to_str().unwrap(),
    ];
    let served = Served::start(&[&run[..], &assistant, &paths].concat());
    // The server is there before its assistant.
    until(LIMIT, "the assistant", || talk(&served)["is_there"] == true);
    served
}

impl Gateway {
    fn new(plain: impl Fn(&Asked) -> becomingone_rig::Answer + Send + Sync + 'static) -> Self {
        let (lab, plain, phone) = (Web::start(ok), Web::start(plain), Web::start(ok));
        let config = format!(
            "(
                channels: {{
                    \"lab\": Mattermost(secret: File(\"lab.secret\"), url: Url({:?})),
                    \"plain\": Plain(secret: File(\"plain.secret\"), url: Url({:?})),
                    \"phone\": Ntfy(url: Url({:?})),
                }},
                alerts: [(channel: \"phone\")],
            )",
            format!("{}/hooks/x", lab.url),
            format!("{}/in", plain.url),
            format!("{}/topic", phone.url),
        );
        let here = folder(&[
            ("assistant.ron", &config),
            ("lab.secret", "lab-secret\n"),
            ("plain.secret", "plain-secret\n"),
        ]);
        let served = serve(&here.path().join("assistant.ron"));
        Self {
            served,
            lab,
            plain,
            phone,
            here,
        }
    }

    /// Says a sentence on the page.
    fn say(&self, text: &str) {
        let body = json!({"text": text}).to_string();
        let (status, said) = self.served.ask(OWNER, "POST", "/v1/talk", "", &body);
        assert_eq!(status, 202, "{said}");
    }

    /// What the page shows.
    fn said(&self) -> Vec<Value> {
        let talk = talk(&self.served);
        talk["messages"].as_array().unwrap().clone()
    }

    fn is_said(&self, text: &str) -> bool {
        // Requests are bounded.
        std::thread::sleep(Duration::from_millis(10));
        self.said()
            .iter()
            .any(|said| said["is_reply"] == true && said["text"].as_str().unwrap().contains(text))
    }

    fn wait_for(&self, text: &str) {
        let what = || format!("{text:?} of {:?}", self.said());
        until(LIMIT, &what(), || self.is_said(text));
    }

    /// Posts a message of the plain form; returns the status.
    fn post(&self, id: &str, from: &str, text: &str) -> u16 {
        let body = json!({"id": id, "from": from, "name": from, "chat": from, "text": text});
        let secret = "Authorization: Bearer plain-secret\r\n";
        self.hook("plain", secret, &body.to_string())
    }

    fn hook(&self, name: &str, headers: &str, body: &str) -> u16 {
        hook(&self.served, name, headers, body)
    }

    /// Lets somebody of the plain form in.
    fn let_in(&self, from: &str, role: &str) {
        assert_eq!(self.post(&format!("{from}-0"), from, "hello"), 204);
        let code = |(to, text): (String, String)| {
            let (_, code) = text.split_once("your code: ")?;
            (to == from).then(|| code.to_owned())
        };
        let find = || texts(&self.plain).into_iter().find_map(code);
        until(LIMIT, "a code", || find().is_some());
        self.say(&format!("pair {} as {role}", find().unwrap()));
        self.wait_for(&format!("{from} (plain {from}), {role}, is let in"));
    }

    /// Waits for a text to somebody of the plain form.
    fn wait_for_text(&self, to: &str, text: &str) -> String {
        let find = || {
            let mut texts = texts(&self.plain).into_iter();
            texts.find(|(whom, said)| whom == to && said.contains(text))
        };
        let what = format!("{text:?} to {to} of {:?}", texts(&self.plain));
        until(LIMIT, &what, || find().is_some());
        find().unwrap().1
    }
}

/// Texts of the plain form that were posted, with their chats.
fn texts(web: &Web) -> Vec<(String, String)> {
    let read = |asked: Asked| -> Option<(String, String)> {
        let body: Value = serde_json::from_str(&asked.body).ok()?;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Some((text("chat"), text("text")))
    };
    web.asked().into_iter().filter_map(read).collect()
}

fn hook(served: &Served, name: &str, headers: &str, body: &str) -> u16 {
    let head = format!(
        "POST /v1/hooks/{name} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        served.host,
        body.len()
    );
    served.raw(format!("{head}{body}").as_bytes()).0
}

#[test]
fn the_page_talks_acts_with_a_yes_and_is_the_owners_alone() {
    let gateway = Gateway::new(ok);
    gateway.say("where is the rover");
    gateway.wait_for("rover is at x");
    gateway.say("drive forward 0.2 m");
    gateway.wait_for("[yes/no]");
    gateway.say("yes");
    gateway.wait_for("rover: it moves [tick");
    for token in [VIEWER, OPERATOR] {
        assert_eq!(gateway.served.ask(token, "GET", "/v1/talk", "", "").0, 403);
        let body = json!({"text": "stop"}).to_string();
        let (status, _) = gateway.served.ask(token, "POST", "/v1/talk", "", &body);
        assert_eq!(status, 403);
    }
    for (body, expected) in [
        (json!({"text": " "}), 400),
        (json!({"text": "x".repeat(5000)}), 400),
        (json!({"sentence": "x"}), 422),
    ] {
        let answer = gateway
            .served
            .ask(OWNER, "POST", "/v1/talk", "", &body.to_string());
        assert_eq!(answer.0, expected, "{}", answer.1);
    }
    // What the owner wants to know comes to the phone, too.
    gateway.say("in 1 second give me a status");
    gateway.wait_for("status, as scheduled");
    until(LIMIT, "an alert", || {
        let mut asked = gateway.phone.asked().into_iter();
        asked.any(|asked| {
            asked.body.contains("status, as scheduled") && asked.headers["title"] == "becomingone"
        })
    });
}

#[test]
fn who_is_not_let_in_never_reaches_the_grammar() {
    let gateway = Gateway::new(ok);
    // Stops, too: anybody could write them.
    for k in 0..20 {
        assert_eq!(gateway.post(&k.to_string(), "mallory", "stop"), 204);
    }
    let code = gateway.wait_for_text("mallory", "I do not know you");
    assert!(code.contains("your code: "), "{code}");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(texts(&gateway.plain).len(), 1, "one code, and no reply");
    assert_ne!(gateway.served.rover()["mode"], "stopped");
    let secret = "Authorization: Bearer wrong\r\n";
    let body = json!({"from": "ada", "text": "stop"}).to_string();
    assert_eq!(gateway.hook("plain", secret, &body), 401);
    assert_eq!(gateway.hook("plain", "", &body), 401);
    let secret = "Authorization: Bearer plain-secret\r\n";
    assert_eq!(gateway.hook("plain", secret, "{}"), 400);
    assert_eq!(gateway.hook("phone", secret, &body), 404);
    assert_eq!(gateway.hook("nothing", secret, &body), 404);
    let wrong = json!({"token": "x", "user_id": "u", "post_id": "p", "text": "stop"}).to_string();
    assert_eq!(gateway.hook("lab", "", &wrong), 401);
    // Nothing of what they wrote is kept.
    let mail = std::fs::read_to_string(gateway.here.path().join("files/mail/plain.jsonl")).unwrap();
    assert!(!mail.contains("\"stop\""), "{mail}");
}

#[test]
fn a_viewer_asks_and_stops_an_operator_acts_and_nobody_sees_another() {
    let gateway = Gateway::new(ok);
    gateway.let_in("eve", "viewer");
    gateway.let_in("ada", "operator");
    gateway.post("1", "eve", "where is the rover");
    gateway.wait_for_text("eve", "rover is at x");
    gateway.post("2", "eve", "drive forward 0.2 m");
    gateway.wait_for_text("eve", "nothing was done: you may ask, watch and stop");
    gateway.post("3", "ada", "drive forward 0.2 m");
    gateway.wait_for_text("ada", "[yes/no]");
    // Another's yes is none of hers.
    gateway.post("4", "eve", "yes");
    gateway.wait_for_text("eve", "there is no open question");
    gateway.post("5", "ada", "yes");
    gateway.wait_for_text("ada", "rover: it moves [tick");
    // The same message again.
    let count = texts(&gateway.plain).len();
    assert_eq!(gateway.post("3", "ada", "drive forward 0.2 m"), 204);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(texts(&gateway.plain).len(), count);
    gateway.post("6", "ada", "remember that the dock is wet");
    gateway.wait_for_text("ada", "noted");
    gateway.post("7", "eve", "what do you remember");
    gateway.wait_for_text("eve", "you have told me nothing");
    // Who is let in no longer is a stranger.
    gateway.say("people");
    gateway.wait_for("eve (plain eve), viewer\nada (plain ada), operator");
    gateway.say("forget ada");
    gateway.wait_for("let in no longer: ada");
    gateway.post("8", "ada", "resume");
    gateway.wait_for_text("ada", "I do not know you, and");
    gateway.post("9", "eve", "stop");
    gateway.wait_for_text("eve", "rover is stopped");
    assert_eq!(gateway.served.rover()["mode"], "stopped");
}

#[test]
fn a_stop_overtakes_lines_that_wait_and_a_question() {
    let gateway = Gateway::new(ok);
    gateway.let_in("ada", "operator");
    gateway.post("1", "ada", "drive forward 5 m");
    gateway.wait_for_text("ada", "[yes/no]");
    let lines: Vec<_> = (0..90).map(|k| (format!("w{k}"), "resume")).collect();
    // The first declines the question.
    for (id, text) in &lines {
        assert_eq!(gateway.post(id, "ada", text), 204);
    }
    let asked = Instant::now();
    assert_eq!(gateway.post("s", "ada", "/stop"), 204);
    until(LIMIT, "the stop", || {
        gateway.served.rover()["mode"] == "stopped"
    });
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    gateway.wait_for_text("ada", "rover is stopped");
}

#[test]
fn mattermost_writes_and_is_written_to() {
    let gateway = Gateway::new(ok);
    let post = |id: &str, text: &str| {
        let body = json!({
            "token": "lab-secret", "team_id": "t", "channel_id": "c1", "channel_name": "lab", "timestamp": 1,
            "user_id": "u1", "user_name": "ada", "post_id": id, "text": text, "trigger_word": "rover,", "file_ids": "",
        });
        assert_eq!(gateway.hook("lab", "", &body.to_string()), 204);
    };
    let said = |text: &str| {
        let asked = gateway.lab.asked();
        let texts: Vec<Value> = asked
            .iter()
            .map(|a| serde_json::from_str(&a.body).unwrap())
            .collect();
        texts.iter().find_map(|body| {
            body["text"]
                .as_str()
                .filter(|t| t.contains(text))
                .map(str::to_owned)
        })
    };
    post("p1", "rover, status");
    until(LIMIT, "a code", || said("your code: ").is_some());
    let code = said("your code: ").unwrap();
    gateway.say(&format!("pair {}", code.rsplit(' ').next().unwrap()));
    gateway.wait_for("ada (lab u1), viewer, is let in");
    post("p2", "rover, status");
    until(LIMIT, "a status", || {
        said("rover follows its controller").is_some()
    });
}

#[test]
fn a_server_that_fails_gets_its_text_later_and_one_that_refuses_it_does_not() {
    let failures = Arc::new(AtomicU16::new(3));
    let left = failures.clone();
    let gateway = Gateway::new(move |asked| {
        if asked.body.contains("speed") {
            return Some((410, String::new(), "gone".to_owned()));
        }
        let fails = asked.body.contains("rover follows") && left.load(Ordering::Relaxed) > 0;
        match fails.then(|| left.fetch_sub(1, Ordering::Relaxed)) {
            Some(3) => Some((429, "Retry-After: 1\r\n".to_owned(), String::new())),
            Some(2) => None,
            Some(_) => Some((503, String::new(), String::new())),
            None => ok(asked),
        }
    });
    gateway.let_in("ada", "viewer");
    gateway.post("1", "ada", "status");
    until(LIMIT, "a text after three failures", || {
        let tried = texts(&gateway.plain).into_iter();
        tried
            .filter(|(_, text)| text.contains("rover follows"))
            .count()
            == 4
    });
    // It has a key by which its server knows it again.
    let keys: std::collections::BTreeSet<_> = gateway
        .plain
        .asked()
        .into_iter()
        .filter(|asked| asked.body.contains("rover follows"))
        .map(|asked| asked.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys.len(), 1);
    gateway.post("2", "ada", "how fast is the rover, I mean its speed");
    gateway.post("3", "ada", "who are you");
    gateway.wait_for_text("ada", "Solaria, the assistant of this run");
}

#[test]
fn a_configuration_that_is_wrong_is_refused_before_anything_runs() {
    let here = folder(&[("assistant.ron", "(\n  channels: {\"lab\": Matermost()},\n)")]);
    let arguments = [
        "run",
        "assistant",
        "--scene",
        "robot",
        "--assistant-config",
        "assistant.ron",
    ];
    let ran = becomingone_tests::run(here.path(), &arguments);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("assistant.ron:2:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`Mattermost`"), "{}", ran.stderr);
    let beside = [
        "run",
        "robot",
        "--rerun",
        "off",
        "--assistant",
        "--assistant-config",
        "assistant.ron",
    ];
    let ran = becomingone_tests::run(here.path(), &beside);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn who_is_forgotten_gets_no_reports_and_a_yes_of_a_viewer_moves_nothing() {
    let gateway = Gateway::new(ok);
    gateway.let_in("ada", "operator");
    gateway.post("1", "ada", "every 1 second give me a status");
    gateway.wait_for_text("ada", "status, as scheduled");
    gateway.post("2", "ada", "drive forward 1 m");
    gateway.wait_for_text("ada", "[yes/no]");
    gateway.say("forget ada");
    gateway.wait_for("let in no longer: ada");
    let code = |(_, text): (String, String)| {
        let (_, code) = text.split_once("your code: ")?;
        Some(code.to_owned())
    };
    gateway.post("3", "ada", "hello");
    let codes = || {
        texts(&gateway.plain)
            .into_iter()
            .filter_map(code)
            .collect::<Vec<_>>()
    };
    until(LIMIT, "another code", || codes().len() == 2);
    // The question in hand is declined.
    std::thread::sleep(Duration::from_millis(500));
    let count = texts(&gateway.plain).len();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(texts(&gateway.plain).len(), count, "no report");
    gateway.say(&format!("pair {} as viewer", codes().pop().unwrap()));
    gateway.wait_for("ada (plain ada), viewer, is let in");
    gateway.post("4", "ada", "yes");
    gateway.wait_for_text("ada", "there is no open question");
    assert_ne!(gateway.served.rover()["mode"], "request");
}

#[test]
fn a_stop_is_followed_on_a_full_disk_and_replies_come_when_there_is_space() {
    let gateway = Gateway::new(ok);
    gateway.let_in("ada", "viewer");
    let limit = |bytes: &str| {
        let line = format!(
            "prlimit --pid {} --fsize={bytes}",
            gateway.served.child.id()
        );
        becomingone_tests::tool(gateway.here.path(), &line);
    };
    limit("1:unlimited");
    assert_eq!(gateway.post("1", "ada", "where is the rover"), 503);
    assert_eq!(gateway.post("2", "ada", "stop"), 503);
    until(LIMIT, "a stop", || {
        gateway.served.rover()["mode"] == "stopped"
    });
    limit("unlimited:unlimited");
    assert_eq!(gateway.post("1", "ada", "where is the rover"), 204);
    gateway.wait_for_text("ada", "rover is at x");
    gateway.wait_for_text("ada", "rover is stopped");
}

#[test]
fn an_alert_that_is_refused_takes_the_second_route_at_once() {
    let refusing = Web::start(|_| {
        Some((
            404,
            String::new(),
            "Cannot POST /hooks/SECRETKEY123".to_owned(),
        ))
    });
    let second = Web::start(ok);
    let config = format!(
        "(channels: {{\"a\": Ntfy(url: File(\"url\")), \"b\": Plain(url: Url({:?}))}}, alerts: [(channel: \"a\"), (channel: \"b\")])",
        second.url
    );
    let url = format!("{}/hooks/SECRETKEY123", refusing.url);
    let here = folder(&[("assistant.ron", &config), ("url", &url)]);
    // What was due before the start.
    std::fs::create_dir(here.path().join("files")).unwrap();
    let plan =
        json!([{"when": "every 1 h", "say": "status", "next": "2026-01-01T00:00:00+00:00[UTC]"}]);
    std::fs::write(here.path().join("files/schedules.json"), plan.to_string()).unwrap();
    let served = serve(&here.path().join("assistant.ron"));
    until(LIMIT, "the second route", || {
        let asked = second.asked();
        asked.iter().any(|asked| {
            asked.body.contains("status, as scheduled")
                && asked.body.contains("[not delivered by a so far]")
        })
    });
    becomingone_tests::tool(here.path(), "! grep -r SECRETKEY files");
    drop(served);
}

#[test]
fn a_server_that_asks_for_a_wait_without_end_does_not_end_the_channel() {
    let first = Arc::new(AtomicU16::new(1));
    let left = first.clone();
    let gateway = Gateway::new(move |asked| {
        let is_first = asked.body.contains("Solaria") && left.swap(0, Ordering::Relaxed) == 1;
        match is_first {
            true => Some((
                503,
                "Retry-After: 18446744073709551615\r\n".to_owned(),
                String::new(),
            )),
            false => ok(asked),
        }
    });
    gateway.let_in("ada", "viewer");
    gateway.let_in("eve", "viewer");
    gateway.post("1", "ada", "who are you");
    until(LIMIT, "a failure", || first.load(Ordering::Relaxed) == 0);
    // Her chat waits; another's does not.
    gateway.post("2", "eve", "who are you");
    gateway.wait_for_text("eve", "Solaria");
    for (from, text) in [("", "stop"), (&*"x".repeat(300), "stop")] {
        assert_eq!(gateway.post("9", from, text), 400);
    }
}
