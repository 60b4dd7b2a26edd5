//! `Track`: a vehicle laps the world's track (Stanley, with a speed profile from the curvature).

use super::profile::{SpeedLimits, SpeedProfile};
use super::stanley::{self, TrackController};
use crate::control::patrol::one_lap;
use becomingone_components::check::Checks;
use becomingone_components::control::{
    AgentBody, ControllerContext, ControllerKind, DriveClass, Localisation,
};
use becomingone_components::kind::Kind;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;
use serde::{Deserialize, Serialize};

/// Drives a vehicle round the world's track, as fast as its limits allow.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "Track")]
pub struct TrackDriver {
    /// Number of laps from the start; none: without end.
    #[serde(default = "one_lap")]
    pub laps: Option<u32>,
    /// Largest speed (m/s).
    pub speed_m_s: f64,
    /// Largest acceleration to the side in curves (m/s²).
    #[serde(default = "default_lateral_m_s2")]
    pub lateral_acceleration_m_s2: f64,
    /// Largest acceleration forward (m/s²).
    #[serde(default = "default_acceleration_m_s2")]
    pub acceleration_m_s2: f64,
    /// Largest deceleration (m/s²).
    #[serde(default = "default_deceleration_m_s2")]
    pub deceleration_m_s2: f64,
    /// Pose source.
    #[serde(default)]
    pub localisation: Localisation,
}

fn default_lateral_m_s2() -> f64 {
    4.0
}
fn default_acceleration_m_s2() -> f64 {
    2.0
}
fn default_deceleration_m_s2() -> f64 {
    3.0
}

impl TrackDriver {
    fn limits(&self) -> SpeedLimits {
        SpeedLimits {
            speed_m_s: self.speed_m_s,
            lateral_m_s2: self.lateral_acceleration_m_s2,
            acceleration_m_s2: self.acceleration_m_s2,
            deceleration_m_s2: self.deceleration_m_s2,
        }
    }
}

impl Kind for TrackDriver {
    const NAME: &'static str = "Track";
    const ABOUT: &'static str = "laps of the world's track, for vehicles";
}

impl ControllerKind for TrackDriver {
    const DRIVES: &'static [DriveClass] = &[DriveClass::Vehicle];

    fn check(&self, context: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        match &context.world.track {
            None => checks.wrong("", "no track to drive on", "`track: (..)` in the world"),
            Some(track) if !track.closed && self.laps != Some(1) => checks.wrong(
                "laps",
                "laps of a track that is not closed",
                "1: it is driven once, to its end",
            ),
            Some(_) => {}
        }
        if self.laps == Some(0) {
            checks.wrong("laps", 0, "at least 1, or None");
        }
        checks.within(
            "speed_m_s",
            self.speed_m_s,
            0.1,
            100.0,
            "m/s from 0.1 to 100",
        );
        for (field, limit) in [
            ("lateral_acceleration_m_s2", self.lateral_acceleration_m_s2),
            ("acceleration_m_s2", self.acceleration_m_s2),
            ("deceleration_m_s2", self.deceleration_m_s2),
        ] {
            checks.within(field, limit, 0.01, 100.0, "m/s² from 0.01 to 100");
        }
    }

    fn localisation(&self) -> Option<Localisation> {
        Some(self.localisation)
    }

    fn repeat_without_end(&mut self) {
        self.laps = None;
    }

    fn numbers(&mut self) -> Vec<(&'static str, &mut f64)> {
        vec![
            ("speed_m_s", &mut self.speed_m_s),
            (
                "lateral_acceleration_m_s2",
                &mut self.lateral_acceleration_m_s2,
            ),
            ("acceleration_m_s2", &mut self.acceleration_m_s2),
            ("deceleration_m_s2", &mut self.deceleration_m_s2),
        ]
    }

    fn tune(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        if let (Some(track), Some(vehicle)) = (body.track, body.vehicle) {
            agent.insert(SpeedProfile::plan(track, &self.limits(), vehicle));
        }
    }

    fn spawn(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        // The loader provides both wherever a track is driven.
        if let (Some(track), Some(vehicle)) = (body.track, body.vehicle) {
            agent.insert(stanley::driver(
                track,
                vehicle,
                self.limits(),
                self.laps,
                self.localisation,
            ));
        }
    }

    fn systems() -> ScheduleConfigs<ScheduleSystem> {
        stanley::steer.run_if(any_with_component::<TrackController>)
    }
}
