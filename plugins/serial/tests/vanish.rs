//! A serial server that vanishes without closing its connections: it is noticed, and opened again when it is back.
//!
//! The test runs itself in two network namespaces, which a pair of virtual Ethernet devices joins: the driver in one, the
//! server in the other, whose device is switched off and on. No packet of it arrives meanwhile, as if its power failed.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod rig;

use becomingone_components::link::{LinkState, Queue};
use becomingone_rig::until;
use rig::{Rig, open};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NAME: &str = "a_serial_server_that_vanishes_is_noticed_within_15_s_and_opened_again";
/// What this process does: nothing special, `driver` or `server`.
const ROLE: &str = "BECOMINGONE_VANISH_ROLE";
const SERVER: &str = "10.77.0.2";
const PORT: u16 = 4001;

/// This test in another process, by a program that makes a namespace.
fn in_namespace(options: &[&str], role: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(options)
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(ROLE, role);
    command
}

/// Prints a line past the test harness.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

fn skip(reason: &str) {
    say(&format!(
        "skipped: a serial server that vanishes: {}",
        reason.trim()
    ));
}

#[test]
fn a_serial_server_that_vanishes_is_noticed_within_15_s_and_opened_again() {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => return serve(),
        Ok(_) => return drive(),
        Err(_) => {}
    }
    let ran = in_namespace(&["--user", "--map-root-user", "--net"], "driver").output();
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) => return skip(&format!("no program `unshare`: {error}")),
    };
    let out = String::from_utf8_lossy(&ran.stdout);
    let err = String::from_utf8_lossy(&ran.stderr);
    let mut lines = out.lines().chain(err.lines());
    let is_refusal =
        |line: &&str| line.starts_with("unshare: ") || line.starts_with("no devices: ");
    if let Some(line) = lines.find(is_refusal) {
        return skip(line);
    }
    assert!(ran.status.success(), "{out}{err}");
    assert!(out.contains("opened again"), "{out}{err}");
    let line = out.lines().find(|line| line.starts_with("noticed"));
    say(line.unwrap_or_default());
}

/// A server that sends a reading to each that connects, and takes what it gets.
fn serve() {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    println!("\nlistening");
    for stream in listener.incoming() {
        let mut stream: TcpStream = stream.unwrap();
        std::thread::spawn(move || {
            stream.write_all(b"{\"x\": 1.5}\n").unwrap();
            while stream.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {}
        });
    }
}

/// The server in its namespace; ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start() -> Self {
        let mut command = in_namespace(&["--net"], "server");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let server = Self(child);
        let mut lines = out.lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "listening"), "no server");
        server
    }

    /// `ip` in the namespace of the server.
    fn ip(&self, arguments: &str) {
        let pid = self.0.id().to_string();
        let ran = Command::new("nsenter")
            .args(["--target", &pid, "--net", "--", "ip"])
            .args(arguments.split(' '))
            .status();
        assert!(ran.unwrap().success(), "ip {arguments}");
    }
}

/// `ip` in our namespace.
fn ip(arguments: &str) -> Result<(), String> {
    let ran = Command::new("ip").args(arguments.split(' ')).output();
    let ran = ran.map_err(|error| error.to_string())?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ran.stderr).replace('\n', " ")),
    }
}

fn drive() {
    let server = Server::start();
    if let Err(reason) = ip("link add near type veth peer name far") {
        println!("\nno devices: {reason}");
        return;
    }
    ip(&format!("link set far netns {}", server.0.id())).unwrap();
    ip("addr add 10.77.0.1/24 dev near").unwrap();
    ip("link set near up").unwrap();
    server.ip(&format!("addr add {SERVER}/24 dev far"));
    server.ip("link set far up");

    let source = format!("(port: \"tcp://{SERVER}:{PORT}\", protocol: JsonLines)");
    // One that only waits: probes notice it. One that sends commands: nothing acknowledges them.
    let mut waits = open(&[&source], Queue::default(), false);
    let mut sends = open(&[&source, &source], Queue::default(), true);
    let mut both = |what: &str, reached: &dyn Fn(&Rig, &Rig) -> bool| {
        until(what, || {
            sends.command(0.5, 0.0);
            for rig in [&mut waits, &mut sends] {
                rig.tick();
            }
            std::thread::sleep(Duration::from_micros(500));
            reached(&waits, &sends)
        });
    };
    let is_up = |rig: &Rig| rig.link("s").state == LinkState::Up;
    let all = |readings| {
        move |a: &Rig, b: &Rig| {
            [a, b]
                .iter()
                .all(|rig| is_up(rig) && rig.link("s").received == readings)
        }
    };
    both("a reading of each", &all(1));
    let begun = Instant::now();
    // Commands are acknowledged, and a connection without traffic is kept.
    both("some time", &|_, _| {
        begun.elapsed() > Duration::from_secs(8)
    });
    both("no loss", &all(1));

    server.ip("link set far down");
    let gone = Instant::now();
    let noticed = std::cell::Cell::new([None; 2]);
    both("both are down", &|a, b| {
        let mut times = noticed.get();
        for (time, rig) in times.iter_mut().zip([a, b]) {
            if time.is_none() && !is_up(rig) {
                *time = Some(gone.elapsed());
            }
        }
        noticed.set(times);
        times.iter().all(Option::is_some)
    });
    let times = noticed.get().map(Option::unwrap);
    for time in times {
        assert!(time > Duration::from_secs(3), "{times:?}");
        assert!(time < Duration::from_secs(15), "{times:?}");
    }
    server.ip("link set far up");
    both("a reading of each again", &all(2));
    let [waiting, sending] = times.map(|time| time.as_secs_f64());
    println!(
        "\nnoticed after {waiting:.1} s without traffic, after {sending:.1} s with commands; opened again"
    );
}
