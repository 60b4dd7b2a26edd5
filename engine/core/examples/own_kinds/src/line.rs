//! `line`: a driver that reads numbers from a TCP server, one reading per line.
//!
//! Scene: `source: Driver("line", (connect: "127.0.0.1:7000"))`.

use becomingone::prelude::*;
use serde::Deserialize;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The driver kind, registered under its name for scenes.
pub struct Line;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    connect: SocketAddr,
}

impl DriverKind for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn about(&self) -> &'static str {
        "numbers from a TCP server, one reading per line"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        match endpoint {
            // Each sensor has a connection of its own.
            Endpoint::Sensor(name) => Ok(format!("{name} from {}", config.connect)),
            Endpoint::Actuator(_) => Err(ConfigError::Meaning(
                "found a drive; expected a sensor: this driver sends no commands".to_owned(),
            )),
        }
    }

    fn open(&self, _: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        match ends.into_iter().next() {
            Some((config, LinkEnd::Sensor(end))) => {
                let config: Config = read_config(&config).map_err(|e| e.to_string())?;
                let server = config.connect;
                Ok(Box::new(Client { server, end }))
            }
            _ => Err("found no sensor".to_owned()),
        }
    }
}

struct Client {
    server: SocketAddr,
    end: SensorEnd,
}

impl Driver for Client {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let failed = |error: std::io::Error| DriverError(error.to_string());
        let stream = TcpStream::connect_timeout(&self.server, Duration::from_secs(1));
        let stream = stream.map_err(failed)?;
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .map_err(failed)?;
        context.up();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while !context.cancelled() {
            match lines.read_line(&mut line) {
                Ok(0) => return Err(DriverError("the server closed the connection".to_owned())),
                Ok(_) => {}
                // A partial line is kept, and the rest is appended.
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    continue;
                }
                Err(error) => return Err(failed(error)),
            }
            // Stamped at capture, before decoding.
            let now_ns = self.end.now_ns();
            let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
            match numbers {
                Ok(numbers) => self.end.push(
                    now_ns,
                    Sample {
                        numbers,
                        ..Sample::default()
                    },
                ),
                Err(_) => self.end.garbage(),
            }
            line.clear();
        }
        Ok(())
    }
}
