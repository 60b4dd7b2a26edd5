//! Checks of a track: it must neither fold nor cross itself.

use becomingone_components::scene::SceneSpec;
use becomingone_components::track::{Track, TrackSpec};
use becomingone_systems::vehicle::lap::TrackDriver;
use std::cell::Cell;
use std::collections::HashMap;
use std::f64::consts::{FRAC_PI_2, PI};

/// Most points of a centre line.
const MANY: usize = 10_000;
/// Shortest and longest centre line (m).
const LENGTH_M: [f64; 2] = [10.0, 20_000.0];
/// Least distance between points (m).
const NEAR_M: f64 = 0.1;

/// Reports errors of a scene's track, and agents that do not start on it: the value's path, what was found, what was
/// expected.
pub(super) fn check(scene: &SceneSpec, far_m: f64, wrong: &mut dyn FnMut(&str, String, &str)) {
    let Some(spec) = &scene.world.track else {
        return;
    };
    let fine = Cell::new(true);
    let mut no = |path: &str, found: String, expected: &str| {
        fine.set(false);
        wrong(path, found, expected);
    };
    let points = &spec.centre_line_m;
    let least = if spec.closed { 3 } else { 2 };
    let line = "world.track.centre_line_m";
    if !(least..=MANY).contains(&points.len()) {
        no(
            line,
            format!("{} points", points.len()),
            &format!("{least} to {MANY} points"),
        );
    }
    if !(spec.width_m >= 0.1 && spec.width_m <= 100.0) {
        no(
            "world.track.width_m",
            spec.width_m.to_string(),
            "metres from 0.1 to 100",
        );
    }
    for (k, p) in points.iter().enumerate().take(MANY) {
        for (axis, x) in p.iter().enumerate() {
            if !x.is_finite() || x.abs() > far_m {
                let expected = format!("metres within {far_m}");
                no(&format!("{line}[{k}][{axis}]"), x.to_string(), &expected);
            }
        }
    }
    if !fine.get() {
        return;
    }
    let mut length = 0.0;
    for k in 0..points.len() {
        if k == 0 && !spec.closed {
            continue;
        }
        let before = points[(k + points.len() - 1) % points.len()];
        let way = libm::hypot(points[k][0] - before[0], points[k][1] - before[1]);
        length += way;
        if way < NEAR_M {
            no(
                &format!("{line}[{k}]"),
                format!("a point {way:.3} m from the one before"),
                "points at least 0.1 m apart; a closed track does not repeat its first point",
            );
        }
    }
    if !(LENGTH_M[0]..=LENGTH_M[1]).contains(&length) {
        let expected = format!("{} to {} m", LENGTH_M[0], LENGTH_M[1]);
        no(line, format!("a centre line of {length:.1} m"), &expected);
    }
    if !fine.get() {
        return;
    }
    let track = Track::new(spec);
    ribbon(spec, &track, &mut no);
    if fine.get() {
        starts(scene, &track, wrong);
    }
}

/// Checks that the edges neither fold nor cross.
fn ribbon(spec: &TrackSpec, track: &Track, wrong: &mut dyn FnMut(&str, String, &str)) {
    let point_at = |k: usize| {
        let at = track.stations[k].at_m;
        let distance = |p: &[f64; 2]| libm::hypot(p[0] - at[0], p[1] - at[1]);
        let points = spec.centre_line_m.iter().enumerate();
        let nearest = points.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        nearest.map_or(0, |(k, _)| k)
    };
    let half = track.width_m / 2.0;
    let bends = track.stations.iter().enumerate();
    let tightest = bends.max_by(|a, b| {
        let (a, b) = (a.1.curvature_1_m.abs(), b.1.curvature_1_m.abs());
        a.total_cmp(&b)
    });
    if let Some((k, station)) = tightest
        && station.curvature_1_m.abs() * half >= 1.0
    {
        wrong(
            &format!("world.track.centre_line_m[{}]", point_at(k)),
            format!(
                "a bend of {:.2} m radius",
                1.0 / station.curvature_1_m.abs()
            ),
            &format!("more than half the width, {half} m: move the points or narrow the track"),
        );
        return;
    }
    // A line with no bend tighter than half the width is at least a width away from itself after half a turn's length,
    // unless it crosses itself (Schur's comparison of chords).
    let apart = FRAC_PI_2 * track.width_m + track.step_m;
    let n = track.stations.len();
    let cell = |p: [f64; 2]| p.map(|x| libm::floor(x / track.width_m) as i64);
    let mut cells: HashMap<[i64; 2], Vec<usize>> = HashMap::new();
    for (k, station) in track.stations.iter().enumerate() {
        cells.entry(cell(station.at_m)).or_default().push(k);
    }
    for (k, station) in track.stations.iter().enumerate() {
        let [cx, cy] = cell(station.at_m);
        for x in cx - 1..=cx + 1 {
            for y in cy - 1..=cy + 1 {
                for &other in cells.get(&[x, y]).into_iter().flatten() {
                    let steps = other.saturating_sub(k);
                    let steps = if track.closed {
                        steps.min(n - steps)
                    } else {
                        steps
                    };
                    if other <= k || steps as f64 * track.step_m < apart {
                        continue;
                    }
                    let to = track.stations[other].at_m;
                    let gap = libm::hypot(to[0] - station.at_m[0], to[1] - station.at_m[1]);
                    if gap < track.width_m - track.step_m {
                        wrong(
                            &format!("world.track.centre_line_m[{}]", point_at(other)),
                            format!(
                                "a centre line that passes {gap:.2} m from itself, near point {}",
                                point_at(k)
                            ),
                            &format!("a width of {} m between any two stretches", track.width_m),
                        );
                        return;
                    }
                }
            }
        }
    }
}

/// Checks that agents with a track start on it, in its direction.
fn starts(scene: &SceneSpec, track: &Track, wrong: &mut dyn FnMut(&str, String, &str)) {
    for (k, agent) in scene.agents.iter().enumerate() {
        if !agent
            .controller
            .as_ref()
            .is_some_and(|c| c.is::<TrackDriver>())
        {
            continue;
        }
        let [x, y, _] = agent.position_m;
        let foot = track.locate([x, y]);
        if foot.offset_m.abs() >= track.width_m / 2.0 {
            wrong(
                &format!("agents[{k}].position_m"),
                format!("a start {:.1} m from the centre line", foot.offset_m.abs()),
                "a start on the track",
            );
            continue;
        }
        let [tx, ty] = foot.place.tangent;
        let turn = libm::atan2(ty, tx) - agent.yaw_rad;
        let turn = turn - (turn / (2.0 * PI)).round() * 2.0 * PI;
        if turn.abs() > FRAC_PI_2 {
            wrong(
                &format!("agents[{k}].yaw_rad"),
                format!("{}, against the track's direction", agent.yaw_rad),
                &format!("about {:.2}", libm::atan2(ty, tx)),
            );
        }
    }
}
