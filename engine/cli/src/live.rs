//! A run under a person's hands: `--interactive` and `--teleop`.
//!
//! Two threads of their own: one reads keys, one makes of them what they mean and draws the status
//! line. They reach the run through its [`StopHandle`] and the stick's [`StickInput`] only.

use super::terminal;
use becomingone::components::time::{NS_PER_S, SimTime};
use becomingone::systems::control::teleop::{Stick, StickInput};
use becomingone::systems::tick::{Reset, Tick, TickSystems};
use becomingone::{Pace, StopHandle};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The stick goes back to the middle where no key held it for so long. A held key repeats faster than that.
const DEAD_MAN: Duration = Duration::from_millis(500);
/// Between two looks at the run's clock.
const REDRAW: Duration = Duration::from_millis(100);
/// Ticks of the bigger step.
const STEP: u64 = 100;
/// Speeds that a run may be asked for, as `--rate`.
const FACTORS: [f64; 2] = [1e-3, 1e6];
/// How far the stick goes at first, and what a key adds: shares of the drive's own limits.
const REACH: f64 = 0.5;
const REACH_STEP: f64 = 0.1;

const KEYS: &str = "keys: space pause, run on | . n one tick | > N 100 ticks | + - speed | \
    f as fast as possible | 0 r reset | q Esc Ctrl-C quit | h ? help";
const DRIVE_KEYS: &str = "drive: arrows or w a s d, hold to drive | x stop | e c faster, slower";

/// The run's clock, as another thread may read it.
#[derive(Resource, Clone, Default)]
pub(super) struct ClockMirror(Arc<AtomicU64>);

impl ClockMirror {
    /// Of a run that has not started.
    pub(super) fn of(engine: &mut becomingone::CoherenceEngine) -> Self {
        let clock = Self::default();
        engine.add_plugin(DialPlugin(clock.clone()));
        clock
    }
}

/// Lets the threads see the run's clock.
struct DialPlugin(ClockMirror);

impl Plugin for DialPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .add_systems(Reset, turn_dial)
            .add_systems(Tick, turn_dial.in_set(TickSystems::Publish));
    }
}

fn turn_dial(time: Res<SimTime>, clock: Res<ClockMirror>) {
    clock.0.store(time.now_ns, Ordering::Relaxed);
}

/// What the keys may be asked for before the run.
pub(super) struct Wanted {
    /// The run, and how it is paced at first.
    pub(super) run: StopHandle,
    pub(super) clock: ClockMirror,
    pub(super) pace: Pace,
    /// Name and hand of the agent that is driven.
    pub(super) driven: Option<(String, StickInput)>,
    /// Whether states are told.
    pub(super) quiet: bool,
}

/// A run's keys. The terminal is as it was when this is gone.
pub(super) struct Keys {
    tell: Sender<Heard>,
    console: Option<JoinHandle<()>>,
    _keys: terminal::KeyByKey,
}

enum Heard {
    Key(KeyEvent),
    /// The terminal is gone.
    Deaf(std::io::Error),
    End,
}

impl Keys {
    /// Takes the terminal. `interrupt` is what Ctrl-C does.
    pub(super) fn take(
        wanted: Wanted,
        interrupt: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let keys = terminal::KeyByKey::enter(wanted.driven.is_some())?;
        let (tell, heard) = mpsc::channel();
        let console = Console {
            run: wanted.run,
            clock: wanted.clock,
            speed: Speed::new(wanted.pace),
            paused: false,
            driver: wanted.driven.map(|(name, stick)| Driver::new(name, stick)),
            telling: match (wanted.quiet, std::io::stderr().is_terminal()) {
                (true, _) => Telling::Nothing,
                (false, true) => Telling::OneLine,
                (false, false) => Telling::Lines,
            },
            shown: String::new(),
        };
        let reader = tell.clone();
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(&reader))?;
        let console = std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || console.run(&heard, interrupt))?;
        Ok(Self {
            tell,
            console: Some(console),
            _keys: keys,
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Who reads keys waits for the next one, and ends with the program; who draws is waited for.
        let _ = self.tell.send(Heard::End);
        if let Some(console) = self.console.take() {
            let _ = console.join();
        }
    }
}

/// Reads keys, until there are none.
fn read(tell: &Sender<Heard>) {
    loop {
        let said = match event::read() {
            Ok(Event::Key(key)) => Heard::Key(key),
            Ok(_) => continue,
            Err(error) => Heard::Deaf(error),
        };
        let last = matches!(said, Heard::Deaf(_));
        if tell.send(said).is_err() || last {
            return;
        }
    }
}

/// How fast the run goes: a factor, or as fast as it can.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Speed {
    factor: f64,
    fast: bool,
}

impl Speed {
    fn new(pace: Pace) -> Self {
        match pace {
            Pace::Fast => Self {
                factor: 1.0,
                fast: true,
            },
            Pace::RealTime => Self {
                factor: 1.0,
                fast: false,
            },
            Pace::Rate(factor) => Self {
                factor,
                fast: false,
            },
        }
    }

    fn pace(self) -> Pace {
        if self.fast {
            Pace::Fast
        } else {
            Pace::Rate(self.factor)
        }
    }

    /// So many times as fast; from as fast as possible, back to the factor before.
    fn times(self, by: f64) -> Self {
        let factor = if self.fast {
            self.factor
        } else {
            (self.factor * by).clamp(FACTORS[0], FACTORS[1])
        };
        Self {
            factor,
            fast: false,
        }
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.fast {
            f.write_str("as fast as possible")
        } else {
            write!(f, "{} x real time", self.factor)
        }
    }
}

/// A key that is held as long as it repeats.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    sign: f64,
    until: Option<Instant>,
}

impl Held {
    fn press(&mut self, sign: f64, now: Instant) {
        *self = Self {
            sign,
            until: Some(now + DEAD_MAN),
        };
    }

    fn release(&mut self, sign: f64) {
        if self.sign == sign {
            *self = Self::default();
        }
    }

    fn keep(&mut self, now: Instant) {
        if self.until.is_some() {
            self.until = Some(now + DEAD_MAN);
        }
    }

    fn expire(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now >= until) {
            *self = Self::default();
        }
    }
}

/// Makes a stick of keys.
struct Driver {
    name: String,
    stick: StickInput,
    reach: f64,
    ahead: Held,
    turn: Held,
}

#[derive(Clone, Copy)]
enum Way {
    Ahead(f64),
    Turn(f64),
}

impl Driver {
    fn new(name: String, stick: StickInput) -> Self {
        Self {
            name,
            stick,
            reach: REACH,
            ahead: Held::default(),
            turn: Held::default(),
        }
    }

    fn press(&mut self, way: Way, now: Instant) {
        self.expire(now);
        match way {
            Way::Ahead(sign) => self.ahead.press(sign, now),
            Way::Turn(sign) => {
                self.turn.press(sign, now);
                // A terminal repeats only the key that was pressed last: who steers still drives.
                self.ahead.keep(now);
            }
        }
        self.hold();
    }

    fn release(&mut self, way: Way) {
        match way {
            Way::Ahead(sign) => self.ahead.release(sign),
            Way::Turn(sign) => self.turn.release(sign),
        }
        self.hold();
    }

    fn stop(&mut self) {
        (self.ahead, self.turn) = Default::default();
        self.hold();
    }

    fn reach(&mut self, by: f64) {
        // Whole tenths, however often.
        let tenths = ((self.reach + by) * 10.0).round();
        self.reach = (tenths / 10.0).clamp(REACH_STEP, 1.0);
        self.hold();
    }

    /// Lets go of what is no more held.
    fn expire(&mut self, now: Instant) {
        self.ahead.expire(now);
        self.turn.expire(now);
        self.hold();
    }

    /// When something is let go of next.
    fn next(&self) -> Option<Instant> {
        let both = [self.ahead.until, self.turn.until];
        both.into_iter().flatten().min()
    }

    fn hold(&self) {
        self.stick.hold(Stick {
            forward: self.ahead.sign * self.reach,
            left: self.turn.sign * self.reach,
        });
    }
}

impl std::fmt::Display for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ways = [
            (self.ahead.sign > 0.0, "ahead"),
            (self.ahead.sign < 0.0, "back"),
            (self.turn.sign > 0.0, "left"),
            (self.turn.sign < 0.0, "right"),
        ];
        let held: Vec<_> = ways.iter().filter(|w| w.0).map(|w| w.1).collect();
        let held = if held.is_empty() {
            "stop".to_owned()
        } else {
            held.join(" ")
        };
        write!(f, "{} {held} {:.0} %", self.name, self.reach * 100.0)
    }
}

enum Telling {
    Nothing,
    /// One line, over itself.
    OneLine,
    /// A line a key.
    Lines,
}

/// What keys mean.
struct Console {
    run: StopHandle,
    clock: ClockMirror,
    speed: Speed,
    paused: bool,
    driver: Option<Driver>,
    telling: Telling,
    shown: String,
}

impl Console {
    #[allow(
        clippy::disallowed_methods,
        reason = "a person lives by the wall clock"
    )]
    fn run(mut self, heard: &Receiver<Heard>, interrupt: impl Fn()) {
        self.help();
        loop {
            self.draw();
            let now = Instant::now();
            let mut by = now + REDRAW;
            if let Some(next) = self.driver.as_ref().and_then(Driver::next) {
                by = by.min(next);
            }
            match heard.recv_timeout(by.saturating_duration_since(now)) {
                Ok(Heard::Key(key)) => self.press(key, Instant::now(), &interrupt),
                Ok(Heard::Deaf(error)) => {
                    log::error!("no more keys: {error}");
                    self.run.stop();
                }
                Ok(Heard::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(driver) = &mut self.driver {
                driver.expire(Instant::now());
            }
        }
        if let Some(driver) = &mut self.driver {
            driver.stop();
        }
        terminal::clear();
    }

    fn press(&mut self, key: KeyEvent, now: Instant, interrupt: &impl Fn()) {
        if let Some(way) = self.driver.as_ref().and_then(|_| way(key.code))
            && let Some(driver) = &mut self.driver
            && !key.modifiers.contains(KeyModifiers::CONTROL)
        {
            match key.kind {
                KeyEventKind::Release => driver.release(way),
                KeyEventKind::Press | KeyEventKind::Repeat => driver.press(way, now),
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
                self.tell();
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
                self.line("reset");
            }
            KeyCode::Char('q') | KeyCode::Esc => {
                self.stop_driving();
                self.run.stop();
            }
            KeyCode::Char('h' | '?') => self.help(),
            KeyCode::Char('x') => self.stop_driving(),
            KeyCode::Char('e') | KeyCode::PageUp => self.reach(REACH_STEP),
            KeyCode::Char('c') | KeyCode::PageDown => self.reach(-REACH_STEP),
            _ => {}
        }
    }

    fn stop_driving(&mut self) {
        if let Some(driver) = &mut self.driver {
            driver.stop();
        }
    }

    fn reach(&mut self, by: f64) {
        if let Some(driver) = &mut self.driver {
            driver.reach(by);
        }
    }

    /// A step holds the run first, where it was not held.
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
        self.tell();
    }

    fn help(&self) {
        self.print(KEYS);
        if self.driver.is_some() {
            self.print(DRIVE_KEYS);
        }
    }

    /// A line that stays.
    fn print(&self, line: &str) {
        if !matches!(self.telling, Telling::Nothing) {
            // Where stderr is gone, there is nobody to tell.
            let _ = writeln!(terminal::Lines, "{line}");
        }
    }

    /// A line that stays, where there is none that is written over.
    fn line(&self, line: &str) {
        if matches!(self.telling, Telling::Lines) {
            self.print(line);
        }
    }

    fn tell(&self) {
        self.line(&self.state());
    }

    fn state(&self) -> String {
        let now_ns = self.clock.0.load(Ordering::Relaxed);
        let mut state = format!("{:9.3} s, {}", now_ns as f64 / NS_PER_S as f64, self.speed);
        if self.paused {
            state += ", paused";
        }
        if let Some(driver) = &self.driver {
            state += &format!(", {driver}");
        }
        state
    }

    fn draw(&mut self) {
        if matches!(self.telling, Telling::OneLine) {
            let state = self.state();
            if state != self.shown || !terminal::is_open() {
                terminal::show(&state);
                self.shown = state;
            }
        }
    }
}

fn way(code: KeyCode) -> Option<Way> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('w' | 'W') => Way::Ahead(1.0),
        KeyCode::Down | KeyCode::Char('s' | 'S') => Way::Ahead(-1.0),
        KeyCode::Left | KeyCode::Char('a' | 'A') => Way::Turn(1.0),
        KeyCode::Right | KeyCode::Char('d' | 'D') => Way::Turn(-1.0),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    fn at(stick: &StickInput) -> (f64, f64) {
        let stick = stick.stick();
        let round = |x: f64| (x * 100.0).round() / 100.0;
        (round(stick.forward), round(stick.left))
    }

    #[test]
    fn a_key_that_no_more_repeats_is_let_go_of() {
        let stick = StickInput::default();
        let mut driver = Driver::new("rover".to_owned(), stick.clone());
        let start = Instant::now();
        let ms = |k: u64| start + Duration::from_millis(k);
        driver.press(Way::Ahead(1.0), ms(0));
        assert_eq!(at(&stick), (0.5, 0.0));
        driver.press(Way::Ahead(1.0), ms(400));
        driver.expire(ms(899));
        assert_eq!(at(&stick), (0.5, 0.0));
        driver.expire(ms(900));
        assert_eq!(at(&stick), (0.0, 0.0));
        assert_eq!(driver.next(), None);
    }

    #[test]
    fn who_steers_still_drives_and_who_drives_no_more_steers() {
        let stick = StickInput::default();
        let mut driver = Driver::new("rover".to_owned(), stick.clone());
        let start = Instant::now();
        let ms = |k: u64| start + Duration::from_millis(k);
        driver.press(Way::Ahead(1.0), ms(0));
        for k in 1..20 {
            driver.press(Way::Turn(1.0), ms(k * 100));
        }
        assert_eq!(at(&stick), (0.5, 0.5));
        for k in 20..26 {
            driver.press(Way::Ahead(1.0), ms(k * 100));
        }
        assert_eq!(at(&stick), (0.5, 0.0));
        // A turn alone is one on the spot.
        driver.expire(ms(4000));
        driver.press(Way::Turn(-1.0), ms(4000));
        assert_eq!(at(&stick), (0.0, -0.5));
    }

    #[test]
    fn a_release_counts_at_once_and_only_for_its_key() {
        let stick = StickInput::default();
        let mut driver = Driver::new("rover".to_owned(), stick.clone());
        let now = Instant::now();
        driver.press(Way::Ahead(1.0), now);
        driver.press(Way::Ahead(-1.0), now);
        driver.release(Way::Ahead(1.0));
        assert_eq!(at(&stick), (-0.5, 0.0));
        driver.release(Way::Ahead(-1.0));
        assert_eq!(at(&stick), (0.0, 0.0));
    }

    #[test]
    fn speeds_double_and_halve_within_bounds() {
        let mut speed = Speed::new(Pace::RealTime);
        for _ in 0..40 {
            speed = speed.times(2.0);
        }
        assert_eq!(speed.pace(), Pace::Rate(1e6));
        assert_eq!(Speed::new(Pace::Rate(4.0)).times(0.5).factor, 2.0);
        let fast = Speed::new(Pace::Fast);
        assert_eq!(fast.times(0.5).pace(), Pace::Rate(1.0));
    }
}
