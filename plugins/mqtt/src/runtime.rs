//! The thread of a connection: it waits for events, and for the end of the run.

use crate::connection::{Connection, Event, Publisher};
use becomingone_systems::links::{Context, DriverError};
use std::time::Duration;
use tokio::time::{interval, timeout};

/// Longest wait before the end of the run is noticed.
const POLL_PERIOD: Duration = Duration::from_millis(50);
/// Longest time for what is queued at the end of the run.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A runtime that a pending look-up of a name does not hold up.
pub(crate) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub(crate) fn new() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|e| format!("cannot start a connection: {e}"))
    }

    /// Passes events to `each`, and none from time to time, until it returns true or the run is over; returns whether
    /// it did.
    ///
    /// # Errors
    ///
    /// Of the connection, and of `each`.
    pub(crate) fn run(
        &self,
        connection: &mut Connection,
        context: &Context,
        each: &mut dyn FnMut(Option<Event>) -> Result<bool, String>,
    ) -> Result<bool, DriverError> {
        let Some(runtime) = &self.0 else {
            return Ok(false);
        };
        let run = async {
            let mut look = interval(POLL_PERIOD);
            while !context.cancelled() {
                let mut next = Box::pin(connection.next());
                // A connection that is given up has to begin anew: it is waited for across looks.
                let event = loop {
                    tokio::select! {
                        biased;
                        event = &mut next => break event,
                        _ = look.tick() => {
                            if context.cancelled() {
                                return Ok(false);
                            }
                            if each(None)? {
                                return Ok(true);
                            }
                        }
                    }
                };
                if each(Some(event?))? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        runtime.block_on(run).map_err(DriverError)
    }

    /// Sends what is queued, and tells the broker that the connection ends.
    pub(crate) fn close(
        &self,
        connection: &mut Connection,
        publisher: &Publisher,
        sent: &mut dyn FnMut(),
    ) {
        let Some(runtime) = &self.0 else { return };
        let close = async {
            let mut is_queued = publisher.close();
            loop {
                match connection.next().await {
                    Ok(Event::Closed) | Err(_) => return,
                    Ok(Event::Sent) => sent(),
                    Ok(_) => {}
                }
                is_queued = is_queued || publisher.close();
            }
        };
        let _ = runtime.block_on(async { timeout(CLOSE_TIMEOUT, close).await });
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
