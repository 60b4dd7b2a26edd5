//! Domain randomisation: the scene that a seed draws.

use becomingone_components::randomise::RandomiseSpec;
use becomingone_components::scene::LoadedScene;
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::world::ObstacleSpec;
use std::sync::Arc;

/// Draws what the scene leaves to the seed. Each number has a generator of its own, by its name: one more of them
/// changes no other.
pub(crate) fn draw(loaded: &mut LoadedScene) {
    let Some(spec) = loaded.scene.randomise.take() else {
        return;
    };
    let seed = RunSeed(loaded.scene.seed);
    let share = |name: &str| Rng::for_name(seed, &format!("randomise/{name}")).share();
    let within = |range: Option<[f64; 2]>, name: &str| {
        range.map(|[from, to]| from + (to - from) * share(name))
    };
    let around = |most: f64, name: &str| most * (2.0 * share(name) - 1.0);
    let agents = loaded.scene.agents.iter_mut().zip(&mut loaded.agents);
    for (agent, body) in agents {
        let name = &agent.name;
        if let Some(factor) = within(spec.mass, &format!("{name}/mass"))
            && let Some(model) = &mut body.model
        {
            let model = Arc::make_mut(model);
            let bodies = model.links.iter_mut();
            for link in bodies {
                link.inertial.mass_kg *= factor as f32;
                link.inertial.inertia_kg_m2 *= factor as f32;
            }
        }
        for sensor in &mut agent.sensors {
            let factor = within(spec.noise, &format!("{name}/{}/noise", sensor.name));
            if let Some((factor, kind)) = factor.zip(sensor.kind.value()) {
                sensor.kind = kind.noisier(factor);
            }
        }
        agent.position_m[0] += around(spec.position_m, &format!("{name}/x"));
        agent.position_m[1] += around(spec.position_m, &format!("{name}/y"));
        agent.yaw_rad += around(spec.yaw_rad, &format!("{name}/yaw"));
    }
    let world = &mut loaded.scene.world;
    if let Some(factor) = within(spec.friction, "ground")
        && let Some(ground) = &mut world.ground
    {
        ground.friction *= factor;
    }
    for obstacle in &mut world.obstacles {
        let factor = within(spec.friction, &format!("{}/friction", obstacle.name()));
        if let Some(factor) = factor
            && let ObstacleSpec::Box { friction, .. } | ObstacleSpec::Ramp { friction, .. } =
                obstacle
            && let Some(friction) = friction
        {
            *friction *= factor;
        }
    }
    fault(loaded, spec, &share);
}

/// One of the faults, or none.
fn fault(loaded: &mut LoadedScene, spec: RandomiseSpec, share: &impl Fn(&str) -> f64) {
    let RandomiseSpec {
        mut faults,
        fault_share,
        fault_spread_s,
        ..
    } = spec;
    if faults.is_empty() || share("fault") >= fault_share {
        return;
    }
    let which = (share("which_fault") * faults.len() as f64) as usize;
    let mut fault = faults.swap_remove(which.min(faults.len() - 1));
    fault.at_s += fault_spread_s * share("fault_begin");
    loaded.scene.faults.push(fault);
}
