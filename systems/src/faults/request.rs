//! Faults that requests begin and end in a run.

use super::check::{WrongFault, check};
use super::target::{Target, target};
use crate::index::EntityIndex;
use crate::registry::Kinds;
use becomingone_components::check::Checks;
use becomingone_components::drive::DRIVE_RATE_HZ;
use becomingone_components::fault::{AnyFault, DRIVE, Fault, FaultSpec, Faults};
use becomingone_components::kind::{Named, options};
use becomingone_components::link::{SimulationDisabled, Source, WhenSilent};
use becomingone_components::nearest::did_you_mean;
use becomingone_components::scene::LoadedScene;
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;

/// Most faults of one sensor or drive that are requested in a run: counters keep what they missed, so that none is
/// forgotten when it ends.
pub const MAX_REQUESTED: usize = 32;

/// A fault that can begin.
struct Ready {
    spec: FaultSpec,
    target: Target,
    /// Stable name of its sensor or drive.
    name: String,
    of: Entity,
    rate_hz: f64,
}

/// Checks a requested fault of the agent of this name: a target and a kind as in a scene, a duration (s).
///
/// # Errors
///
/// What does not fit.
pub fn check_request(
    world: &World,
    agent: &str,
    target: &str,
    kind: &str,
    for_s: Option<f64>,
) -> Result<(), WrongFault> {
    ready(world, agent, target, kind, for_s).map(drop)
}

/// Begins a requested fault in this tick; nothing where it does not fit.
pub(crate) fn begin(world: &mut World, agent: &str, target: &str, kind: &str, for_s: Option<f64>) {
    let Ok(ready) = ready(world, agent, target, kind, for_s) else {
        return;
    };
    let seed = *world.resource::<RunSeed>();
    let now_ns = world.resource::<SimTime>().now_ns;
    let mut faulty = world.entity_mut(ready.of);
    let mut faults = faulty.entry::<Faults>().or_default();
    let all = &mut faults.get_mut().all;
    let rng = Rng::for_name(seed, &format!("{}/faults/{}", ready.name, all.len()));
    let Target { name, numbers, .. } = ready.target;
    if let Some(mut fault) = Fault::new(&ready.spec, name, numbers, ready.rate_hz, rng) {
        // A number of seconds is rounded.
        fault.until_ns = match ready.spec.for_s {
            Some(_) => now_ns.saturating_add(fault.until_ns),
            None => u64::MAX,
        };
        fault.from_ns = now_ns;
        fault.is_requested = true;
        all.push(fault);
    }
}

/// Ends the requested faults of an agent in this tick.
pub(crate) fn end(world: &mut World, agent: Entity) {
    let now_ns = world.resource::<SimTime>().now_ns;
    let mut faulty = world.query::<(&ChildOf, &mut Faults)>();
    for (of, mut faults) in faulty.iter_mut(world) {
        if of.parent() != agent {
            continue;
        }
        for fault in faults.all.iter_mut().filter(|f| f.is_requested) {
            fault.until_ns = fault.until_ns.min(now_ns);
        }
    }
}

fn ready(
    world: &World,
    agent: &str,
    path: &str,
    kind: &str,
    for_s: Option<f64>,
) -> Result<Ready, WrongFault> {
    let wrong = |field, found: String, expected: &str| WrongFault {
        field,
        found,
        expected: expected.to_owned(),
    };
    let unknown = || wrong("sensor", format!("`{path}`"), "a sensor of a scene");
    let loaded = world.get_resource::<LoadedScene>().ok_or_else(unknown)?;
    let tick_s = world.resource::<SimTime>().tick_s();
    if let Some(for_s) = for_s.filter(|for_s| !(*for_s >= tick_s && *for_s <= 1e9)) {
        let expected = "seconds from a tick to 1e9, or none";
        return Err(wrong("for_s", format!("{for_s:?}"), expected));
    }
    let spec = FaultSpec {
        sensor: format!("{agent}/{path}"),
        kind: read(world, kind)?,
        at_s: 0.0,
        for_s,
    };
    check(&loaded.scene, &loaded.agents, &spec)?;
    let target = target(&loaded.scene.agents, &spec.sensor).map_err(|_| unknown())?;
    let sensor = target
        .sensor
        .map(|k| &loaded.scene.agents[target.agent].sensors[k]);
    let (of, rate_hz) = sensor.map_or((DRIVE, DRIVE_RATE_HZ), |s| (&s.name, s.rate_hz));
    let name = format!("{agent}/{of}");
    let of = world.resource::<EntityIndex>().entity(&name);
    let of = of.ok_or_else(unknown)?;
    let is_simulated = match sensor {
        Some(sensor) => {
            let falls_back = sensor.silence.then == WhenSilent::FallBackToSim;
            let is_off = world.get::<SimulationDisabled>(of).is_some();
            sensor.source.is_sim() || falls_back && !is_off
        }
        None => world.get::<Source>(of).is_none_or(Source::is_sim),
    };
    if !is_simulated {
        let found = format!("`{name}`, which is not simulated");
        return Err(wrong("sensor", found, "a simulated sensor or drive"));
    }
    let requested = world.get::<Faults>(of).map_or(0, |faults| {
        faults.all.iter().filter(|f| f.is_requested).count()
    });
    if requested >= MAX_REQUESTED {
        let found = format!("{requested} requested faults of `{name}`");
        let expected = format!("at most {MAX_REQUESTED} in a run");
        return Err(wrong("sensor", found, &expected));
    }
    Ok(Ready {
        spec,
        target,
        name,
        of,
        rate_hz,
    })
}

/// Reads a kind, and checks its numbers.
fn read(world: &World, text: &str) -> Result<Named<dyn AnyFault>, WrongFault> {
    let wrong = |found: String, expected: String| WrongFault {
        field: "kind",
        found,
        expected,
    };
    let quoted = || format!("`{}`", text.escape_debug());
    let mut named: Named<dyn AnyFault> = options()
        .from_str(text)
        .map_err(|_| wrong(quoted(), "a kind of fault, as `Bias(0.1)`".to_owned()))?;
    let kinds = &world.resource::<Kinds>().faults;
    let Some(entry) = kinds.get(named.name()) else {
        let known: Vec<&str> = kinds.keys().copied().collect();
        let hint = did_you_mean(named.name(), known.iter().copied());
        let expected = format!("one of {}{hint}", known.join(", "));
        return Err(wrong(quoted(), expected));
    };
    let value = (entry.read)(named.fields()).map_err(|e| {
        let expected = format!("{}: {}", entry.about, e.code);
        wrong(quoted(), expected)
    })?;
    let mut first = None;
    let report = &mut |path: &str, found: String, expected: &str| {
        let path = path.trim_start_matches('.');
        let found = format!("{path} {found}").trim_start().to_owned();
        first.get_or_insert_with(|| wrong(found, expected.to_owned()));
    };
    value.check(&mut Checks::new("", report));
    match first {
        Some(wrong) => Err(wrong),
        None => {
            named.set(value);
            Ok(named)
        }
    }
}
