//! What is seen of a run: copied at the end of a tick, when somebody asks. Readers never wait for a tick, nor a tick for
//! them.

use crate::interest::Interests;
use crate::watches::{Firing, Watches};
use becomingone::components::event::{AgentEvent, EventKind};
use becomingone::components::link::Link;
use becomingone::components::scene::Agent;
use becomingone::components::sensor::{Columns, Mount, Reading, Scan, Sensor, SensorStats};
use becomingone::components::time::SimTime;
use becomingone::components::view::AgentState;
use becomingone::glam::EulerRot;
use becomingone::systems::hash::StateHash;
use becomingone::systems::sensing::measurements::{MeasurementEntry, Measurements};
use becomingone::systems::tick::{Paused, Reset, ResetSystems, Tick, TickSystems};
use becomingone::systems::view::agent_state;
use bevy_app::{App, Plugin};
use bevy_ecs::message::MessageCursor;
use bevy_ecs::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use utoipa::ToSchema;

/// Most questions to one tick.
const MAX_READERS: usize = 64;
/// Most events that are kept.
const MAX_EVENTS: usize = 4096;

/// State of a run at the end of a tick.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct View {
    /// Counts the views of this server.
    pub(crate) number: u64,
    /// Of the interests that its sensors are for.
    #[serde(skip)]
    pub(crate) version: u64,
    /// Ticks so far.
    pub(crate) tick: u64,
    /// Time of the run (s).
    pub(crate) time_s: f64,
    /// State hash, 16 hexadecimal digits.
    pub(crate) state_hash: String,
    /// In the order of their names.
    pub(crate) agents: Vec<AgentState>,
    /// Those that somebody asked for, in the order of their names.
    pub(crate) sensors: Vec<Arc<SensorView>>,
}

/// The latest reading of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SensorView {
    /// Its stable name: `rover/imu`.
    pub sensor: String,
    /// Kind of its measurement.
    pub kind: String,
    /// Index of the reading, from 0; null before the first.
    pub sequence: Option<u64>,
    /// When it was measured (s from the run's start).
    pub source_s: Option<f64>,
    /// When it entered the run (s).
    pub arrival_s: Option<f64>,
    /// Its numbers, in the order of `fields` of the list of sensors; null where there is none.
    pub values: Vec<Option<f64>>,
    /// Number of readings.
    pub readings: u64,
    /// Readings lost before they were used.
    pub dropped: u64,
    /// Whether it is stale.
    pub is_stale: bool,
    /// State of its link; null of a simulated sensor.
    pub link: Option<String>,
    /// Directions of its numbers, of a lidar; null of others, and before the first reading.
    pub rays: Option<RaysView>,
}

/// A sensor, as it stays through a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SensorKindView {
    /// Its stable name: `rover/imu`.
    pub sensor: String,
    /// Kind of its measurement.
    pub kind: String,
    /// Names of its numbers; of a row of equal ones, the one name.
    pub fields: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// Media type of the bytes beside its numbers, of a camera.
    pub encoding: Option<&'static str>,
    /// Where it is on its link.
    pub mount: MountView,
}

/// Position and heading of a sensor on its link: mostly the body of its agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct MountView {
    /// Forward (m).
    pub x_m: f64,
    /// To the left (m).
    pub y_m: f64,
    /// Counter-clockwise from forward (rad).
    pub yaw_rad: f64,
}

impl MountView {
    fn new(Mount(pose): &Mount) -> Self {
        let (yaw, _, _) = pose.rotation.to_euler(EulerRot::ZYX);
        Self {
            x_m: f64::from(pose.translation_m.x),
            y_m: f64::from(pose.translation_m.y),
            yaw_rad: f64::from(yaw),
        }
    }
}

/// Directions of the rays of a lidar, about its z.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RaysView {
    /// Of the first ray, from the sensor's x (rad).
    pub first_rad: f64,
    /// From a ray to the next (rad).
    pub step_rad: f64,
    /// The distance that stands for no target (m).
    pub range_max_m: f64,
}

impl RaysView {
    fn new(scan: &Scan) -> Self {
        Self {
            first_rad: f64::from(scan.angle_min_rad),
            step_rad: f64::from(scan.angle_step_rad),
            range_max_m: f64::from(scan.range_max_m),
        }
    }
}

/// A named place of the scene.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlaceView {
    /// Its name.
    pub name: String,
    /// World position (m).
    pub x_m: f64,
    /// World position (m).
    pub y_m: f64,
}

/// An event of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EventView {
    /// Number of the event, from 1: the cursor of the next question.
    pub number: u64,
    /// Time of the run (s).
    pub time_s: f64,
    /// The agent.
    pub agent: String,
    /// One line.
    pub text: String,
    /// Of a watch that fired: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<String>,
    /// The key that its client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The latest events.
#[derive(Default)]
pub(crate) struct Events {
    kept: VecDeque<EventView>,
    count: u64,
}

impl Events {
    fn push(&mut self, event: &AgentEvent) {
        self.keep(EventView {
            number: 0,
            time_s: event.now_ns as f64 * 1e-9,
            agent: event.agent.clone(),
            text: event.kind.to_string(),
            watch: None,
            key: None,
        });
    }

    fn push_firing(&mut self, now_ns: u64, firing: Firing) {
        self.keep(EventView {
            number: 0,
            time_s: now_ns as f64 * 1e-9,
            agent: firing.agent,
            text: firing.text,
            watch: Some(firing.watch),
            key: firing.key,
        });
    }

    /// Keeps an event under the next number.
    fn keep(&mut self, event: EventView) {
        self.count += 1;
        if self.kept.len() == MAX_EVENTS {
            self.kept.pop_front();
        }
        self.kept.push_back(EventView {
            number: self.count,
            ..event
        });
    }

    /// Those after a cursor, at most so many; and how many of them are kept no longer.
    pub(crate) fn after(&self, cursor: u64, most: usize) -> (Vec<EventView>, u64) {
        let first = self.count - self.kept.len() as u64;
        let lost = first.saturating_sub(cursor.min(first));
        let kept = self.kept.iter().filter(|event| event.number > cursor);
        (kept.take(most).cloned().collect(), lost)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// A question to the world, which changes nothing.
type Reader = Box<dyn FnOnce(&World) + Send>;

/// What the tick and the server have in common.
#[derive(Resource, Clone)]
pub(crate) struct Board {
    pub(crate) interests: Interests,
    pub(crate) watches: Watches,
    view: watch::Sender<Arc<View>>,
    events: Arc<Mutex<Events>>,
    /// Number of the latest event.
    event_count: watch::Sender<u64>,
    sensors: Arc<Mutex<Arc<[SensorKindView]>>>,
    agents: Arc<Mutex<Arc<[String]>>>,
    readers: Arc<Mutex<Vec<Reader>>>,
    any_readers: Arc<AtomicBool>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            interests: Interests::default(),
            watches: Watches::default(),
            view: watch::Sender::new(Arc::default()),
            events: Arc::default(),
            event_count: watch::Sender::new(0),
            sensors: Arc::default(),
            agents: Arc::default(),
            readers: Arc::default(),
            any_readers: Arc::default(),
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(crate) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    pub(crate) fn event_counts(&self) -> watch::Receiver<u64> {
        self.event_count.subscribe()
    }

    pub(crate) fn events(&self) -> MutexGuard<'_, Events> {
        lock(&self.events)
    }

    /// What `read` finds in the world at the end of the next tick; none where no tick comes.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        within: Duration,
        read: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, replied) = oneshot::channel();
        {
            let mut readers = lock(&self.readers);
            if readers.len() >= MAX_READERS {
                return None;
            }
            readers.push(Box::new(move |world| {
                if !reply.is_closed() {
                    let _ = reply.send(read(world));
                }
            }));
            self.any_readers.store(true, Ordering::Release);
        }
        tokio::time::timeout(within, replied).await.ok()?.ok()
    }

    /// All sensors of the run.
    pub(crate) fn sensors(&self) -> Arc<[SensorKindView]> {
        lock(&self.sensors).clone()
    }

    /// Names of all agents of the run.
    pub(crate) fn agents(&self) -> Arc<[String]> {
        lock(&self.agents).clone()
    }
}

/// Copies views of the run.
pub(crate) struct ViewPlugin(pub(crate) Board);

impl Plugin for ViewPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .init_resource::<Copied>()
            .add_systems(Reset, begin.in_set(ResetSystems::Gather))
            .add_systems(
                Tick,
                // They only read what others have.
                (copy_events, fire, copy)
                    .chain()
                    .in_set(TickSystems::Publish)
                    .ambiguous_with_all(),
            )
            .add_systems(Paused, copy);
    }
}

/// What the tick keeps between two views.
#[derive(Resource, Default)]
struct Copied {
    number: u64,
    cursor: MessageCursor<AgentEvent>,
    causes: BTreeMap<String, String>,
    /// Of the interests, when `sensors` was made.
    version: Option<u64>,
    agents: Vec<(String, Entity)>,
    /// Those that somebody wants.
    sensors: Vec<(String, Entity, MeasurementEntry)>,
    /// All of them.
    all: Vec<(String, Entity, MeasurementEntry)>,
}

/// Lists agents and sensors of a scene that was built.
fn begin(world: &mut World) {
    let mut agents = world.query_filtered::<(Entity, &Name), With<Agent>>();
    let mut agents: Vec<_> = agents
        .iter(world)
        .map(|(entity, name)| (name.to_string(), entity))
        .collect();
    agents.sort();
    let mut sensors = world.query_filtered::<(Entity, &Name), With<Sensor>>();
    let sensors: Vec<_> = sensors
        .iter(world)
        .map(|(entity, name)| (name.to_string(), entity))
        .collect();
    let kinds = world
        .get_resource::<Measurements>()
        .cloned()
        .unwrap_or_default();
    let mut all: Vec<_> = sensors
        .into_iter()
        .filter_map(|(name, entity)| {
            let kind = kinds.0.values().find(|kind| (kind.is_on)(world, entity))?;
            Some((name, entity, kind.clone()))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let shown = all.iter().map(|(name, entity, kind)| {
        let (fields, units) = match world.get::<Columns>(*entity) {
            Some(Columns(columns)) => columns
                .iter()
                .map(|c| (c.name.clone(), c.unit.clone()))
                .unzip(),
            None => (kind.schema.fields.clone(), kind.schema.units.clone()),
        };
        SensorKindView {
            sensor: name.clone(),
            kind: kind.kind.to_owned(),
            fields,
            units,
            encoding: kind.schema.encoding,
            mount: world
                .get::<Mount>(*entity)
                .map(MountView::new)
                .unwrap_or_default(),
        }
    });
    let board = world.resource::<Board>().clone();
    *lock(&board.sensors) = shown.collect();
    *lock(&board.agents) = agents.iter().map(|(name, _)| name.clone()).collect();
    board.watches.begin(world, &agents, &all);
    let mut copied = world.resource_mut::<Copied>();
    *copied = Copied {
        number: copied.number,
        cursor: std::mem::take(&mut copied.cursor),
        agents,
        all,
        ..Copied::default()
    };
    // What was seen before the reset is not so any more.
    board.interests.want();
}

/// Keeps the events of the tick.
fn copy_events(board: Res<Board>, mut copied: ResMut<Copied>, messages: Res<Messages<AgentEvent>>) {
    let Copied { cursor, causes, .. } = &mut *copied;
    if cursor.is_empty(&messages) {
        return;
    }
    let mut watches = board.watches.any();
    let mut events = board.events();
    for event in cursor.read(&messages) {
        match &event.kind {
            EventKind::AlarmRaised { cause } => {
                causes.insert(event.agent.clone(), cause.clone());
            }
            EventKind::AlarmCleared => {
                causes.remove(&event.agent);
            }
            _ => {}
        }
        events.push(event);
        if let Some(watches) = &mut watches {
            watches.event(event, |firing| events.push_firing(event.now_ns, firing));
        }
    }
    let count = events.count;
    drop(events);
    board.event_count.send_replace(count);
}

/// Looks at what is watched, and keeps the firings.
fn fire(world: &World) {
    let board = world.resource::<Board>();
    let Some(mut watches) = board.watches.any() else {
        return;
    };
    let mut fired = None;
    watches.look(world, |now_ns, firing| {
        let mut events = board.events();
        events.push_firing(now_ns, firing);
        fired = Some(events.count);
    });
    if let Some(count) = fired {
        board.event_count.send_replace(count);
    }
}

/// Copies a view, if anybody asked for one, and answers who asked for more.
fn copy(world: &mut World) {
    let board = world.resource::<Board>();
    if board.any_readers.load(Ordering::Relaxed) && board.any_readers.swap(false, Ordering::AcqRel)
    {
        let readers = std::mem::take(&mut *lock(&board.readers));
        for read in readers {
            read(world);
        }
    }
    let board = world.resource::<Board>();
    if !board.interests.take_wanted() {
        return;
    }
    let board = board.clone();
    world.resource_scope(|world, mut copied: Mut<Copied>| {
        let copied = &mut *copied;
        let version = board.interests.version();
        if copied.version != Some(version) {
            copied.version = Some(version);
            let wanted = copied
                .all
                .iter()
                .filter(|(name, ..)| board.interests.includes(name));
            copied.sensors = wanted.cloned().collect();
        }
        let state = |(name, entity): &(String, Entity)| {
            agent_state(world, *entity, copied.causes.get(name).map(String::as_str))
        };
        let sensor = |(name, entity, kind): &(String, Entity, MeasurementEntry)| {
            Arc::new(sensor_view(world, name, *entity, kind))
        };
        copied.number += 1;
        let time = world.resource::<SimTime>();
        let view = View {
            number: copied.number,
            version,
            tick: time.tick,
            time_s: time.now_s(),
            state_hash: format!("{:016x}", world.resource::<StateHash>().0),
            agents: copied.agents.iter().map(state).collect(),
            sensors: copied.sensors.iter().map(sensor).collect(),
        };
        board.view.send_replace(Arc::new(view));
    });
}

fn sensor_view(world: &World, name: &str, entity: Entity, kind: &MeasurementEntry) -> SensorView {
    let stats = world
        .get::<SensorStats>(entity)
        .copied()
        .unwrap_or_default();
    let link = world.get::<Link>(entity);
    let mut view = SensorView {
        sensor: name.to_owned(),
        kind: kind.kind.to_owned(),
        sequence: None,
        source_s: None,
        arrival_s: None,
        values: Vec::new(),
        readings: stats.readings,
        dropped: stats.dropped,
        is_stale: link.is_some_and(|link| link.stale),
        link: link.map(|link| link.state.to_string()),
        rays: world
            .get::<Reading<Scan>>(entity)
            .and_then(Reading::latest)
            .map(|reading| RaysView::new(&reading.value)),
    };
    (kind.latest)(world, entity, &mut |reading| {
        view.sequence = Some(reading.sequence);
        view.source_s = Some(reading.source_ns as f64 * 1e-9);
        view.arrival_s = Some(reading.arrival_ns as f64 * 1e-9);
        reading.visit(&mut |x| view.values.push(x.is_finite().then_some(x)));
    });
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_after_a_cursor_are_given_and_lost_ones_counted() {
        let mut events = Events::default();
        for k in 0..(MAX_EVENTS as u64 + 10) {
            events.push(&AgentEvent {
                now_ns: k,
                agent: "rover".to_owned(),
                kind: EventKind::GoalReached(k),
            });
        }
        let (first, lost) = events.after(0, 2);
        assert_eq!((first[0].number, first.len(), lost), (11, 2, 10));
        let (last, lost) = events.after(MAX_EVENTS as u64 + 9, 100);
        assert_eq!((last.len(), lost), (1, 0));
        assert!(events.after(u64::MAX, 1).0.is_empty());
    }
}
