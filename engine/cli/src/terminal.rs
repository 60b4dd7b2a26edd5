//! The terminal: keys one by one, a line that is written over, and all as it was at the end.

use crossterm::event::{
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::execute;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use std::io::{IsTerminal as _, Write};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the last line on the terminal is one to be written over.
static OPEN_LINE: Mutex<bool> = Mutex::new(false);
/// Whether the terminal was asked to tell releases of keys.
static TELLS_RELEASES: AtomicBool = AtomicBool::new(false);

/// Standard error, where lines of the log go. An open line is closed first, so that neither is garbled.
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut open = OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stderr = std::io::stderr().lock();
        if std::mem::take(&mut *open) {
            stderr.write_all(b"\r\x1b[K")?;
        }
        stderr.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Writes over the open line, or opens one.
pub(super) fn show(line: &str) {
    // A terminal that does not say its width is as wide as ever.
    let width = match crossterm::terminal::size() {
        Ok((columns @ 1.., _)) => usize::from(columns),
        _ => 80,
    };
    let fits: String = line.chars().take(width.saturating_sub(1)).collect();
    let mut open = OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner);
    *open = true;
    // Where stderr is gone, there is nobody to tell.
    let _ = write!(std::io::stderr(), "\r{fits}\x1b[K");
}

/// Whether there is an open line.
pub(super) fn is_open() -> bool {
    *OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the open line away.
pub(super) fn clear() {
    let mut open = OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *open) {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

/// The terminal gives keys one by one, while this lives.
pub(super) struct KeyByKey;

impl KeyByKey {
    /// Asks for it; with releases of keys, where the terminal can tell them.
    pub(super) fn enter(with_releases: bool) -> std::io::Result<Self> {
        enable_raw_mode()?;
        let here = Self;
        keep_lines()?;
        // Terminals that do not know the request leave it alone; these two may not.
        let knows = std::env::var_os("TERM").is_some_and(|t| t != "dumb" && t != "linux");
        if with_releases && knows && std::io::stderr().is_terminal() {
            TELLS_RELEASES.store(true, Ordering::Release);
            // Who cannot tell releases is told by time.
            let _ = execute!(
                std::io::stderr(),
                PushKeyboardEnhancementFlags(
                    KeyboardEnhancementFlags::DISAMBIGUATE_ESCAPE_CODES
                        | KeyboardEnhancementFlags::REPORT_EVENT_TYPES
                )
            );
        }
        Ok(here)
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves the terminal as it was found; may be called at any time, from any thread.
pub(super) fn restore() {
    clear();
    if TELLS_RELEASES.swap(false, Ordering::AcqRel) {
        let _ = execute!(std::io::stderr(), PopKeyboardEnhancementFlags);
    }
    // A terminal that is gone needs nothing.
    let _ = disable_raw_mode();
}

/// Raw mode is about keys here: what other code prints still ends its lines.
#[cfg(unix)]
fn keep_lines() -> std::io::Result<()> {
    use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let mut modes = tcgetattr(&stdin)?;
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    Ok(tcsetattr(&stdin, OptionalActions::Now, &modes)?)
}

#[cfg(not(unix))]
fn keep_lines() -> std::io::Result<()> {
    Ok(())
}
