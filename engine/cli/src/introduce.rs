//! Overview of the loaded scene, printed before a run.

use becomingone_components::body::Model;
use becomingone_components::drive::Drive;
use becomingone_components::link::{Resolved, ResolvedSources, Source};
use becomingone_components::scene::LoadedScene;
use becomingone_components::vehicle::VehicleModel;
use becomingone_systems::diagnosis::witness::Witness;
use becomingone_systems::index::EntityIndex;
use bevy_ecs::prelude::*;

/// Prints repaired and omitted parts of the models.
pub(crate) fn print_warnings(loaded: &LoadedScene) {
    for model in loaded.agents.iter().filter_map(|a| a.model.as_ref()) {
        for warning in &model.warnings {
            print_err!("warning: {warning}");
        }
    }
}

/// Prints agents, self-models and sources.
pub(crate) fn introduce(world: &World) {
    let loaded = world.resource::<LoadedScene>();
    print_warnings(loaded);
    let agents = loaded.scene.agents.iter().zip(&loaded.agents);
    // Large scenes are summarised by their first agents.
    const MAX_LISTED: usize = 5;
    for (agent, body) in agents.take(MAX_LISTED) {
        match &body.model {
            None => print_out!("{}: a kernel without a body", agent.name),
            Some(model) => print_out!(
                "{}: {}",
                agent.name,
                describe(
                    &Model(model.clone()),
                    body.drive.as_ref(),
                    body.vehicle.as_deref()
                )
            ),
        }
        let found = world.resource::<EntityIndex>().entity(&agent.name);
        if let Some(witness) = found.and_then(|agent| world.get::<Witness>(agent)) {
            print_out!("{}: self-model predicts {witness}", agent.name);
        }
    }
    if loaded.scene.agents.len() > MAX_LISTED {
        print_out!("and {} more agents", loaded.scene.agents.len() - MAX_LISTED);
    }
    print_sources(&world.resource::<ResolvedSources>().0);
}

/// Prints where readings come from and where commands go; simulated sensors and drives are only counted.
fn print_sources(rows: &[Resolved]) {
    use comfy_table::{Table, presets};
    let sim = Source::Sim.to_string();
    let listed: Vec<&Resolved> = rows.iter().filter(|r| r.source != sim).collect();
    let simulated = rows.len() - listed.len();
    if !listed.is_empty() {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(["entity", "kind", "source", "values"]);
        for row in listed {
            table.add_row([&row.entity, &row.kind, &row.source, &row.values]);
        }
        print_out!("{table}");
    }
    if simulated > 0 {
        print_out!("sources: {simulated} sensors and drives simulated");
    }
}

fn describe(model: &Model, drive: Option<&Drive>, vehicle: Option<&VehicleModel>) -> String {
    let m = &model.0;
    if let Some(v) = vehicle {
        return format!(
            "{} ({}, {:.0} kg, {} wheels, wheelbase {:.2} m, up to {:.1} kN, {:.0} kW and {:.2} rad of steering)",
            m.file,
            v.name,
            v.mass_kg,
            v.wheels.len(),
            v.wheelbase_m(),
            v.engine.max_force_n / 1e3,
            v.engine.max_power_w / 1e3,
            v.steering.max_angle_rad
        );
    }
    let colliders: usize = m.links.iter().map(|l| l.colliders.len()).sum();
    let body = format!(
        "{} ({} bodies, {} joints, {colliders} colliders, {:.2} kg)",
        m.file,
        m.links.len(),
        m.joints.len(),
        m.mass_kg()
    );
    match drive {
        None => body,
        Some(d) => format!(
            "{body}, {} driven wheels, track {:.3} m, up to {:.2} m/s and {:.2} m/s²",
            d.wheels.len(),
            d.track_width_m,
            d.max_speed_m_s,
            d.max_acceleration_m_s2
        ),
    }
}
