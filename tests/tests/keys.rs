//! Interactive runs in a pseudo-terminal: keys, status line, restored terminal.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::{binary, folder, root, run, signal};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Kernel without a body: keeps real time on any machine.
const KERNEL: &str = "(version: 1, agents: [(name: \"k\", coherence: Kernel(channels: [
    (name: \"clock\", signal: Tone(frequency_hz: 1.0)),
]))])";

/// Interactive session in a pseudo-terminal. The shell around the run saves the terminal settings before and after.
struct Person {
    terminal: PtySession,
    here: TempDir,
    pid: u32,
}

impl Person {
    fn runs(args: &str) -> Self {
        let here = folder(&[("kernel.ron", KERNEL)]);
        let line = format!(
            "stty -a > before; sh -c 'echo pid $$.; exec \"{}\" run {args}'; echo code $?.; stty -a > after; echo end.",
            binary().display()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(here.path());
        let options = Options::new()
            .timeout_ms(Some(20_000))
            .strip_ansi_escape_codes(true);
        let mut terminal = spawn_with_options(shell, options).unwrap();
        terminal.exp_string("pid ").unwrap();
        let pid = terminal.exp_char('.').unwrap().parse().unwrap();
        Self {
            terminal,
            here,
            pid,
        }
    }

    fn press(&mut self, keys: &str) {
        self.terminal.send(keys).unwrap();
        self.terminal.flush().unwrap();
    }

    fn wait_for(&mut self, text: &str) -> String {
        self.terminal
            .exp_string(text)
            .unwrap_or_else(|e| panic!("no `{text}`: {e}"))
    }

    /// Next time on the status line in this state (s).
    fn time(&mut self, state: &str) -> f64 {
        let line = format!("[0-9]+\\.[0-9]{{3}} s, {state}");
        let (_, found) = self.terminal.exp_regex(&line).unwrap();
        found.split(' ').next().unwrap().parse().unwrap()
    }

    /// Time on a status line drawn after this call (s).
    fn time_now(&mut self, state: &str) -> f64 {
        self.press("h");
        self.wait_for("h ? help");
        self.time(state)
    }

    /// Exit code, after the shell has ended.
    fn ends(mut self) -> (i32, TempDir) {
        self.wait_for("code ");
        let code = self.terminal.exp_char('.').unwrap().parse().unwrap();
        self.wait_for("end.");
        let mode = |name| std::fs::read_to_string(self.here.path().join(name)).unwrap();
        assert_eq!(mode("before"), mode("after"), "terminal settings");
        (code, self.here)
    }
}

fn summary(here: &Path) -> Value {
    let text = std::fs::read_to_string(here.join("s.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn keys_pause_step_pace_reset_and_quit() {
    let mut person = Person::runs("kernel.ron --interactive --rerun off --summary s.json");
    person.wait_for("h ? help");
    person.time("1 x real time");
    person.press(" ");
    person.time("1 x real time, paused");
    let held = person.time_now("1 x real time, paused");
    assert!(held > 0.0);
    // No change for this long: paused.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(person.time_now("1 x real time, paused"), held);

    let after = |ticks: f64| format!("{:.3} s, ", held + ticks * 1e-3);
    for (keys, ticks) in [(".", 1.0), ("n", 2.0), ("\x1b[C", 3.0), ("N", 103.0)] {
        person.press(keys);
        person.wait_for(&after(ticks));
    }
    person.press("++");
    person.wait_for("4 x real time, paused");
    person.press("-");
    person.wait_for("2 x real time, paused");
    person.press("f");
    person.wait_for("as fast as possible, paused");
    person.press("f");
    person.wait_for("2 x real time, paused");
    person.press("r");
    person.wait_for("0.000 s, 2 x real time, paused");
    person.press(".");
    person.wait_for("0.001 s, 2 x real time, paused");
    person.press("q");
    let (code, here) = person.ends();
    assert_eq!(code, 0);
    assert_eq!(
        summary(here.path())["ticks"],
        1,
        "of the run since the reset"
    );
}

#[test]
fn pace_matches_the_status_line() {
    let mut person = Person::runs("kernel.ron --interactive --rerun off");
    person.wait_for("h ? help");
    for (keys, factor) in [("", 1.0), ("++", 4.0)] {
        person.press(keys);
        let state = format!("{factor} x real time");
        let (from, begun) = (person.time_now(&state), Instant::now());
        std::thread::sleep(Duration::from_secs(1));
        let went_s = person.time_now(&state) - from;
        let ratio = went_s / begun.elapsed().as_secs_f64() / factor;
        assert!((0.7..1.3).contains(&ratio), "{ratio} at {factor}");
    }
    person.press("\x03");
    assert_eq!(person.ends().0, 130, "Ctrl-C");
}

#[test]
fn teleop_drives_and_the_robot_stops_on_release() {
    let drive = "robot --model ROVER --teleop --rerun off --summary s.json";
    let rover = root().join("assets/rover.urdf");
    let mut person = Person::runs(&drive.replace("ROVER", rover.to_str().unwrap()));
    person.wait_for("drive: arrows");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        person.press("w");
        std::thread::sleep(Duration::from_millis(50));
    }
    person.wait_for("rover ahead 50 %");
    let held = begun.elapsed();
    person.wait_for("rover stop 50 %");
    let let_go = begun.elapsed() - held;
    assert!(let_go < Duration::from_secs(1), "{let_go:?}");
    // A robot that still drove would move four times as far.
    let until = person.time_now("1 x real time") + 4.0;
    while person.time_now("1 x real time") < until {}
    person.press("q");
    let (code, here) = person.ends();
    assert_eq!(code, 0);
    let moved = summary(here.path())["agents"][0]["distance_m"]
        .as_f64()
        .unwrap();
    // Half of 1.2 m/s (P3-DX manual) for the second of the key press, and at most half a second after it; minus
    // acceleration and braking.
    assert!((0.3..1.2).contains(&moved), "{moved} m, held {held:?}");
}

#[test]
fn teleop_drives_a_car() {
    let mut person = Person::runs("vehicle --teleop --rerun off --summary s.json");
    person.wait_for("drive: arrows");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        person.press("w");
        std::thread::sleep(Duration::from_millis(50));
    }
    person.wait_for("car stop 50 %");
    let until = person.time_now("1 x real time") + 3.0;
    while person.time_now("1 x real time") < until {}
    person.press("q");
    let (code, here) = person.ends();
    assert_eq!(code, 0);
    let moved = summary(here.path())["agents"][0]["distance_m"]
        .as_f64()
        .unwrap();
    // From rest to at most half of 14 m/s, held for 1.5 s, then braked: its own controller would have driven 40 m.
    assert!((0.5..15.0).contains(&moved), "{moved} m");
}

#[test]
fn teleop_without_input_keeps_the_robot_at_rest() {
    // Its own controller would have moved it.
    let mut person = Person::runs("robot --teleop=rover --rerun off --summary s.json");
    person.wait_for("rover stop 50 %");
    while person.time_now("1 x real time") < 2.0 {}
    person.press("\x1b");
    let (code, here) = person.ends();
    assert_eq!(code, 0, "Esc");
    let moved = summary(here.path())["agents"][0]["distance_m"]
        .as_f64()
        .unwrap();
    assert!(moved < 0.02, "{moved}");
}

#[test]
fn terminal_is_restored_after_a_signal_and_after_an_error() {
    for name in ["TERM", "HUP"] {
        let mut person = Person::runs("kernel.ron --interactive --rerun off");
        person.time("1 x real time");
        signal(name, person.pid);
        assert_eq!(person.ends().0, 130, "{name}");
    }
    // The run succeeds, but its summary cannot be written.
    let mut person = Person::runs("kernel.ron --interactive --rerun off --summary gone/s.json");
    person.wait_for("gone/s.json");
    assert_eq!(person.ends().0, 2);
    let mut person = Person::runs("kernel.ron --interactive --rerun off --summary s.json");
    person.time("1 x real time");
    let s = person.here.path().join("s.json");
    std::fs::create_dir(&s).unwrap();
    person.press("q");
    person.wait_for("error: s.json");
    assert_eq!(person.ends().0, 1);
}

#[test]
fn missing_terminal_or_drive_is_an_error_before_the_run() {
    let here = folder(&[("kernel.ron", KERNEL)]);
    for args in [["--interactive"], ["--teleop"]] {
        let mut all = vec!["run", "kernel.ron", "--rerun", "off"];
        all.extend(args);
        let ran = run(here.path(), &all);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.stderr.contains("standard input is no terminal"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
    }
    let mut person = Person::runs("kernel.ron --teleop --rerun off");
    person.wait_for("no agent with a drive");
    assert_eq!(person.ends().0, 2);
    let mut person = Person::runs("robot --teleop=rovr --rerun off");
    person.wait_for("found `rovr`; expected an agent with a drive: rover; did you mean");
    assert_eq!(person.ends().0, 2);
}

#[test]
fn an_alarm_has_a_line_above_the_status_line() {
    let fault = r#"faults=[(sensor: \"rover/encoders/0\", kind: Scale(1.3), at_s: 19, for_s: 1)]"#;
    let mut person = Person::runs(&format!(
        "robot --interactive --rate 8 --rerun off --set \"{fault}\""
    ));
    person.wait_for("alarm: 19.");
    person.wait_for(" s, rover: encoders/0, surprise ");
    let (_, rest) = person
        .terminal
        .exp_regex("[0-9.]+\r\n[\r ]*[0-9]+\\.[0-9]{3} s, 8 x real time")
        .unwrap();
    assert!(rest.contains('\n'));
    person.wait_for("over: 2");
    person.time("8 x real time");
    person.press("q");
    assert_eq!(person.ends().0, 0);
}
