//! Ingestion: collects the frames of a tick, and applies them.

use super::delivery::Delivery;
use super::input::{ExternalInput, sort};
use becomingone_components::link::{Entered, Frame, Link, Links, Payload};
use becomingone_components::request::Request;
use becomingone_components::sensor::SensorStats;
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;

/// What applies the requests of a tick, in the order in which they enter.
#[derive(Resource, Clone, Copy)]
pub struct AcceptRequest(pub fn(&mut World, &Request));

/// Number of frames of each link.
#[derive(Resource, Default)]
struct Numbers(Vec<u64>);

/// Restarts every link.
pub(super) fn begin(
    links: Res<Links>,
    mut door: ResMut<ExternalInput>,
    mut entered: ResMut<Entered>,
    mut commands: Commands,
) {
    entered.0.clear();
    if let ExternalInput::Live(inlets) = &mut *door {
        sort(inlets);
        inlets.iter_mut().for_each(|inlet| inlet.reset());
    }
    commands.insert_resource(Numbers(vec![0; links.0.len()]));
}

pub(super) fn something_may_enter(
    time: Res<SimTime>,
    input: Res<ExternalInput>,
    entered: Res<Entered>,
) -> bool {
    // Frames of the last tick must be cleared.
    if !entered.0.is_empty() {
        return true;
    }
    match &*input {
        ExternalInput::Live(links) => links.iter().any(|link| link.is_waiting(time.now_ns)),
        ExternalInput::Journal(_) => true,
    }
}

/// Ingests external input.
pub fn ingest(world: &mut World) {
    let time = *world.resource::<SimTime>();
    world.resource_scope(|world, mut entered: Mut<Entered>| {
        let frames = &mut entered.0;
        frames.clear();
        world.resource_scope(|world, mut door: Mut<ExternalInput>| match &mut *door {
            ExternalInput::Live(inlets) => {
                world.resource_scope(|world, mut numbers: Mut<Numbers>| {
                    let links = world.resource::<Links>();
                    for inlet in inlets {
                        let Some(link) = links.index(inlet.link()) else {
                            continue;
                        };
                        let number = &mut numbers.0[link as usize];
                        inlet.drain(time.now_ns, &mut |came| {
                            frames.push(Frame {
                                link,
                                sequence: *number,
                                source_ns: came.source_ns,
                                arrival_ns: came.arrival_ns,
                                payload: came.payload,
                            });
                            *number += 1;
                        });
                    }
                });
            }
            ExternalInput::Journal(journal) => journal.frames(time.tick, frames),
        });
        for frame in frames.iter() {
            apply(world, frame);
        }
    });
}

/// Applies a frame.
fn apply(world: &mut World, frame: &Frame) {
    match &frame.payload {
        Payload::Request(request) => {
            if let Some(&AcceptRequest(accept)) = world.get_resource() {
                accept(world, request);
            }
        }
        Payload::Reading { numbers, bytes } => {
            let Some(sensor) = entity(world, frame.link) else {
                return;
            };
            let Some(&delivery) = world.get::<Delivery>(sensor) else {
                return;
            };
            let mut sensor = world.entity_mut(sensor);
            (delivery.deliver)(&mut sensor, frame, numbers, bytes);
            if let Some(mut link) = sensor.get_mut::<Link>() {
                link.last_ns = Some(frame.arrival_ns);
                link.received += 1;
            }
        }
        Payload::State(state) => change(world, frame.link, |link| link.state = *state),
        Payload::Clock(clock) => change(world, frame.link, |link| link.clock = *clock),
        Payload::Counts(counts) => {
            change(world, frame.link, |link| link.counts = *counts);
            let sensor = entity(world, frame.link);
            if let Some(mut stats) = sensor.and_then(|e| world.get_mut::<SensorStats>(e)) {
                stats.dropped = counts.dropped;
            }
        }
    }
}

fn entity(world: &World, link: u32) -> Option<Entity> {
    world.resource::<Links>().0.get(link as usize)?.entity
}

fn change(world: &mut World, link: u32, change: impl FnOnce(&mut Link)) {
    let entity = entity(world, link);
    if let Some(mut link) = entity.and_then(|e| world.get_mut::<Link>(e)) {
        change(&mut link);
    }
}
