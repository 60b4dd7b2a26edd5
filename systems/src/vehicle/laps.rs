//! Laps and excursions of a vehicle, from ground truth.

use super::ray_cast::RayCastVehicle;
use becomingone_components::body::TruePose;
use becomingone_components::control::{DrivenBy, Goals};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::scene::LoadedScene;
use becomingone_components::time::{Rate, SimTime};
use becomingone_components::track::{Laps, Track};
use becomingone_components::vehicle::Vehicle;
use bevy_ecs::prelude::*;

/// Checks of each vehicle per second.
pub const LAPS_RATE_HZ: f64 = 100.0;
/// Hysteresis at the edge (m): a wheel is back on the track this far inside.
const INSIDE_M: f64 = 0.1;
/// An open track is done this far before its end (m), where the speed approaches zero.
const END_M: f64 = 1.0;

/// Check rate of a vehicle.
#[derive(Component, Clone, Copy, Debug)]
pub struct LapsRate(pub Rate);

/// Counts laps and excursions.
pub fn count(
    time: Res<SimTime>,
    loaded: Option<Res<LoadedScene>>,
    mut agents: Query<(
        &Name,
        &TruePose,
        &DrivenBy,
        &mut LapsRate,
        &mut Laps,
        Option<&mut Goals>,
    )>,
    vehicles: Query<(&RayCastVehicle, &Vehicle)>,
    mut events: MessageWriter<AgentEvent>,
) {
    let Some(track) = loaded.as_deref().and_then(|l| l.track.as_deref()) else {
        return;
    };
    for (name, pose, driven, mut rate, mut laps, mut goals) in &mut agents {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        let Ok((rays, vehicle)) = vehicles.get(driven.0) else {
            continue;
        };
        let mut emit = |kind| {
            events.write(AgentEvent {
                now_ns: time.now_ns,
                agent: name.to_string(),
                kind,
            });
        };
        let at = pose.0.translation_m;
        let foot = track.locate_near([f64::from(at.x), f64::from(at.y)], laps.foot.station);
        let step_m = way(track, laps.foot.s_m, foot.s_m);
        laps.foot = foot;
        laps.progress_m += step_m;

        let widest = rays
            .0
            .wheels()
            .iter()
            .map(|w| {
                let p = w.raycast_info().contact_point_ws;
                let p = [f64::from(p.x), f64::from(p.y)];
                track.locate_near(p, foot.station).offset_m.abs()
            })
            .fold(0.0, f64::max);
        laps.widest_m = laps.widest_m.max(widest);
        let half = track.width_m / 2.0;
        if !laps.off && widest > half {
            laps.off = true;
            laps.off_track += 1;
            emit(EventKind::OffTrack(widest));
        } else if laps.off && widest < half - INSIDE_M {
            laps.off = false;
            emit(EventKind::BackOnTrack);
        }

        let lap_m = if track.closed {
            track.length_m()
        } else {
            // The rest of the way from its start; the steered axle arrives first at the end.
            let front_m = vehicle.0.steered_axle_x_m().max(0.0);
            track.length_m() - (foot.s_m - laps.progress_m) - front_m - END_M
        };
        let line_m = (laps.done + 1) as f64 * lap_m;
        if laps.progress_m < line_m || (!track.closed && laps.done > 0) {
            continue;
        }
        // The line lies between this check and the last one.
        let over = if step_m > 0.0 {
            ((laps.progress_m - line_m) / step_m).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let now_s = time.now_s() - over * rate.0.period_s();
        let lap_s = now_s - laps.since_s;
        laps.since_s = now_s;
        laps.done += 1;
        laps.last_s = Some(lap_s);
        laps.best_s = Some(laps.best_s.map_or(lap_s, |best| best.min(lap_s)));
        emit(EventKind::LapDone(laps.done, lap_s));
        if let Some(goals) = &mut goals
            && !goals.done()
        {
            goals.reached += 1;
            if goals.done() {
                emit(EventKind::AllGoalsReached);
            }
        }
    }
}

/// The shorter way along the track from one length to another (m).
fn way(track: &Track, from_m: f64, to_m: f64) -> f64 {
    let step = to_m - from_m;
    if !track.closed {
        return step;
    }
    let round = track.length_m();
    step - (step / round).round() * round
}
