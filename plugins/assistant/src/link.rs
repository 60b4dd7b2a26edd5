//! The run that is asked: by the tools that everybody has, and by its resources where there is no tool for them.

use crate::grammar::Names;
use becomingone_api::{Client, ToolAnswer, Tools, part};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session with a server.
pub(crate) struct Link {
    client: Client,
    tools: Tools,
    current: Current,
}

/// The run that is spoken of, of a server of several: the same for all sessions of an assistant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current(Arc<Mutex<Option<String>>>);

impl Current {
    /// The run.
    pub(crate) fn run(&self) -> Option<String> {
        lock(&self.0).clone()
    }

    /// The same run, until one of the two speaks of another.
    pub(crate) fn apart(&self) -> Self {
        Self(Arc::new(Mutex::new(self.run())))
    }
}

/// Tools that are of the server and of no run.
const OF_SERVER: [&str; 5] = ["list_scenes", "list_runs", "run_scene", "score", "record"];

impl Link {
    pub(crate) fn new(
        client: &Client,
        current: Current,
        decide: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let tools = Tools::new(client.clone(), decide)?;
        Ok(Self {
            client: client.clone(),
            tools,
            current,
        })
    }

    /// Speaks of the latest run that has not ended.
    ///
    /// # Errors
    ///
    /// A server that does not answer.
    pub(crate) fn find_run(&self) -> Result<(), String> {
        *lock(&self.current.0) = self.last_run()?;
        Ok(())
    }

    /// The run that is spoken of.
    pub(crate) fn run(&self) -> Option<String> {
        self.current.run()
    }

    /// Speaks of another run from now on; returns the one before.
    pub(crate) fn speak_of(&self, run: Option<String>) -> Option<String> {
        std::mem::replace(&mut *lock(&self.current.0), run)
    }

    /// The latest run that has not ended.
    fn last_run(&self) -> Result<Option<String>, String> {
        let list = self
            .client
            .get("/v1/runs")
            .map_err(|e| format!("{}: {e}", self.client.url()))?;
        let runs = list["runs"].as_array().map_or(&[][..], Vec::as_slice);
        let mut alive = runs.iter().filter(|run| run["state"] != "ended");
        Ok(alive
            .next_back()
            .and_then(|run| run["run"].as_str().map(str::to_owned)))
    }

    /// A resource of the run.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        match self.run() {
            Some(run) => self.client.get(&format!("/v1/runs/{}/{path}", part(&run))),
            None => self.client.get(&format!("/v1/{path}")),
        }
    }

    /// A resource of an agent of the run.
    pub(crate) fn of_agent(&self, agent: &str, path: &str) -> Result<Value, String> {
        self.get(&format!("agents/{}/{path}", part(agent)))
    }

    /// Calls a tool, of the run that is spoken of.
    pub(crate) fn call(
        &self,
        tool: &str,
        mut arguments: Map<String, Value>,
    ) -> Result<ToolAnswer, String> {
        // A stop of all is one of all runs.
        let is_of_server =
            OF_SERVER.contains(&tool) || tool == "stop" && !arguments.contains_key("agent");
        if let Some(run) = self.run()
            && !is_of_server
        {
            arguments.entry("run").or_insert_with(|| json!(run));
        }
        self.tools.call(tool, arguments)
    }

    /// What there is to speak of.
    pub(crate) fn names(&self, assistant: &str) -> Names {
        let list = |value: Result<Value, String>, list: &str, name: &str| -> Vec<String> {
            let value = value.unwrap_or_default();
            let all = value[list].as_array().into_iter().flatten();
            all.filter_map(|item| item[name].as_str().map(str::to_owned))
                .collect()
        };
        let agents = list(self.get("agents"), "agents", "agent");
        let (mut channels, mut parameters) = (Vec::new(), Vec::new());
        for agent in &agents {
            let kernel = self.of_agent(agent, "kernel").unwrap_or_default();
            let outputs = kernel["kernel"]["witness"]["outputs"]
                .as_array()
                .into_iter()
                .flatten();
            channels.extend(outputs.filter_map(|name| name.as_str().map(str::to_owned)));
            parameters.extend(list(
                self.of_agent(agent, "parameters"),
                "parameters",
                "name",
            ));
        }
        Names {
            assistant: assistant.to_owned(),
            sensors: list(self.get("sensors"), "sensors", "sensor"),
            places: list(self.get("places"), "places", "name"),
            scenes: list(self.client.get("/v1/scenes"), "scenes", "scene"),
            recordings: list(self.client.get("/v1/recordings"), "recordings", "recording"),
            agents,
            channels,
            parameters,
        }
    }

    /// Events after a number, and the number of the last one.
    pub(crate) fn events(&self, mut after: u64) -> Result<(Vec<Value>, u64), String> {
        let mut all = Vec::new();
        loop {
            let mut page = self.get(&format!("events?after={after}&most=1000"))?;
            let Value::Array(events) = page["events"].take() else {
                return Ok((all, after));
            };
            let Some(last) = events.last().and_then(|event| event["number"].as_u64()) else {
                return Ok((all, after));
            };
            after = last;
            all.extend(events);
        }
    }

    /// The latest event's number.
    pub(crate) fn last_event(&self) -> u64 {
        self.events(0).map_or(0, |(_, last)| last)
    }
}
