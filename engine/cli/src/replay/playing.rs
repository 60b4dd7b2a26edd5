//! A recording that clients play: forwards, backwards, paused.

use super::player::Player;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use becomingone::record::Played;
use becomingone::{CoherenceEngine, EngineError, Feed, StopHandle};
use becomingone_api::Playback;

pub(super) struct Playing<'a> {
    player: &'a mut Player,
    playback: Playback,
    interrupt: &'a Interrupt,
    run: StopHandle,
    /// Why it cannot go on.
    failure: Option<Failure>,
}

impl<'a> Playing<'a> {
    pub(super) fn new(
        player: &'a mut Player,
        playback: Playback,
        interrupt: &'a Interrupt,
        run: StopHandle,
    ) -> Self {
        Self {
            player,
            playback,
            interrupt,
            run,
            failure: None,
        }
    }

    /// Plays until somebody ends it; at the end of the recording it waits for where it is sent next.
    pub(super) fn run(mut self, engine: &mut CoherenceEngine) -> Result<(), Failure> {
        engine.world_mut().init_resource::<Played>();
        // Its first run, before the engine starts one of its own.
        self.player.rewind(engine)?;
        engine.run_fed(&mut self)?;
        self.failure.map_or(Ok(()), Err)
    }

    fn go(&mut self, engine: &mut CoherenceEngine) -> Result<bool, Failure> {
        if let Some(to_ns) = self.playback.take_seek() {
            let on_its_way = |engine: &mut CoherenceEngine, is_sought| {
                engine.world_mut().resource_mut::<Played>().is_sought = is_sought;
            };
            on_its_way(engine, true);
            if to_ns <= self.player.at_ns(engine) {
                self.player.rewind(engine)?;
            }
            // The last tick is the one that is prepared below.
            let tick_ns = engine.time().tick_ns;
            while self.player.at_ns(engine).saturating_add(tick_ns) < to_ns
                && !self.interrupt.is_set()
                && !self.playback.is_sought()
                && !self.run.is_asked()
                && self.player.prepare(engine)?
            {
                engine.step()?;
                self.player.compare(engine);
                self.playback.set(self.player.at_ns(engine), false);
            }
            on_its_way(engine, false);
        }
        let is_ready = self.player.prepare(engine)?;
        if !is_ready {
            self.playback.set(self.player.at_ns(engine), true);
            self.run.pause();
        }
        Ok(is_ready)
    }

    fn done<T: Default>(&mut self, done: Result<T, Failure>) -> T {
        done.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            T::default()
        })
    }
}

impl Feed for Playing<'_> {
    fn is_done(&mut self, _: &mut CoherenceEngine) -> bool {
        self.interrupt.is_set() || self.failure.is_some()
    }

    fn before(&mut self, engine: &mut CoherenceEngine) -> Result<bool, EngineError> {
        let ready = self.go(engine);
        Ok(self.done(ready))
    }

    fn after(&mut self, engine: &CoherenceEngine) {
        self.player.compare(engine);
        self.playback.set(self.player.at_ns(engine), false);
    }

    fn reset(&mut self, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
        let rewound = self.player.rewind(engine);
        self.done(rewound);
        self.playback.set(0, false);
        Ok(())
    }
}
