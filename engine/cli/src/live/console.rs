//! Key commands and the status line.

use super::clock::ClockMirror;
use super::key_stick::{KeyStick, SHARE_STEP, axis};
use super::speed::Speed;
use crate::terminal;
use becomingone::StopHandle;
use becomingone::components::time::NS_PER_S;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Refresh interval of the status line.
const REDRAW: Duration = Duration::from_millis(100);

/// Ticks of the large step.
const STEP: u64 = 100;
const KEYS: &str = "keys: space pause, resume | . n one tick | > N 100 ticks | + - speed | \
    f as fast as possible | 0 r reset | q Esc Ctrl-C quit | h ? help";
const DRIVE_KEYS: &str = "drive: arrows or w a s d, hold to drive | x stop | e c faster, slower";

pub(super) enum KeyInput {
    Key(KeyEvent),
    /// The terminal cannot be read any more.
    Failed(std::io::Error),
    End,
}

pub(super) enum StatusLine {
    Off,
    /// One line that is overwritten.
    Overwrite,
    /// A line per key, where stderr is no terminal.
    Append,
}

/// Executes key commands and draws the status line.
pub(super) struct Console {
    pub(super) run: StopHandle,
    pub(super) clock: ClockMirror,
    pub(super) speed: Speed,
    pub(super) paused: bool,
    pub(super) key_stick: Option<KeyStick>,
    pub(super) status: StatusLine,
    pub(super) shown: String,
}

impl Console {
    #[allow(clippy::disallowed_methods, reason = "key timeouts are in wall time")]
    pub(super) fn run(mut self, inputs: &Receiver<KeyInput>, interrupt: impl Fn()) {
        self.help();
        loop {
            self.draw();
            let now = Instant::now();
            let mut by = now + REDRAW;
            if let Some(next) = self.key_stick.as_ref().and_then(KeyStick::next) {
                by = by.min(next);
            }
            match inputs.recv_timeout(by.saturating_duration_since(now)) {
                Ok(KeyInput::Key(key)) => self.press(key, Instant::now(), &interrupt),
                Ok(KeyInput::Failed(error)) => {
                    log::error!("cannot read keys from the terminal: {error}; the run stops");
                    self.run.stop();
                }
                Ok(KeyInput::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(key_stick) = &mut self.key_stick {
                key_stick.expire(Instant::now());
            }
        }
        if let Some(key_stick) = &mut self.key_stick {
            key_stick.stop();
        }
        terminal::clear();
    }

    pub(super) fn press(&mut self, key: KeyEvent, now: Instant, interrupt: &impl Fn()) {
        if let Some(axis) = self.key_stick.as_ref().and_then(|_| axis(key.code))
            && let Some(key_stick) = &mut self.key_stick
            && !key.modifiers.contains(KeyModifiers::CONTROL)
        {
            match key.kind {
                KeyEventKind::Release => key_stick.release(axis),
                KeyEventKind::Press | KeyEventKind::Repeat => key_stick.press(axis, now),
            }
            return;
        }
        if key.kind == KeyEventKind::Release {
            return;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            if key.code == KeyCode::Char('c') {
                self.stop_driving();
                interrupt();
            }
            return;
        }
        match key.code {
            KeyCode::Char(' ') => {
                self.paused = !self.paused;
                if self.paused {
                    self.stop_driving();
                    self.run.pause();
                } else {
                    self.run.resume();
                }
                self.append_state();
            }
            KeyCode::Char('.' | 'n') | KeyCode::Right => self.step(1),
            KeyCode::Char('>' | 'N') => self.step(STEP),
            KeyCode::Char('+' | '=') => self.pace(self.speed.times(2.0)),
            KeyCode::Char('-' | '_') => self.pace(self.speed.times(0.5)),
            KeyCode::Char('f') => self.pace(Speed {
                fast: !self.speed.fast,
                ..self.speed
            }),
            KeyCode::Char('0' | 'r') => {
                self.stop_driving();
                self.run.reset();
                self.append_line("reset");
            }
            KeyCode::Char('q') | KeyCode::Esc => {
                self.stop_driving();
                self.run.stop();
            }
            KeyCode::Char('h' | '?') => self.help(),
            KeyCode::Char('x') => self.stop_driving(),
            KeyCode::Char('e') | KeyCode::PageUp => self.share(SHARE_STEP),
            KeyCode::Char('c') | KeyCode::PageDown => self.share(-SHARE_STEP),
            _ => {}
        }
    }

    fn stop_driving(&mut self) {
        if let Some(key_stick) = &mut self.key_stick {
            key_stick.stop();
        }
    }

    fn share(&mut self, by: f64) {
        if let Some(key_stick) = &mut self.key_stick {
            key_stick.share(by);
        }
    }

    /// Pauses the run, then steps.
    fn step(&mut self, ticks: u64) {
        if !self.paused {
            self.paused = true;
            self.run.pause();
        }
        self.run.step(ticks);
    }

    fn pace(&mut self, speed: Speed) {
        self.speed = speed;
        self.run.set_pace(speed.pace());
        self.append_state();
    }

    fn help(&self) {
        self.print(KEYS);
        if self.key_stick.is_some() {
            self.print(DRIVE_KEYS);
        }
    }

    /// Prints a line above the status line.
    fn print(&self, line: &str) {
        if !matches!(self.status, StatusLine::Off) {
            // A closed stderr does not end the run.
            let _ = writeln!(terminal::LogWriter, "{line}");
        }
    }

    /// Prints a line where there is no status line.
    fn append_line(&self, line: &str) {
        if matches!(self.status, StatusLine::Append) {
            self.print(line);
        }
    }

    fn append_state(&self) {
        self.append_line(&self.state());
    }

    fn state(&self) -> String {
        let now_ns = self.clock.now_ns();
        let mut state = format!("{:9.3} s, {}", now_ns as f64 / NS_PER_S as f64, self.speed);
        if self.paused {
            state += ", paused";
        }
        if let Some(key_stick) = &self.key_stick {
            state += &format!(", {key_stick}");
        }
        state
    }

    fn draw(&mut self) {
        if matches!(self.status, StatusLine::Overwrite) {
            let state = self.state();
            if state != self.shown || !terminal::is_open() {
                terminal::overwrite_line(&state);
                self.shown = state;
            }
        }
    }
}
