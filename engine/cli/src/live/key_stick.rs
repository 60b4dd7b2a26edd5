//! Keyboard teleoperation: keys become a joystick position.

use becomingone::systems::control::teleop::Stick;
use becomingone::systems::control::teleop::StickInput;
use crossterm::event::KeyCode;
use std::time::{Duration, Instant};

/// Dead-man timeout: the stick returns to its centre when a key has not repeated for this long. Held keys repeat faster.
const DEAD_MAN_TIMEOUT: Duration = Duration::from_millis(500);

/// Initial deflection of the stick, and its step: shares of the drive's limits.
const START_SHARE: f64 = 0.5;
pub(super) const SHARE_STEP: f64 = 0.1;

/// A key that counts as held while it repeats.
#[derive(Clone, Copy, Debug, Default)]
struct HeldKey {
    sign: f64,
    until: Option<Instant>,
}

impl HeldKey {
    fn press(&mut self, sign: f64, now: Instant) {
        *self = Self {
            sign,
            until: Some(now + DEAD_MAN_TIMEOUT),
        };
    }

    fn release(&mut self, sign: f64) {
        if self.sign == sign {
            *self = Self::default();
        }
    }

    fn keep(&mut self, now: Instant) {
        if self.until.is_some() {
            self.until = Some(now + DEAD_MAN_TIMEOUT);
        }
    }

    fn expire(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now >= until) {
            *self = Self::default();
        }
    }
}

/// Stick position from keys.
pub(super) struct KeyStick {
    name: String,
    stick: StickInput,
    share: f64,
    forward: HeldKey,
    turn: HeldKey,
}

#[derive(Clone, Copy)]
pub(super) enum Axis {
    Forward(f64),
    Turn(f64),
}

impl KeyStick {
    pub(super) fn new(name: String, stick: StickInput) -> Self {
        Self {
            name,
            stick,
            share: START_SHARE,
            forward: HeldKey::default(),
            turn: HeldKey::default(),
        }
    }

    pub(super) fn press(&mut self, axis: Axis, now: Instant) {
        self.expire(now);
        match axis {
            Axis::Forward(sign) => self.forward.press(sign, now),
            Axis::Turn(sign) => {
                self.turn.press(sign, now);
                // A terminal repeats only the key that was pressed last: steering must not stop the drive.
                self.forward.keep(now);
            }
        }
        self.hold();
    }

    pub(super) fn release(&mut self, axis: Axis) {
        match axis {
            Axis::Forward(sign) => self.forward.release(sign),
            Axis::Turn(sign) => self.turn.release(sign),
        }
        self.hold();
    }

    pub(super) fn stop(&mut self) {
        (self.forward, self.turn) = Default::default();
        self.hold();
    }

    pub(super) fn share(&mut self, by: f64) {
        // Rounded to tenths: repeated steps must not accumulate errors.
        let tenths = ((self.share + by) * 10.0).round();
        self.share = (tenths / 10.0).clamp(SHARE_STEP, 1.0);
        self.hold();
    }

    /// Releases keys whose timeout has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        self.forward.expire(now);
        self.turn.expire(now);
        self.hold();
    }

    /// Time of the next timeout.
    pub(super) fn next(&self) -> Option<Instant> {
        let both = [self.forward.until, self.turn.until];
        both.into_iter().flatten().min()
    }

    fn hold(&self) {
        self.stick.hold(Stick {
            forward: self.forward.sign * self.share,
            left: self.turn.sign * self.share,
        });
    }
}

impl std::fmt::Display for KeyStick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let directions = [
            (self.forward.sign > 0.0, "ahead"),
            (self.forward.sign < 0.0, "back"),
            (self.turn.sign > 0.0, "left"),
            (self.turn.sign < 0.0, "right"),
        ];
        let held: Vec<_> = directions.iter().filter(|d| d.0).map(|d| d.1).collect();
        let held = if held.is_empty() {
            "stop".to_owned()
        } else {
            held.join(" ")
        };
        write!(f, "{} {held} {:.0} %", self.name, self.share * 100.0)
    }
}

pub(super) fn axis(code: KeyCode) -> Option<Axis> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('w' | 'W') => Axis::Forward(1.0),
        KeyCode::Down | KeyCode::Char('s' | 'S') => Axis::Forward(-1.0),
        KeyCode::Left | KeyCode::Char('a' | 'A') => Axis::Turn(1.0),
        KeyCode::Right | KeyCode::Char('d' | 'D') => Axis::Turn(-1.0),
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
    fn a_key_that_stops_repeating_is_released() {
        let stick = StickInput::default();
        let mut key_stick = KeyStick::new("rover".to_owned(), stick.clone());
        let start = Instant::now();
        let ms = |k: u64| start + Duration::from_millis(k);
        key_stick.press(Axis::Forward(1.0), ms(0));
        assert_eq!(at(&stick), (0.5, 0.0));
        key_stick.press(Axis::Forward(1.0), ms(400));
        key_stick.expire(ms(899));
        assert_eq!(at(&stick), (0.5, 0.0));
        key_stick.expire(ms(900));
        assert_eq!(at(&stick), (0.0, 0.0));
        assert_eq!(key_stick.next(), None);
    }

    #[test]
    fn steering_keeps_the_drive_and_driving_releases_the_steering() {
        let stick = StickInput::default();
        let mut key_stick = KeyStick::new("rover".to_owned(), stick.clone());
        let start = Instant::now();
        let ms = |k: u64| start + Duration::from_millis(k);
        key_stick.press(Axis::Forward(1.0), ms(0));
        for k in 1..20 {
            key_stick.press(Axis::Turn(1.0), ms(k * 100));
        }
        assert_eq!(at(&stick), (0.5, 0.5));
        for k in 20..26 {
            key_stick.press(Axis::Forward(1.0), ms(k * 100));
        }
        assert_eq!(at(&stick), (0.5, 0.0));
        // Steering alone turns on the spot.
        key_stick.expire(ms(4000));
        key_stick.press(Axis::Turn(-1.0), ms(4000));
        assert_eq!(at(&stick), (0.0, -0.5));
    }

    #[test]
    fn a_release_counts_at_once_and_only_for_its_key() {
        let stick = StickInput::default();
        let mut key_stick = KeyStick::new("rover".to_owned(), stick.clone());
        let now = Instant::now();
        key_stick.press(Axis::Forward(1.0), now);
        key_stick.press(Axis::Forward(-1.0), now);
        key_stick.release(Axis::Forward(1.0));
        assert_eq!(at(&stick), (-0.5, 0.0));
        key_stick.release(Axis::Forward(-1.0));
        assert_eq!(at(&stick), (0.0, 0.0));
    }
}
