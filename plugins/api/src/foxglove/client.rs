//! One client: its topics, services and parameters, and what it publishes.

#![expect(clippy::disallowed_methods, reason = "leases last by the wall clock")]

use super::services::{self, Call, JSON};
use super::{parameters, playback, publish};
use crate::command::FOXGLOVE;
use crate::gate::Caller;
use crate::lease::LeaseError;
use crate::live::{Item, Look};
use crate::problem::Problem;
use crate::server::Server;
use crate::token::Role;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use becomingone::components::request::RequestKind;
use foxglove::ws_protocol::client::ClientMessage;
use foxglove::ws_protocol::parameter::Parameter;
use foxglove::ws_protocol::server::server_info::Capability;
use foxglove::ws_protocol::server::{
    Advertise, AdvertiseServices, FetchAssetResponse, MessageData, ParameterValues, ServerInfo,
    ServiceCallFailure, ServiceCallResponse, Status, Time, Unadvertise, UnadvertiseServices,
};
use foxglove::ws_protocol::{BinaryMessage as _, JsonMessage};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::{interval, timeout};

/// Longest time in which a client takes a message; one that does not is closed.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// A client that neither sends nor answers for this time is gone.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// How often parameters are looked at, and whether the client is there.
const LOOKED_EVERY: Duration = Duration::from_millis(500);
/// Longest wait for the tick that checks a command.
const CHECKED_WITHIN: Duration = Duration::from_secs(1);
/// Longest time for which a twist holds; its lease may end before.
const TWIST_LASTS: Duration = Duration::from_secs(60);
/// Most topics that a client publishes.
const MAX_PUBLISHED: usize = 64;

/// What a client knows, and what it asked for.
#[derive(Default)]
struct Known {
    session: Option<u64>,
    /// Ids of the channels.
    channels: Vec<u64>,
    /// Channels by subscription.
    subscriptions: BTreeMap<u32, u64>,
    services: BTreeMap<u32, (String, Call)>,
    next_service: u32,
    /// Agents by what the client publishes.
    published: BTreeMap<u32, String>,
    /// Parameters that it looks at, and their values as it knows them.
    parameters: BTreeMap<String, Option<Parameter>>,
    /// Latest refusal of a message, and when.
    refused: Option<(String, Instant)>,
    /// Of a recording that is played.
    playback: playback::Told,
    seen: Option<Instant>,
}

/// Commands of a client that wait: the latest of each agent, how long it lasts, and the number of its lease.
#[derive(Default)]
struct Twists {
    waiting: Mutex<BTreeMap<String, (RequestKind, Duration, u64)>>,
    filled: Notify,
}

/// A client.
pub(super) struct Client {
    server: Arc<Server>,
    caller: Caller,
    /// Secret of the lease that it connected with.
    lease: Option<String>,
    look: Look,
    known: Mutex<Known>,
    twists: Twists,
    /// Agents that it moved.
    moved: Mutex<BTreeSet<String>>,
}

/// The connection is over.
struct Closed;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    pub(super) fn new(server: Arc<Server>, caller: Caller, lease: Option<String>) -> Self {
        let look = server.shows.look();
        Self {
            server,
            caller,
            lease,
            look,
            known: Mutex::default(),
            twists: Twists::default(),
            moved: Mutex::default(),
        }
    }

    /// Serves the client until it is gone, or the run is over.
    pub(super) async fn run(self, socket: WebSocket) {
        let (to, from) = socket.split();
        self.heard();
        let mut changes = self.look.shows.channels.changes();
        self.tell_news();
        tokio::select! {
            _ = self.send(to) => {}
            _ = self.receive(from) => {}
            () = self.command() => {}
            () = async {
                while changes.changed().await.is_ok() {
                    self.tell_news();
                }
            } => {}
            () = self.look_around() => {}
        }
        self.release();
    }

    fn answer(&self, message: &impl JsonMessage) {
        self.look.outbox.answer(Item::Text(message.to_string()));
    }

    fn error(&self, what: impl Into<String>) {
        self.answer(&Status::error(what));
    }

    fn heard(&self) {
        lock(&self.known).seen = Some(Instant::now());
    }

    /// Sends what waits.
    async fn send(&self, mut to: SplitSink<WebSocket, Message>) -> Result<(), Closed> {
        let outbox = &self.look.outbox;
        loop {
            let items = outbox.take();
            if items.is_empty() {
                outbox.wait().await;
                continue;
            }
            for item in items {
                let mut is_last = false;
                let message = match item {
                    Item::Text(text) => Message::Text(text.into()),
                    Item::Binary(bytes) => Message::Binary(bytes.into()),
                    Item::Message(subscription, sent) => {
                        let message = MessageData::new(subscription, sent.log_ns, &sent.bytes[..]);
                        Message::Binary(message.to_bytes().into())
                    }
                    Item::Time(now_ns) => Message::Binary(Time::new(now_ns).to_bytes().into()),
                    Item::Ping => Message::Ping(Vec::new().into()),
                    Item::Close(code, reason) => {
                        is_last = true;
                        let reason = reason.into();
                        Message::Close(Some(CloseFrame { code, reason }))
                    }
                };
                let sent = timeout(TAKEN_WITHIN, to.feed(message)).await;
                if is_last {
                    let _ = timeout(TAKEN_WITHIN, to.flush()).await;
                    return Err(Closed);
                }
                sent.map_err(|_| Closed)?.map_err(|_| Closed)?;
            }
            let flushed = timeout(TAKEN_WITHIN, to.flush()).await;
            flushed.map_err(|_| Closed)?.map_err(|_| Closed)?;
            let lost = outbox.take_lost();
            if lost > 0 {
                let what = format!("lost {lost} messages: the connection is slower than the run");
                // It replaces the one before.
                self.answer(&Status::warning(what).with_id("lost"));
            }
        }
    }

    /// Takes what the client sends.
    async fn receive(&self, mut from: SplitStream<WebSocket>) -> Result<(), Closed> {
        while let Some(Ok(message)) = from.next().await {
            self.heard();
            let told = match &message {
                Message::Text(text) => ClientMessage::parse_json(text),
                Message::Binary(bytes) => ClientMessage::parse_binary(bytes),
                // Answered by the next read, as pings are.
                Message::Close(_) | Message::Ping(_) | Message::Pong(_) => continue,
            };
            match told {
                Ok(told) => self.take(told),
                Err(error) => self.error(format!(
                    "found a message that is none of the protocol: {error}"
                )),
            }
        }
        Err(Closed)
    }

    fn take(&self, told: ClientMessage<'_>) {
        match told {
            ClientMessage::Subscribe(told) => {
                for wanted in told.subscriptions {
                    self.subscribe(wanted.id, wanted.channel_id);
                }
            }
            ClientMessage::Unsubscribe(told) => {
                let mut known = lock(&self.known);
                for id in told.subscription_ids {
                    if let Some(channel) = known.subscriptions.remove(&id) {
                        let channels = &self.look.shows.channels;
                        channels.unsubscribe(channel, &self.look.outbox);
                    }
                }
            }
            ClientMessage::Advertise(told) => {
                for channel in told.channels {
                    if let Err(what) = self.publishes(channel.id, &channel.topic, &channel.encoding)
                    {
                        self.error(what);
                    }
                }
            }
            ClientMessage::Unadvertise(told) => {
                let mut known = lock(&self.known);
                for id in told.channel_ids {
                    known.published.remove(&id);
                }
            }
            ClientMessage::PlaybackControlRequest(asked) => {
                let done = match self.caller.role >= Role::Operator {
                    true => playback::control(&self.server, &asked),
                    false => Err(format!(
                        "found a client of the role {}; expected operator, to play a recording",
                        self.caller.role
                    )),
                };
                if let Err(what) = done {
                    self.error(what);
                }
                self.tell_playback(Some(asked.request_id));
            }
            ClientMessage::MessageData(told) => {
                if let Err(what) = self.published(told.channel_id, &told.data) {
                    self.refuse(what);
                }
            }
            ClientMessage::GetParameters(told) => {
                let values = parameters::named(&self.server, &told.parameter_names);
                self.tell_parameters(values, told.id);
            }
            ClientMessage::SetParameters(told) => {
                for parameter in &told.parameters {
                    let set = parameters::set(&self.server, self.caller.role, parameter);
                    if let Err(what) = set {
                        self.error(what);
                    }
                }
                if told.id.is_some() {
                    let names: Vec<_> = told.parameters.into_iter().map(|p| p.name).collect();
                    self.tell_parameters(parameters::named(&self.server, &names), told.id);
                }
                self.tell_changed();
            }
            ClientMessage::SubscribeParameterUpdates(told) => {
                let exists: Vec<_> = parameters::named(&self.server, &told.parameter_names);
                let mut known = lock(&self.known);
                for name in exists.into_iter().map(|p| p.name) {
                    known.parameters.entry(name).or_default();
                }
                drop(known);
                self.tell_changed();
            }
            ClientMessage::UnsubscribeParameterUpdates(told) => {
                let mut known = lock(&self.known);
                known
                    .parameters
                    .retain(|name, _| !told.parameter_names.contains(name));
            }
            ClientMessage::ServiceCallRequest(told) => {
                let done = match told.encoding == JSON {
                    true => self.call(told.service_id),
                    false => Err(format!(
                        "found the encoding `{}`; expected `{JSON}`",
                        told.encoding
                    )),
                };
                match done {
                    Ok(message) => {
                        let payload = serde_json::json!({"success": true, "message": message});
                        let response = ServiceCallResponse {
                            service_id: told.service_id,
                            call_id: told.call_id,
                            encoding: JSON.into(),
                            payload: payload.to_string().into_bytes().into(),
                        };
                        self.look.outbox.answer(Item::Binary(response.to_bytes()));
                    }
                    Err(what) => {
                        self.answer(&ServiceCallFailure::new(
                            told.service_id,
                            told.call_id,
                            what,
                        ));
                    }
                }
            }
            ClientMessage::FetchAsset(told) => {
                let response = FetchAssetResponse::error_message(
                    told.request_id,
                    "found a request of an asset; expected none: meshes are in `/scene`",
                );
                self.look.outbox.answer(Item::Binary(response.to_bytes()));
            }
            ClientMessage::SubscribeConnectionGraph | ClientMessage::UnsubscribeConnectionGraph => {
                self.error("this server has no connection graph");
            }
        }
    }

    /// Tells which session and channels there are, and which services.
    fn tell_news(&self) {
        let mut known = lock(&self.known);
        let channels = &self.look.shows.channels;
        let news = channels.news(known.session.unwrap_or(0), known.channels.len());
        if known.session != Some(news.session) {
            self.answer(&self.info(news.session));
            if !known.channels.is_empty() {
                self.answer(&Unadvertise::new(std::mem::take(&mut known.channels)));
            }
            known.subscriptions.clear();
            known.session = Some(news.session);
        }
        if !news.added.is_empty() {
            known.channels.extend(news.added.iter().map(|c| c.id));
            let added = news.added.iter().map(|channel| (**channel).clone());
            self.answer(&Advertise::new(added));
        }
        let agents = self.server.board.agents();
        let offered = services::offered(self.caller.role, &agents);
        if known.services.values().eq(&offered) {
            return;
        }
        if !known.services.is_empty() {
            self.answer(&UnadvertiseServices::new(known.services.keys().copied()));
        }
        let first = known.next_service + 1;
        known.services = (first..).zip(offered).collect();
        known.next_service += known.services.len() as u32;
        let services = known.services.iter();
        let services = services.filter_map(|(id, (name, _))| services::advertised(*id, name));
        self.answer(&AdvertiseServices::new(services));
    }

    fn info(&self, session: u64) -> ServerInfo {
        let mut capabilities = vec![
            Capability::Time,
            Capability::Services,
            Capability::Parameters,
            Capability::ParametersSubscribe,
        ];
        if self.caller.role >= Role::Operator {
            capabilities.push(Capability::ClientPublish);
        }
        if self.server.playback.is_some() {
            capabilities.push(Capability::PlaybackControl);
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        ServerInfo::new(&self.server.scene)
            .with_capabilities(capabilities)
            .with_supported_encodings([JSON])
            .with_metadata(HashMap::from([("becomingone".to_owned(), version)]))
            .with_playback_time_range(playback::range(&self.server))
            .with_session_id(format!("{}-{session}", self.server.started))
    }

    fn subscribe(&self, id: u32, channel: u64) {
        let mut known = lock(&self.known);
        let is_taken = known.subscriptions.contains_key(&id);
        if is_taken || known.subscriptions.values().any(|c| *c == channel) {
            return self.error(format!(
                "found subscription {id} of channel {channel}; expected one a channel, each with a number of its own"
            ));
        }
        let channels = &self.look.shows.channels;
        match channels.subscribe(channel, id, &self.look.outbox) {
            true => {
                known.subscriptions.insert(id, channel);
            }
            false => self.error(format!(
                "found a subscription of channel {channel}; expected one that is advertised"
            )),
        }
    }

    /// Whether this client may publish at all; its lease.
    fn may_publish(&self) -> Result<&str, String> {
        let needed = self.caller.needs(Role::Operator);
        needed.map_err(|problem| problem.detail)?;
        self.lease.as_deref().ok_or_else(|| {
            "found a connection without a lease; expected `&lease=ID` in its address: an owner grants it by POST /v1/agents/{agent}/lease".to_owned()
        })
    }

    /// The client is going to publish.
    fn publishes(&self, id: u32, topic: &str, encoding: &str) -> Result<(), String> {
        let agent = publish::agent_of(topic)?;
        let known = self.server.agent(agent);
        known.map_err(|problem| format!("`{topic}`: {}", problem.detail))?;
        if encoding != JSON {
            return Err(format!(
                "`{topic}`: found the encoding `{encoding}`; expected `{JSON}`"
            ));
        }
        let mut known = lock(&self.known);
        if known.published.len() >= MAX_PUBLISHED {
            return Err(format!(
                "found more than {MAX_PUBLISHED} topics that a client publishes"
            ));
        }
        known.published.insert(id, agent.to_owned());
        drop(known);
        self.may_publish().map(drop)
    }

    /// The client published a message.
    fn published(&self, id: u32, bytes: &[u8]) -> Result<(), String> {
        let agent = lock(&self.known).published.get(&id).cloned();
        let agent = agent.ok_or_else(|| {
            format!("found a message of channel {id}; expected one that the client advertised")
        })?;
        let lease = self.may_publish()?;
        let what = publish::twist(bytes)?;
        let allowed = self
            .server
            .leases()
            .allows(&agent, lease, &what, Instant::now());
        let (left, lease) = allowed.map_err(|error: LeaseError| error.to_string())?;
        let lasts = left.min(TWIST_LASTS);
        lock(&self.twists.waiting).insert(agent, (what, lasts, lease));
        self.twists.filled.notify_one();
        Ok(())
    }

    /// Gives twists to the run; none waits for another, so that a stop is never behind one.
    async fn command(&self) {
        loop {
            self.twists.filled.notified().await;
            loop {
                let Some((agent, (what, lasts, lease))) = lock(&self.twists.waiting).pop_first()
                else {
                    break;
                };
                let commands = &self.server.commands;
                let given =
                    commands.give_as(FOXGLOVE, &agent, what, lasts, Some(lease), CHECKED_WITHIN);
                match given.await {
                    Ok(_) => {
                        lock(&self.moved).insert(agent);
                    }
                    Err(refusal) => self.refuse(Problem::from(refusal).detail),
                }
            }
        }
    }

    /// Tells why a message was refused, the same at most once a second.
    fn refuse(&self, what: String) {
        let mut known = lock(&self.known);
        let now = Instant::now();
        let is_told = known.refused.as_ref().is_some_and(|(told, at)| {
            *told == what && now.saturating_duration_since(*at) < Duration::from_secs(1)
        });
        if !is_told {
            // It replaces the one before.
            self.answer(&Status::error(&*what).with_id("publish"));
            known.refused = Some((what, now));
        }
    }

    fn call(&self, service: u32) -> Result<String, String> {
        let known = lock(&self.known).services.get(&service).cloned();
        let (_, call) = known.ok_or_else(|| {
            format!("found service {service}; expected one that is advertised to this client")
        })?;
        call.run(&self.server)
    }

    fn tell_parameters(&self, values: Vec<Parameter>, id: Option<String>) {
        let mut values = ParameterValues::new(values);
        values.id = id;
        self.answer(&values);
    }

    /// Tells where a recording is that is played, where that is news or an answer.
    fn tell_playback(&self, answers: Option<String>) {
        let mut known = lock(&self.known);
        let state = playback::state(&self.server, &mut known.playback, answers);
        drop(known);
        if let Some(state) = state {
            self.look.outbox.answer(Item::Binary(state.to_bytes()));
        }
    }

    /// Tells the parameters that it looks at and that are others by now.
    fn tell_changed(&self) {
        let mut known = lock(&self.known);
        if known.parameters.is_empty() {
            return;
        }
        let mut changed = parameters::all(&self.server);
        changed.retain(|parameter| {
            let Some(told) = known.parameters.get_mut(&parameter.name) else {
                return false;
            };
            let is_new = told.as_ref() != Some(parameter);
            *told = Some(parameter.clone());
            is_new
        });
        drop(known);
        if !changed.is_empty() {
            self.tell_parameters(changed, None);
        }
    }

    /// Tells changes of parameters; ends when the client is silent for too long. The end of the run closes the connection.
    async fn look_around(&self) {
        let mut end = self.server.end.subscribe();
        let mut every = interval(LOOKED_EVERY);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = async { let _ = end.wait_for(|end| *end).await; } => {
                    self.look.outbox.answer(Item::Close(close_code::AWAY, "the run is over"));
                    return std::future::pending().await;
                }
            }
            let seen = lock(&self.known).seen;
            let silent = seen.map_or(Duration::ZERO, |seen| seen.elapsed());
            if silent > SILENT_FOR {
                return;
            }
            if silent > SILENT_FOR / 2 {
                self.look.outbox.answer(Item::Ping);
            }
            self.tell_changed();
            self.tell_playback(None);
        }
    }

    /// Ends what it asked for, where its lease is still in force.
    fn release(&self) {
        let Some(lease) = &self.lease else { return };
        for agent in std::mem::take(&mut *lock(&self.moved)) {
            if self.server.leases().is_held(&agent, lease, Instant::now()) {
                self.server.commands.release(agent);
            }
        }
    }
}
