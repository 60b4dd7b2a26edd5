//! Streams of a program, each read or written on a thread of its own: a program that hangs holds nothing else up.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads bound their waits by the wall clock"
)]

use super::group::Group;
use crate::lines::{Line, Lines};
use becomingone_systems::links::document::excerpt;
use becomingone_systems::links::{ActuatorEnd, Outgoing, SensorEnd};
use std::io::{self, Read, Write as _};
use std::process::ChildStdin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Pieces of output that wait; the program waits with the next one.
const PIECES: usize = 4;
/// Most bytes of a piece.
const PIECE: usize = 1 << 16;
/// Lines of standard error that are logged in a run.
const MAX_LOGGED: u32 = 20;
/// Time of a write from which on the program counts as hanging.
const HANGS: Duration = Duration::from_secs(1);
/// Longest wait for the last command to be written.
const LAST_WRITE: Duration = Duration::from_millis(200);
/// Longest wait for a command.
const POLL_PERIOD: Duration = Duration::from_millis(20);

/// Standard output, in pieces with their arrivals (ns).
pub(super) struct Output {
    pub(super) pieces: Receiver<(u64, Vec<u8>)>,
}

impl Output {
    /// Reads both outputs of a program until they are closed.
    pub(super) fn read(
        group: &mut Group,
        clock: Option<SensorEnd>,
        port: &str,
        logged: &Arc<AtomicU32>,
    ) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        if let Some(error) = group.stderr() {
            let (port, logged) = (port.to_owned(), logged.clone());
            Builder::new()
                .name("program's errors".to_owned())
                .spawn(move || log_lines(error, &port, &logged))?;
        }
        let stream = group.stdout();
        Builder::new()
            .name("program's output".to_owned())
            .spawn(move || {
                if let (Some(stream), Some(clock)) = (stream, clock) {
                    pass(stream, &clock, &sender);
                }
            })?;
        Ok(Self { pieces })
    }

    /// Throws away what comes within this time, so that a program that ends is not held up by a full pipe.
    pub(super) fn discard(&self, time: Duration) {
        // A flood does not end.
        self.pieces.try_iter().take(16 * PIECES).for_each(drop);
        std::thread::sleep(time);
    }
}

fn pass(mut stream: impl Read, clock: &SensorEnd, to: &SyncSender<(u64, Vec<u8>)>) {
    let mut buffer = vec![0; PIECE];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            // Arrival time: before parsing, which takes time.
            Ok(count) => {
                if to.send((clock.now_ns(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        }
    }
}

/// Logs the first lines of standard error; the others are read, so that the program is not held up.
fn log_lines(mut stream: impl Read, port: &str, logged: &AtomicU32) {
    let (mut buffer, mut lines) = (vec![0; 4096], Lines::default());
    let log = |line: Line<'_>| {
        let Line::Text(text) = line else { return };
        if logged.load(Ordering::Relaxed) > MAX_LOGGED {
            return;
        }
        match logged.fetch_add(1, Ordering::Relaxed) {
            MAX_LOGGED => log::warn!("{port}: more lines on its standard error; not logged"),
            _ => log::warn!("{port}: {}", excerpt(text)),
        }
    };
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => {
                if let Some(rest) = lines.finish() {
                    log(Line::Text(&rest));
                }
                return;
            }
            Ok(count) => lines.add(&buffer[..count], log),
        }
    }
}

/// Writes commands to standard input.
pub(super) struct Writer {
    thread: JoinHandle<()>,
    over: Arc<AtomicBool>,
    /// Begin of the write that is under way.
    begun: Arc<Mutex<Option<Instant>>>,
    /// A command could not be written.
    closed: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(
        group: &mut Group,
        end: ActuatorEnd,
        first: Option<Outgoing>,
    ) -> io::Result<Option<Self>> {
        let Some(stream) = group.stdin() else {
            return Ok(None);
        };
        let [over, closed] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let begun: Arc<Mutex<Option<Instant>>> = Arc::default();
        let thread = Builder::new().name("program's input".to_owned()).spawn({
            let (over, begun, closed) = (over.clone(), Arc::clone(&begun), closed.clone());
            move || {
                if let Err(command) = write(stream, &end, first, &over, &begun) {
                    end.give_back(command);
                    closed.store(true, Ordering::Release);
                }
            }
        })?;
        Ok(Some(Self {
            thread,
            over,
            begun,
            closed,
        }))
    }

    /// Whether a command waits in a full pipe for longer than a second.
    pub(super) fn hangs(&self) -> bool {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.is_some_and(|begun| begun.elapsed() > HANGS)
    }

    /// Whether a command could not be written: the program has ended, or ended its input.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits a while until the last command is written; standard input is closed then.
    pub(super) fn finish(self) {
        self.over.store(true, Ordering::Release);
        let begun = Instant::now();
        while !self.thread.is_finished() && begun.elapsed() < LAST_WRITE {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Writes commands until it is over; returns one that could not be written.
fn write(
    mut stream: ChildStdin,
    end: &ActuatorEnd,
    first: Option<Outgoing>,
    over: &AtomicBool,
    begun: &Mutex<Option<Instant>>,
) -> Result<(), Outgoing> {
    let mark = |at| *begun.lock().unwrap_or_else(PoisonError::into_inner) = at;
    let mut next = first;
    loop {
        if let Some(command) = next.take() {
            let mut line = command.to_json(end.name());
            line.push(b'\n');
            mark(Some(Instant::now()));
            let written = stream.write_all(&line).and_then(|()| stream.flush());
            mark(None);
            if written.is_err() {
                return Err(command);
            }
            end.sent(command.sequence);
        }
        let is_last = over.load(Ordering::Acquire);
        next = end.next(if is_last { Duration::ZERO } else { POLL_PERIOD });
        if is_last && next.is_none() {
            return Ok(());
        }
    }
}
