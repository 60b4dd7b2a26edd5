//! The state hash: `h_k = H(h_{k-1}, the bits of all registered state in name order)`, once a tick.
//!
//! Two runs with the same hash at tick k had the same registered state at every tick up to k.

pub use crate::bits::{Bits, HashState};
use crate::coherence::memory::Blend;
use crate::coherence::stored_memory::StoredMemory;
use crate::index::EntityIndex;
use crate::physics::Physics;
use crate::threads::Workers;
use crate::tick::{Reset, Tick, TickSystems};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::Travel;
use becomingone_components::coherence::Coherence;
use becomingone_components::control::{Goals, Plan, Reaction};
use becomingone_components::drive::{DriveState, Odometry, Twist2};
use becomingone_components::fleet::{FleetOrder, Orbit};
use becomingone_components::scene::ResolvedScene;
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{Measurement, Reading};
use becomingone_components::time::SimTime;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::{iter, slice};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The chained hash of all ticks so far.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateHash(pub u64);

/// Hash of each part of the state in this tick alone, in the order of the chain, to find the difference of two runs.
/// Computed only where the resource exists.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct StateParts(pub Vec<(&'static str, u64)>);

/// Interns a composed name for the lifetime of the program.
pub(crate) fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// Name of the bodies' state among the parts.
pub const PHYSICS: &str = "physics";

/// Entities per chunk, where the bits of many are collected.
const CHUNK: usize = 1024;

/// Lists the entities that hold a component now, in the order of their names.
type Now = Box<dyn FnMut(&mut World, &mut Vec<Entity>) + Send + Sync>;

/// A kind of state.
struct Kind {
    /// Finds the entities that hold it, among those with a stable name.
    find: fn(&World, &[(String, Entity)]) -> Vec<Entity>,
    /// Lists the entities that hold it now, where components of the kind come and go.
    now: Option<Now>,
    give: fn(&World, &[Entity], &mut Bits),
    /// Found when the index of entities changes, or in each tick.
    holders: Option<Vec<Entity>>,
    /// Bits of a tick, of each chunk of the holders; kept to reuse memory.
    bits: Vec<Bits>,
}

/// Registered state, in name order.
#[derive(Resource, Default)]
pub struct HashRegistry {
    kinds: BTreeMap<&'static str, Kind>,
    physics: Bits,
}

/// Registers state with the hash.
pub trait RegisterState {
    /// Registers `T`, under this name, on every entity with a stable name that has one when entities are spawned or
    /// named.
    fn register_state<T: HashState>(&mut self, name: &'static str) -> &mut Self;
    /// The same for components that come and go during a run; costs a query a tick.
    fn register_transient_state<T: HashState>(&mut self, name: &'static str) -> &mut Self;
}

impl RegisterState for App {
    fn register_state<T: HashState>(&mut self, name: &'static str) -> &mut Self {
        register::<T>(self, name, None)
    }

    fn register_transient_state<T: HashState>(&mut self, name: &'static str) -> &mut Self {
        register::<T>(self, name, Some(Box::new(named_with::<T>())))
    }
}

fn named_with<T: Component>() -> impl FnMut(&mut World, &mut Vec<Entity>) + Send + Sync {
    let mut query: Option<QueryState<(Entity, &Name), With<T>>> = None;
    move |world, holders| {
        let query = query.get_or_insert_with(|| world.query_filtered());
        holders.clear();
        holders.extend(query.iter(world).map(|(entity, _)| entity));
        let name = |&entity: &Entity| world.get::<Name>(entity).map(Name::as_str);
        holders.sort_by(|a, b| name(a).cmp(&name(b)));
    }
}

fn register<'a, T: HashState>(
    app: &'a mut App,
    name: &'static str,
    now: Option<Now>,
) -> &'a mut App {
    let kind = Kind {
        find: |world, index| {
            let with = index.iter().filter(|(_, e)| world.get::<T>(*e).is_some());
            with.map(|(_, e)| *e).collect()
        },
        now,
        give: |world, holders, bits| {
            for &entity in holders {
                if let Some(state) = world.get::<T>(entity) {
                    state.bits(bits);
                }
            }
        },
        holders: None,
        bits: Vec::new(),
    };
    app.init_resource::<HashRegistry>();
    let mut registry = app.world_mut().resource_mut::<HashRegistry>();
    registry.kinds.insert(name, kind);
    app
}

/// Hashes the engine's own state.
pub struct HashPlugin;

impl Plugin for HashPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<StateHash>()
            .register_state::<ActuatorTarget<Twist2>>("command")
            .register_state::<DriveState>("drive")
            .register_state::<FleetOrder>("fleet")
            .register_state::<Goals>("goals")
            .register_state::<Odometry>("odometry")
            .register_state::<Orbit>("orbit")
            .register_state::<Plan>("plan")
            .register_state::<Reaction>("reaction")
            .register_state::<Coherence>("coherence")
            .register_state::<Blend>("blend")
            .register_state::<Travel>("travel")
            // Viewers may be slow or absent: their work comes after, and is not hashed.
            .add_systems(Tick, hash_state.in_set(TickSystems::Seal))
            .add_systems(Reset, begin);
    }
}

/// The hash before the first tick: of the resolved scene and the memory that the run starts from.
pub fn begin(
    mut hash: ResMut<StateHash>,
    seed: Res<RunSeed>,
    time: Res<SimTime>,
    scene: Option<Res<ResolvedScene>>,
    memory: Option<Res<StoredMemory>>,
) {
    let mut bits = Bits::default();
    bits.u64(scene.map_or(0, |s| s.hash));
    bits.u64(seed.0);
    bits.u64(time.tick_ns);
    // A run without memory keeps the hash of versions without memories.
    match memory.map_or(0, |m| m.hash()) {
        0 => {}
        memory => bits.u64(memory),
    }
    hash.0 = xxh3_64(&bits.0);
}

/// Chains this tick's state into the hash.
pub fn hash_state(world: &mut World) {
    let before = world.resource::<StateHash>().0;
    let mut parts = world.remove_resource::<StateParts>();
    if let Some(StateParts(parts)) = &mut parts {
        parts.clear();
    }
    let hash = world.resource_scope(|world, mut registry: Mut<HashRegistry>| {
        let HashRegistry { kinds, physics } = &mut *registry;
        physics.0.clear();
        world.resource::<Physics>().bits(physics);
        let changed = world.resource_ref::<EntityIndex>().is_changed();
        for kind in kinds.values_mut() {
            let settled = kind.now.is_none() && !changed;
            if settled && kind.holders.is_some() {
                continue;
            }
            let holders = kind.holders.get_or_insert_default();
            match &mut kind.now {
                Some(now) => now(world, holders),
                None => *holders = (kind.find)(world, &world.resource::<EntityIndex>().0),
            }
            kind.bits
                .resize_with(holders.len().div_ceil(CHUNK), Bits::default);
        }
        let index = world.resource::<EntityIndex>();
        let pieces = kinds.values_mut().flat_map(|kind| {
            let holders = kind.holders.as_deref().unwrap_or_default();
            let give = kind.give;
            holders
                .chunks(CHUNK)
                .zip(&mut kind.bits)
                .map(move |(holders, bits)| (give, holders, bits))
        });
        world
            .resource::<Workers>()
            .pieces(index.0.len(), pieces, |(give, holders, bits)| {
                bits.0.clear();
                give(world, holders, bits);
            });
        let mut hash = Xxh3::new();
        hash.update(&before.to_le_bytes());
        let physics = (PHYSICS, slice::from_ref(physics));
        let kinds = kinds
            .iter()
            .map(|(&name, kind)| (name, kind.bits.as_slice()));
        for (name, pieces) in iter::once(physics).chain(kinds) {
            let mut part = parts.as_ref().map(|_| Xxh3::new());
            for bits in pieces {
                hash.update(&bits.0);
                if let Some(part) = &mut part {
                    part.update(&bits.0);
                }
            }
            if let (Some(StateParts(parts)), Some(part)) = (&mut parts, part) {
                parts.push((name, part.digest()));
            }
        }
        hash.digest()
    });
    if let Some(parts) = parts {
        world.insert_resource(parts);
    }
    world.resource_mut::<StateHash>().0 = hash;
}

fn twist(t: &Twist2, bits: &mut Bits) {
    bits.f64(t.linear_m_s);
    bits.f64(t.angular_rad_s);
}

impl<T: Measurement> HashState for Reading<T> {
    fn bits(&self, bits: &mut Bits) {
        for reading in self.batch() {
            bits.u64(reading.source_ns);
            reading.value.visit(&mut |x| bits.f64(x));
            bits.bytes(reading.value.bytes());
        }
    }
}

impl HashState for ActuatorTarget<Twist2> {
    fn bits(&self, bits: &mut Bits) {
        twist(&self.0, bits);
    }
}

impl HashState for DriveState {
    fn bits(&self, bits: &mut Bits) {
        twist(&self.setpoint, bits);
        bits.f64(self.curvature_1_m);
    }
}

impl HashState for FleetOrder {
    fn bits(&self, bits: &mut Bits) {
        for x in self.field {
            bits.f64(x);
        }
        bits.f64(self.coupling_rad_s);
    }
}

impl HashState for Orbit {
    fn bits(&self, bits: &mut Bits) {
        bits.f64(self.rate_rad_s);
    }
}

impl HashState for Goals {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.reached);
        // Counts of zero add nothing: most runs have none.
        if self.off > 0 || self.given_up > 0 {
            bits.u64(self.off);
            bits.u64(self.given_up);
        }
    }
}

impl HashState for Odometry {
    fn bits(&self, bits: &mut Bits) {
        bits.f64(self.x_m);
        bits.f64(self.y_m);
        bits.f64(self.yaw_rad);
        twist(&self.twist, bits);
        for m in self.last_m.into_iter().flatten() {
            bits.f64(m);
        }
    }
}

impl HashState for Plan {
    fn bits(&self, bits: &mut Bits) {
        twist(&self.twist, bits);
        for m in self.target_m.into_iter().flatten() {
            bits.f64(m);
        }
    }
}

impl HashState for Reaction {
    fn bits(&self, bits: &mut Bits) {
        twist(&self.twist, bits);
        bits.f64(self.free_m);
        bits.u64(u64::from(self.avoiding));
    }
}

impl HashState for Travel {
    fn bits(&self, bits: &mut Bits) {
        bits.f64(self.distance_m);
        bits.f64(self.max_speed_m_s);
        bits.u64(self.collisions);
    }
}

impl HashState for Coherence {
    fn bits(&self, bits: &mut Bits) {
        for x in [self.order, self.order_master] {
            bits.f64(x);
        }
        for [re, im] in [self.t_emissary, self.t_master] {
            bits.f64(re);
            bits.f64(im);
        }
        let flags = [self.aligned, self.collapsed, self.parted];
        let flags = flags.into_iter().rev();
        bits.u64(flags.fold(0, |all, flag| all << 1 | u64::from(flag)));
        for x in [self.surprise, self.k1, self.k2, self.k3]
            .into_iter()
            .flatten()
        {
            bits.f64(x);
        }
        if let Some(dissipated) = self.dissipated {
            bits.u64(u64::from(dissipated));
            bits.u64(self.cause.map_or(u64::MAX, |c| c as u64));
        }
    }
}

impl HashState for Blend {
    fn bits(&self, bits: &mut Bits) {
        // Strengths follow from these and from those of the ticks before, which the chain holds.
        bits.f64(self.faded());
        bits.u64(self.taken_in());
        if let Some((serial, strength)) = self.recalled {
            bits.u64(serial);
            bits.f64(strength);
        }
        if let Some(like) = &self.likeness {
            bits.u64(like.serial);
            bits.f64(like.similarity);
        }
    }
}
