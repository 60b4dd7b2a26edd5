//! A hundred clients that watch a run at 50 Hz, and one that drives it: what they cost a tick, and how old what they see is.
//!
//! ```text
//! cargo run --release -p becomingone-api --example hundred_clients -- [SECONDS] [CLIENTS]
//! ```
//!
//! The clients are threads of this process and share its CPUs. Printed: the CPU time of a tick without and with them; the
//! time from the end of a tick to a client that has its view; the time from a request to the actuator's command.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and clients live by the wall clock"
)]

use becomingone::prelude::*;
use becomingone_api::{Api, Tokens};
use hdrhistogram::Histogram;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, client};

/// Views a second that each client asks for.
const RATE_HZ: f64 = 50.0;
/// Ticks whose end is known at once.
const TICKS: usize = 4096;
/// Time between two requests, and steps of their speeds (m/s).
const REQUEST_EVERY: Duration = Duration::from_millis(20);
const STEP_M_S: f64 = 1e-4;
const SPEEDS: usize = 2000;

/// What clients and ticks have in common.
#[derive(Resource, Clone)]
struct Seen(Arc<Times>);

struct Times {
    begun: Instant,
    /// End of each of the last ticks (ns since the begin).
    ends_ns: Vec<AtomicU64>,
    /// When each speed was asked for (ns; 0: not yet, or it is commanded).
    asked_ns: Vec<AtomicU64>,
    views: Mutex<Histogram<u64>>,
    requests: Mutex<Histogram<u64>>,
    end: AtomicBool,
}

impl Times {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn record(times: &Mutex<Histogram<u64>>, ns: u64) {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    times.saturating_record(ns);
}

/// Notes the end of a tick.
fn tick_ends(seen: Res<Seen>, time: Res<SimTime>) {
    let end = &seen.0.ends_ns[time.tick as usize % TICKS];
    end.store(seen.0.now_ns(), Ordering::Release);
}

/// Notes when a speed that was asked for is commanded.
fn commanded(seen: Res<Seen>, targets: Query<&ActuatorTarget<Twist2>>) {
    for target in &targets {
        let speed = (target.0.linear_m_s / STEP_M_S).round() as usize;
        let asked_ns = seen
            .0
            .asked_ns
            .get(speed)
            .map_or(0, |ns| ns.swap(0, Ordering::AcqRel));
        if asked_ns > 0 {
            record(&seen.0.requests, seen.0.now_ns().saturating_sub(asked_ns));
        }
    }
}

/// Watches until the end.
fn watch(times: &Times, host: &str, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut request = format!("ws://{host}/v1/stream").into_client_request()?;
    let bearer = format!("Bearer {token}").parse()?;
    request.headers_mut().insert("Authorization", bearer);
    let (mut socket, _) = client(request, TcpStream::connect(host)?)?;
    let wanted = format!(r#"{{"type": "subscribe", "rate_hz": {RATE_HZ}}}"#);
    socket.send(Message::text(wanted))?;
    while !times.end.load(Ordering::Acquire) {
        let message = socket.read()?;
        let now_ns = times.now_ns();
        let Message::Text(text) = message else {
            continue;
        };
        if let Some((_, rest)) = text.split_once("\"tick\":") {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let tick: usize = rest[..digits].parse()?;
            let end_ns = times.ends_ns[tick % TICKS].load(Ordering::Acquire);
            record(&times.views, now_ns.saturating_sub(end_ns));
        }
    }
    Ok(())
}

/// Status of the answer to a request on a connection that stays open, and its content.
fn ask(
    socket: &mut TcpStream,
    head: &str,
    body: &str,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let text = format!(
        "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = socket.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if n == 0 || text.contains("}") {
            return Ok(text);
        }
    }
}

/// Drives until the end.
fn drive(times: &Times, host: &str, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = TcpStream::connect(host)?;
    socket.set_nodelay(true)?;
    let head = |path: &str| {
        format!(
            "POST /v1/agents/rover/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        )
    };
    let granted = ask(&mut socket, &head("lease"), r#"{"for_s": 3600}"#)?;
    let id = granted
        .split("\"id\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let id = id.ok_or_else(|| granted.clone())?;
    let head = format!("{}Lease: {id}\r\n", head("requests"));
    for k in (1..SPEEDS).cycle() {
        if times.end.load(Ordering::Acquire) {
            return Ok(());
        }
        let body = format!(
            r#"{{"kind": "drive", "linear_m_s": {}}}"#,
            k as f64 * STEP_M_S
        );
        times.asked_ns[k].store(times.now_ns(), Ordering::Release);
        let answer = ask(&mut socket, &head, &body)?;
        if !answer.starts_with("HTTP/1.1 202") {
            return Err(answer.into());
        }
        thread::sleep(REQUEST_EVERY);
    }
    Ok(())
}

/// CPU time of this thread (ns); none on systems that do not tell.
fn cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn row(name: &str, times: &Mutex<Histogram<u64>>) {
    let times = times.lock().unwrap_or_else(PoisonError::into_inner);
    let us = |ns: u64| ns as f64 / 1e3;
    println!(
        "{name:<34}{:>8} {:>10.0} {:>10.0} {:>10.0}",
        times.len(),
        us(times.value_at_quantile(0.5)),
        us(times.value_at_quantile(0.99)),
        us(times.max())
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(3.0), |text| text.parse())?;
    let clients: usize = arguments.next().map_or(Ok(100), |text| text.parse())?;
    let times = Arc::new(Times {
        begun: Instant::now(),
        ends_ns: (0..TICKS).map(|_| AtomicU64::new(0)).collect(),
        asked_ns: (0..SPEEDS).map(|_| AtomicU64::new(0)).collect(),
        views: Mutex::new(Histogram::new_with_bounds(1, 60_000_000_000, 2)?),
        requests: Mutex::new(Histogram::new_with_bounds(1, 60_000_000_000, 2)?),
        end: AtomicBool::new(false),
    });
    let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    let seen = Seen(times.clone());
    engine.add_plugin(move |app: &mut App| {
        app.insert_resource(seen.clone())
            .add_systems(
                Tick,
                commanded.in_set(TickSystems::Decide).after(ControlSystems),
            )
            .add_systems(Tick, tick_ends.in_set(First(TickSystems::Publish)));
    });
    let (token, tokens) = Tokens::random()?;
    let folder = tempfile::tempdir()?;
    let api = Api::new().port(0).tokens(tokens).folder(folder.path());
    let serving = api.start(&mut engine)?;
    let host = serving.url().trim_start_matches("http://").to_owned();
    engine.set_duration(Duration::MAX);
    engine.set_pace(Pace::RealTime).start()?;

    // Warm, then without clients, then with them.
    let part = Duration::from_secs_f64(seconds);
    engine.run_for(part / 4)?;
    let mut ticks = Vec::new();
    let mut threads = Vec::new();
    for with in [false, true] {
        if with {
            for _ in 0..clients {
                let (times, host, token) = (times.clone(), host.clone(), token.clone());
                threads.push(thread::spawn(move || watch(&times, &host, &token)));
            }
            let (times, host, token) = (times.clone(), host.clone(), token.clone());
            threads.push(thread::spawn(move || drive(&times, &host, &token)));
        }
        let (cpu, tick, at) = (cpu_ns(), engine.time().tick, Instant::now());
        engine.run_for(part)?;
        let count = (engine.time().tick - tick) as f64;
        let us = cpu.zip(cpu_ns()).map(|(a, b)| (b - a) as f64 / 1e3 / count);
        ticks.push((us, count / at.elapsed().as_secs_f64()));
    }
    times.end.store(true, Ordering::Release);
    drop(serving);
    for thread in threads {
        // They end with the server.
        if let Ok(Err(error)) = thread.join()
            && times
                .views
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty()
        {
            println!("{error}");
        }
    }
    let shown = |us: Option<f64>| us.map_or("?".to_owned(), |us| format!("{us:.1}"));
    println!(
        "CPU time of a tick (us): {} alone, {} with {clients} clients at {RATE_HZ} Hz",
        shown(ticks[0].0),
        shown(ticks[1].0)
    );
    println!(
        "ticks a second: {:.0} alone, {:.0} with them",
        ticks[0].1, ticks[1].1
    );
    println!(
        "{:<34}{:>8} {:>10} {:>10} {:>10}",
        "time (us)", "count", "p50", "p99", "max"
    );
    row("end of a tick to a client's view", &times.views);
    row("request to the actuator's command", &times.requests);
    Ok(())
}
