//! A talk with a run, by the program: through a pipe, in a pseudo-terminal, with a recording.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::served::{OWNER, Served};
use becomingone_tests::{binary, folder, root, run, signal, until};
use rexpect::reader::Options;
use rexpect::session::spawn_with_options;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

/// A talk through a pipe, with what it has said so far.
struct Talk {
    child: Child,
    input: Option<ChildStdin>,
    said: Arc<Mutex<Vec<String>>>,
    /// Its runtime folder, and `files` of the assistant.
    here: TempDir,
}

impl Talk {
    fn new(arguments: &[&str]) -> Self {
        let here = folder(&[]);
        Self::in_folder(here, arguments)
    }

    fn in_folder(here: TempDir, arguments: &[&str]) -> Self {
        let runtime = here.path().join("runtime");
        std::fs::create_dir_all(&runtime).unwrap();
        becomingone_tests::tool(here.path(), "chmod 700 runtime");
        let mut child = Command::new(binary())
            .args(["run", "assistant", "--folder", "files"])
            .args(arguments)
            .current_dir(here.path())
            .env("XDG_RUNTIME_DIR", runtime)
            .env("BECOMINGONE_TOKEN", OWNER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = said.clone();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let input = child.stdin.take();
        Self {
            child,
            input,
            said,
            here,
        }
    }

    fn at(served: &Served) -> Self {
        Self::new(&["--at", &format!("http://{}", served.host)])
    }

    fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    fn has(&self, text: &str) -> bool {
        self.said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    }

    fn wait_for(&self, text: &str) -> String {
        until(
            LIMIT,
            &format!("{text:?} of {:?}", self.said.lock().unwrap()),
            || self.has(text),
        );
        let said = self.said.lock().unwrap();
        said.iter()
            .find(|line| line.contains(text))
            .unwrap()
            .clone()
    }

    /// Ends its input; returns its status and all that it said.
    fn end(mut self) -> (Option<i32>, Vec<String>, TempDir) {
        drop(self.input.take());
        until(LIMIT, "the end of the talk", || {
            self.child.try_wait().unwrap().is_some()
        });
        let code = self.child.wait().unwrap().code();
        // Its last lines are on their way.
        std::thread::sleep(Duration::from_millis(50));
        let said = self.said.lock().unwrap().clone();
        let here = std::mem::replace(&mut self.here, folder(&[]));
        (code, said, here)
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn session(here: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(here.join("files/sessions/main.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_talk_through_a_pipe_asks_acts_and_ends_with_its_input() {
    let served = Served::new(&[]);
    let mut talk = Talk::at(&served);
    talk.say("where is the rover");
    // The figures are those of the tick that is named.
    let place = talk.wait_for("rover is at x");
    assert!(place.contains("[tick "), "{place}");
    talk.say("drive forward 0.2 m");
    talk.wait_for("[yes/no]");
    assert_eq!(served.rover()["request"], Value::Null);
    talk.say("no");
    talk.wait_for("nothing was done: 403");
    talk.say("go to the dock");
    until(LIMIT, "two questions", || {
        talk.said
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains("[yes/no]"))
            .count()
            == 2
    });
    talk.say("yes");
    talk.wait_for("rover: it goes to dock [tick ");
    served.until("a request", |rover| rover["request"] == "api");
    talk.say("fly to the moon");
    talk.wait_for("I do not understand that, and nothing was done. Did you mean");
    talk.say("stop");
    talk.wait_for("rover is stopped, until `clear the stop`");
    assert_eq!(served.rover()["mode"], "stopped");
    talk.say("drive forward 0.2 m");
    talk.wait_for("nothing was done: 409");
    let (code, _, here) = talk.end();
    assert_eq!(code, Some(0));
    // What was said is kept, with the receipts of what was done.
    let events = session(here.path());
    assert_eq!(events[0]["type"], "session");
    let receipts: Vec<_> = events
        .iter()
        .filter_map(|event| event["message"]["receipts"].as_array())
        .flatten()
        .collect();
    assert_eq!(
        receipts
            .iter()
            .filter(|receipt| receipt["tool"] == "go_to" && receipt["tick"].is_u64())
            .count(),
        1
    );
    assert!(receipts.iter().any(|receipt| receipt["tool"] == "stop"));
}

#[test]
fn a_stop_overtakes_a_thousand_lines_and_a_question() {
    let served = Served::new(&[]);
    let mut talk = Talk::at(&served);
    talk.say("arm the rover");
    talk.wait_for("[yes/no]");
    for _ in 0..1000 {
        talk.say("what is wrong with everything and the kitchen sink");
    }
    talk.say("stop");
    served.until("a stop", |rover| rover["mode"] == "stopped");
    // It stood before the lines were worked off, and the open question is answered by it.
    talk.wait_for("rover is stopped");
    let (code, said, _) = talk.end();
    assert_eq!(code, Some(0));
    let place = said
        .iter()
        .position(|line| line.contains("rover is stopped"))
        .unwrap();
    assert!(place < 500, "after {place} of {} lines", said.len());
    assert!(
        said.iter().any(|line| line.contains("403")),
        "{:?}",
        said.first()
    );
}

#[test]
fn a_talk_beside_a_run_of_its_own_needs_nothing() {
    let mut talk = Talk::new(&["--name", "Solaria"]);
    talk.say("who are you");
    talk.wait_for("Solaria, the assistant of this run");
    talk.say("which scenes are there");
    talk.wait_for("warehouse_robot: ");
    talk.say("remember that crate_a is heavy");
    talk.wait_for("noted");
    talk.say("every day at 8 a summary");
    talk.wait_for("every day at 08:00");
    talk.say("run the scene bare_kernel");
    talk.wait_for("the run `bare_kernel` has begun");
    talk.say("take a picture");
    talk.wait_for("the picture is ");
    talk.say("quit");
    talk.wait_for("goodbye");
    let (code, _, here) = talk.end();
    assert_eq!(code, Some(0));
    let picture = std::fs::read_dir(here.path().join("files/pictures"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert!(
        std::fs::read(picture.path())
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    // It has its notes and plans again.
    let mut talk = Talk::in_folder(here, &[]);
    talk.say("what do you remember");
    talk.wait_for("crate_a is heavy");
    talk.say("which schedules are there");
    talk.wait_for("every day at 08:00: summary, next ");
    talk.say("end the schedules");
    talk.wait_for("1 ended");
    assert_eq!(talk.end().0, Some(0));
}

#[test]
fn what_is_wrong_is_what_the_kernel_names_live_and_in_the_recording() {
    let here = folder(&[]);
    // The gyro freezes after the self-model is trained; the run ends in the alarm.
    let args = [
        "run",
        "slip_on_ice",
        "--fast",
        "--quiet",
        "--rerun",
        "off",
        "--duration",
        "70s",
        "--record",
        "run.mcap",
        "--summary",
        "s.json",
        "--set",
        "world.obstacles.ice.friction=0.9",
        "--set",
        "faults=[(sensor: \"rover/imu/gyro_z\", kind: Freeze, at_s: 60)]",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut talk = Talk::in_folder(here, &["--recording", "run.mcap"]);
    talk.say("what is wrong");
    let wrong = talk.wait_for("deviates from its prediction");
    assert!(
        wrong.contains("imu/gyro_z deviates from its prediction (surprise "),
        "{wrong}"
    );
    talk.say("when was the alarm");
    talk.wait_for("alarm: imu/gyro_z deviates from its prediction");
    talk.say("which faults are there");
    talk.say("drive forward 1 m");
    talk.wait_for("nothing was done: this is a recording");
    assert_eq!(talk.end().0, Some(0));
}

#[test]
fn what_is_wrong_with_the_arguments_is_said() {
    let here = folder(&[]);
    std::fs::create_dir(here.path().join("runtime")).unwrap();
    becomingone_tests::tool(here.path(), "chmod 700 runtime");
    let said = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command
            .args(["run", "assistant", "--folder", "files"])
            .args(arguments);
        command
            .current_dir(here.path())
            .env("XDG_RUNTIME_DIR", here.path().join("runtime"));
        let ran = becomingone_tests::finish(&mut command, LIMIT);
        (ran.code, ran.stderr)
    };
    let (code, error) = said(&["--scene", "slip_on_icy"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("slip_on_icy"), "{error}");
    let (code, error) = said(&["--at", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("found no token"), "{error}");
    let (code, error) = said(&["--recording", "none.mcap"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("none.mcap"), "{error}");
    let (code, error) = said(&["--sced", "3"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("--scene"), "{error}");
    // A scene of this name is a scene.
    std::fs::write(here.path().join("assistant"), "(").unwrap();
    let (code, error) = said(&[]);
    assert_eq!(code, Some(2), "{error}");
}

#[test]
fn a_talk_that_is_killed_is_whole_again() {
    let served = Served::new(&[]);
    let mut talk = Talk::at(&served);
    talk.say("status");
    talk.wait_for("rover follows");
    // One writes it at a time.
    let mut second = Command::new(binary());
    second
        .args(["run", "assistant", "--folder", "files", "--at"])
        .arg(format!("http://{}", served.host))
        .current_dir(talk.here.path())
        .env("XDG_RUNTIME_DIR", talk.here.path().join("runtime"))
        .env("BECOMINGONE_TOKEN", OWNER);
    let ran = becomingone_tests::finish(&mut second, LIMIT);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("found another assistant"),
        "{}",
        ran.stderr
    );
    signal("KILL", talk.child.id());
    let _ = talk.child.wait();
    let here = std::mem::replace(&mut talk.here, folder(&[]));
    let file = here.path().join("files/sessions/main.jsonl");
    let mut text = std::fs::read(&file).unwrap();
    text.extend(b"{\"type\":\"message\",\"id\":\"torn");
    std::fs::write(&file, text).unwrap();
    let mut talk = Talk::in_folder(here, &["--at", &format!("http://{}", served.host)]);
    talk.say("how fast is it");
    talk.wait_for("rover moves at ");
    let (code, _, here) = talk.end();
    assert_eq!(code, Some(0));
    assert_eq!(
        session(here.path())
            .iter()
            .filter(|event| event["type"] == "session")
            .count(),
        1
    );
}

/// A terminal: it answers where its cursor is.
#[test]
fn a_talk_in_a_terminal_beside_a_robot_ends_its_run() {
    let here = folder(&[]);
    let mut shell = Command::new(binary());
    shell
        .args(["run", "robot", "--assistant=Solaria", "--rerun", "off"])
        .current_dir(here.path())
        .env("XDG_RUNTIME_DIR", here.path())
        .env("XDG_DATA_HOME", here.path())
        .env("TERM", "xterm");
    becomingone_tests::tool(here.path(), "chmod 700 .");
    let options = Options::new().timeout_ms(Some(20_000));
    let mut terminal = spawn_with_options(shell, options).unwrap();
    let mut asked = 0;
    let mut type_line = |terminal: &mut rexpect::session::PtySession, line: &str, reply: &str| {
        // The prompt asks for the place of the cursor.
        terminal.exp_string("\x1b[6n").unwrap();
        terminal.send("\x1b[10;1R").unwrap();
        terminal.flush().unwrap();
        asked += 1;
        terminal.send(line).unwrap();
        terminal.send("\r").unwrap();
        terminal.flush().unwrap();
        terminal
            .exp_string(reply)
            .unwrap_or_else(|e| panic!("{line}: {e}"));
    };
    type_line(
        &mut terminal,
        "who are you",
        "Solaria, the assistant of this run",
    );
    type_line(&mut terminal, "status", "rover follows its controller");
    type_line(&mut terminal, "quit", "goodbye");
    let summary = terminal.exp_eof().unwrap();
    assert!(summary.contains("simulated"), "{summary}");
    assert!(root().is_dir());
}

/// A terminal whose talk is ended by a signal has lines again.
#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let here = folder(&[]);
    becomingone_tests::tool(here.path(), "chmod 700 .");
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "\"$0\" run assistant --scene robot; echo status $?; stty -a",
        ])
        .arg(binary())
        .current_dir(here.path())
        .env("XDG_RUNTIME_DIR", here.path())
        .env("XDG_DATA_HOME", here.path())
        .env("TERM", "xterm");
    let options = Options::new().timeout_ms(Some(20_000));
    let mut terminal = spawn_with_options(shell, options).unwrap();
    terminal.exp_string("\x1b[6n").unwrap();
    let found = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.ok()?.path()).ok()?;
        let run: Value = serde_json::from_str(&text).ok()?;
        run["process"].as_u64()
    };
    let folder = here.path().join("becomingone");
    let process = std::fs::read_dir(&folder).unwrap().find_map(found).unwrap();
    signal("TERM", u32::try_from(process).unwrap());
    terminal.exp_string("status 130").unwrap();
    let modes = terminal.exp_eof().unwrap();
    assert!(
        modes.contains(" icanon") && modes.contains("isig"),
        "{modes}"
    );
}

#[test]
fn a_watch_tells_what_happens_once_also_after_a_kill() {
    let served = Served::new(&[]);
    let mut talk = Talk::at(&served);
    talk.say("tell me when the rover reaches its goal");
    talk.wait_for("I will tell you: rover: goal");
    talk.say("tell me when the rover is faster than 0.1 m/s");
    talk.wait_for("I will tell you: rover: speed above 0.1");
    talk.wait_for("speed of rover ");
    talk.say("which watches are there");
    talk.wait_for("rover: goal, rover: speed above 0.1");
    signal("KILL", talk.child.id());
    let _ = talk.child.wait();
    let here = std::mem::replace(&mut talk.here, folder(&[]));
    // What fires in between is reported, and nothing twice.
    let mut talk = Talk::in_folder(here, &["--at", &format!("http://{}", served.host)]);
    let goal = talk.wait_for("goal 1 reached");
    assert!(goal.starts_with("watch w"), "{goal}");
    assert!(
        !talk.has("speed of rover "),
        "{:?}",
        talk.said.lock().unwrap()
    );
    talk.say("stop watching");
    talk.wait_for("2 ended");
    assert_eq!(
        served.get("/v1/watches")["watches"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    assert_eq!(talk.end().0, Some(0));
}
