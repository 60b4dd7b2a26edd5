//! The driver: connects, reads, stamps at capture, writes commands, until the run is over.

use crate::protocol::{Decoder, encode};
use becomingone::prelude::*;
use becomingone::systems::links::{Content, Observed};
use serde::Deserialize;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for bytes before commands are looked for, and whether the run is over.
const POLL_PERIOD: Duration = Duration::from_millis(10);
/// Longest wait for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The driver kind, registered under its name for scenes.
pub(crate) struct MyPluginKind;

/// Its options in a scene.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    connect: SocketAddr,
}

impl DriverKind for MyPluginKind {
    fn name(&self) -> &'static str {
        "my_plugin"
    }

    fn about(&self) -> &'static str {
        "lines of numbers over TCP, both ways"
    }

    /// `becomingone probe my_plugin:127.0.0.1:7000`.
    fn address_key(&self) -> &'static str {
        "connect"
    }

    /// Sensors and drives of the same address share a connection.
    fn port(&self, config: &str, _: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        Ok(config.connect.to_string())
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let server = port.parse();
        let mut client = Client {
            server: server.map_err(|e| format!("found {port}: {e}; expected an address"))?,
            sensors: Vec::new(),
            drives: Vec::new(),
        };
        for (_, end) in ends {
            match end {
                LinkEnd::Sensor(end) => client.sensors.push(end),
                LinkEnd::Actuator(end) => client.drives.push(end),
            }
        }
        Ok(Box::new(client))
    }
}

/// One connection.
struct Client {
    server: SocketAddr,
    sensors: Vec<SensorEnd>,
    drives: Vec<ActuatorEnd>,
}

impl Driver for Client {
    /// After an error it is called again, when a pause has passed: it recovers by itself.
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let failed = |error: std::io::Error| DriverError(error.to_string());
        let mut stream =
            TcpStream::connect_timeout(&self.server, CONNECT_TIMEOUT).map_err(failed)?;
        stream.set_read_timeout(Some(POLL_PERIOD)).map_err(failed)?;
        context.up();
        let (mut decoder, mut buffer) = (Decoder::default(), [0; 4096]);
        loop {
            // The last command, which stops the machine, is written after the end of the run.
            let is_over = context.cancelled();
            for drive in &self.drives {
                if let Some(command) = drive.next(Duration::ZERO) {
                    let line = encode(&command.numbers);
                    stream.write_all(line.as_bytes()).map_err(failed)?;
                    drive.sent(command.sequence);
                }
            }
            if is_over {
                return Ok(());
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Err(DriverError("the server closed the connection".to_owned())),
                Ok(count) => self.receive(&mut decoder, &buffer[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

impl Client {
    fn receive(&self, decoder: &mut Decoder, bytes: &[u8]) {
        for sensor in &self.sensors {
            // Stamped at capture, before decoding.
            let now_ns = sensor.now_ns();
            sensor.observe(now_ns, Observed::Stream(bytes));
        }
        decoder.feed(bytes, |line| {
            for sensor in &self.sensors {
                let now_ns = sensor.now_ns();
                let Ok(numbers) = line.as_ref() else {
                    sensor.garbage();
                    continue;
                };
                // For `becomingone probe`, which takes any line.
                let shown = Observed::Message {
                    name: "line",
                    select: "",
                    content: Content::Row(numbers),
                };
                sensor.observe(now_ns, shown);
                let sample = Sample {
                    numbers: numbers.clone(),
                    ..Sample::default()
                };
                sensor.push(now_ns, sample);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use becomingone::components::link::Link;
    use becomingone::components::sensor::ValueRow;
    use becomingone::prelude::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    /// Steps until this is true.
    fn until(engine: &mut CoherenceEngine, mut reached: impl FnMut(&mut CoherenceEngine) -> bool) {
        for _ in 0..10_000 {
            engine.step().unwrap();
            if reached(engine) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("not within ten seconds");
    }

    /// A run of `scene.ron` against a device of this test.
    fn connected() -> (CoherenceEngine, TcpStream) {
        let device = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = device.local_addr().unwrap().to_string();
        let scene = include_str!("../scene.ron").replace("127.0.0.1:7000", &address);
        let file =
            std::env::temp_dir().join(format!("my_plugin-{}.ron", address.replace(':', "-")));
        std::fs::write(&file, scene).unwrap();
        let builder = CoherenceEngine::builder().add_plugin(crate::MyPlugin);
        let mut engine = builder.scene(&file).unwrap_or_else(|e| panic!("{e}"));
        engine.set_armed(true).start().unwrap();
        std::fs::remove_file(file).unwrap();
        (engine, device.accept().unwrap().0)
    }

    #[test]
    fn lines_of_the_device_are_readings_of_the_sensor() {
        let (mut engine, mut device) = connected();
        device.write_all(b"0.25 2").unwrap();
        device.write_all(b"0.5\nnoise\n0.5 21\n").unwrap();
        until(&mut engine, |engine| {
            let world = engine.world();
            let mut sensors = world.try_query::<(&Reading<ValueRow>, &Link)>().unwrap();
            let (reading, link) = sensors.iter(world).next().unwrap();
            let latest = reading.latest().map(|sample| sample.value.numbers.clone());
            latest == Some(vec![0.5, 21.0]) && (link.received, link.counts.garbage) == (2, 1)
        });
    }

    #[test]
    fn commands_reach_the_device_and_the_last_one_stops_it() {
        let (mut engine, device) = connected();
        let mut lines = BufReader::new(device.try_clone().unwrap());
        let mut line = String::new();
        until(&mut engine, |_| {
            line.clear();
            lines.read_line(&mut line).unwrap();
            // Forward, in m/s; then the turn, in rad/s.
            line.split(' ').next().and_then(|x| x.parse().ok()) > Some(0.0)
        });
        engine.run_for(Duration::from_millis(100)).unwrap();
        drop(engine);
        let last = lines.lines().map_while(Result::ok).last();
        assert_eq!(last.as_deref(), Some("0 0"));
    }
}
