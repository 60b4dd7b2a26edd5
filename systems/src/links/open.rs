//! Opens the links of a scene: drivers start, recordings are loaded; at the end of a run, actuators get the safe
//! command.

use super::act::{self, ActuatorEnd, CommandSender, OutputLinks};
use super::context::Context;
use super::delivery::Delivery;
use super::document::without_query;
use super::driver::{DriverKind, LinkEnd};
use super::input::{ExternalInput, InputLink, InputSample, sort};
use super::live::{QueueLink, RecordedLink, Recording};
use super::queue::{PortState, SensorEnd};
use super::run_clock::RunClock;
use super::site::SourceSite;
use super::thread::Running;
use becomingone_components::geodesy::TangentPlane;
use becomingone_components::link::{LinkState, Links, Payload, Queue};
use becomingone_components::scene::LoadedScene;
use becomingone_components::sensor::Columns;
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the last safe command to be sent.
const FINAL_COMMAND_TIMEOUT: Duration = Duration::from_millis(500);

/// Sources that share a driver.
pub struct Port {
    /// The kind's name.
    pub name: &'static str,
    /// The kind.
    pub kind: Arc<dyn DriverKind>,
    /// Shared resource.
    pub port: String,
    /// Each of them.
    pub sources: Vec<PortSource>,
}

/// Source of a sensor, or executor of an actuator's commands, by a driver.
pub struct PortSource {
    /// Stable name.
    pub name: String,
    /// Queue of its readings.
    pub queue: Queue,
    /// The driver's configuration.
    pub config: String,
    /// Where it stands in the scene, and its fields.
    pub site: SourceSite,
}

/// A link that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct OpenError {
    /// Stable name of its first sensor or actuator.
    pub name: String,
    /// Found and expected.
    pub message: String,
}

/// Running drivers; dropping it stops them.
pub struct OpenLinks {
    /// The run's clock, for their threads.
    pub clock: RunClock,
    running: Vec<Running>,
}

impl Drop for OpenLinks {
    fn drop(&mut self) {
        // Cancels all at once, then waits for each.
        self.running.iter().for_each(Running::cancel);
    }
}

impl OpenLinks {
    /// Starts the drivers and recordings of a scene's sources; its entities exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(
        world: &mut World,
        ports: Vec<Port>,
        recordings: Vec<(String, Box<dyn Recording>)>,
        armed: bool,
    ) -> Result<Self, OpenError> {
        let clock = RunClock::default();
        let origin = world.get_resource::<LoadedScene>();
        let origin = origin.and_then(|loaded| loaded.scene.world.origin);
        let plane = origin.map(TangentPlane::new);
        let mut outlets = OutputLinks {
            armed,
            ends: BTreeMap::new(),
        };
        let mut running = Vec::new();
        let mut inlets: Vec<Box<dyn InputLink>> = Vec::new();
        for port in ports {
            let state = PortState::default();
            let context = Context::new(state.clone());
            let mut ends = Vec::new();
            let first = port.sources.first();
            let first = first.map_or_else(String::new, |source| source.name.clone());
            for PortSource {
                name,
                queue,
                config,
                site,
            } in port.sources
            {
                let links = world.resource::<Links>();
                let index = links.index(&name).map_or(usize::MAX, |k| k as usize);
                let entity = links.0.get(index).and_then(|l| l.entity);
                let sensor = entity.and_then(|e| world.get::<Delivery>(e));
                let end = match sensor {
                    Some(sensor) => {
                        let end = SensorEnd::new(
                            &name,
                            site,
                            sensor.names(entity.and_then(|e| world.get::<Columns>(e))),
                            sensor.with_gaps,
                            sensor.with_bytes,
                            plane,
                            queue,
                            clock.clone(),
                        );
                        inlets.push(Box::new(QueueLink::new(end.clone(), state.clone())));
                        LinkEnd::Sensor(end)
                    }
                    None => {
                        let actuator = entity.and_then(|e| world.get_entity(e).ok());
                        let will = actuator.and_then(act::will).filter(|_| armed);
                        let end = ActuatorEnd::new(&name, site, will);
                        context.attach(&end);
                        outlets.ends.insert(name.clone(), end.clone());
                        inlets.push(Box::new(ActuatorStateLink {
                            name,
                            port: state.clone(),
                            reported: LinkState::default(),
                        }));
                        LinkEnd::Actuator(end)
                    }
                };
                ends.push((config, end));
            }
            let open = port.kind.open(&port.port, ends);
            let driver = open.map_err(|message| OpenError {
                name: first.clone(),
                message,
            })?;
            let thread = format!("{} {}", port.name, without_query(&port.port));
            let started = Running::start(thread, driver, context);
            running.push(started.map_err(|cause| OpenError {
                name: first,
                message: format!("cannot start a thread for its driver: {cause}"),
            })?);
        }
        for (name, recording) in recordings {
            inlets.push(Box::new(RecordedLink::new(name, recording)));
        }
        if !outlets.ends.is_empty() {
            if !armed {
                log::warn!(
                    "hardware is not armed: commands are computed and not sent; --arm lets it move"
                );
            }
            world.insert_resource(outlets);
        }
        if let ExternalInput::Live(all) = &mut *world.resource_mut::<ExternalInput>() {
            all.append(&mut inlets);
            sort(all);
        }
        Ok(Self { clock, running })
    }
}

/// Link of an actuator, for its state alone.
struct ActuatorStateLink {
    name: String,
    port: PortState,
    reported: LinkState,
}

impl InputLink for ActuatorStateLink {
    fn link(&self) -> &str {
        &self.name
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        let state = self.port.get();
        if state != self.reported {
            self.reported = state;
            give(InputSample {
                source_ns: now_ns,
                arrival_ns: now_ns,
                payload: Payload::State(state),
            });
        }
    }

    fn reset(&mut self) {
        self.reported = LinkState::default();
    }
}

/// Sends every armed actuator its safe command, and waits a while until it is sent.
pub fn rest(world: &mut World) {
    if !world.get_resource::<OutputLinks>().is_some_and(|o| o.armed) {
        return;
    }
    let now_ns = world.resource::<SimTime>().now_ns;
    let mut last = Vec::new();
    world.resource_scope(|world, outlets: Mut<OutputLinks>| {
        let links = world.resource::<Links>().0.clone();
        for link in links {
            let end = outlets.ends.get(&link.name);
            let outward = link.entity.and_then(|e| world.get_mut::<CommandSender>(e));
            let (Some(end), Some(mut outward)) = (end, outward) else {
                continue;
            };
            if let Some(command) = outward.at_rest(now_ns) {
                last.push((end.clone(), command.sequence));
                end.put_last(command);
            }
        }
    });
    for (end, sequence) in last {
        if !end.flush(sequence, FINAL_COMMAND_TIMEOUT) {
            log::error!(
                "{}: the safe command at the end of the run was not sent",
                end.name()
            );
        }
    }
}
