//! The kernel in the tick: readings become phases, Emissary (short window) and Master (long window) take them and are
//! compared, and events are remembered.
//!
//! The kernel ticks at its own rate. A channel without a reading since the last kernel tick is
//! missing; faster ones are averaged, never held.
//!
//! - [`blend`]: events are stored, decay, and are recalled.
//! - [`transducers`]: Emissary, Master and Synchronization of an agent.
//! - [`memory`]: event memory; [`stored_memory`]: across runs, as bytes.
//! - [`restore`]: memories of earlier runs are restored, and kept for the next one.

pub mod blend;
pub mod memory;
pub mod restore;
pub mod stored_memory;
pub mod transducers;

use crate::coherence::transducers::{Synchrony, Transducers};
use crate::events::EventCollector;
use crate::threads::{Workers, prefetch};
use crate::tick::{Reset, Tick, TickSystems};
use becomingone_components::coherence::{Channels, Coherence, KernelTick};
use becomingone_components::control::ControllerInputs;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::scene::Signal;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{EncoderAngles, Reading};
use becomingone_components::time::{NS_PER_S, Rate, SimTime};
use becomingone_kernel::encode_angle;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use std::f64::consts::{PI, TAU};
use std::slice;

/// Systems that have work only in a tick with a kernel tick of any agent; after [`mark_kernel_ticks`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KernelTickSystems;

/// Whether any agent has a kernel tick in this tick.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct KernelsDue(bool);

/// Runs every agent's kernel.
pub struct CoherencePlugin;

impl Plugin for CoherencePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<KernelsDue>()
            .configure_sets(
                Tick,
                KernelTickSystems
                    .after(mark_kernel_ticks)
                    .run_if(|due: Res<KernelsDue>| due.0),
            )
            .add_systems(
                Tick,
                (
                    (mark_kernel_ticks, encode)
                        .chain()
                        .in_set(TickSystems::Encode),
                    resonate
                        .in_set(TickSystems::Resonate)
                        .in_set(KernelTickSystems),
                    synchronize
                        .in_set(TickSystems::Synchronize)
                        .in_set(KernelTickSystems),
                    (blend::note, blend::blend.in_set(KernelTickSystems))
                        .chain()
                        .in_set(TickSystems::Blend),
                ),
            )
            .add_systems(Reset, restore::restore);
    }
}

/// A generated signal of an agent.
#[derive(Clone, Debug)]
pub struct OwnSignal {
    /// Its channel.
    pub channel: usize,
    /// Its kind.
    pub signal: Signal,
    /// Its random generator.
    pub rng: Rng,
}

/// Generated signals of an agent.
#[derive(Component, Clone, Debug, Default)]
pub struct Signals(pub Vec<OwnSignal>);

/// Marks kernel ticks.
pub fn mark_kernel_ticks(
    time: Res<SimTime>,
    mut kernels: Query<(&mut KernelTick, &mut Rate)>,
    mut due: ResMut<KernelsDue>,
) {
    due.0 = false;
    for (mut tick, mut rate) in &mut kernels {
        if !rate.due(time.now_ns) {
            if tick.dt_s.is_some() {
                tick.dt_s = None;
            }
            continue;
        }
        due.0 = true;
        // The first tick has no predecessor: any step works, as no difference is computed.
        let step_s = tick.last_ns.map_or_else(
            || rate.period_s(),
            |last| (time.now_ns - last) as f64 / NS_PER_S as f64,
        );
        *tick = KernelTick {
            last_ns: Some(time.now_ns),
            dt_s: Some(step_s),
            count: tick.count + 1,
        };
    }
}

/// Collects the angles of the channels: wheel angles first, then generated signals. At each kernel tick, averaged
/// angles become phases.
pub fn encode(
    time: Res<SimTime>,
    workers: Res<Workers>,
    mut kernels: Query<(
        &KernelTick,
        &mut Channels,
        &mut Signals,
        Option<&ControllerInputs>,
    )>,
    encoders: Query<&Reading<EncoderAngles>>,
) {
    let now_s = time.now_s();
    let work = |(tick, mut channels, mut signals, inputs): (
        &KernelTick,
        Mut<Channels>,
        Mut<Signals>,
        Option<&ControllerInputs>,
    )| {
        let Channels { names, angles, phi } = &mut *channels;
        let named = angles.get_mut(..names.len()).unwrap_or_default();
        if let Some(reading) = inputs
            .and_then(|e| e.encoders)
            .and_then(|e| encoders.get(e).ok())
        {
            for sample in reading.batch() {
                let wheels = named.len() - signals.0.len();
                for (average, &angle) in named[..wheels].iter_mut().zip(&sample.value.angles_rad) {
                    average.add(angle);
                }
            }
        }
        for own in &mut signals.0 {
            let Some(average) = named.get_mut(own.channel) else {
                continue;
            };
            match own.signal {
                Signal::Tone { frequency_hz } => average.add(TAU * frequency_hz * now_s),
                Signal::Chirp {
                    start_hz,
                    rate_hz_s,
                } => average.add(TAU * (start_hz + rate_hz_s / 2.0 * now_s) * now_s),
                // Once per kernel tick: the mean of many such angles would not be uniform.
                Signal::Noise {} if average.is_empty() => average.add(PI * own.rng.symmetric()),
                Signal::Noise {} => {}
            }
        }
        if tick.dt_s.is_some() {
            for (phase, average) in phi.iter_mut().zip(named) {
                *phase = average.take().map(encode_angle);
            }
        }
    };
    let ask = |(_, channels, signals, _): &(_, Mut<Channels>, Mut<Signals>, _)| {
        prefetch(slice::from_ref(&**channels));
        prefetch(&signals.0);
    };
    workers.for_each_prefetched(kernels.iter_mut(), ask, work);
}

/// Passes the same phase velocities to Emissary and Master.
pub fn resonate(
    workers: Res<Workers>,
    mut kernels: Query<(&KernelTick, &Channels, &mut Transducers)>,
) {
    let ask = |(tick, _, transducers): &(&KernelTick, _, Mut<Transducers>)| {
        if tick.dt_s.is_some() {
            prefetch(slice::from_ref(&**transducers));
        }
    };
    workers.for_each_prefetched(
        kernels.iter_mut(),
        ask,
        |(tick, channels, mut transducers)| {
            if let Some(dt_s) = tick.dt_s {
                transducers.push(&channels.phi, dt_s);
            }
        },
    );
}

/// Compares Emissary and Master, and publishes the result.
pub fn synchronize(
    time: Res<SimTime>,
    workers: Res<Workers>,
    mut kernels: Query<(
        &Name,
        &KernelTick,
        &Transducers,
        &mut Synchrony,
        &mut Coherence,
    )>,
    mut events: MessageWriter<AgentEvent>,
) {
    let collected = EventCollector::default();
    let kernels = kernels.iter_mut().enumerate();
    workers.each(
        kernels,
        |(agent, (name, tick, transducers, synchrony, coherence))| {
            if tick.dt_s.is_none() {
                return;
            }
            let (mut synchrony, mut coherence) = (synchrony, coherence);
            let [e, m] = transducers.readings();
            let [by_emissary, by_master] = transducers.compared([e, m]);
            let report = synchrony.0.update(by_emissary, by_master);
            let parted = report.apart || (coherence.parted && !report.aligned);
            let turns = [
                (
                    coherence.collapsed,
                    report.collapsed,
                    EventKind::PhaseLockLost,
                    EventKind::PhaseLocked,
                ),
                (
                    coherence.parted,
                    parted,
                    EventKind::CoherenceAgrees,
                    EventKind::CoherenceDiverged,
                ),
            ];
            for (was, is, ends, begins) in turns {
                if was != is {
                    collected.note(
                        agent,
                        AgentEvent {
                            now_ns: time.now_ns,
                            agent: name.to_string(),
                            kind: if is { begins } else { ends },
                        },
                    );
                }
            }
            *coherence = Coherence {
                order: e.map_or(0.0, |r| r.order),
                order_master: m.map_or(0.0, |r| r.order),
                t_emissary: e.map_or([0.0; 2], |r| [r.t.re, r.t.im]),
                t_master: m.map_or([0.0; 2], |r| [r.t.re, r.t.im]),
                aligned: report.aligned,
                parted,
                collapsed: report.collapsed,
                ..*coherence
            };
        },
    );
    collected.write(&mut events);
}
