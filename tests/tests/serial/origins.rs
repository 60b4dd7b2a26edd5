//! The same scene with simulated sensors, with a replay of their readings, and with ports that devices feed with them:
//! consumers get equal readings, to the last bit.

use super::{Device, LIMIT, modbus};
use becomingone::CoherenceEngine;
use becomingone::components::link::{Link, LinkState};
use becomingone::components::sensor::{Distance, GnssFix, ImuSample};
use becomingone::prelude::*;
use becomingone_tests::{get, root, until};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Simulated time (ticks of 1 ms).
const TICKS: u32 = 2000;
const NAMES: [&str; 3] = ["imu", "gauge", "gnss"];

/// A rover that drives, with these sources of its sensors.
fn scene(sources: &[String; 3]) -> String {
    let rover = root().join("assets/rover.urdf");
    let [imu, gauge, gnss] = sources;
    format!(
        "(version: 1, duration_s: 1000.0,
          world: (origin: (latitude_deg: 47.3769, longitude_deg: 8.5417, height_m: 408.0),
            obstacles: [Box(name: \"wall\", position_m: (4, 0, 0), size_m: (0.2, 6, 2))]),
          agents: [(name: \"rover\", model: {rover:?}, drive: Auto, coherence: off, sensors: [
            (name: \"lidar\", kind: Lidar(rays: 8, range_max_m: 5.0), rate_hz: 10.0, position_m: (0, 0, 0.3)),
            (name: \"imu\", kind: Imu(gyro: (white_sd: 0.01), accelerometer: (white_sd: 0.05)), rate_hz: 100.0, {imu}),
            (name: \"gauge\", kind: Range(range_max_m: 9.0, noise: (white_sd: 0.02)), rate_hz: 50.0, position_m: (0, 0, 0.3), {gauge}),
            (name: \"gnss\", kind: Gnss(horizontal: (white_sd: 1.5), vertical: (white_sd: 2.0), velocity: (white_sd: 0.05)), rate_hz: 10.0, {gnss}),
          ], controller: Patrol(waypoints_m: [(2, 0)], speed_m_s: 0.5))])"
    )
}

/// Stamps (ns) and numbers of all readings, by sensor.
#[derive(Resource, Clone, Default)]
struct Seen(BTreeMap<String, Vec<(u64, Vec<f64>)>>);

fn collect<T: Measurement>(mut seen: ResMut<Seen>, sensors: Query<(&Name, &Reading<T>)>) {
    for (name, reading) in &sensors {
        let name = name.as_str().trim_start_matches("rover/");
        for sample in reading.batch() {
            let mut numbers = Vec::new();
            sample.value.visit(&mut |x| numbers.push(x));
            let all = seen.0.entry(name.to_owned()).or_default();
            all.push((sample.source_ns, numbers));
        }
    }
}

impl Seen {
    fn count(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, Vec::len)
    }

    /// All numbers, as bits.
    fn bits(&self, name: &str) -> Vec<Vec<u64>> {
        let bits = |(_, numbers): &(u64, Vec<f64>)| numbers.iter().map(|x| x.to_bits()).collect();
        self.0[name].iter().map(bits).collect()
    }

    /// Stamps since the first one (ns).
    fn stamps(&self, name: &str) -> Vec<u64> {
        let all = &self.0[name];
        all.iter().map(|(stamp, _)| stamp - all[0].0).collect()
    }
}

fn begin(folder: &Path, sources: &[String; 3]) -> CoherenceEngine {
    let file = folder.join("scene.ron");
    std::fs::write(&file, scene(sources)).unwrap();
    let mut engine = CoherenceEngine::from_scene(file).unwrap_or_else(|e| panic!("{e}"));
    engine.world_mut().init_resource::<Seen>();
    engine.add_plugin(|app: &mut App| {
        let all = (
            collect::<ImuSample>,
            collect::<Distance>,
            collect::<GnssFix>,
        );
        app.add_systems(Tick, all.chain().in_set(TickSystems::Publish));
    });
    engine.start().unwrap_or_else(|e| panic!("{e}"));
    engine
}

fn seen(engine: &CoherenceEngine) -> &Seen {
    engine.world().resource::<Seen>()
}

/// Steps until each sensor has as many readings as the simulation gave.
fn collected(engine: &mut CoherenceEngine, simulated: &Seen) -> Seen {
    until(LIMIT, "all readings", || {
        engine.step().unwrap();
        let all = NAMES.iter();
        let mut all = all.map(|name| (seen(engine).count(name), simulated.count(name)));
        all.all(|(found, expected)| found >= expected)
    });
    seen(engine).clone()
}

fn names<T: Measurement>() -> Vec<&'static str> {
    T::FIELDS.iter().map(|field| field.name).collect()
}

/// A table of these readings.
fn table(names: &[&str], readings: &[(u64, Vec<f64>)], stamped: bool) -> String {
    let mut text = String::new();
    if stamped {
        text += "t,";
    }
    text += &names.join(",");
    for (stamp, numbers) in readings {
        let numbers: Vec<String> = numbers.iter().map(|x| format!("{x:?}")).collect();
        let stamp = if stamped {
            format!("{stamp},")
        } else {
            String::new()
        };
        write!(text, "\n{stamp}{}", numbers.join(",")).unwrap();
    }
    text + "\n"
}

#[test]
fn simulation_replay_and_ports_give_equal_readings_in_the_same_scene() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = begin(folder.path(), &[(); 3].map(|()| "source: Sim".to_owned()));
    (0..TICKS).for_each(|_| engine.step().unwrap());
    let simulated = seen(&engine).clone();
    drop(engine);
    let counts = NAMES.map(|name| simulated.count(name));
    assert_eq!(counts, [200, 100, 20]);
    // The rover moves, and each sensor has noise: no two readings are equal.
    for name in NAMES {
        let bits = simulated.bits(name);
        assert!(bits.windows(2).all(|two| two[0] != two[1]), "{name}");
    }
    let [imu, gauge, gnss] = NAMES.map(|name| simulated.0[name].as_slice());
    let (axes, range, place) = (
        names::<ImuSample>(),
        names::<Distance>(),
        names::<GnssFix>(),
    );

    for (name, table) in [
        ("imu", table(&axes, imu, true)),
        ("gauge", table(&range, gauge, true)),
        ("gnss", table(&place, gnss, true)),
    ] {
        std::fs::write(folder.path().join(format!("{name}.csv")), table).unwrap();
    }
    let replay = |name| {
        format!(
            "source: Replay(file: \"{name}.csv\", time: \"t\", time_unit: \"ns\"), silence: (after_s: 1000.0)"
        )
    };
    let mut engine = begin(folder.path(), &NAMES.map(replay));
    let replayed = collected(&mut engine, &simulated);
    drop(engine);

    let mut devices = NAMES.map(|_| Device::new());
    let doubles = place
        .iter()
        .map(|name| format!("(name: \"{name}\", type: F64)"));
    let doubles: Vec<String> = doubles.collect();
    let protocols = [
        "Csv()".to_owned(),
        "JsonLines".to_owned(),
        format!(
            "Framed(frame: Start(bytes: [0xAA, 0x55], length: U8), check: \"CRC-16/MODBUS\", fields: [{}])",
            doubles.join(", ")
        ),
    ];
    let mut sources = protocols.iter().zip(&devices).map(|(protocol, device)| {
        let port = &device.path;
        format!("source: Driver(\"serial\", (port: {port:?}, baud: 115200, protocol: {protocol})), queue: Lossless(1000), silence: (after_s: 1000.0)")
    });
    let sources: [String; 3] = std::array::from_fn(|_| sources.next().unwrap());
    let mut engine = begin(folder.path(), &sources);
    until(LIMIT, "ports", || {
        engine.step().unwrap();
        let link = |name| get::<Link>(&engine, &format!("rover/{name}"));
        NAMES.iter().all(|name| link(name).state == LinkState::Up)
    });
    let frame = |(_, numbers): &(u64, Vec<f64>)| {
        let fields = numbers.iter().flat_map(|x| x.to_le_bytes());
        let body: Vec<u8> = [72].into_iter().chain(fields).collect();
        [&[0xAA, 0x55], &body[..], &modbus(&body)].concat()
    };
    let objects = gauge
        .iter()
        .map(|(_, numbers)| format!("{{\"range\": {:?}}}\n", numbers[0]));
    let streams = [
        // The end of a line that began before the port was opened.
        format!("\n{}", table(&axes, imu, false)).into_bytes(),
        objects.collect::<String>().into_bytes(),
        gnss.iter().flat_map(frame).collect(),
    ];
    let mut pieces = streams.each_ref().map(|stream| stream.chunks(11));
    let mut is_sending = true;
    while is_sending {
        is_sending = false;
        for (device, pieces) in devices.iter_mut().zip(&mut pieces) {
            if let Some(piece) = pieces.next() {
                device.send(piece);
                is_sending = true;
            }
        }
        engine.step().unwrap();
    }
    let fed = collected(&mut engine, &simulated);

    for name in NAMES {
        assert_eq!(replayed.bits(name), simulated.bits(name), "{name}");
        assert_eq!(replayed.stamps(name), simulated.stamps(name), "{name}");
        assert_eq!(fed.bits(name), simulated.bits(name), "{name}");
    }
}
