//! One connection to a broker, of MQTT 3.1.1 or 5, that is begun anew after it broke.

use crate::config::Broker;
use crate::reason::{MAX_MESSAGE, reason};
use becomingone_systems::links::SourceSite;
use becomingone_systems::links::tls::words;
use rumqttc::{TlsConfiguration, Transport, v5};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Packets that wait to be sent.
const QUEUE: usize = 64;
/// Messages of QoS 1 that wait for their acknowledgement.
const IN_FLIGHT: u16 = 100;
/// Pause after which the broker is asked whether it is there; the least of MQTT 5 in this client.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Longest time for the answer to a subscription.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for which a broker of MQTT 5 keeps a session (s); one of 3.1.1 decides itself.
const SESSION_S: u32 = 24 * 3600;

/// Quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Qos(pub(crate) u8);

impl Qos {
    fn v3(self) -> rumqttc::QoS {
        match self.0 {
            0 => rumqttc::QoS::AtMostOnce,
            1 => rumqttc::QoS::AtLeastOnce,
            _ => rumqttc::QoS::ExactlyOnce,
        }
    }

    fn v5(self) -> v5::mqttbytes::QoS {
        match self.0 {
            0 => v5::mqttbytes::QoS::AtMostOnce,
            1 => v5::mqttbytes::QoS::AtLeastOnce,
            _ => v5::mqttbytes::QoS::ExactlyOnce,
        }
    }
}

/// A message to publish.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Event {
    /// The broker accepted the connection, and was sent the subscriptions.
    Connected,
    /// The broker accepted the subscriptions, or refused this one of them.
    Subscribed(Option<(usize, String)>),
    /// A message arrived.
    Arrived {
        topic: String,
        payload: Vec<u8>,
        is_retained: bool,
    },
    /// The next message in the order of [`Publisher::publish`] is on its way.
    Sent,
    /// The broker knows that the connection ends.
    Closed,
    /// Anything else.
    Other,
}

/// Sending end of a connection, for any thread.
#[derive(Clone)]
pub(crate) enum Publisher {
    V3(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

impl Publisher {
    /// Queues a message; returns whether there was room.
    pub(crate) fn publish(&self, message: Message) -> bool {
        let Message {
            topic,
            payload,
            qos,
            retain,
        } = message;
        match self {
            Self::V3(client) => client.try_publish(topic, qos.v3(), retain, payload).is_ok(),
            Self::V5(client) => client.try_publish(topic, qos.v5(), retain, payload).is_ok(),
        }
    }

    /// Subscribes to all of these at once.
    fn subscribe(&self, filters: &[(String, Qos)]) -> bool {
        let filters = filters.iter().cloned();
        match self {
            Self::V3(client) => {
                let filters = filters.map(|(f, qos)| rumqttc::SubscribeFilter::new(f, qos.v3()));
                client.try_subscribe_many(filters).is_ok()
            }
            Self::V5(client) => {
                let filters = filters.map(|(f, qos)| v5::mqttbytes::v5::Filter::new(f, qos.v5()));
                client.try_subscribe_many(filters).is_ok()
            }
        }
    }

    /// Ends the connection, after what is queued; its last will is not published.
    pub(crate) fn close(&self) -> bool {
        match self {
            Self::V3(client) => client.try_disconnect().is_ok(),
            Self::V5(client) => client.try_disconnect().is_ok(),
        }
    }
}

enum EventLoop {
    V3(Box<rumqttc::EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// Messages of QoS 2 of a session, by their numbers. The client forgets them where a connection breaks, and would then
/// give a message twice that the broker sends again, and refuse its next packet for each that it has sent already.
#[derive(Default)]
struct Received {
    /// Those that the broker may send again.
    unreleased: BTreeSet<u16>,
    /// All, whose release the broker may send again.
    known: BTreeSet<u16>,
}

impl Received {
    fn is_new(&mut self, number: u16) -> bool {
        self.known.insert(number);
        self.unreleased.insert(number)
    }

    fn release(&mut self, number: u16) -> Event {
        self.unreleased.remove(&number);
        Event::Other
    }

    fn connected(&mut self, is_kept: bool) -> Event {
        if !is_kept {
            *self = Self::default();
        }
        Event::Connected
    }
}

/// A connection.
pub(crate) struct Connection {
    broker: Broker,
    site: Arc<SourceSite>,
    client: String,
    will: Option<Message>,
    filters: Vec<(String, Qos)>,
    /// When the broker has to have answered the subscriptions; none: it has, or there is no connection.
    answer_by: Option<Instant>,
    publisher: Publisher,
    events: EventLoop,
    /// What arrived before the last connection broke, and was not used.
    backlog: VecDeque<Event>,
    received: Received,
}

impl Connection {
    /// Prepares a connection with these subscriptions; paths are relative to the site. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Missing variables and files of the login and of TLS.
    pub(crate) fn new(
        broker: Broker,
        site: SourceSite,
        will: Option<Message>,
        filters: Vec<(String, Qos)>,
    ) -> Result<Self, String> {
        let client = broker.client.clone().unwrap_or_else(|| {
            // A hasher's random keys; the name is no part of a run that is repeated.
            format!(
                "becomingone-{:010x}",
                RandomState::new().hash_one(0u8) >> 24
            )
        });
        let options = Options {
            broker: &broker,
            site: &site,
            client: &client,
            will: will.as_ref(),
        };
        let (publisher, events) = if broker.is_v5 {
            let (client, events) = v5::AsyncClient::new(options.v5()?, QUEUE);
            (Publisher::V5(client), EventLoop::V5(Box::new(events)))
        } else {
            let (client, events) = rumqttc::AsyncClient::new(options.v3()?, QUEUE);
            (Publisher::V3(client), EventLoop::V3(Box::new(events)))
        };
        Ok(Self {
            broker,
            site: Arc::new(site),
            client,
            will,
            filters,
            answer_by: None,
            publisher,
            events,
            backlog: VecDeque::new(),
            received: Received::default(),
        })
    }

    pub(crate) fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Ends what is left of the last connection; the next [`Self::next`] connects. Messages that wait to be sent are
    /// thrown away: they are old. Login and certificates are read again.
    ///
    /// # Errors
    ///
    /// See [`Self::new`].
    pub(crate) fn begin(&mut self) -> Result<(), String> {
        self.answer_by = None;
        let options = Options {
            broker: &self.broker,
            site: &self.site,
            client: &self.client,
            will: self.will.as_ref(),
        };
        match &mut self.events {
            EventLoop::V3(events) => {
                events.mqtt_options = options.v3()?;
                events.clean();
                events.pending.clear();
                events.state.collision = None;
                let left = std::mem::take(&mut events.state.events);
                let left = left
                    .into_iter()
                    .map(|event| of_v3(event, &mut self.received));
                self.backlog.extend(left.filter(is_arrival));
                for &pkid in &self.received.known {
                    let mut publish =
                        rumqttc::Publish::new("-", rumqttc::QoS::ExactlyOnce, Vec::new());
                    publish.pkid = pkid;
                    let _ = events
                        .state
                        .handle_incoming_packet(rumqttc::Packet::Publish(publish));
                }
                events.state.events.clear();
            }
            EventLoop::V5(events) => {
                events.options = options.v5()?;
                events.clean();
                events.pending.clear();
                events.state.collision = None;
                let left = std::mem::take(&mut events.state.events);
                let left = left
                    .into_iter()
                    .map(|event| of_v5(event, &mut self.received));
                self.backlog.extend(left.filter(is_arrival));
                for &pkid in &self.received.known {
                    let qos = v5::mqttbytes::QoS::ExactlyOnce;
                    let mut publish = v5::mqttbytes::v5::Publish::new("-", qos, Vec::new(), None);
                    publish.pkid = pkid;
                    let packet = v5::mqttbytes::v5::Packet::Publish(publish);
                    let _ = events.state.handle_incoming_packet(packet);
                }
                events.state.events.clear();
            }
        }
        Ok(())
    }

    /// The next event; it connects where there is no connection.
    ///
    /// # Errors
    ///
    /// Why the connection failed.
    pub(crate) async fn next(&mut self) -> Result<Event, String> {
        if let Some(event) = self.backlog.pop_front() {
            return Ok(event);
        }
        let received = &mut self.received;
        let poll = async {
            match &mut self.events {
                EventLoop::V3(events) => match events.poll().await {
                    Ok(event) => Ok(of_v3(event, received)),
                    Err(error) => Err(reason(&error)),
                },
                EventLoop::V5(events) => match events.poll().await {
                    Ok(event) => Ok(of_v5(event, received)),
                    Err(error) => Err(reason(&error)),
                },
            }
        };
        let event = match self.answer_by {
            None => poll.await?,
            Some(at) => tokio::select! {
                biased;
                () = sleep_until(at) => {
                    return Err(format!(
                        "no answer of the broker to the subscription within {} s",
                        SUBSCRIBE_TIMEOUT.as_secs()
                    ));
                }
                event = poll => event?,
            },
        };
        match event {
            Event::Connected if !self.filters.is_empty() => {
                self.publisher.subscribe(&self.filters);
                self.answer_by = Some(Instant::now() + SUBSCRIBE_TIMEOUT);
            }
            Event::Subscribed(_) => self.answer_by = None,
            _ => {}
        }
        Ok(event)
    }
}

fn is_arrival(event: &Event) -> bool {
    matches!(event, Event::Arrived { .. })
}

fn of_v3(event: rumqttc::Event, received: &mut Received) -> Event {
    use rumqttc::{Event as In, Outgoing, Packet, QoS, SubscribeReasonCode};
    match event {
        In::Incoming(Packet::ConnAck(ack)) => received.connected(ack.session_present),
        In::Incoming(Packet::SubAck(ack)) => {
            let mut codes = ack.return_codes.iter();
            let refused = codes.position(|code| *code == SubscribeReasonCode::Failure);
            Event::Subscribed(refused.map(|k| (k, "not authorized, or not valid".to_owned())))
        }
        In::Incoming(Packet::Publish(publish)) => {
            if publish.qos == QoS::ExactlyOnce && !received.is_new(publish.pkid) {
                return Event::Other;
            }
            Event::Arrived {
                topic: publish.topic,
                payload: publish.payload.into(),
                is_retained: publish.retain,
            }
        }
        In::Incoming(Packet::PubRel(release)) => received.release(release.pkid),
        In::Outgoing(Outgoing::Publish(_)) => Event::Sent,
        In::Outgoing(Outgoing::Disconnect) => Event::Closed,
        _ => Event::Other,
    }
}

fn of_v5(event: v5::Event, received: &mut Received) -> Event {
    use rumqttc::Outgoing;
    use v5::Event as In;
    use v5::mqttbytes::QoS;
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    match event {
        In::Incoming(Packet::ConnAck(ack)) => received.connected(ack.session_present),
        In::Incoming(Packet::SubAck(ack)) => {
            let is_refused =
                |code: &SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
            let refused = ack.return_codes.iter().position(is_refused);
            Event::Subscribed(refused.map(|k| (k, words(&format!("{:?}", ack.return_codes[k])))))
        }
        In::Incoming(Packet::Publish(publish)) => {
            if publish.qos == QoS::ExactlyOnce && !received.is_new(publish.pkid) {
                return Event::Other;
            }
            Event::Arrived {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: publish.payload.into(),
                is_retained: publish.retain,
            }
        }
        In::Incoming(Packet::PubRel(release)) => received.release(release.pkid),
        In::Outgoing(Outgoing::Publish(_)) => Event::Sent,
        In::Outgoing(Outgoing::Disconnect) => Event::Closed,
        _ => Event::Other,
    }
}

/// Options of the client.
struct Options<'a> {
    broker: &'a Broker,
    site: &'a SourceSite,
    client: &'a str,
    will: Option<&'a Message>,
}

impl Options<'_> {
    fn transport(&self) -> Result<Transport, String> {
        if !self.broker.address.is_tls {
            return Ok(Transport::tcp());
        }
        let config = self.broker.certificates.read(self.site)?;
        Ok(Transport::tls_with_config(TlsConfiguration::from(config)))
    }

    fn v3(&self) -> Result<rumqttc::MqttOptions, String> {
        let address = &self.broker.address;
        let mut options = rumqttc::MqttOptions::new(self.client, &address.host, address.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(MAX_MESSAGE, MAX_MESSAGE)
            .set_inflight(IN_FLIGHT)
            .set_transport(self.transport()?)
            .set_clean_session(!self.broker.is_kept);
        if let Some(login) = &self.broker.login {
            let login = login.read(self.site)?;
            options.set_credentials(login.user, login.password);
        }
        if let Some(Message {
            topic,
            payload,
            qos,
            retain,
        }) = self.will.cloned()
        {
            options.set_last_will(rumqttc::LastWill::new(topic, payload, qos.v3(), retain));
        }
        Ok(options)
    }

    fn v5(&self) -> Result<v5::MqttOptions, String> {
        let address = &self.broker.address;
        let mut options = v5::MqttOptions::new(self.client, &address.host, address.port);
        let is_kept = self.broker.is_kept;
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(Some(MAX_MESSAGE as u32))
            .set_outgoing_inflight_upper_limit(IN_FLIGHT)
            .set_transport(self.transport()?)
            .set_clean_start(!is_kept)
            .set_session_expiry_interval(is_kept.then_some(SESSION_S));
        if let Some(login) = &self.broker.login {
            let login = login.read(self.site)?;
            options.set_credentials(login.user, login.password);
        }
        if let Some(Message {
            topic,
            payload,
            qos,
            retain,
        }) = self.will.cloned()
        {
            let will = v5::mqttbytes::v5::LastWill::new(topic, payload, qos.v5(), retain, None);
            options.set_last_will(will);
        }
        Ok(options)
    }
}
