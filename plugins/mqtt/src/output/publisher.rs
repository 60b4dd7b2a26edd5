//! The thread of the connection: it publishes the newest state, and takes commands.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread paces its messages by the wall clock"
)]

use super::board::Board;
use super::command::Command;
use super::discovery;
use super::topics::{QOS, Topics};
use crate::config::Broker;
use crate::connection::{self, Connection, Event, Message};
use crate::runtime::Runtime;
use becomingone_components::view::AgentState;
use becomingone_systems::links::{Complaints, Context, Driver, DriverError, SourceSite};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Publishes the state of a run's agents.
pub(super) struct Publisher {
    runtime: Runtime,
    connection: Connection,
    topics: Topics,
    board: Board,
    every: Duration,
    complaints: Complaints,
}

impl Publisher {
    pub(super) fn new(
        broker: Broker,
        site: SourceSite,
        topics: Topics,
        board: Board,
        every: Duration,
    ) -> Result<Self, String> {
        let complaints = Complaints::new(&broker.address.to_string(), "commands");
        // A command that was sent while there was no connection is old.
        let broker = Broker {
            is_kept: false,
            ..broker
        };
        let will = retained(topics.availability(), "offline");
        Ok(Self {
            runtime: Runtime::new()?,
            connection: Connection::new(broker, site, Some(will), vec![(topics.commands(), QOS)])?,
            topics,
            board,
            every,
            complaints,
        })
    }
}

fn retained(topic: String, payload: impl Into<Vec<u8>>) -> Message {
    Message {
        topic,
        payload: payload.into(),
        qos: QOS,
        retain: true,
    }
}

/// JSON of plain data, which cannot fail.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// State of one connection.
struct Session<'a> {
    publisher: connection::Publisher,
    topics: &'a Topics,
    board: &'a Board,
    /// Agents that were described to Home Assistant.
    described: BTreeSet<String>,
    /// Agents whose newest state is still to be sent.
    waiting: Vec<AgentState>,
    next: Instant,
    every: Duration,
    complaints: &'a mut Complaints,
}

impl Session<'_> {
    /// Sends what is due; what finds no room is sent later.
    fn send(&mut self) {
        self.refusals();
        let now = Instant::now();
        let mut content = self.board.lock();
        if !content.agents.is_empty() && (now >= self.next || content.is_urgent) {
            content.is_urgent = false;
            self.waiting = content.agents.clone();
            self.next = now + self.every;
        }
        drop(content);
        while let Some(status) = self.waiting.last() {
            let is_new =
                !self.topics.discovery.is_empty() && !self.described.contains(&status.agent);
            if is_new {
                let topic = self.topics.config(&status.agent);
                let payload = discovery::payload(self.topics, status);
                if !self.publisher.publish(retained(topic, json(&payload))) {
                    return;
                }
                self.described.insert(status.agent.clone());
            }
            let message = retained(self.topics.state(&status.agent), json(status));
            if !self.publisher.publish(message) {
                return;
            }
            self.waiting.pop();
        }
    }

    /// Tells who sent a command that it is refused.
    fn refusals(&mut self) {
        while let Some((id, reason)) = {
            let mut content = self.board.lock();
            content.next_refusal()
        } {
            self.complaints.add("refused".to_owned(), || {
                format!("a command is refused: {reason}")
            });
            let payload = json(&serde_json::json!({ "reason": reason }));
            self.publisher.publish(Message {
                retain: false,
                ..retained(format!("{}/{id}/refused", self.topics.base), payload)
            });
        }
    }
}

impl Driver for Publisher {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        self.connection.begin().map_err(DriverError)?;
        let publisher = self.connection.publisher();
        let mut session = Session {
            publisher: publisher.clone(),
            topics: &self.topics,
            board: &self.board,
            described: BTreeSet::new(),
            waiting: Vec::new(),
            next: Instant::now(),
            every: self.every,
            complaints: &mut self.complaints,
        };
        let mut is_connected = false;
        self.runtime.run(
            &mut self.connection,
            context,
            &mut |event| {
                match event {
                    Some(Event::Connected) => {
                        is_connected = true;
                        context.up();
                        publisher.publish(retained(self.topics.availability(), "online"));
                    }
                    Some(Event::Subscribed(Some((_, reason)))) => {
                        log::warn!("commands by MQTT: the broker refused the subscription: {reason}");
                    }
                    Some(Event::Arrived {
                        topic,
                        payload,
                        is_retained,
                    }) => {
                        let Some(id) = self.topics.commanded(&topic) else {
                            return Ok(false);
                        };
                        let command = match is_retained {
                            true => Err("found a retained command, which may be old; expected one without `retain`".to_owned()),
                            false => Command::read(&payload).and_then(|command| self.topics.allowed(command)),
                        };
                        let mut content = self.board.lock();
                        match command {
                            Ok(command) => content.command(id.to_owned(), command),
                            Err(reason) => content.refuse(id.to_owned(), reason),
                        }
                    }
                    _ => {}
                }
                if is_connected {
                    session.send();
                }
                Ok(false)
            },
        )?;
        if !is_connected {
            return Ok(());
        }
        // The last state, and the end.
        session.next = Instant::now();
        session.waiting.clear();
        session.send();
        self.complaints.report();
        // Where there is no room for it, the connection breaks off, and the broker publishes the last will.
        if publisher.publish(retained(self.topics.availability(), "offline")) {
            self.runtime
                .close(&mut self.connection, &publisher, &mut || {});
        }
        Ok(())
    }
}
