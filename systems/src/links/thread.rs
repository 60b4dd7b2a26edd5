//! Threads of drivers: start, back-off, restart, until the run is over.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads stamp captures by the wall clock"
)]

use super::back_off::BackOff;
use super::context::Context;
use super::document::printable;
use super::driver::{Driver, DriverError};
use super::queue::PortState;
use becomingone_components::link::LinkState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// First back-off after a failure.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// Longest back-off.
const LAST_BACK_OFF: Duration = Duration::from_secs(5);
/// Least time of a connection that counts as success.
const WORKED: Duration = Duration::from_secs(1);
/// Longest last attempt of a driver to send a command that waits at the end of a run.
const LAST_ATTEMPT: Duration = Duration::from_secs(1);
/// Longest wait for a driver at the end of a run.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// A running driver. Dropping it cancels the driver and waits for it: at most 2 s, and twice that where it makes a last
/// attempt to send a command.
pub struct Running {
    port: String,
    context: Context,
    thread: Option<JoinHandle<()>>,
    /// Disconnected once the thread has ended; a receiver is shared between threads in a lock only.
    ended: Mutex<Receiver<()>>,
}

impl Running {
    /// Starts a driver that has no link: of an output, which readings and commands do not pass.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn alone(port: String, driver: Box<dyn Driver>) -> std::io::Result<Self> {
        Self::start(port, driver, Context::new(PortState::default()))
    }

    pub(super) fn start(
        port: String,
        driver: Box<dyn Driver>,
        context: Context,
    ) -> std::io::Result<Self> {
        let its = context.clone();
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(port.chars().take(15).collect())
            .spawn({
                let port = port.clone();
                move || {
                    let _end: Sender<()> = end;
                    serve(&port, driver, &its);
                }
            })?;
        Ok(Self {
            port,
            context,
            thread: Some(thread),
            ended: Mutex::new(ended),
        })
    }
}

/// Serves until the run is over, and once more where a command waits then. A repeated failure is logged once, until it
/// works again.
fn serve(port: &str, mut driver: Box<dyn Driver>, context: &Context) {
    let mut back_off = BackOff::new(FIRST_BACK_OFF, LAST_BACK_OFF);
    let mut logged: Option<DriverError> = None;
    while !context.cancelled() {
        context.state.set(LinkState::Connecting);
        let begun = Instant::now();
        let done = attempt(driver.as_mut(), context);
        // A brief connection is no success: a datagram can be sent without a receiver.
        let was_up = context.state.get() == LinkState::Up && begun.elapsed() >= WORKED;
        let Err(error) = done else {
            continue;
        };
        context.state.set(LinkState::Down);
        if was_up {
            back_off.reset();
        }
        if was_up || logged.as_ref().is_none_or(|t| t.0 != error.0) {
            log::warn!("{port}: {}; trying again", printable(&error.0));
            logged = Some(error);
        }
        context.back_off(back_off.next());
    }
    if context.begin_last(LAST_ATTEMPT) {
        let done = attempt(driver.as_mut(), context);
        context.state.set(LinkState::Down);
        if let Err(error) = done {
            log::warn!("{port}: {}; the run is over", printable(&error.0));
        }
    }
}

/// Serves once; a panic of the driver, which the panic hook has reported, is a failure.
fn attempt(driver: &mut dyn Driver, context: &Context) -> Result<(), DriverError> {
    let served = catch_unwind(AssertUnwindSafe(|| driver.serve(context)));
    served.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let text = text.map_or_else(String::new, |text| format!(": {text}"));
        Err(DriverError(format!(
            "the driver failed by an error of its own{text}"
        )))
    })
}

impl Running {
    /// Cancels the driver.
    pub(super) fn cancel(&self) {
        self.context.cancel();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // Nothing is sent: the thread drops its end, also in a panic, which the panic hook has reported.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let is_late = |ended: &Receiver<()>| {
            ended.recv_timeout(SHUTDOWN_TIMEOUT) == Err(RecvTimeoutError::Timeout)
        };
        // A last attempt has the same time once more.
        if is_late(ended) && (!self.context.has_begun_last() || is_late(ended)) {
            log::warn!(
                "{}: the driver did not stop in time; its thread is abandoned",
                self.port
            );
        } else {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::act::{ActuatorEnd, Outgoing};
    use super::super::site::SourceSite;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LIMIT: Duration = Duration::from_secs(20);

    fn until(what: &str, reached: impl Fn() -> bool) {
        let begun = Instant::now();
        while !reached() {
            assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
            std::thread::yield_now();
        }
    }

    struct By<F>(F);

    impl<F: FnMut(&Context) -> Result<(), DriverError> + Send + 'static> Driver for By<F> {
        fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
            (self.0)(context)
        }
    }

    fn command(sequence: u64, safe: bool) -> Outgoing {
        Outgoing {
            sequence,
            safe,
            ..Outgoing::default()
        }
    }

    fn drive(context: &Context) -> ActuatorEnd {
        let end = ActuatorEnd::new("a/drive", SourceSite::default(), None);
        context.attach(&end);
        end
    }

    #[test]
    fn a_driver_that_panics_is_down_and_started_again() {
        let count = Arc::new(AtomicUsize::new(0));
        let context = Context::new(PortState::default());
        let its = count.clone();
        let driver = By(move |context: &Context| {
            context.up();
            if its.fetch_add(1, Ordering::Relaxed) == 0 {
                std::panic::panic_any("a test");
            }
            while !context.wait(LIMIT) {}
            Ok(())
        });
        let running = Running::start("test".to_owned(), Box::new(driver), context.clone()).unwrap();
        until("down", || context.state.get() == LinkState::Down);
        until("up again", || context.state.get() == LinkState::Up);
        drop(running);
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    /// A driver whose other side is away; its back-off has grown to seconds.
    fn in_back_off() -> (Running, ActuatorEnd, Arc<AtomicUsize>) {
        let context = Context::new(PortState::default());
        let end = drive(&context);
        let (count, there) = (Arc::new(AtomicUsize::new(0)), end.clone());
        let its = count.clone();
        let driver = By(move |_: &Context| {
            // The other side is there from the sixth attempt on.
            if its.fetch_add(1, Ordering::Relaxed) < 5 {
                return Err(DriverError("away".to_owned()));
            }
            if let Some(command) = there.next(Duration::ZERO) {
                there.sent(command.sequence);
            }
            Err(DriverError("away".to_owned()))
        });
        let running = Running::start("test".to_owned(), Box::new(driver), context).unwrap();
        until("five attempts", || count.load(Ordering::Relaxed) == 5);
        (running, end, count)
    }

    #[test]
    fn the_last_command_ends_a_back_off() {
        let (running, end, _) = in_back_off();
        let begun = Instant::now();
        end.put_last(command(1, true));
        assert!(end.flush(1, LIMIT), "it is sent");
        // The sixth attempt would have been due after 0.8 s at the earliest.
        assert!(begun.elapsed() < Duration::from_millis(500));
        drop(running);
    }

    #[test]
    fn a_first_safe_command_ends_a_back_off_and_further_ones_do_not() {
        let (running, end, count) = in_back_off();
        end.put(command(1, false));
        end.put(command(2, true));
        assert!(end.flush(2, Duration::from_millis(500)), "it is sent");
        let begun = Instant::now();
        let mut sequence = 3;
        while begun.elapsed() < Duration::from_millis(500) {
            end.put(command(sequence, true));
            sequence += 1;
        }
        assert!(count.load(Ordering::Relaxed) < 8, "{count:?}");
        drop(running);
    }

    #[test]
    fn a_safe_command_that_was_sent_ends_no_later_back_off() {
        let context = Context::new(PortState::default());
        let (end, begins) = (drive(&context), Arc::new(Mutex::new(Vec::new())));
        let (there, its) = (end.clone(), begins.clone());
        let driver = By(move |context: &Context| {
            its.lock().unwrap().push(Instant::now());
            if its.lock().unwrap().len() > 1 {
                while !context.wait(LIMIT) {}
                return Ok(());
            }
            if let Some(command) = there.next(LIMIT) {
                there.sent(command.sequence);
            }
            its.lock().unwrap().push(Instant::now());
            Err(DriverError("broke".to_owned()))
        });
        let running = Running::start("test".to_owned(), Box::new(driver), context).unwrap();
        end.put(command(1, true));
        until("an attempt, its end and another", || {
            begins.lock().unwrap().len() == 3
        });
        drop(running);
        let begins = begins.lock().unwrap();
        // The first back-off takes 50 to 100 ms.
        assert!(begins[2] - begins[1] >= Duration::from_millis(50));
    }

    #[test]
    fn a_command_that_waits_at_the_end_of_the_run_is_tried_once_and_in_bounded_time() {
        for is_there in [true, false] {
            let context = Context::new(PortState::default());
            let end = drive(&context);
            let (count, there) = (Arc::new(AtomicUsize::new(0)), end.clone());
            let its = count.clone();
            let driver = By(move |context: &Context| {
                if its.fetch_add(1, Ordering::Relaxed) == 0 {
                    while !context.wait(LIMIT) {}
                    return Err(DriverError("broke at the end".to_owned()));
                }
                if is_there && let Some(command) = there.next(Duration::ZERO) {
                    there.sent(command.sequence);
                }
                while !context.wait(LIMIT) {}
                Ok(())
            });
            let running = Running::start("test".to_owned(), Box::new(driver), context).unwrap();
            until("an attempt", || count.load(Ordering::Relaxed) == 1);
            end.put(command(1, true));
            let begun = Instant::now();
            drop(running);
            assert!(begun.elapsed() < SHUTDOWN_TIMEOUT, "{:?}", begun.elapsed());
            assert_eq!(count.load(Ordering::Relaxed), 2, "{is_there}");
            assert_eq!(end.flush(1, Duration::ZERO), is_there);
        }
    }

    #[test]
    fn a_safe_command_that_could_not_be_sent_waits_again_unless_a_newer_one_does() {
        let end = drive(&Context::new(PortState::default()));
        end.put(command(1, false));
        let first = end.next(Duration::ZERO).unwrap();
        end.give_back(first);
        assert_eq!(end.next(Duration::ZERO), None);
        end.put(command(2, true));
        assert!(end.has_safe());
        let second = end.next(Duration::ZERO).unwrap();
        end.give_back(second.clone());
        assert_eq!(end.next(Duration::ZERO), Some(second.clone()));
        end.put(command(3, true));
        end.give_back(second);
        assert_eq!(end.next(Duration::ZERO), Some(command(3, true)));
    }
}
