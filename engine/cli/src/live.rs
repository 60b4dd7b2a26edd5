//! Interactive runs: `--interactive` and `--teleop`.
//!
//! Two threads: one reads keys, one executes them and draws the status
//! line. They access the run through its [`StopHandle`] and the stick's [`StickInput`] only.

mod clock;
mod console;
mod key_stick;
mod speed;

pub(crate) use self::clock::ClockMirror;
use self::console::{Console, KeyInput, StatusLine};
use self::key_stick::KeyStick;
use self::speed::Speed;
use crate::terminal;
use becomingone::systems::control::teleop::StickInput;
use becomingone::{Pace, StopHandle};
use crossterm::event::{self, Event};
use std::io::IsTerminal as _;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

/// Options of an interactive run.
pub(crate) struct Options {
    /// The run, and its initial pace.
    pub(crate) run: StopHandle,
    pub(crate) clock: ClockMirror,
    pub(crate) pace: Pace,
    /// Name and stick of the agent that is driven by hand.
    pub(crate) teleop_agent: Option<(String, StickInput)>,
    /// Whether the status line is off.
    pub(crate) quiet: bool,
}

/// Keyboard control of a run. The terminal is restored on drop.
pub(crate) struct Keys {
    sender: Sender<KeyInput>,
    console: Option<JoinHandle<()>>,
    _keys: terminal::RawMode,
}

impl Keys {
    /// Takes over the terminal and starts both threads. `interrupt` handles Ctrl-C.
    pub(crate) fn open(
        options: Options,
        interrupt: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let keys = terminal::RawMode::enter(options.teleop_agent.is_some())?;
        let (sender, inputs) = mpsc::channel();
        let console = Console {
            run: options.run,
            clock: options.clock,
            speed: Speed::new(options.pace),
            paused: false,
            key_stick: options
                .teleop_agent
                .map(|(name, stick)| KeyStick::new(name, stick)),
            status: match (options.quiet, std::io::stderr().is_terminal()) {
                (true, _) => StatusLine::Off,
                (false, true) => StatusLine::Overwrite,
                (false, false) => StatusLine::Append,
            },
            shown: String::new(),
        };
        let reader = sender.clone();
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(&reader))?;
        let console = std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || console.run(&inputs, interrupt))?;
        Ok(Self {
            sender,
            console: Some(console),
            _keys: keys,
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The reader blocks until the next key and ends with the program; the console is joined.
        let _ = self.sender.send(KeyInput::End);
        if let Some(console) = self.console.take() {
            let _ = console.join();
        }
    }
}

/// Reads keys until the terminal fails or the receiver is gone.
fn read(sender: &Sender<KeyInput>) {
    loop {
        let input = match event::read() {
            Ok(Event::Key(key)) => KeyInput::Key(key),
            Ok(_) => continue,
            Err(error) => KeyInput::Failed(error),
        };
        let last = matches!(input, KeyInput::Failed(_));
        if sender.send(input).is_err() || last {
            return;
        }
    }
}
