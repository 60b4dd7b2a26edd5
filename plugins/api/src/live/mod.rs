//! The run as it is shown to clients: `channels` and what is on them, an `outbox` for each client.

mod channels;
mod outbox;

pub(crate) use channels::Channels;
pub(crate) use outbox::{Item, Outbox};

use becomingone_record::Live;
use std::sync::{Arc, Mutex, PoisonError};

/// The run as it is shown, while there are clients.
pub(crate) struct Shows {
    pub(crate) channels: Channels,
    live: Live,
    /// Clients that look.
    clients: Mutex<usize>,
}

impl Shows {
    pub(crate) fn new(channels: Channels, live: Live) -> Self {
        Self {
            channels,
            live,
            clients: Mutex::default(),
        }
    }

    /// Shows the run to a client, until what is returned is dropped.
    pub(crate) fn look(self: &Arc<Self>) -> Look {
        let outbox = Arc::new(Outbox::default());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        *clients += 1;
        if *clients == 1 {
            self.channels.clear();
            self.live.begin();
        }
        self.channels.join(outbox.clone());
        Look {
            shows: self.clone(),
            outbox,
        }
    }
}

/// A client that looks.
pub(crate) struct Look {
    pub(crate) shows: Arc<Shows>,
    pub(crate) outbox: Arc<Outbox>,
}

impl Drop for Look {
    fn drop(&mut self) {
        let shows = &self.shows;
        shows.channels.leave(&self.outbox);
        let mut clients = shows.clients.lock().unwrap_or_else(PoisonError::into_inner);
        *clients -= 1;
        if *clients == 0 {
            shows.live.end();
        }
    }
}
