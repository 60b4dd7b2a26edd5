//! Driver kind `websocket`: messages of a WebSocket server (RFC 6455), and commands to it.

mod connection;

use crate::protocol::{Decode, Decoder};
use crate::sensors::{Places, Sensors};
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::web::{Server, Token, seconds};
use becomingone_systems::links::{
    ActuatorEnd, ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, Pick,
    SourceSite, read_config,
};
use connection::{Connection, Opening};
use serde::Deserialize;
use std::time::Duration;

/// Longest wait for a message before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);
/// The same where commands wait to be sent in between: their delay.
const COMMAND_PERIOD: Duration = Duration::from_millis(2);
/// Longest text of `subscribe` (bytes).
const MAX_TEXT: usize = 1 << 16;

/// Driver kind `websocket`: see the crate's documentation.
pub struct WebSocketKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    #[serde(default)]
    subscribe: Vec<String>,
    #[serde(default)]
    timeout_s: Option<f64>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    ca: Option<String>,
    #[serde(default)]
    token: Option<Token>,
    #[serde(default)]
    decode: Option<Decode>,
    #[serde(default)]
    pick: Option<Pick>,
    #[serde(default)]
    sequence: Option<Pointer>,
    #[serde(default)]
    stamp_s: Option<Pointer>,
}

impl Config {
    fn server(&self) -> Result<(Server, Duration), String> {
        let (ca, token) = (self.ca.clone(), self.token.clone());
        let server = Server::new(&self.url, ["ws", "wss"], &self.allow, ca, token)?;
        let timeout = seconds("timeout_s", self.timeout_s, 2.0)?;
        if self.subscribe.iter().any(|text| text.len() > MAX_TEXT) {
            return Err(format!(
                "found a text of more than {MAX_TEXT} bytes in `subscribe`; expected at most these"
            ));
        }
        if let Some(decode) = &self.decode {
            decode.check()?;
        }
        Ok((server, timeout))
    }

    fn places(self) -> Places {
        Places {
            pick: self.pick.unwrap_or_default(),
            sequence: self.sequence,
            stamp_s: self.stamp_s,
        }
    }
}

impl DriverKind for WebSocketKind {
    fn name(&self) -> &'static str {
        "websocket"
    }

    fn about(&self) -> &'static str {
        "messages of a WebSocket server, in JSON or CSV; commands to it"
    }

    fn address_key(&self) -> &'static str {
        "url"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        config.server().map_err(ConfigError::Meaning)?;
        match (endpoint, config) {
            (Endpoint::Sensor(_), config)
            | (
                Endpoint::Actuator(_),
                config @ Config {
                    decode: None,
                    pick: None,
                    sequence: None,
                    stamp_s: None,
                    ..
                },
            ) => Ok(config.url),
            (Endpoint::Actuator(_), _) => Err(ConfigError::Meaning(
                "found keys of a sensor; expected only `url`, `subscribe`, `timeout_s`, `allow`, `ca` and `token`"
                    .to_owned(),
            )),
        }
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        read_config::<Config>(config)?.places().check(site)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sensors = Sensors::new(port, "messages");
        let mut actuator: Option<ActuatorEnd> = None;
        let mut link: Option<((Server, Duration), Vec<String>, SourceSite)> = None;
        let mut decode = None;
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let (name, site) = match &end {
                LinkEnd::Actuator(end) => (end.name().to_owned(), end.site().clone()),
                LinkEnd::Sensor(end) => (end.name().to_owned(), end.site().clone()),
            };
            let own = config.server()?;
            let (server, subscribe, _) =
                link.get_or_insert_with(|| (own.clone(), config.subscribe.clone(), site));
            if (&*server, &*subscribe) != (&own, &config.subscribe) {
                return Err(format!(
                    "found other values of `subscribe`, `timeout_s`, `allow`, `ca` or `token` for {name}; expected those of the others of this address"
                ));
            }
            match end {
                LinkEnd::Actuator(_) if actuator.is_some() => {
                    return Err(
                        "found two drives for one address; expected a `url` of its own for each"
                            .to_owned(),
                    );
                }
                LinkEnd::Actuator(end) => actuator = Some(end),
                LinkEnd::Sensor(end) => {
                    let its = config.decode.clone().unwrap_or_default();
                    if *decode.get_or_insert_with(|| its.clone()) != its {
                        return Err(format!(
                            "found another `decode` for {name}; expected that of the other sensors of this address"
                        ));
                    }
                    sensors.add(end, config.places())?;
                }
            }
        }
        let ((server, timeout), subscribe, site) = link.ok_or("found no `url`")?;
        Ok(Box::new(Client {
            opening: Opening::new(server, timeout, subscribe, &site)?,
            decoder: Decoder::new(decode.unwrap_or_default()),
            sensors,
            actuator,
        }))
    }
}

struct Client {
    opening: Opening,
    decoder: Decoder,
    sensors: Sensors,
    actuator: Option<ActuatorEnd>,
}

impl Client {
    /// Reads messages and sends commands until the connection breaks or the run is over.
    fn exchange(
        &mut self,
        context: &Context,
        connection: &mut Connection,
    ) -> Result<(), DriverError> {
        let clock = self.sensors.clock();
        let period = match self.actuator {
            Some(_) => COMMAND_PERIOD,
            None => POLL_PERIOD,
        };
        while !context.cancelled() {
            self.send_commands(connection)?;
            let message = connection.receive(period).map_err(DriverError)?;
            // Without sensors there is no clock.
            if let (Some(message), Some(clock)) = (message, &clock) {
                let arrival_ns = clock.now_ns();
                let decoded = self.decoder.state(&message);
                self.sensors.take(decoded, &message, arrival_ns);
            }
        }
        Ok(())
    }

    fn send_commands(&mut self, connection: &mut Connection) -> Result<(), DriverError> {
        let Some(end) = &self.actuator else {
            return Ok(());
        };
        while let Some(command) = end.next(Duration::ZERO) {
            let text = command.to_json(end.name());
            if let Err(reason) = connection.send(text) {
                end.give_back(command);
                return Err(DriverError(reason));
            }
            end.sent(command.sequence);
        }
        Ok(())
    }
}

impl Driver for Client {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let opened = self.opening.open(|| context.wait(POLL_PERIOD));
        let Some(mut connection) = opened.map_err(DriverError)? else {
            return Ok(());
        };
        self.sensors.begin_session();
        context.up();
        self.exchange(context, &mut connection)?;
        // The last command is the safe one.
        self.send_commands(&mut connection)?;
        connection.close();
        self.sensors.report();
        Ok(())
    }
}
