//! Driver kind `mqtt`: sensors and a drive behind one connection to a broker.

use crate::config::{Broker, Config};
use crate::connection::{Connection, Event, Qos};
use crate::drive::{Drive, Queued};
use crate::runtime::Runtime;
use crate::subscription::Subscription;
use crate::topics::overlap;
use becomingone_systems::links::{
    ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd, SensorEnd,
    SourceSite, read_config,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Driver kind `mqtt`: see the crate's documentation.
pub struct MqttKind;

impl DriverKind for MqttKind {
    fn name(&self) -> &'static str {
        "mqtt"
    }

    fn address_key(&self) -> &'static str {
        "broker"
    }

    fn about(&self) -> &'static str {
        "messages of a broker, in JSON, CBOR or MessagePack; commands published to one"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        config.port(endpoint).map_err(ConfigError::Meaning)
    }

    fn check(&self, config: &str, site: &SourceSite) -> Result<(), ConfigError> {
        read_config::<Config>(config)?.places(site).check(site)
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut shared: Option<(Broker, SourceSite)> = None;
        let mut subscriptions: Vec<Subscription> = Vec::new();
        let (mut clock, mut drive): (Option<SensorEnd>, Option<Drive>) = (None, None);
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            let broker = config.broker()?;
            let (name, site) = match &end {
                LinkEnd::Sensor(end) => (end.name(), end.site()),
                LinkEnd::Actuator(end) => (end.name(), end.site()),
            };
            let (first, _) = shared.get_or_insert_with(|| (broker.clone(), site.clone()));
            if *first != broker {
                return Err(format!(
                    "found other values of `version`, `login`, `ca`, `certificate` or `key` for {name}; expected those of the other sources of {port}"
                ));
            }
            match end {
                LinkEnd::Sensor(end) => {
                    clock.get_or_insert_with(|| end.clone());
                    let found = subscriptions.iter_mut().find(|s| s.has(&config));
                    match found {
                        Some(subscription) => subscription.add(&config, end)?,
                        None => {
                            let mut new = Subscription::new(&config, port);
                            new.add(&config, end)?;
                            subscriptions.push(new);
                        }
                    }
                }
                LinkEnd::Actuator(end) => {
                    if let Some(first) = &drive {
                        return Err(format!(
                            "found two drives, {} and {}, of {port}; expected another `client` for each: a connection has one last will",
                            first.end.name(),
                            end.name()
                        ));
                    }
                    drive = Some(Drive {
                        end,
                        topic: config.topic.clone(),
                        qos: Qos(config.qos),
                        last: None,
                    });
                }
            }
        }
        let filters = filters(&subscriptions)?;
        let (broker, site) = shared.ok_or("found no source for the broker")?;
        let will = drive.as_ref().and_then(Drive::will);
        Ok(Box::new(MqttDriver {
            runtime: Runtime::new()?,
            connection: Connection::new(broker, site, will, filters.clone())?,
            subscriptions,
            filters,
            clock,
            drive,
            queued: Queued::default(),
        }))
    }
}

/// Filters of a connection, each once.
fn filters(subscriptions: &[Subscription]) -> Result<Vec<(String, Qos)>, String> {
    let mut filters: Vec<(String, Qos)> = Vec::new();
    for Subscription { filter, qos, .. } in subscriptions {
        if let Some((_, most)) = filters.iter_mut().find(|(known, _)| known == filter) {
            *most = (*most).max(*qos);
            continue;
        }
        if let Some((known, _)) = filters.iter().find(|(known, _)| overlap(known, filter)) {
            return Err(format!(
                "found the topics `{known}` and `{filter}` on one connection, with messages in common, which a broker may send twice; expected the same topic, or another `client` for one of them"
            ));
        }
        filters.push((filter.clone(), *qos));
    }
    Ok(filters)
}

struct MqttDriver {
    runtime: Runtime,
    connection: Connection,
    subscriptions: Vec<Subscription>,
    filters: Vec<(String, Qos)>,
    clock: Option<SensorEnd>,
    drive: Option<Drive>,
    queued: Queued,
}

impl Driver for MqttDriver {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        self.queued.clear();
        self.connection.begin().map_err(DriverError)?;
        let publisher = self.connection.publisher();
        let Self {
            runtime,
            connection,
            subscriptions,
            filters,
            clock,
            drive,
            queued,
        } = self;
        let mut used = |event: Option<Event>| match event {
            Some(Event::Connected) => Ok(filters.is_empty()),
            Some(Event::Subscribed(None)) => Ok(true),
            Some(Event::Subscribed(Some((k, reason)))) => Err(format!(
                "the broker refused the subscription to `{}`: {reason}",
                filters.get(k).map_or("", |(filter, _)| filter)
            )),
            Some(Event::Arrived {
                topic,
                payload,
                is_retained,
            }) => {
                let now_ns = clock.as_ref().map_or(0, SensorEnd::now_ns);
                for subscription in &mut *subscriptions {
                    subscription.take(&topic, &payload, is_retained, now_ns);
                }
                Ok(false)
            }
            Some(Event::Sent) => {
                queued.sent();
                Ok(false)
            }
            Some(Event::Closed | Event::Other) | None => Ok(false),
        };
        // No command is sent before the broker has accepted all.
        if !runtime.run(connection, context, &mut used)? {
            return Ok(());
        }
        context.up();
        let is_lost = AtomicBool::new(false);
        thread::scope(|scope| {
            let (publisher, queued, is_lost) = (&publisher, &*queued, &is_lost);
            if let Some(drive) = drive {
                scope.spawn(move || drive.serve(publisher, queued, context, is_lost));
            }
            let served = runtime.run(connection, context, &mut |event| used(event).map(|_| false));
            is_lost.store(served.is_err(), Ordering::Release);
            served
        })?;
        runtime.close(connection, &publisher, &mut || queued.sent());
        subscriptions.iter_mut().for_each(|s| s.readers.report());
        Ok(())
    }
}
