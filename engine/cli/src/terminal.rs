//! The terminal: raw keys, a line that is overwritten, and its restoration.

use crossterm::event::{
    KeyboardEnhancementFlags, PopKeyboardEnhancementFlags, PushKeyboardEnhancementFlags,
};
use crossterm::execute;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use std::io::{IsTerminal as _, Write};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the last line on the terminal is to be overwritten.
static OPEN_LINE: Mutex<bool> = Mutex::new(false);
/// Whether key releases were requested from the terminal.
static REPORTS_RELEASES: AtomicBool = AtomicBool::new(false);

/// Standard error for log lines. An open line is cleared first.
pub(super) struct LogWriter;

impl Write for LogWriter {
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

/// Overwrites the open line, or opens one.
pub(super) fn overwrite_line(line: &str) {
    let fits = cut(line);
    let mut open = OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner);
    *open = true;
    // A closed stderr does not end the run.
    let _ = write!(std::io::stderr(), "\r{fits}\x1b[K");
}

/// The begin of a line that fits the terminal.
pub(super) fn cut(line: &str) -> String {
    // Where the width is unknown.
    let width = match crossterm::terminal::size() {
        Ok((columns @ 1.., _)) => usize::from(columns),
        _ => 80,
    };
    line.chars().take(width.saturating_sub(1)).collect()
}

/// Whether there is an open line.
pub(super) fn is_open() -> bool {
    *OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clears the open line.
pub(super) fn clear() {
    let mut open = OPEN_LINE.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut *open) {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

/// Raw key input while this lives.
pub(super) struct RawMode;

impl RawMode {
    /// Enters raw mode; requests key releases where the terminal supports them.
    pub(super) fn enter(with_releases: bool) -> std::io::Result<Self> {
        enable_raw_mode()?;
        let here = Self;
        keep_line_ends()?;
        // Terminals ignore unknown requests; these two may print them.
        let supports_releases =
            std::env::var_os("TERM").is_some_and(|t| t != "dumb" && t != "linux");
        if with_releases && supports_releases && std::io::stderr().is_terminal() {
            REPORTS_RELEASES.store(true, Ordering::Release);
            // Without releases, keys time out.
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

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal; may be called at any time, from any thread.
pub(super) fn restore() {
    clear();
    if REPORTS_RELEASES.swap(false, Ordering::AcqRel) {
        let _ = execute!(std::io::stderr(), PopKeyboardEnhancementFlags);
    }
    // Errors of a closed terminal are ignored.
    let _ = disable_raw_mode();
}

/// Keeps output processing in raw mode, so that other code's lines still end with a carriage return.
#[cfg(unix)]
fn keep_line_ends() -> std::io::Result<()> {
    use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let mut modes = tcgetattr(&stdin)?;
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    Ok(tcsetattr(&stdin, OptionalActions::Now, &modes)?)
}

#[cfg(not(unix))]
fn keep_line_ends() -> std::io::Result<()> {
    Ok(())
}
