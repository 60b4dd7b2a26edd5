//! Views and events as they come: the stream of `/v1/stream`, as messages.

use super::bounds::{Updates, WAITING};
use super::message::from_json;
use crate::interest::Pattern;
use crate::problem::Problem;
use crate::server::Server;
use crate::stream::{Carrier, Closed, Stream, Subscription};
use axum::extract::ws::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// What a client asks for.
#[derive(Deserialize)]
struct Wanted {
    agents: Vec<String>,
    sensors: Vec<String>,
    rate_hz: Option<f64>,
}

/// Carries a stream to a client of gRPC.
struct Sender {
    to: mpsc::Sender<Result<DynamicMessage, Status>>,
    update: MessageDescriptor,
}

impl Carrier for Sender {
    // The connection itself has pings.
    const ANSWERS: bool = false;

    async fn send(&mut self, message: Message) -> Result<(), Closed> {
        let Message::Text(text) = message else {
            return Ok(());
        };
        let message = serde_json::from_str(&text)
            .map_err(|e| e.to_string())
            .and_then(|sent| from_json(self.update.clone(), update(sent)));
        let message = message.map_err(Status::internal);
        self.to.send(message).await.map_err(|_| Closed)
    }

    async fn recv(&mut self) -> Result<Message, Closed> {
        self.to.closed().await;
        Err(Closed)
    }
}

/// A message of the stream as JSON of an `Update`.
fn update(mut sent: Value) -> Value {
    let sequence = sent["sequence"].take();
    let kind = sent["type"].take();
    match kind.as_str() {
        Some(kind @ ("view" | "events")) => json!({"sequence": sequence, kind: sent}),
        _ => json!({"sequence": sequence, "alive": {}}),
    }
}

/// Begins a stream of updates.
pub(super) fn updates(
    server: Arc<Server>,
    asked: Value,
    update: MessageDescriptor,
) -> Result<Updates, Problem> {
    let wanted: Wanted = serde_json::from_value(asked).map_err(|e| Problem::bad(e.to_string()))?;
    let agents = match wanted.agents.is_empty() {
        true => vec!["*".to_owned()],
        false => wanted.agents,
    };
    let patterns = wanted.sensors.iter().map(Pattern::new).collect();
    let rate_hz = wanted.rate_hz.unwrap_or(10.0);
    let subscription = Subscription::new(&server, agents, wanted.sensors, rate_hz, true, None)
        .map_err(Problem::bad)?;
    let (to, stream) = mpsc::channel(WAITING);
    let carrier = Sender { to, update };
    let stream_of_views = Stream::new(carrier, server, Some((subscription, patterns)));
    tokio::spawn(async move {
        // Gone or over: nothing is left to say.
        let _ = stream_of_views.run().await;
    });
    Ok(ReceiverStream::new(stream))
}
