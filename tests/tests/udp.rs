//! Sensor sources, external input and the UDP driver, with failures injected over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::CoherenceEngine;
use becomingone::components::event::{AgentEvent, EventKind};
use becomingone::components::link::{ClockState, Entered, Frame, Link, LinkState, Payload};
use becomingone::prelude::*;
use becomingone::scene::{self, Overlays};
use becomingone::systems::hash::StateHash;
use becomingone::systems::links::{ExternalInput, Sample};
use becomingone::udp::protocol::encode_reading;
use becomingone_tests::{folder, get, run, say, until};
use serde_json::Value;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// Local socket and its port.
fn socket() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Free port.
fn free_port() -> u16 {
    socket().1
}

/// Instrument `box/meter` with one number, listening on a port.
fn meter(port: u16, more: &str) -> String {
    format!(
        "(version: 1, duration_s: 10.0, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
            name: \"meter\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 100.0,
            source: Driver(\"udp\", (listen: {port})), {more})])])"
    )
}

fn engine(text: &str) -> CoherenceEngine {
    let folder = folder(&[("s.ron", text)]);
    let mut engine =
        CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap_or_else(|e| panic!("{e}"));
    engine.start().unwrap_or_else(|e| panic!("{e}"));
    engine
}

fn link(engine: &CoherenceEngine, name: &str) -> Link {
    get::<Link>(engine, name)
}

/// Sender of `box/meter` datagrams.
struct Sender {
    socket: UdpSocket,
    to: u16,
    session: Option<u64>,
}

impl Sender {
    fn to(port: u16) -> Self {
        Self {
            socket: socket().0,
            to: port,
            session: None,
        }
    }

    fn bytes(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, ("127.0.0.1", self.to)).unwrap();
    }

    fn send(&self, sequence: u64) {
        self.bytes(&encode_reading(
            "box/meter",
            &Sample {
                sequence: Some(sequence),
                session: self.session,
                stamp_ns: Some(5_000_000_000 + sequence * 1_000_000),
                numbers: vec![sequence as f64],
                ..Sample::default()
            },
        ));
    }
}

/// Steps the engine until the link reaches a state.
fn ticks_until(engine: &mut CoherenceEngine, what: &str, reached: impl Fn(&Link) -> bool) {
    until(LIMIT, what, || {
        engine.step().unwrap();
        std::thread::sleep(Duration::from_micros(200));
        reached(&link(engine, "box/meter"))
    });
}

#[derive(Resource, Default)]
struct Collected {
    values: Vec<f64>,
    events: Vec<String>,
}

fn collect(
    mut collected: ResMut<Collected>,
    sensors: Query<&Reading<becomingone::components::sensor::ValueRow>>,
    mut events: MessageReader<AgentEvent>,
) {
    for reading in &sensors {
        collected
            .values
            .extend(reading.batch().map(|s| s.value.numbers[0]));
    }
    collected
        .events
        .extend(events.read().map(|h| format!("{}: {}", h.agent, h.kind)));
}

fn collecting_engine(text: &str) -> CoherenceEngine {
    let folder = folder(&[("s.ron", text)]);
    let mut engine =
        CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap_or_else(|e| panic!("{e}"));
    engine.world_mut().init_resource::<Collected>();
    engine.add_plugin(|app: &mut App| {
        app.add_systems(Tick, collect.in_set(TickSystems::Publish));
    });
    engine.start().unwrap_or_else(|e| panic!("{e}"));
    engine
}

#[test]
fn lost_duplicate_late_and_malformed_datagrams_and_restarts_are_counted_exactly() {
    let port = free_port();
    let mut engine = collecting_engine(&meter(port, "silence: (after_s: 1000.0)"));
    let mut sender = Sender::to(port);
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);

    // 0 1 2, 3 lost, 4 twice, 6 before 5, 7 to 20.
    for sequence in [0, 1, 2, 4, 4, 6, 5].into_iter().chain(7..=20) {
        sender.send(sequence);
    }
    for garbage in [
        &b"hello"[..],
        b"{}",
        b"\xff\x00",
        b"{\"sensor\": \"box/other\", \"sequence\": 1, \"values\": [1]}",
    ] {
        sender.bytes(garbage);
    }
    // An invalid datagram uses a sequence number and is dropped.
    sender.bytes(
        br#"{"sensor": "box/meter", "sequence": 21, "stamp_ns": 5021000000, "values": [1, 2]}"#,
    );
    sender.send(22);
    ticks_until(&mut engine, "22 came", |l| {
        l.received + l.counts.dropped >= 22
    });
    let seen = link(&engine, "box/meter");
    let counts = seen.counts;
    assert_eq!(
        (
            counts.gaps,
            counts.duplicates,
            counts.reordered,
            counts.garbage,
            counts.dropped,
            seen.received
        ),
        (1, 1, 1, 4, 2, 20)
    );
    // Sent once each: 0 to 22.
    assert_eq!(seen.received + counts.dropped + counts.gaps, 23);

    // The sender restarts at 0, in a new session.
    sender.session = Some(7);
    (0..5).for_each(|k| sender.send(k));
    ticks_until(&mut engine, "a new session", |l| l.received >= 25);
    let seen = link(&engine, "box/meter");
    assert_eq!(
        (seen.counts.restarts, seen.counts.gaps, seen.received),
        (1, 1, 25)
    );
    assert_eq!(seen.clock.state, ClockState::Acquiring);

    let values = &engine.world().resource::<Collected>().values;
    let expected = [0, 1, 2, 4, 6]
        .into_iter()
        .chain(7..=20)
        .chain([22])
        .chain(0..5);
    assert_eq!(*values, expected.map(f64::from).collect::<Vec<_>>());
    let stats = &engine.summary().agents[0].sensors[0];
    assert_eq!((stats.readings, stats.dropped), (25, 2));
}

#[test]
fn a_flood_of_datagrams_is_dropped_and_counted_without_delaying_ticks() {
    let port = free_port();
    let queue = "queue: DropOldest(16), silence: (after_s: 1000.0)";
    let mut flooded = engine(&meter(port, queue));
    let silent = meter(port, queue).replace(&format!("Driver(\"udp\", (listen: {port}))"), "Off");
    let mut control = engine(&silent);
    ticks_until(&mut flooded, "up", |l| l.state == LinkState::Up);
    let sender = Sender::to(port);
    sender.send(0);
    ticks_until(&mut flooded, "the first", |l| l.received == 1);

    // Ten times the rate of 100 Hz: a hundred datagrams in a tick of ten periods.
    const TICKS: u64 = 300;
    const A_TICK: u64 = 100;
    let mut times = [Vec::new(), Vec::new()];
    let mut sent = 1;
    for _ in 0..TICKS {
        for _ in 0..A_TICK {
            sender.send(sent);
            sent += 1;
        }
        for (engine, times) in [&mut flooded, &mut control].into_iter().zip(&mut times) {
            let begun = Instant::now();
            engine.step().unwrap();
            times.push(begun.elapsed());
        }
    }
    // The last one must arrive, as its loss cannot be detected; a repetition counts as a duplicate.
    until(LIMIT, "all counted", || {
        sender.send(sent - 1);
        std::thread::sleep(Duration::from_millis(1));
        flooded.step().unwrap();
        let l = link(&flooded, "box/meter");
        l.received + l.counts.dropped + l.counts.gaps == sent
    });
    let seen = link(&flooded, "box/meter");
    assert!(seen.counts.dropped > 0, "{seen:?}");
    assert_eq!(seen.counts.garbage + seen.counts.restarts, 0);
    let [flood, quiet] = times.map(|mut t| {
        t.sort();
        t[t.len() / 2]
    });
    say(&format!(
        "median tick: {flood:?} flooded, {quiet:?} quiet, {seen:?}"
    ));
    // At most 16 readings of 1 to 2 µs each, on top of the cost of a tick.
    assert!(
        flood < quiet * 3 + Duration::from_micros(300),
        "{flood:?} against {quiet:?}"
    );
}

#[test]
fn a_listener_of_all_addresses_receives_from_both_families() {
    let (Ok(six), port) = (UdpSocket::bind("[::1]:0"), free_port()) else {
        return say("skipped: no IPv6 on this machine");
    };
    let text = meter(port, "").replace(
        &format!("listen: {port}"),
        &format!("listen: \"[::]:{port}\""),
    );
    let mut engine = collecting_engine(&text);
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
    let four = Sender::to(port);
    let reading = |x: u8| format!("{{\"sensor\": \"box/meter\", \"values\": [{x}]}}");
    four.bytes(reading(4).as_bytes());
    ticks_until(&mut engine, "IPv4", |l| l.received == 1);
    six.send_to(reading(6).as_bytes(), ("::1", port)).unwrap();
    ticks_until(&mut engine, "IPv6", |l| l.received == 2);
    assert_eq!(engine.world().resource::<Collected>().values, [4.0, 6.0]);
}

#[test]
fn a_sensor_without_a_datagram_is_logged_once_with_its_address() {
    let port = free_port();
    let here = folder(&[("s.ron", &meter(port, ""))]);
    let args = [
        "run",
        "s.ron",
        "--rerun",
        "off",
        "--quiet",
        "--duration",
        "3.5s",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = format!("box/meter: no datagram within 3 s at 127.0.0.1:{port}");
    assert_eq!(ran.stderr.matches(&told).count(), 1, "{}", ran.stderr);
}

#[test]
fn a_silent_link_is_stale_until_data_arrive_again() {
    let port = free_port();
    let mut engine = collecting_engine(&meter(port, "silence: (after_s: 0.05, then: Zero)"));
    let sender = Sender::to(port);
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
    sender.send(3);
    ticks_until(&mut engine, "a reading", |l| l.received == 1 && !l.stale);
    for _ in 0..60 {
        engine.step().unwrap();
    }
    assert!(link(&engine, "box/meter").stale);
    sender.send(4);
    ticks_until(&mut engine, "a fresh reading", |l| !l.stale);
    let collected = engine.world().resource::<Collected>();
    assert!(collected.values.contains(&0.0), "{:?}", collected.values);
    let last = &collected.events[collected.events.len() - 2..];
    let expected = [
        "box: meter became stale",
        "box: meter delivers readings again",
    ];
    assert_eq!(last, expected);
    assert!(engine.summary().agents[0].sensors[0].stale >= 1);
}

#[test]
fn silence_of_a_required_sensor_ends_the_run() {
    let text = meter(free_port(), "silence: (after_s: 0.02, then: Fail)");
    let mut engine = engine(&text);
    let error = (0..1000).find_map(|_| engine.step().err()).unwrap();
    let text = error.to_string();
    assert!(text.contains("box/meter: no reading for 0.02"), "{text}");
    assert!(!error.is_bad_input());
}

#[test]
fn overflow_of_a_lossless_queue_is_a_fault_until_the_reset() {
    let port = free_port();
    let mut engine = engine(&meter(port, "queue: Lossless(4)"));
    let sender = Sender::to(port);
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
    (0..40).for_each(|k| sender.send(k));
    std::thread::sleep(Duration::from_millis(100));
    ticks_until(&mut engine, "faulted", |l| l.state == LinkState::Faulted);
    let seen = link(&engine, "box/meter");
    assert!(seen.received <= 4 && seen.counts.dropped > 0, "{seen:?}");
    engine.reset().unwrap();
    sender.send(41);
    ticks_until(&mut engine, "again", |l| {
        l.state == LinkState::Up && l.received == 1
    });
    assert_eq!(link(&engine, "box/meter").counts.dropped, 0);
}

/// Rover with a hardware drive, and a range sensor that arrives by UDP.
fn real_rover(readings: u16, commands: u16) -> String {
    let rover = becomingone_tests::root().join("assets/rover.urdf");
    format!(
        "(version: 1, agents: [(name: \"rover\", model: \"{}\", drive: Auto, coherence: off,
            drive_source: Driver(\"udp\", (to: {commands})),
            sensors: [
                (name: \"lidar\", kind: Lidar(rays: 8, range_max_m: 5.0), rate_hz: 10.0, position_m: (0, 0, 0.3)),
                (name: \"gauge\", kind: Range(range_max_m: 4.0), rate_hz: 50.0, position_m: (0, 0, 0.3),
                 source: Driver(\"udp\", (listen: {readings}, sensor: \"g\")), silence: (after_s: 0.1)),
            ],
            controller: Patrol(waypoints_m: [(5.0, 0.0)], speed_m_s: 0.5),
        )])",
        rover.display()
    )
}

fn command(socket: &UdpSocket) -> Value {
    let mut buffer = [0; 2048];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    serde_json::from_slice(&buffer[..length]).unwrap()
}

#[test]
fn armed_hardware_gets_the_safe_command_when_a_sensor_falls_silent_and_at_the_end() {
    let readings = free_port();
    let (socket, commands) = socket();
    let folder = folder(&[("s.ron", &real_rover(readings, commands))]);
    let mut engine = CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap();
    engine.set_armed(true);
    engine.start().unwrap();
    let sender = Sender::to(readings);
    let mut next = 0;
    let mut stream = |engine: &mut CoherenceEngine, ticks: u32| {
        for k in 0..ticks {
            if k % 10 == 0 {
                let text =
                    format!("{{\"sensor\": \"g\", \"sequence\": {next}, \"values\": [2.5]}}");
                sender.bytes(text.as_bytes());
                next += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            engine.step().unwrap();
        }
    };
    stream(&mut engine, 600);
    assert_eq!(
        get::<Reading<Distance>>(&engine, "rover/gauge")
            .latest()
            .unwrap()
            .value
            .range_m,
        2.5
    );
    until(LIMIT, "it drives", || {
        stream(&mut engine, 10);
        let message = command(&socket);
        assert_eq!(
            (&message["actuator"], &message["kind"]),
            (&"rover/drive".into(), &"twist".into())
        );
        message["safe"] == false && message["values"][0].as_f64().unwrap() > 0.4
    });
    // Time-out: after 0.1 s of simulated time the next command is the safe one.
    until(LIMIT, "safe command", || {
        (0..10).for_each(|_| engine.step().unwrap());
        let message = command(&socket);
        message["safe"] == true && message["values"] == serde_json::json!([0.0, 0.0])
    });
    // The sensor resumes, and so do controller commands.
    until(LIMIT, "controller command", || {
        stream(&mut engine, 10);
        command(&socket)["safe"] == false
    });
    // The final command is the safe one, however the run ends.
    drop(engine);
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut last = Value::Null;
    let mut buffer = [0; 2048];
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        last = serde_json::from_slice(&buffer[..length]).unwrap();
    }
    assert_eq!(last["safe"], true, "{last}");
    assert_eq!(last["values"], serde_json::json!([0.0, 0.0]));
}

#[test]
fn hardware_that_is_not_armed_gets_no_command_and_is_not_simulated() {
    let (socket, commands) = socket();
    let mut engine = engine(&real_rover(free_port(), commands));
    let (mut commanded, start) = (false, engine.summary().agents[0].position);
    for _ in 0..1000 {
        engine.step().unwrap();
        commanded |= get::<ActuatorTarget<Twist2>>(&engine, "rover/drive")
            .0
            .linear_m_s
            > 0.1;
    }
    assert!(commanded);
    drop(engine);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv_from(&mut [0; 64]).is_err());
    let _ = start;
}

#[derive(Resource, Default)]
struct Journal {
    frames: Vec<(u64, Frame)>,
    hashes: Vec<u64>,
}

fn write_journal(
    mut journal: ResMut<Journal>,
    time: Res<SimTime>,
    entered: Res<Entered>,
    hash: Res<StateHash>,
) {
    // The clock has advanced since they entered.
    let tick = time.tick - 1;
    journal
        .frames
        .extend(entered.0.iter().map(|f| (tick, f.clone())));
    journal.hashes.push(hash.0);
}

fn journaling(text: &str) -> CoherenceEngine {
    let folder = folder(&[("s.ron", text)]);
    let mut engine = CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap();
    engine.world_mut().init_resource::<Journal>();
    engine.add_plugin(|app: &mut App| {
        app.add_systems(Tick, write_journal.in_set(TickSystems::Publish));
    });
    engine
}

#[test]
fn recorded_samples_fed_at_their_ticks_reproduce_the_run_without_a_driver() {
    let port = free_port();
    let text = real_rover(port, free_port());
    let mut live = journaling(&text);
    live.start().unwrap();
    let sender = Sender::to(port);
    for k in 0..400u64 {
        // Datagrams, a pause, more datagrams, and invalid ones.
        if k % 7 == 0 && !(100..300).contains(&k) {
            let x = 1.0 + k as f64 * 1e-3;
            let text = format!(
                "{{\"sensor\": \"g\", \"sequence\": {k}, \"stamp_ns\": {k}000000, \"values\": [{x}]}}"
            );
            sender.bytes(text.as_bytes());
            std::thread::sleep(Duration::from_millis(1));
        }
        if k % 50 == 0 {
            sender.bytes(b"what?");
        }
        live.step().unwrap();
    }
    let (of_live, stats) = (link(&live, "rover/gauge"), live.summary());
    assert!(
        of_live.received > 10 && of_live.counts.gaps > 10,
        "{of_live:?}"
    );
    let Journal { frames, hashes } = live.world_mut().remove_resource().unwrap();
    drop(live);

    let again = |frames: Vec<(u64, Frame)>| {
        let mut engine = journaling(&text);
        engine
            .world_mut()
            .insert_resource(ExternalInput::Journal(Box::new(frames)));
        engine.start().unwrap();
        // No listener: the port is free.
        drop(UdpSocket::bind(("127.0.0.1", port)).unwrap());
        (0..400).for_each(|_| engine.step().unwrap());
        engine
    };
    let mut replayed = again(frames.clone());
    assert_eq!(link(&replayed, "rover/gauge"), of_live);
    assert_eq!(replayed.summary().agents, stats.agents);
    let journal: Journal = replayed.world_mut().remove_resource().unwrap();
    assert_eq!(journal.hashes, hashes);
    assert_eq!(journal.frames, frames);

    // Flip the last bit of a decoded number: the hash differs from that tick on, not earlier.
    let mut altered = frames;
    let (tick, frame) = altered
        .iter_mut()
        .filter(|(_, f)| matches!(f.payload, Payload::Reading { .. }))
        .nth(5)
        .unwrap();
    let Payload::Reading { numbers, .. } = &mut frame.payload else {
        unreachable!()
    };
    numbers[0] = f64::from(f32::from_bits((numbers[0] as f32).to_bits() + 1));
    let tick = *tick as usize;
    let mut changed = again(altered);
    let journal: Journal = changed.world_mut().remove_resource().unwrap();
    assert_eq!(journal.hashes[..tick], hashes[..tick]);
    assert_ne!(journal.hashes[tick], hashes[tick]);
}

#[test]
fn stick_input_is_replayed_from_its_samples() {
    use becomingone::systems::control::teleop::Stick;
    use becomingone::systems::control::teleop::{StickInput, TeleopPlugin};
    let text = real_rover(free_port(), free_port()).replace("drive_source", "//");
    let mut live = journaling(&text);
    let hand = StickInput::default();
    live.add_plugin(TeleopPlugin {
        agent: "rover".to_owned(),
        input: hand.clone(),
    });
    for k in 0..500 {
        if k % 90 == 0 {
            hand.hold(Stick {
                forward: f64::from(k) / 500.0,
                left: 0.3,
            });
        }
        live.step().unwrap();
    }
    let Journal { frames, hashes } = live.world_mut().remove_resource().unwrap();
    assert!(live.summary().agents[0].distance_m > 0.05);
    drop(live);
    let mut engine = journaling(&text);
    engine
        .world_mut()
        .insert_resource(ExternalInput::Journal(Box::new(frames)));
    (0..500).for_each(|_| engine.step().unwrap());
    assert_eq!(engine.world().resource::<Journal>().hashes, hashes);
}

#[derive(Resource, Default)]
struct Samples(Vec<(u64, u64, [f32; 6])>);

fn collect_samples(
    mut samples: ResMut<Samples>,
    time: Res<SimTime>,
    imus: Query<&Reading<ImuSample>>,
) {
    for imu in &imus {
        for sample in imu.batch() {
            let (w, f) = (
                sample.value.angular_velocity_rad_s,
                sample.value.specific_force_m_s2,
            );
            samples
                .0
                .push((time.tick, sample.source_ns, [w.x, w.y, w.z, f.x, f.y, f.z]));
        }
    }
}

#[test]
fn changing_the_source_of_a_sensor_by_one_line_changes_no_reading() {
    let rover = becomingone_tests::root().join("assets/rover.urdf");
    let text = format!(
        "(version: 1, agents: [(name: \"rover\", model: \"{}\", position_m: (0, 0, 0.2), coherence: off, sensors: [
            (name: \"imu\", kind: Imu(gyro: (white_sd: 0.01), accelerometer: (white_sd: 0.1)), rate_hz: 50.0),
        ])])",
        rover.display()
    );
    let port = free_port();
    let udp = format!(
        "(agents: [(name: \"rover\", sensors: [(name: \"imu\",\n source: Driver(\"udp\", (listen: {port})))])])"
    );
    let replay = "(agents: [(name: \"rover\", sensors: [(name: \"imu\",\n source: Replay(file: \"imu.csv\", time: \"t\"))])])";
    let folder = folder(&[("s.ron", &text), ("udp.ron", &udp), ("replay.ron", replay)]);
    let begin = |profile: Option<&str>, sets: &[&str]| {
        let overlays = Overlays {
            profiles: profile.iter().map(|p| folder.path().join(p)).collect(),
            sets: sets.iter().map(|s| (*s).to_owned()).collect(),
            ..Overlays::default()
        };
        let loaded = scene::load_with(&folder.path().join("s.ron"), None, &overlays);
        let mut engine = CoherenceEngine::from_loaded(loaded.unwrap_or_else(|e| panic!("{e}")));
        engine.world_mut().init_resource::<Samples>();
        engine.add_plugin(|app: &mut App| {
            app.add_systems(
                Tick,
                collect_samples
                    .in_set(TickSystems::Decide)
                    .after(becomingone::prelude::ControlSystems),
            );
        });
        engine.start().unwrap_or_else(|e| panic!("{e}"));
        engine
    };
    let mut sim = begin(None, &[]);
    (0..1000).for_each(|_| sim.step().unwrap());
    let simulated = sim.world_mut().remove_resource::<Samples>().unwrap().0;
    assert_eq!(simulated.len(), 50);

    let mut csv = "t,angular_velocity_x,angular_velocity_y,angular_velocity_z,specific_force_x,specific_force_y,specific_force_z\n".to_owned();
    for (_, source_ns, numbers) in &simulated {
        let numbers: Vec<String> = numbers
            .iter()
            .map(|x| format!("{:?}", f64::from(*x)))
            .collect();
        csv += &format!("{:?},{}\n", *source_ns as f64 / 1e9, numbers.join(","));
    }
    std::fs::write(folder.path().join("imu.csv"), csv).unwrap();
    let bits = |samples: &[(u64, u64, [f32; 6])]| -> Vec<(u64, u64, [u32; 6])> {
        samples
            .iter()
            .map(|(t, s, x)| (*t, *s, x.map(f32::to_bits)))
            .collect()
    };
    let mut replayed = begin(Some("replay.ron"), &[]);
    (0..1000).for_each(|_| replayed.step().unwrap());
    assert_eq!(
        bits(&replayed.world().resource::<Samples>().0),
        bits(&simulated)
    );

    // From a driver, in the tick of arrival: the same numbers in the same order.
    for by_profile in [true, false] {
        let set = format!("agents.rover.sensors.imu.source=Driver(\"udp\", (listen: {port}))");
        let mut engine = match by_profile {
            true => begin(Some("udp.ron"), &[]),
            false => begin(None, &[&set]),
        };
        let sender = Sender::to(port);
        for (k, (_, source_ns, numbers)) in simulated.iter().enumerate() {
            sender.bytes(&encode_reading(
                "rover/imu",
                &Sample {
                    sequence: Some(k as u64),
                    session: None,
                    stamp_ns: Some(*source_ns),
                    numbers: numbers.iter().map(|x| f64::from(*x)).collect(),
                    ..Sample::default()
                },
            ));
            until(LIMIT, "received", || {
                engine.step().unwrap();
                engine.world().resource::<Samples>().0.len() > k
            });
        }
        let numbers = |samples: &[(u64, u64, [f32; 6])]| -> Vec<[u32; 6]> {
            bits(samples).into_iter().map(|h| h.2).collect()
        };
        assert_eq!(
            numbers(&engine.world().resource::<Samples>().0),
            numbers(&simulated)
        );
        drop(engine);
    }
}

#[test]
fn a_port_in_use_is_refused_with_the_place_of_its_source() {
    let (_taken, taken) = socket();
    let text = format!(
        "(version: 1, duration_s: 0.01, agents: [(name: \"box\", coherence: off, sensors: [(\n  name: \"meter\", kind: Values(fields: [(name: \"speed\", unit: \"1\")]), rate_hz: 100.0,\n  source: Driver(\"udp\", (listen: {taken})))])])"
    );
    let folder = folder(&[("s.ron", &text)]);
    let ran = run(
        folder.path(),
        &["run", "s.ron", "--rerun", "off", "--quiet"],
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for word in [
        "s.ron:3:11",
        "in use by another program",
        &taken.to_string(),
    ] {
        assert!(ran.stderr.contains(word), "no {word} in {}", ran.stderr);
    }
}

#[test]
fn the_recorded_machine_runs_to_its_end_and_reports_the_source_of_its_readings() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(
        folder.path(),
        &[
            "run",
            "recorded_machine",
            "--rerun",
            "off",
            "--summary",
            "s.json",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("replay") && ran.stdout.contains("pump_log.csv"),
        "{}",
        ran.stdout
    );
    let text = std::fs::read_to_string(folder.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    // 180 s at 10 Hz.
    assert_eq!(summary["agents"][0]["sensors"][0]["readings"], 1800);
}

#[test]
fn a_reset_in_the_middle_of_a_recording_starts_it_from_the_beginning() {
    let of = |resets: bool| {
        let mut engine = CoherenceEngine::from_scene(
            becomingone_tests::root().join("scenes/recorded_machine.ron"),
        )
        .unwrap();
        if resets {
            (0..777).for_each(|_| engine.step().unwrap());
            engine.reset().unwrap();
        }
        (0..1000).for_each(|_| engine.step().unwrap());
        engine.world().resource::<StateHash>().0
    };
    assert_eq!(of(true), of(false));
}

#[test]
fn link_events_have_descriptions() {
    assert_eq!(
        EventKind::SafeCommandActive("a sensor is stale".to_owned()).to_string(),
        "safe command active: a sensor is stale"
    );
}

#[test]
fn a_robot_fed_by_its_own_recording_drives_the_same_path() {
    let folder = folder(&[(
        "replay.ron",
        "(agents: [(name: \"rover\", sensors: [
            (name: \"imu\", source: Replay(file: \"run.mcap\")),
            (name: \"encoders\", source: Replay(file: \"run.mcap\")),
            (name: \"lidar\", source: Replay(file: \"run.mcap\")),
            (name: \"bumper\", source: Replay(file: \"run.mcap\")),
        ])])",
    )]);
    let args = [
        "run",
        "robot",
        "--duration",
        "4s",
        "--rerun",
        "off",
        "--quiet",
    ];
    let ran = |more: &[&str]| -> Value {
        let mut all = args.to_vec();
        all.extend(more);
        all.extend(["--summary", "s.json"]);
        let ran = run(folder.path(), &all);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let text = std::fs::read_to_string(folder.path().join("s.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let simulated = ran(&["--record", "run.mcap"]);
    let replayed = ran(&["--profile", "replay.ron"]);
    let of = |summary: &Value| {
        let agent = &summary["agents"][0];
        let readings = agent["sensors"].as_array().unwrap().iter();
        let readings: Vec<_> = readings
            .map(|s| (s["name"].clone(), s["readings"].clone()))
            .collect();
        (
            agent["position"].clone(),
            agent["distance_m"].clone(),
            agent["kernel"]["order"].clone(),
            readings,
        )
    };
    assert!(simulated["agents"][0]["distance_m"].as_f64().unwrap() > 0.5);
    assert_eq!(of(&replayed), of(&simulated));
}

#[test]
fn a_simulated_sensor_takes_over_from_a_silent_real_one() {
    let port = free_port();
    let text =
        real_rover(port, free_port()).replace("after_s: 0.1", "after_s: 0.1, then: FallBackToSim");
    let mut engine = engine(&text);
    let range = |engine: &CoherenceEngine| {
        let reading = get::<Reading<Distance>>(engine, "rover/gauge");
        reading.latest().map(|sample| sample.value.range_m)
    };
    let sender = Sender::to(port);
    let mut next = 0u64;
    until(LIMIT, "the real one", || {
        sender.bytes(
            format!("{{\"sensor\": \"g\", \"sequence\": {next}, \"values\": [2.5]}}").as_bytes(),
        );
        next += 1;
        engine.step().unwrap();
        range(&engine) == Some(2.5)
    });
    // Queued datagrams arrive first; then the real sensor times out.
    until(LIMIT, "all of them", || {
        engine.step().unwrap();
        let link = link(&engine, "rover/gauge");
        link.received + link.counts.dropped == next
    });
    let by_itself = |engine: &CoherenceEngine| {
        let readings = engine.summary().agents[0].sensors[1].readings;
        readings - link(engine, "rover/gauge").received
    };
    until(LIMIT, "the simulated one", || {
        engine.step().unwrap();
        range(&engine) == Some(4.0)
    });
    // No obstacle: maximum range; at 50 Hz.
    let before = by_itself(&engine);
    (0..200).for_each(|_| engine.step().unwrap());
    assert_eq!(range(&engine), Some(4.0));
    assert_eq!(by_itself(&engine) - before, 10);
}
