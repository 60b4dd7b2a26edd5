//! Time scale: multiplies all times of a scene by one number.

use super::diagnostic::Diagnostics;
use becomingone_components::scene::{AgentSpec, CoherenceSpec, MasterSpec, SceneSpec, Signal};

/// Applies `time_scale` to the times of a scene, and sets it to 1.
///
/// A tick remains a whole number of nanoseconds, and all ratios to it are kept.
pub(super) fn apply(scene: &mut SceneSpec, diagnostics: &mut Diagnostics<'_, '_>) {
    let wanted = std::mem::replace(&mut scene.time_scale, 1.0);
    if wanted == 1.0 {
        return;
    }
    if !(wanted > 0.0 && wanted.is_finite()) {
        diagnostics.wrong("time_scale", wanted, "a positive number");
        return;
    }
    let timeless = |a: &AgentSpec| a.model.is_none() && a.sensors.is_empty();
    if !scene.agents.iter().all(timeless) {
        diagnostics.wrong(
            "time_scale",
            format_args!("{wanted}, in a scene with bodies or sensors, which cannot be scaled"),
            "1, or agents with signals only",
        );
        return;
    }
    let before_ns = scene.tick_ns as f64;
    let tick_ns = (before_ns * wanted).round();
    let off = (tick_ns - before_ns * wanted).abs();
    if tick_ns < 1.0 || off > 1e-9 * tick_ns {
        let found = format_args!("{wanted}, at which a tick is {} ns", before_ns * wanted);
        diagnostics.wrong(
            "time_scale",
            found,
            "a tick of whole nanoseconds, 1 or more",
        );
        return;
    }
    let scale = tick_ns / before_ns;
    // Values out of range are reported by the checks of the scene.
    scene.tick_ns = tick_ns as u64;
    if let Some(duration_s) = &mut scene.duration_s {
        *duration_s *= scale;
    }
    for agent in &mut scene.agents {
        let CoherenceSpec::Kernel {
            rate_hz,
            emissary_window_s,
            master_window_s,
            master,
            channels,
            blend,
            witness,
        } = &mut agent.coherence
        else {
            continue;
        };
        *rate_hz /= scale;
        let others = [&mut blend.half_life_s, &mut witness.warm_up_s];
        let others = others.into_iter().flatten();
        for time_s in [emissary_window_s, master_window_s]
            .into_iter()
            .chain(others)
        {
            *time_s *= scale;
        }
        if let MasterSpec::Pyramid { from_s, to_s } = master {
            *from_s *= scale;
            *to_s *= scale;
        }
        for channel in channels {
            match &mut channel.signal {
                Signal::Tone { frequency_hz } => *frequency_hz /= scale,
                Signal::Chirp {
                    start_hz,
                    rate_hz_s,
                } => {
                    *start_hz /= scale;
                    *rate_hz_s /= scale * scale;
                }
                Signal::Noise {} => {}
            }
        }
    }
}
