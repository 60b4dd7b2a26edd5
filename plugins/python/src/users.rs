//! Users' Python in the loop: kinds of sensors, controllers and drivers whose functions are written in Python.
//!
//! The Python side calls the functions between ticks, and gives their numbers back before the next one: a sensor samples the
//! world of the tick's begin, as the engine's own do, and a source pushes its readings into its link at that time. Nothing
//! depends on the wall clock.

use crate::parameters::{Declared, Definition, Parameters, What};
use becomingone::components::control::AnyController;
use becomingone::components::kind::{AnyKind, Named, options};
use becomingone::components::link::{Source, WhenSilent};
use becomingone::components::scene::{LoadedScene, SceneSpec, SensorSpec};
use becomingone::components::sensor::{Column, Columns, Schema};
use becomingone::prelude::*;
use becomingone::systems::index::EntityIndex;
use becomingone::systems::sensing::Simulated;
use ron::ser::PrettyConfig;
use serde::Serialize;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A sensor of a user's kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
struct UserSensor(Parameters);

impl Kind for UserSensor {
    const NAME: &'static str = "Python";
    const ABOUT: &'static str = "a function in Python";

    fn name(&self) -> &'static str {
        self.0.of.name
    }
}

impl SensorKind for UserSensor {
    type Measurement = ValueRow;
    /// What the function has returned for this tick or an earlier one.
    type Model = Option<Vec<f64>>;
    type Param = ();

    fn schema(&self) -> Schema {
        let fields = self.0.of.fields.iter();
        let (fields, units) = fields.cloned().unzip();
        Schema {
            encoding: None,
            fields,
            units,
            ..Schema::of::<ValueRow>()
        }
    }

    fn blank(&self, _: &SensorContext<'_>) -> ValueRow {
        ValueRow {
            numbers: vec![f64::NAN; self.0.of.fields.len()],
        }
    }

    fn model(&self, _: &SensorContext<'_>, _: &mut Rng) -> Option<Vec<f64>> {
        None
    }

    fn truth(model: &mut Option<Vec<f64>>, _: &SensorAt, (): &(), truth: &mut ValueRow) -> bool {
        model.as_ref().is_some_and(|numbers| truth.fill(numbers))
    }

    fn insert(&self, sensor: &mut EntityWorldMut<'_>) {
        let columns = self.0.of.fields.iter();
        let columns = columns.map(|(name, unit)| Column {
            name: name.clone(),
            unit: unit.clone(),
        });
        sensor.insert(Columns(columns.collect()));
    }
}

/// A controller of a user's kind: what it decides enters as requests.
#[derive(Clone, Debug, PartialEq)]
struct UserController(Parameters);

impl AnyKind for UserController {
    fn kind_name(&self) -> &'static str {
        self.0.of.name
    }

    fn to_ron(&self) -> String {
        let pretty = PrettyConfig::new().new_line("\n");
        // Plain data has a text form.
        options()
            .to_string_pretty(&self.0, pretty)
            .unwrap_or_default()
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl AnyController for UserController {
    fn drives(&self) -> &'static [DriveClass] {
        &[DriveClass::Wheels, DriveClass::Vehicle, DriveClass::Joints]
    }

    fn check(&self, _: &ControllerContext<'_>, _: &mut Checks<'_>) {}

    fn localisation(&self) -> Option<Localisation> {
        None
    }

    fn fitted(&self, _: &AgentBody<'_>, _: bool, _: &mut Checks<'_>) -> Arc<dyn AnyController> {
        Arc::new(self.clone())
    }

    fn without_end(&self) -> Arc<dyn AnyController> {
        Arc::new(self.clone())
    }

    fn without_goals(&self) -> Arc<dyn AnyController> {
        Arc::new(self.clone())
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn with_number(&self, _: &str, _: f64) -> Option<Arc<dyn AnyController>> {
        None
    }

    fn tune(&self, _: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {}

    fn spawn(&self, _: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {}
}

/// Links of an engine's sources in Python.
#[derive(Default)]
struct Ends {
    open: Mutex<BTreeMap<String, SensorEnd>>,
    /// How many report that they are connected.
    up: Mutex<usize>,
    changed: Condvar,
}

/// A driver of a user's kind.
struct UserDriver {
    definition: Arc<Definition>,
    ends: Arc<Ends>,
}

impl DriverKind for UserDriver {
    fn name(&self) -> &'static str {
        self.definition.name
    }

    fn about(&self) -> &'static str {
        self.definition.about
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        self.definition.read(config)?;
        match endpoint {
            // Each sensor has a link of its own.
            Endpoint::Sensor(name) => Ok(name.to_owned()),
            Endpoint::Actuator(_) => Err(ConfigError::Meaning(
                "found a drive; expected a sensor: a driver in Python sends no commands".to_owned(),
            )),
        }
    }

    fn open(&self, _: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        for (_, end) in ends {
            if let LinkEnd::Sensor(end) = end {
                let mut open = self
                    .ends
                    .open
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                open.insert(end.name().to_owned(), end);
            }
        }
        Ok(Box::new(Connected(self.ends.clone())))
    }
}

/// The state of a link, which is up throughout: its readings are pushed by the thread that steps.
struct Connected(Arc<Ends>);

impl Driver for Connected {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        context.up();
        *self.0.up.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_all();
        while !context.wait(Duration::from_secs(3600)) {}
        Ok(())
    }
}

/// Kinds of a program in Python, and the sensors that it adds to a scene.
#[derive(Clone, Default)]
pub(crate) struct Users {
    definitions: Vec<Arc<Definition>>,
    ends: Arc<Ends>,
}

impl Plugin for Users {
    fn build(&self, app: &mut App) {
        for definition in &self.definitions {
            let (name, about, of) = (definition.name, definition.about, definition.clone());
            match definition.what {
                What::Sensor => {
                    app.register_sensor_as(name, about, move |text| of.read(text).map(UserSensor));
                }
                What::Controller => {
                    let read = move |text: &str| of.read(text).map(UserController);
                    app.register_controller_as(name, about, read);
                }
                What::Driver => {
                    app.register_driver(UserDriver {
                        definition: of,
                        ends: self.ends.clone(),
                    });
                }
            }
        }
    }
}

/// A sensor or agent of a scene with a function in Python.
pub(crate) struct User {
    pub(crate) what: What,
    /// The agent, or the sensor.
    pub(crate) name: String,
    pub(crate) parameters: Parameters,
    /// Of a sensor (Hz).
    pub(crate) rate_hz: f64,
    entity: Option<Entity>,
}

impl Users {
    pub(crate) fn new(declared: &[Declared]) -> Result<Self, String> {
        let definitions = declared.iter().map(Definition::of);
        Ok(Self {
            definitions: definitions.collect::<Result<_, _>>()?,
            ends: Arc::default(),
        })
    }

    fn definition(&self, what: What, name: &str) -> Option<&Arc<Definition>> {
        let mut all = self.definitions.iter();
        all.find(|d| d.what == what && d.name == name)
    }

    /// Adds a sensor of a kind of its own to an agent.
    pub(crate) fn add_sensor(
        &self,
        scene: &mut SceneSpec,
        sensor: &str,
        kind: &str,
        rate_hz: f64,
    ) -> Result<(), String> {
        let definition = self.definition(What::Sensor, kind);
        let definition = definition.ok_or_else(|| format!("found no kind `{kind}`"))?;
        let parameters = definition.read("()").map_err(|e| e.to_string())?;
        let (agent, name) = sensor
            .split_once('/')
            .ok_or_else(|| format!("found the sensor {sensor:?}; expected AGENT/NAME"))?;
        let known: Vec<String> = scene
            .agents
            .iter()
            .map(|a| format!("`{}`", a.name))
            .collect();
        let found = scene.agents.iter_mut().find(|a| a.name == agent);
        let found = found.ok_or_else(|| {
            let known = known.join(", ");
            format!("{sensor}: found no agent `{agent}`; expected one of {known}")
        })?;
        let kind = Named::of(Arc::new(UserSensor(parameters)) as Arc<_>);
        found.sensors.push(SensorSpec::new(name, kind, rate_hz));
        Ok(())
    }

    /// Puts a driver in place of a sensor's source.
    pub(crate) fn set_source(
        scene: &mut SceneSpec,
        sensor: &str,
        driver: &str,
    ) -> Result<(), String> {
        let mut known = Vec::new();
        for agent in &mut scene.agents {
            for spec in &mut agent.sensors {
                let name = format!("{}/{}", agent.name, spec.name);
                if name == sensor {
                    let config = becomingone::components::link::Config("()".to_owned());
                    spec.source = Source::Driver(driver.to_owned(), config);
                    return Ok(());
                }
                known.push(format!("`{name}`"));
            }
        }
        let known = known.join(", ");
        Err(format!(
            "found no sensor {sensor:?}; expected one of {known}"
        ))
    }

    /// What of a scene has functions in Python.
    pub(crate) fn of(&self, loaded: &LoadedScene) -> Vec<User> {
        let mut all = Vec::new();
        for agent in &loaded.scene.agents {
            for sensor in &agent.sensors {
                let name = format!("{}/{}", agent.name, sensor.name);
                let source = match &sensor.source {
                    Source::Driver(kind, config) => self
                        .definition(What::Driver, kind)
                        .and_then(|definition| definition.read(&config.0).ok()),
                    _ => None,
                };
                let rate_hz = sensor.rate_hz;
                if let Some(parameters) = source {
                    all.push(User::new(What::Driver, name.clone(), parameters, rate_hz));
                }
                let kind = sensor.kind.value().map(|kind| kind.as_any());
                let kind = kind.and_then(|kind| kind.downcast_ref::<UserSensor>());
                let falls_back = sensor.silence.then == WhenSilent::FallBackToSim;
                if let Some(UserSensor(parameters)) = kind
                    && (sensor.source.is_sim() || falls_back)
                {
                    all.push(User::new(What::Sensor, name, parameters.clone(), rate_hz));
                }
            }
            let controller = agent.controller.as_ref().and_then(|kind| kind.value());
            let controller = controller.map(|kind| kind.as_any());
            let controller = controller.and_then(|kind| kind.downcast_ref::<UserController>());
            if let Some(UserController(parameters)) = controller {
                let name = agent.name.clone();
                all.push(User::new(What::Controller, name, parameters.clone(), 0.0));
            }
        }
        all
    }

    /// Whether no other driver is in the scene: then nothing of it needs real time.
    pub(crate) fn are_the_only_drivers(&self, loaded: &LoadedScene) -> bool {
        loaded.scene.agents.iter().all(|agent| {
            let sensors = agent.sensors.iter().map(|sensor| &sensor.source);
            let mut sources = sensors.chain([&agent.drive_source]);
            sources.all(|source| match source {
                Source::Driver(kind, _) => self.definition(What::Driver, kind).is_some(),
                _ => true,
            })
        })
    }

    /// Waits until all sources report that they are connected: from then on, nothing depends on their threads.
    pub(crate) fn wait(&self) -> Result<(), String> {
        const LIMIT: Duration = Duration::from_secs(10);
        let open = self
            .ends
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let all = open.len();
        drop(open);
        let up = self.ends.up.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = &self.ends.changed;
        let waited = changed.wait_timeout_while(up, LIMIT, |up| *up < all);
        match waited {
            Ok((_, waited)) if !waited.timed_out() => Ok(()),
            _ => Err("the threads of the sources in Python did not start".to_owned()),
        }
    }

    /// Puts numbers where the next tick finds them; `None`: there is no reading now.
    pub(crate) fn fill(
        &self,
        engine: &mut CoherenceEngine,
        user: &User,
        numbers: Option<Vec<f64>>,
    ) -> Result<(), String> {
        let now_ns = engine.time().now_ns;
        match user.what {
            What::Controller => Ok(()),
            What::Driver => {
                let open = self
                    .ends
                    .open
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let (Some(end), Some(numbers)) = (open.get(&user.name), numbers) else {
                    return Ok(());
                };
                let sample = Sample {
                    numbers,
                    ..Sample::default()
                };
                match end.misfit(&sample) {
                    Some(why) => Err(why),
                    None => {
                        end.push(now_ns, sample);
                        Ok(())
                    }
                }
            }
            What::Sensor => {
                let (found, expected) = (numbers.as_ref().map(Vec::len), user.fields());
                if let Some(found) = found.filter(|found| *found != expected) {
                    return Err(format!("found {found} numbers; expected {expected}"));
                }
                let world = engine.world_mut();
                let sensor = user
                    .entity
                    .and_then(|e| world.get_mut::<Simulated<UserSensor>>(e));
                if let Some(mut sensor) = sensor {
                    sensor.0 = numbers;
                }
                Ok(())
            }
        }
    }
}

impl User {
    fn new(what: What, name: String, parameters: Parameters, rate_hz: f64) -> Self {
        Self {
            what,
            name,
            parameters,
            rate_hz,
            entity: None,
        }
    }

    /// Numbers of a reading of a sensor of its own kind.
    fn fields(&self) -> usize {
        self.parameters.of.fields.len()
    }

    /// Finds its entity, which each reset makes anew.
    pub(crate) fn locate(&mut self, engine: &CoherenceEngine) {
        self.entity = engine.world().resource::<EntityIndex>().entity(&self.name);
    }
}
