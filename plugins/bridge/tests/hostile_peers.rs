//! Peers that drip, fragment, stall, redirect and close one end only: commands reach them, or the link is down.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_bridge::{FileKind, HttpKind, ProcessKind, WebSocketKind};
use becomingone_components::link::{LinkState, Queue};
use becomingone_components::sensor::ValueRow;
use becomingone_rig::{LIMIT, Rig, instrument};
use becomingone_systems::links::DriverKind;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// An instrument `s` of one number `x`, and a drive, where there is a source for it; armed.
fn open(kind: impl DriverKind, sensor: Option<&str>, drive: Option<&str>) -> Rig<ValueRow> {
    let instrument = || instrument("s", &["x"], Queue::DropOldest(10_000));
    let sensor = sensor.map(|config| (instrument(), config));
    Rig::new(kind, sensor, drive, true)
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Speed of a command, and whether it is a safe one.
fn speed(command: &[u8]) -> (f64, bool) {
    let command: Value = serde_json::from_slice(command).unwrap();
    let speed = command["values"][0].as_f64().unwrap();
    (speed, command["safe"].as_bool().unwrap())
}

/// A WebSocket server that sends readings until the first command, and then in another manner; the commands it receives.
fn websocket(then: fn(TcpStream)) -> (u16, Receiver<(f64, bool)>) {
    let (listener, port) = listen();
    let (sender, commands) = channel();
    std::thread::spawn(move || {
        while let Ok((tcp, _)) = listener.accept() {
            let (mut out, sender) = (tcp.try_clone().unwrap(), sender.clone());
            std::thread::spawn(move || {
                let mut input = tcp.try_clone().unwrap();
                // It answers no ping: whatever is sent is sent below.
                let _socket = tungstenite::accept(tcp).unwrap();
                out.write_all(b"\x81\x08{\"x\": 1}").unwrap();
                let mut out = Some(out);
                while let Some((opcode, text)) = frame(&mut input) {
                    if opcode == 1 {
                        let _ = sender.send(speed(&text));
                        if let Some(out) = out.take() {
                            std::thread::spawn(move || then(out));
                        }
                    }
                }
            });
        }
    });
    (port, commands)
}

/// A frame of a client (RFC 6455, section 5.2): its opcode and payload.
fn frame(input: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    input.read_exact(&mut head).ok()?;
    let mut length = u16::from(head[1] & 0x7F);
    if length == 126 {
        let mut long = [0; 2];
        input.read_exact(&mut long).ok()?;
        length = u16::from_be_bytes(long);
    }
    let mut mask = [0; 4];
    input.read_exact(&mut mask).ok()?;
    let mut payload = vec![0; length.into()];
    input.read_exact(&mut payload).ok()?;
    let unmasked = payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b);
    Some((head[0] & 0xF, unmasked.collect()))
}

/// A message of 1 MB, a byte at a time.
fn drip(mut out: TcpStream) {
    let mut next: &[u8] = b"\x82\x7f\x00\x00\x00\x00\x00\x10\x00\x00";
    while out.write_all(next).is_ok() {
        next = b"x";
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A message of empty fragments that does not end.
fn fragment(mut out: TcpStream) {
    let mut next: &[u8] = b"\x02\x00";
    while out.write_all(next).is_ok() {
        next = &[0; 128];
    }
}

#[test]
fn a_websocket_server_that_drips_or_fragments_gets_its_commands_and_is_down_in_the_end() {
    for then in [drip, fragment] {
        let (port, commands) = websocket(then);
        let config = format!("(url: \"ws://127.0.0.1:{port}/\")");
        let mut rig = open(WebSocketKind, Some(&config), Some(&config));
        let mut latest = 0.0;
        for speed in [0.25, 0.5, 0.75] {
            rig.until("a command", |rig| {
                rig.command(speed, 0.0);
                latest = commands
                    .try_iter()
                    .last()
                    .map_or(latest, |(speed, _)| speed);
                latest == speed
            });
        }
        // The message never ends, and is no answer to a ping.
        rig.until("the end of it", |rig| {
            rig.link("s").state == LinkState::Down
        });
        rig.until("a new connection", |rig| {
            rig.command(1.0, 0.0);
            commands.try_iter().any(|(speed, _)| speed == 1.0)
        });
        rig.rest();
        while commands.recv_timeout(LIMIT).unwrap() != (0.0, true) {}
    }
}

/// One request: its first line and headers, and its body.
fn request(tcp: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        if tcp.read_line(&mut head).ok()? == 0 {
            return None;
        }
        let line = head[begin..].trim().to_ascii_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    tcp.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn answer(tcp: &mut BufReader<TcpStream>, head: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = tcp.get_mut().write_all(text.as_bytes());
}

#[test]
fn a_redirect_to_tls_is_no_end_of_the_run() {
    let (listener, port) = listen();
    std::thread::spawn(move || {
        let mut requests = 0;
        for tcp in listener.incoming() {
            let tcp = tcp.unwrap();
            let mut first = [0];
            // A handshake of TLS: nobody here has it.
            if tcp.peek(&mut first).is_err() || first == *b"\x16" {
                continue;
            }
            let mut tcp = BufReader::new(tcp);
            while request(&mut tcp).is_some() {
                requests += 1;
                match requests {
                    1 => {
                        let head = format!("302 Found\r\nLocation: https://127.0.0.1:{port}/state");
                        answer(&mut tcp, &head, "");
                    }
                    _ => answer(&mut tcp, "200 OK", "{\"x\": 7}"),
                }
            }
        }
    });
    let config = format!("(url: \"http://127.0.0.1:{port}/state\", every_s: 0.02)");
    let mut rig = open(HttpKind, Some(&config), None);
    rig.until("readings", |rig| rig.readings("s").len() > 3);
    assert_eq!(rig.link("s").state, LinkState::Up);
}

/// A server whose answer to the first command takes its time; the commands it receives.
fn slow_server() -> (u16, Receiver<(f64, bool)>) {
    let (listener, port) = listen();
    let (sender, commands): (Sender<(f64, bool)>, _) = channel();
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let (mut tcp, sender) = (BufReader::new(tcp.unwrap()), sender.clone());
            std::thread::spawn(move || {
                while let Some((_, body)) = request(&mut tcp) {
                    let command = speed(&body);
                    let _ = sender.send(command);
                    if !command.1 {
                        std::thread::sleep(LIMIT);
                    }
                    answer(&mut tcp, "200 OK", "");
                }
            });
        }
    });
    (port, commands)
}

#[test]
fn a_slow_answer_to_a_command_does_not_hold_up_the_safe_one() {
    let (port, commands) = slow_server();
    let config = format!("(url: \"http://127.0.0.1:{port}/\", timeout_s: 60)");
    let mut rig = open(HttpKind, None, Some(&config));
    rig.until("a command", |rig| {
        rig.command(0.5, 0.0);
        commands.try_recv().is_ok()
    });
    let begun = Instant::now();
    rig.rest();
    let safe = commands.recv_timeout(LIMIT).unwrap();
    assert_eq!(safe, (0.0, true));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_program_that_closes_its_standard_input_is_down() {
    let config = "(argv: [\"sh\", \"-c\", \"exec 0<&-; while :; do sleep 0.1; done\"])";
    let mut rig = open(ProcessKind, None, Some(config));
    for _ in 0..2 {
        rig.until("it is started", |rig| {
            rig.command(0.5, 0.0);
            rig.link("drive").state == LinkState::Up
        });
        rig.until("a command that it does not read", |rig| {
            rig.command(0.5, 0.0);
            rig.link("drive").state == LinkState::Down
        });
    }
}

#[test]
fn a_program_that_ends_is_noticed_while_what_it_started_prints_and_its_own_lines_are_all_read() {
    let script = "while :; do echo '{\"x\": 0}'; sleep 0.01; done & k=0; while [ $k -lt 3000 ]; do k=$((k+1)); echo \"{\\\"x\\\": $k}\"; done; exit 3";
    let config = format!("(argv: [\"sh\", \"-c\", {script:?}])");
    let mut rig = open(ProcessKind, Some(&config), None);
    rig.until("its end", |rig| rig.link("s").state == LinkState::Down);
    let own: Vec<f64> = rig.numbers("s").into_iter().filter(|x| *x > 0.0).collect();
    assert!(own.len() >= 3000, "{}", own.len());
}

/// A file without a size, whose content is another one at each look.
#[cfg(target_os = "linux")]
#[test]
fn a_file_of_the_kernel_that_is_followed_is_read_once_in_a_period() {
    let config = "(path: \"/proc/uptime\", every_s: 0.1, decode: Csv(columns: [\"x\", \"idle\"], separator: ' '))";
    let mut rig = open(FileKind, Some(config), None);
    let begun = Instant::now();
    rig.until("a second", |_| begun.elapsed() > Duration::from_secs(1));
    let read = rig.link("s").received;
    assert!((2..=11).contains(&read), "{read} readings within a second");
}
