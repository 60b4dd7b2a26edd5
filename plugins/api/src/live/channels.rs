//! Channels of the run that is shown, their subscribers, and what a new subscriber is to know.

use super::outbox::{Item, Outbox, Sent};
use becomingone_record::{Channel, LiveOutput, Output, RunStart, Stamp};
use foxglove::ws_protocol::schema::Schema;
use foxglove::ws_protocol::server::advertise;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Advertisement of a channel.
type Advertised = advertise::Channel<'static>;

/// Channels of the run that is shown; clones share them.
#[derive(Clone)]
pub(crate) struct Channels(Arc<Shared>);

struct Shared {
    all: Mutex<All>,
    /// Counts the changes.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct All {
    /// Counts how often channels became others.
    session: u64,
    shown: Vec<Shown>,
    next_id: u64,
    /// Whether messages are what the run begins with.
    is_opening: bool,
    outboxes: Vec<Arc<Outbox>>,
    /// Whether clients do not know all channels.
    is_changed: bool,
}

struct Shown {
    advertised: Arc<Advertised>,
    /// What the run began with.
    opening: Vec<Sent>,
    latest: Option<Sent>,
    to: Vec<(u32, Arc<Outbox>)>,
}

/// What a client does not know yet.
pub(crate) struct News {
    pub(crate) session: u64,
    /// All channels, where the session is another one; else those that were added.
    pub(crate) added: Vec<Arc<advertise::Channel<'static>>>,
}

impl Channels {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            all: Mutex::default(),
            changed: watch::Sender::new(0),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// Changes of the channels.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// What a client does not know that knows the first `known` channels of a session.
    pub(crate) fn news(&self, session: u64, known: usize) -> News {
        let all = self.lock();
        let known = if all.session == session { known } else { 0 };
        let added = all.shown.iter().skip(known);
        News {
            session: all.session,
            added: added.map(|shown| shown.advertised.clone()).collect(),
        }
    }

    /// Sends the time of the run to this client, and what it subscribes to.
    pub(super) fn join(&self, outbox: Arc<Outbox>) {
        self.lock().outboxes.push(outbox);
    }

    pub(super) fn leave(&self, outbox: &Arc<Outbox>) {
        let mut all = self.lock();
        all.outboxes.retain(|known| !Arc::ptr_eq(known, outbox));
        for shown in &mut all.shown {
            shown.to.retain(|(_, to)| !Arc::ptr_eq(to, outbox));
        }
    }

    /// Begins another session, without channels.
    pub(super) fn clear(&self) {
        let mut all = self.lock();
        if all.shown.is_empty() {
            return;
        }
        all.session += 1;
        all.shown.clear();
        for outbox in &all.outboxes {
            outbox.clear_messages();
        }
        drop(all);
        self.tell();
    }

    /// Sends a channel's messages to this client: what the run began with, the latest, and all that come. Returns whether
    /// there is such a channel.
    pub(crate) fn subscribe(&self, channel: u64, subscription: u32, outbox: &Arc<Outbox>) -> bool {
        let mut all = self.lock();
        let mut shown = all.shown.iter_mut();
        let Some(shown) = shown.find(|shown| shown.advertised.id == channel) else {
            return false;
        };
        let mut known = shown.opening.clone();
        known.extend(shown.latest.clone());
        for message in known {
            outbox.answer(Item::Message(subscription, message));
        }
        shown.to.push((subscription, outbox.clone()));
        true
    }

    /// Sends a channel's messages no longer.
    pub(crate) fn unsubscribe(&self, channel: u64, outbox: &Arc<Outbox>) {
        let mut all = self.lock();
        for shown in &mut all.shown {
            if shown.advertised.id == channel {
                shown.to.retain(|(_, to)| !Arc::ptr_eq(to, outbox));
            }
        }
    }
}

impl Output for Channels {
    type Error = io::Error;
    const KEEPS_CHANNELS: bool = false;

    fn begin(&mut self, _: &RunStart) -> io::Result<()> {
        self.clear();
        self.lock().is_opening = true;
        Ok(())
    }

    fn begun(&mut self) {
        self.lock().is_opening = false;
    }

    fn channel(&mut self, channel: &Channel<'_>) -> io::Result<u16> {
        let mut all = self.lock();
        let number = u16::try_from(all.shown.len()).map_err(io::Error::other)?;
        all.next_id += 1;
        let topic = channel.topic.to_owned();
        let encoding = channel.encoding.to_owned();
        let mut builder = Advertised::builder(all.next_id, topic, encoding)
            .with_metadata(channel.metadata.clone());
        if let Some(schema) = channel.schema {
            let (name, encoding) = (schema.name.to_owned(), schema.encoding.to_owned());
            builder = builder.with_schema(Schema::new(name, encoding, schema.data.to_vec()));
        }
        let advertised = builder.build().map_err(io::Error::other)?;
        all.shown.push(Shown {
            advertised: Arc::new(advertised),
            opening: Vec::new(),
            latest: None,
            to: Vec::new(),
        });
        all.is_changed = true;
        Ok(number)
    }

    fn message(&mut self, channel: u16, stamp: Stamp, bytes: &[u8]) -> io::Result<()> {
        let mut all = self.lock();
        let is_opening = all.is_opening;
        // Gone, as nobody looked any more.
        let Some(shown) = all.shown.get_mut(usize::from(channel)) else {
            return Ok(());
        };
        let message = Sent {
            log_ns: stamp.log_ns,
            bytes: bytes.to_vec().into(),
        };
        for (subscription, outbox) in &shown.to {
            outbox.message(*subscription, message.clone());
        }
        match is_opening {
            true => shown.opening.push(message),
            false => shown.latest = Some(message),
        }
        Ok(())
    }
}

impl LiveOutput for Channels {
    fn flush(&mut self, now_ns: u64) {
        let mut all = self.lock();
        for outbox in &all.outboxes {
            outbox.flush(now_ns);
        }
        if std::mem::take(&mut all.is_changed) {
            drop(all);
            self.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_record::Schema as RecordSchema;
    use std::collections::BTreeMap;

    const START: RunStart = RunStart {
        run: 1,
        tick_ns: 1_000_000,
        seed: 1,
        scene_hash: 0,
    };

    fn add(channels: &mut Channels, topic: &str) -> u16 {
        let channel = Channel {
            topic,
            encoding: "protobuf",
            schema: Some(RecordSchema {
                name: "foxglove.Log",
                encoding: "protobuf",
                data: &[1, 2],
            }),
            metadata: &BTreeMap::new(),
        };
        channels.channel(&channel).unwrap()
    }

    fn send(channels: &mut Channels, channel: u16, log_ns: u64) {
        let stamp = Stamp {
            tick: 0,
            log_ns,
            publish_ns: log_ns,
        };
        channels.message(channel, stamp, b"x").unwrap();
    }

    fn times(outbox: &Outbox) -> Vec<(u32, u64)> {
        let sent = outbox.take().into_iter().filter_map(|item| match item {
            Item::Message(subscription, sent) => Some((subscription, sent.log_ns)),
            _ => None,
        });
        sent.collect()
    }

    #[test]
    fn a_late_subscriber_knows_what_the_run_began_with_and_the_latest() {
        let mut channels = Channels::new();
        channels.begin(&START).unwrap();
        let scene = add(&mut channels, "/scene");
        send(&mut channels, scene, 0);
        channels.begun();
        let news = channels.news(0, 0);
        assert_eq!((news.session, news.added.len()), (0, 1));
        assert_eq!(news.added[0].schema, "AQI=");
        for log_ns in 1..5 {
            send(&mut channels, scene, log_ns);
        }
        let outbox = Arc::new(Outbox::default());
        channels.join(outbox.clone());
        assert!(channels.subscribe(news.added[0].id, 7, &outbox));
        assert!(!channels.subscribe(99, 8, &outbox));
        send(&mut channels, scene, 5);
        assert_eq!(times(&outbox), [(7, 0), (7, 4), (7, 5)]);
        channels.leave(&outbox);
        send(&mut channels, scene, 6);
        assert_eq!(times(&outbox), []);
    }

    #[test]
    fn a_run_that_starts_anew_has_another_session_and_other_channels() {
        let mut channels = Channels::new();
        channels.begin(&START).unwrap();
        let log = add(&mut channels, "/log");
        let outbox = Arc::new(Outbox::default());
        channels.join(outbox.clone());
        let first = channels.news(0, 0).added[0].id;
        channels.subscribe(first, 1, &outbox);
        send(&mut channels, log, 1);
        channels.begin(&RunStart { run: 2, ..START }).unwrap();
        // What was not sent is of channels that are no more.
        assert_eq!(times(&outbox), []);
        assert!(!channels.subscribe(first, 2, &outbox));
        add(&mut channels, "/log");
        let news = channels.news(0, 1);
        assert_eq!((news.session, news.added.len()), (1, 1));
        assert_ne!(news.added[0].id, first);
        // A client that knows them all is sent nothing.
        assert_eq!(channels.news(1, 1).added.len(), 0);
    }
}
