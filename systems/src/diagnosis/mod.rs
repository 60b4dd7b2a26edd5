//! Fault detection and isolation, in the order in which data passes.
//!
//! - [`config`]: all constants, in seconds.
//! - [`features`]: readings become channels.
//! - [`witness`]: the self-model of an agent and its detectors, at each kernel tick; its alarm is raised and cleared.
//! - [`predictor`]: the self-model, sized by its channels.
//! - [`level`]: whether stationary channels are where they were while healthy.
//! - [`stuck`]: values that repeat exactly.
//! - [`transient`]: short accelerations at the onset of wheel slip.
//! - [`innovations`] and [`nis`]: monitors of the localisation filter's innovations.
//! - [`statistics`]: result of a detector.
//! - [`isolation`]: which sensor, or the drive, is named as faulty: one decision table.
//! - [`alarm`]: alarms since the start.
//! - [`spawn`]: adds the witness of an agent.

pub mod alarm;
pub mod config;
pub mod features;
pub mod innovations;
pub mod isolation;
pub mod level;
pub mod nis;
pub mod predictor;
pub mod spawn;
pub mod statistics;
pub mod stuck;
pub mod transient;
pub mod witness;

use crate::coherence::{KernelTickSystems, mark_kernel_ticks};
use crate::tick::{Tick, TickSystems};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Runs fault detection and isolation.
pub struct DiagnosisPlugin;

impl Plugin for DiagnosisPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<config::DiagnosisConfig>().add_systems(
            Tick,
            (
                witness::collect_commands
                    .in_set(TickSystems::Encode)
                    .after(mark_kernel_ticks)
                    .ambiguous_with(features::FeatureSystems),
                (witness::collect, witness::predict)
                    .chain()
                    .in_set(TickSystems::Witness)
                    .in_set(KernelTickSystems),
                witness::update_alarm
                    .in_set(TickSystems::Diagnose)
                    .in_set(KernelTickSystems),
            ),
        );
    }
}
