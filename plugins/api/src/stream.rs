//! The WebSocket `/v1/stream`: views at a rate, events as they come, and commands. A slow client loses whole messages,
//! which are counted in the next one; it slows nobody else.

use crate::ask::Ask;
use crate::command::SENDER;
use crate::connections::{Open, Streaming};
use crate::gate::Caller;
use crate::interest::{Interest, Pattern};
use crate::problem::Problem;
use crate::question::{Question, part};
use crate::selection::Selection;
use crate::server::Server;
use crate::view::View;
use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};
use utoipa::{IntoParams, ToSchema};

/// Highest rate of views (Hz).
const MAX_RATE_HZ: f64 = 200.0;
/// Largest message of a client.
const MAX_MESSAGE: usize = 16 << 10;
/// Most patterns of a subscription.
const MAX_PATTERNS: usize = 32;
/// Most events in one message.
const MAX_EVENTS: usize = 100;
/// Messages of a client that are not looked at yet.
const MAX_UNREAD: usize = 64;
/// Most commands of a client that are not answered yet.
const MAX_COMMANDS: usize = 16;
/// Longest time in which a client takes a message; one that does not is closed.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// A message is sent at least so often: who gets none knows that the stream is dead.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// A client that neither sends nor answers for this time is gone.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// Text.
    #[default]
    Json,
    /// Binary (RFC 8949), with the same content.
    Cbor,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// How messages are written.
    #[serde(default)]
    #[param(inline)]
    encoding: Encoding,
}

/// What a client sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Told {
    /// Replaces the subscription.
    Subscribe {
        /// Agents whose state is sent; none: all.
        #[serde(default = "everything")]
        agents: Vec<String>,
        /// Sensors whose latest readings are sent; none without.
        #[serde(default)]
        sensors: Vec<String>,
        /// Views a second.
        #[serde(default = "ten")]
        rate_hz: f64,
        /// Whether events are sent.
        #[serde(default = "yes")]
        events: bool,
        /// Members of agents and numbers of sensors that are sent, as `pose` and `angular_velocity_*`; none: all.
        #[serde(default)]
        fields: Option<Vec<String>>,
    },
    /// A command, as the content of `/v1/agents/{agent}/requests`; its answer has the same `id`.
    Command {
        #[serde(default)]
        id: u64,
        agent: String,
        /// `id` of a lease.
        lease: String,
        /// The same key again does nothing, and is answered as before.
        #[serde(default)]
        idempotency_key: Option<String>,
        command: Value,
    },
    /// Stops an agent, or all.
    Stop {
        #[serde(default)]
        id: u64,
        #[serde(default)]
        agent: Option<String>,
    },
    /// An answer is sent at once.
    Ping {
        #[serde(default)]
        id: u64,
    },
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

fn ten() -> f64 {
    10.0
}

fn yes() -> bool {
    true
}

/// What is sent.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Sent<'a> {
    View {
        /// Counts the messages of this connection.
        sequence: u64,
        /// Views of this connection that were not sent, as it was slow.
        lost: u64,
        /// Whether the run is paused.
        is_paused: bool,
        #[serde(flatten)]
        view: &'a View,
    },
    /// A view with some of its fields.
    #[serde(rename = "view")]
    Selected {
        sequence: u64,
        lost: u64,
        is_paused: bool,
        #[serde(flatten)]
        view: Map<String, Value>,
    },
    Events {
        sequence: u64,
        /// Events that are kept no longer.
        lost: u64,
        events: &'a [crate::view::EventView],
    },
    /// The run makes no tick: it is over, or has not begun.
    Alive {
        sequence: u64,
    },
    Pong {
        sequence: u64,
        id: u64,
    },
    /// Of a command or a stop.
    Answer {
        sequence: u64,
        id: u64,
        /// What was accepted; null where it was refused, and of a stop.
        accepted: Option<Value>,
        /// Why it was refused.
        problem: Option<Problem>,
    },
    Error {
        sequence: u64,
        detail: String,
    },
}

pub(crate) struct Subscription {
    agents: Vec<Pattern>,
    period: Duration,
    events: bool,
    fields: Option<Selection>,
    _interest: Interest,
}

impl Subscription {
    pub(crate) fn new(
        server: &Server,
        agents: Vec<String>,
        sensors: Vec<String>,
        rate_hz: f64,
        events: bool,
        fields: Option<Vec<String>>,
    ) -> Result<Self, String> {
        let all = || agents.iter().chain(&sensors).chain(fields.iter().flatten());
        if all().count() > MAX_PATTERNS {
            return Err(format!(
                "found {} patterns; expected at most {MAX_PATTERNS}",
                all().count()
            ));
        }
        if all().any(|pattern| pattern.len() > 200) {
            return Err("found a pattern of more than 200 bytes".to_owned());
        }
        if !(rate_hz > 0.0 && rate_hz <= MAX_RATE_HZ) {
            return Err(format!(
                "found \"rate_hz\": {rate_hz}; expected more than 0, and at most {MAX_RATE_HZ}"
            ));
        }
        let patterns = |texts: Vec<String>| texts.into_iter().map(Pattern::new).collect();
        Ok(Self {
            agents: patterns(agents),
            period: Duration::from_secs_f64(1.0 / rate_hz.max(1e-3)),
            events,
            fields: fields.map(|fields| Selection(patterns(fields))),
            _interest: server.board.interests.at_rate(patterns(sensors), rate_hz),
        })
    }

    /// Without the agents and sensors that it does not name.
    fn of(&self, view: &View, sensors: &[Pattern]) -> View {
        let named = |patterns: &[Pattern], name: &str| patterns.iter().any(|p| p.fits(name));
        View {
            agents: view
                .agents
                .iter()
                .filter(|a| named(&self.agents, &a.agent))
                .cloned()
                .collect(),
            sensors: view
                .sensors
                .iter()
                .filter(|s| named(sensors, &s.sensor))
                .cloned()
                .collect(),
            state_hash: view.state_hash.clone(),
            ..*view
        }
    }
}

/// What carries the messages of a stream.
pub(crate) trait Carrier: Send {
    /// Whether its client answers pings.
    const ANSWERS: bool;

    /// Waits until the client takes a message.
    fn send(&mut self, message: Message) -> impl Future<Output = Result<(), Closed>> + Send;

    /// Waits for a message of the client.
    fn recv(&mut self) -> impl Future<Output = Result<Message, Closed>> + Send;
}

/// A WebSocket, which is read also while a message waits for its client.
struct Socket {
    to: SplitSink<WebSocket, Message>,
    from: mpsc::Receiver<Message>,
}

impl Socket {
    fn new(socket: WebSocket, server: Arc<Server>) -> Self {
        let (to, from) = socket.split();
        let (taken, waiting) = mpsc::channel(MAX_UNREAD);
        tokio::spawn(read(from, taken, server));
        Self { to, from: waiting }
    }
}

/// Reads a client. A stop acts here, whatever else is being done for the client.
async fn read(mut from: SplitStream<WebSocket>, to: mpsc::Sender<Message>, server: Arc<Server>) {
    while let Some(Ok(message)) = from.next().await {
        if let Ok(Told::Stop { agent, .. }) = told(&message) {
            match agent {
                // One that is not there is answered so.
                Some(agent) => drop(server.stop(&agent, SENDER)),
                None => server.stop_all(SENDER),
            }
        }
        // A client that sends so much more than it reads is closed.
        if to.try_send(message).is_err() {
            return;
        }
    }
}

fn told(message: &Message) -> Result<Told, String> {
    match message {
        Message::Text(text) => serde_json::from_str(text).map_err(|e| e.to_string()),
        Message::Binary(bytes) => ciborium::from_reader(&bytes[..]).map_err(|e| e.to_string()),
        _ => Err("expected text or bytes".to_owned()),
    }
}

impl Carrier for Socket {
    const ANSWERS: bool = true;

    async fn send(&mut self, message: Message) -> Result<(), Closed> {
        self.to.send(message).await.map_err(|_| Closed)
    }

    async fn recv(&mut self) -> Result<Message, Closed> {
        self.from.recv().await.ok_or(Closed)
    }
}

/// A connection.
pub(crate) struct Stream<T> {
    carrier: T,
    server: Arc<Server>,
    /// Commands go through it, with these headers of the client.
    ask: Option<(Ask, HeaderMap)>,
    encoding: Encoding,
    subscription: Option<(Subscription, Vec<Pattern>)>,
    /// Whether the subscription is a new one, of which nothing was sent.
    is_new: bool,
    sequence: u64,
    lost: u64,
    /// Number of the latest event that was sent.
    cursor: u64,
    answers: (mpsc::Sender<Answered>, mpsc::Receiver<Answered>),
    /// Commands that are not answered yet.
    asked: usize,
}

/// The answer to the command with this number.
struct Answered {
    id: u64,
    answer: Result<Value, Problem>,
}

/// The client is gone, or is to go.
pub(crate) struct Closed;

impl<T: Carrier> Stream<T> {
    /// A stream to a client, which may be subscribed already.
    pub(crate) fn new(
        carrier: T,
        server: Arc<Server>,
        subscription: Option<(Subscription, Vec<Pattern>)>,
    ) -> Self {
        Self {
            carrier,
            server,
            ask: None,
            encoding: Encoding::Json,
            subscription,
            is_new: false,
            sequence: 0,
            lost: 0,
            cursor: 0,
            answers: mpsc::channel(MAX_COMMANDS + MAX_UNREAD),
            asked: 0,
        }
    }

    async fn send(&mut self, message: impl FnOnce(u64) -> Sent<'static>) -> Result<(), Closed> {
        self.sequence += 1;
        let message = message(self.sequence);
        self.write(&message).await
    }

    async fn write(&mut self, message: &Sent<'_>) -> Result<(), Closed> {
        let message = match self.encoding {
            Encoding::Json => serde_json::to_string(message)
                .map(|text| Message::Text(text.into()))
                .ok(),
            Encoding::Cbor => {
                let mut bytes = Vec::new();
                let written = ciborium::into_writer(message, &mut bytes);
                written.is_ok().then(|| Message::Binary(bytes.into()))
            }
        };
        let Some(message) = message else {
            return Ok(());
        };
        match timeout(TAKEN_WITHIN, self.carrier.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Closed),
        }
    }

    /// Takes a message of the client.
    async fn take(&mut self, message: Message) -> Result<(), Closed> {
        match &message {
            Message::Text(_) | Message::Binary(_) => {}
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(Closed),
        }
        let wrong = match told(&message) {
            Ok(Told::Ping { id }) => {
                return self.send(|sequence| Sent::Pong { sequence, id }).await;
            }
            Ok(Told::Command {
                id,
                agent,
                lease,
                idempotency_key,
                command,
            }) => {
                let path = format!("/v1/agents/{}/requests", part(&agent));
                let question = Question::post(path, Some(command))
                    .lease(Some(lease))
                    .key(idempotency_key);
                return self.command(id, question).await;
            }
            Ok(Told::Stop { id, agent }) => {
                let path = agent.map_or("/v1/stop".to_owned(), |agent| {
                    format!("/v1/agents/{}/stop", part(&agent))
                });
                return self.command(id, Question::post(path, None)).await;
            }
            Ok(Told::Subscribe {
                agents,
                sensors,
                rate_hz,
                events,
                fields,
            }) => {
                let patterns = sensors.iter().map(Pattern::new).collect();
                match Subscription::new(&self.server, agents, sensors, rate_hz, events, fields) {
                    Ok(subscription) => {
                        self.subscription = Some((subscription, patterns));
                        self.is_new = true;
                        return Ok(());
                    }
                    Err(wrong) => wrong,
                }
            }
            Err(error) => format!(
                "{error}; expected {{\"type\": \"subscribe\", \"agents\": [\"*\"], \"sensors\": [\"rover/imu\"], \"rate_hz\": 10}}"
            ),
        };
        self.send(|sequence| Sent::Error {
            sequence,
            detail: wrong,
        })
        .await
    }

    /// Asks for a command; its answer comes when there is one.
    async fn command(&mut self, id: u64, question: Question) -> Result<(), Closed> {
        // A stop has acted already.
        let may = self.asked < MAX_COMMANDS || question.path.ends_with("/stop");
        let Some((ask, caller)) = self.ask.clone().filter(|_| may) else {
            let answer = Err(Problem::unavailable(format!(
                "found more than {MAX_COMMANDS} commands without an answer; expected a pause"
            )));
            return self.answer(Answered { id, answer }).await;
        };
        self.asked += 1;
        let answers = self.answers.0.clone();
        tokio::spawn(async move {
            let answer = ask.ask(&caller, question).await;
            // The client may be gone.
            let _ = answers.send(Answered { id, answer }).await;
        });
        Ok(())
    }

    async fn answer(&mut self, Answered { id, answer }: Answered) -> Result<(), Closed> {
        let (accepted, problem) = match answer {
            Ok(accepted) => (Some(accepted).filter(|a| !a.is_null()), None),
            Err(problem) => (None, Some(problem)),
        };
        self.send(|sequence| Sent::Answer {
            sequence,
            id,
            accepted,
            problem,
        })
        .await
    }

    async fn events(&mut self) -> Result<(), Closed> {
        if !self
            .subscription
            .as_ref()
            .is_some_and(|(subscription, _)| subscription.events)
        {
            return Ok(());
        }
        loop {
            let (events, lost) = self.server.board.events().after(self.cursor, MAX_EVENTS);
            let Some(last) = events.last() else {
                return Ok(());
            };
            self.cursor = last.number;
            self.sequence += 1;
            let sequence = self.sequence;
            self.write(&Sent::Events {
                sequence,
                lost,
                events: &events,
            })
            .await?;
        }
    }

    /// Serves the client until it is gone, or the run is over.
    pub(crate) async fn run(mut self) -> Result<(), Closed> {
        let mut views = self.server.board.views();
        let mut counts = self.server.board.event_counts();
        let mut end = self.server.end.subscribe();
        self.cursor = self.server.board.events().count();
        let mut alive = interval(ALIVE_EVERY);
        let mut seen = Instant::now();
        let mut sent = Instant::now();
        loop {
            tokio::select! {
                message = self.carrier.recv() => {
                    let message = message?;
                    seen = Instant::now();
                    self.take(message).await?;
                    // What others asked for before is old.
                    if std::mem::take(&mut self.is_new) { views.mark_unchanged(); }
                }
                Some(answered) = self.answers.1.recv() => {
                    self.asked -= 1;
                    self.answer(answered).await?;
                }
                changed = views.changed(), if self.subscription.is_some() => {
                    if changed.is_err() { return Ok(()) }
                    let Some((subscription, sensors)) = &self.subscription else { continue };
                    let period = subscription.period;
                    // Others may have asked for more.
                    if sent.elapsed() < period.mul_f64(0.8) { continue }
                    let view = views.borrow_and_update().clone();
                    let view = subscription.of(&view, sensors);
                    sent = Instant::now();
                    self.sequence += 1;
                    let (sequence, lost) = (self.sequence, self.lost);
                    let is_paused = self.server.run.is_paused();
                    let selected = subscription.fields.as_ref();
                    let selected = selected.map(|fields| fields.of(&view, &self.server.board.sensors()));
                    let sent_now = match selected {
                        None => Sent::View { sequence, lost, is_paused, view: &view },
                        Some(view) => Sent::Selected { sequence, lost, is_paused, view },
                    };
                    self.write(&sent_now).await?;
                    // A client that took longer than a period has lost what was due meanwhile.
                    let late = sent.elapsed().as_secs_f64() / period.as_secs_f64();
                    self.lost += late as u64;
                    alive.reset();
                }
                changed = counts.changed(), if self.subscription.is_some() => {
                    if changed.is_err() { return Ok(()) }
                    counts.mark_unchanged();
                    self.events().await?;
                }
                _ = alive.tick() => {
                    if T::ANSWERS && seen.elapsed() > SILENT_FOR { return Err(Closed) }
                    if T::ANSWERS && seen.elapsed() > SILENT_FOR / 2 {
                        let ping = self.carrier.send(Message::Ping(Vec::new().into()));
                        let _ = timeout(TAKEN_WITHIN, ping).await;
                    }
                    self.send(|sequence| Sent::Alive { sequence }).await?;
                }
                () = ended(&mut end) => {
                    let close = CloseFrame { code: close_code::AWAY, reason: "the run is over".into() };
                    let _ = timeout(TAKEN_WITHIN, self.carrier.send(Message::Close(Some(close)))).await;
                    return Ok(());
                }
            }
        }
    }
}

/// Waits for the end of the server.
async fn ended(end: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = end.wait_for(|end| *end).await;
}

/// Views and events as they come. The first message of the client subscribes:
/// `{"type": "subscribe", "agents": ["*"], "sensors": ["rover/imu"], "rate_hz": 10, "events": true}`; with
/// `"fields": ["pose", "angular_velocity_*"]` nothing else of agents and sensors. Commands:
/// `{"type": "command", "id": 1, "agent": "rover", "lease": "..", "command": {"kind": "drive", "linear_m_s": 0.3}}` and
/// `{"type": "stop", "id": 2}`, which are answered by `answer` with the same `id`.
#[utoipa::path(
    get, path = "/stream", tag = "stream", params(Options),
    responses((status = 101, description = "The WebSocket is open"), (status = 426, description = "No WebSocket was asked for"))
)]
pub(crate) async fn stream(
    State(server): State<Arc<Server>>,
    _caller: Extension<Caller>,
    Extension(ask): Extension<Ask>,
    Extension(open): Extension<Arc<Open>>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let upgrade = upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE);
    let streaming = Streaming::begin(open).ok_or_else(Streaming::too_many)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _streaming = streaming;
        let socket = Socket::new(socket, server.clone());
        let mut stream = Stream::new(socket, server, None);
        stream.encoding = options.encoding;
        stream.ask = Some((ask, headers));
        // Gone or over: nothing is left to say.
        let _ = stream.run().await;
    }))
}
