//! Writer thread: takes batches from the queue and writes them to the file.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::batch::Batch;
use crate::file::Out;
use crate::opening::Opening;
use crate::queue::Queue;
use crate::writer::Writer;
use mcap::McapError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Flush interval: together with compression and writing, a SIGKILL loses less than a second.
const FLUSH: Duration = Duration::from_millis(400);

/// Starts the writer thread.
pub(crate) fn start(out: Out, opening: Opening, queue: Arc<Queue>) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || run(out, opening, &queue))
        .map(drop)
}

fn run(out: Out, opening: Opening, queue: &Queue) {
    let name = opening.name.clone();
    let mut writer = match Writer::new(out, opening) {
        Ok(writer) => writer,
        Err(error) => {
            let why = format!("{name}: {}", cause_of(&error));
            log::error!("{why}; the run continues without a recording");
            queue.stop(why.clone());
            queue.end(Some(why));
            return;
        }
    };
    let mut flushed = Instant::now();
    // Time up to which the file is readable, if the next write fails.
    let mut readable_ns = 0;
    loop {
        let work = queue.wait(flushed + FLUSH, Instant::now);
        for mut batch in work.batches {
            if let Err(error) = write(&mut writer, &mut batch, work.end) {
                fail(writer, readable_ns, &name, &error, queue);
                return;
            }
            queue.give_back(batch);
        }
        if work.end.is_some() {
            let closed = writer.finish();
            match closed {
                Ok(()) => {
                    let gone = writer.into_file().still_there().err();
                    queue.end(gone.map(|why| format!("{name}: {why}")));
                }
                Err(error) => fail(writer, readable_ns, &name, &error, queue),
            }
            return;
        }
        if flushed.elapsed() >= FLUSH {
            if let Err(error) = writer.flush() {
                fail(writer, readable_ns, &name, &error, queue);
                return;
            }
            flushed = Instant::now();
            readable_ns = writer.now_ns();
        }
    }
}

fn write(writer: &mut Writer, batch: &mut Batch, end: Option<Instant>) -> Result<(), McapError> {
    if end.is_some_and(|end| Instant::now() > end) {
        let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
        return Err(McapError::Io(late));
    }
    writer.write(batch)
}

/// Ends the recording after a write error: closes the file at its last flush and logs the error once.
fn fail(writer: Writer, readable_ns: u64, name: &str, error: &McapError, queue: &Queue) {
    let now_s = readable_ns as f64 / 1e9;
    let mut why = format!(
        "{name}: {}; the recording ends at about {now_s:.1} s",
        cause_of(error)
    );
    if let Err(error) = writer.into_file().salvage() {
        why += &format!(", and the file may be damaged at its end ({error})");
    }
    log::error!("{why}; the run continues");
    queue.stop(why);
    queue.end(None);
}

/// Cause of an error, without the wrapper of the MCAP library.
fn cause_of(error: &McapError) -> String {
    match error {
        McapError::Io(cause) => cause.to_string(),
        other => other.to_string(),
    }
}
