//! Driver kind `http`: answers of a web server, requested at a rate; commands posted to one.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread paces its requests by the wall clock"
)]

mod client;

use crate::protocol::{Decode, Decoder};
use crate::sensors::{Places, Sensors};
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::web::{HTTP, Server, Token, seconds};
use becomingone_systems::links::{
    ActuatorEnd, ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd,
    Outgoing, Pick, SourceSite, read_config,
};
use client::{Client, Job};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Longest wait before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);
/// Longest wait for the answer to the last command.
const LAST_ANSWER: Duration = Duration::from_millis(500);

/// Driver kind `http`: see the crate's documentation.
pub struct HttpKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    #[serde(default)]
    every_s: Option<f64>,
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

/// What sensors of one address have in common.
#[derive(Clone, PartialEq)]
struct Requests {
    every: Duration,
    server: Server,
    timeout: Duration,
    decode: Decode,
}

impl Config {
    fn requests(&self, default_every_s: f64) -> Result<Requests, String> {
        let decode = self.decode.clone().unwrap_or_default();
        decode.check()?;
        let (ca, token) = (self.ca.clone(), self.token.clone());
        Ok(Requests {
            every: seconds("every_s", self.every_s, default_every_s)?,
            timeout: seconds("timeout_s", self.timeout_s, 2.0)?,
            server: Server::new(&self.url, HTTP, &self.allow, ca, token)?,
            decode,
        })
    }

    fn places(self) -> Places {
        Places {
            pick: self.pick.unwrap_or_default(),
            sequence: self.sequence,
            stamp_s: self.stamp_s,
        }
    }
}

impl DriverKind for HttpKind {
    fn name(&self) -> &'static str {
        "http"
    }

    fn about(&self) -> &'static str {
        "answers of a web server, in JSON or CSV; commands posted to one"
    }

    fn address_key(&self) -> &'static str {
        "url"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        config.requests(1.0).map_err(ConfigError::Meaning)?;
        match (endpoint, config) {
            (Endpoint::Sensor(_), config) => Ok(config.url),
            (
                Endpoint::Actuator(name),
                Config {
                    url,
                    decode: None,
                    pick: None,
                    sequence: None,
                    stamp_s: None,
                    ..
                },
            ) => Ok(format!("{name} to {url}")),
            (Endpoint::Actuator(_), _) => Err(ConfigError::Meaning(
                "found keys of a sensor; expected only `url`, `every_s`, `timeout_s`, `allow`, `ca` and `token`"
                    .to_owned(),
            )),
        }
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        read_config::<Config>(config)?.places().check(site)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut sensors = Sensors::new(port, "answers");
        let mut input: Option<(Requests, SourceSite)> = None;
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            match end {
                LinkEnd::Actuator(end) => {
                    let requests = config.requests(0.05)?;
                    return Ok(Box::new(Poster {
                        client: Client::start(&requests.server, requests.timeout, end.site())?,
                        every: requests.every,
                        end,
                    }));
                }
                LinkEnd::Sensor(end) => {
                    let own = config.requests(1.0)?;
                    let (first, _) = input.get_or_insert_with(|| (own.clone(), end.site().clone()));
                    if *first != own {
                        return Err(format!(
                            "found other values of `every_s`, `timeout_s`, `allow`, `ca`, `token` or `decode` for {}; expected those of the other sensors of this address",
                            end.name()
                        ));
                    }
                    sensors.add(end, config.places())?;
                }
            }
        }
        let (requests, site) = input.ok_or("found no `url`")?;
        Ok(Box::new(Poller {
            client: Client::start(&requests.server, requests.timeout, &site)?,
            every: requests.every,
            decoder: Decoder::new(requests.decode),
            sensors,
            last: None,
        }))
    }
}

/// Requests the state of a server at a rate.
struct Poller {
    client: Client,
    every: Duration,
    decoder: Decoder,
    sensors: Sensors,
    /// Begin of the last request.
    last: Option<Instant>,
}

impl Driver for Poller {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let Some(clock) = self.sensors.clock() else {
            return Ok(());
        };
        loop {
            let since = self.last.map_or(self.every, |last| last.elapsed());
            if context.wait(self.every.saturating_sub(since)) {
                break;
            }
            // A slow answer delays the next request, and none is made up for.
            self.last = Some(Instant::now());
            let begun = self.client.begin(Job::Get, || !context.cancelled());
            if !begun.map_err(DriverError)? {
                break;
            }
            let answer = loop {
                if context.cancelled() {
                    break None;
                }
                if let Some(answer) = self.client.answer(POLL_PERIOD) {
                    break Some(answer);
                }
            };
            let Some(answer) = answer else { break };
            let arrival_ns = clock.now_ns();
            let body = answer.map_err(DriverError)?;
            context.up();
            let decoded = self.decoder.state(&body);
            self.sensors.take(decoded, &body, arrival_ns);
        }
        self.sensors.report();
        Ok(())
    }
}

/// Posts the commands of an actuator, the newest at a time.
struct Poster {
    client: Client,
    every: Duration,
    end: ActuatorEnd,
}

impl Poster {
    /// Posts a command; returns whether it was answered before `goes_on` ended, or a safe command waited. A safe command
    /// does not wait for the answer to another one: that request is given up.
    fn post(&mut self, command: Outgoing, goes_on: impl Fn() -> bool) -> Result<bool, DriverError> {
        let done = self.try_post(&command, goes_on);
        if !matches!(done, Ok(true)) {
            self.end.give_back(command);
        }
        done.map_err(DriverError)
    }

    fn try_post(&mut self, command: &Outgoing, goes_on: impl Fn() -> bool) -> Result<bool, String> {
        if command.safe && self.client.is_busy() {
            self.client.renew()?;
        }
        let body = command.to_json(self.end.name());
        if !self.client.begin(Job::Post(body), &goes_on)? {
            return Ok(false);
        }
        while goes_on() && (command.safe || !self.end.has_safe()) {
            if let Some(answer) = self.client.answer(POLL_PERIOD) {
                answer?;
                self.end.sent(command.sequence);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until the next command is due; a safe one after another one is due at once.
    fn pace(&self, context: &Context, begun: Instant, was_safe: bool) {
        loop {
            let left = self.every.saturating_sub(begun.elapsed());
            let is_due = left.is_zero() || (!was_safe && self.end.has_safe());
            if is_due || context.wait(left.min(POLL_PERIOD)) {
                return;
            }
        }
    }
}

impl Driver for Poster {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        while !context.cancelled() {
            let begun = Instant::now();
            if let Some(command) = self.end.next(POLL_PERIOD) {
                let is_safe = command.safe;
                if self.post(command, || !context.cancelled())? {
                    context.up();
                }
                self.pace(context, begun, is_safe);
            }
        }
        // The final command may have been queued meanwhile.
        if let Some(command) = self.end.next(Duration::ZERO) {
            let begun = Instant::now();
            self.post(command, || begun.elapsed() < LAST_ANSWER)?;
        }
        Ok(())
    }
}
