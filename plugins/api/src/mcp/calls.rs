//! What a tool asks, and how its answer is written.

use super::approval::Decided;
use super::session::Mcp;
use super::{text, tools};
use crate::problem::Problem;
use crate::question::{Question, part};
use axum::http::Method;
use becomingone::components::nearest::did_you_mean;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

/// Seconds around an event in which other ones may have to do with it.
const NEAR_S: f64 = 5.0;
/// Most sensors that a diagnosis asks.
const MAX_SENSORS: usize = 64;
/// Of a lease, where nothing else is asked for (s).
const LEASE_S: f64 = 60.0;
/// A person and a model in between are slow: a lease lasts that long without a command (s).
const HEARTBEAT_S: f64 = 60.0;

/// Text for a reader, and the same for a program.
struct Answer {
    text: String,
    content: Value,
}

/// How a call ends other than by an answer.
enum Not {
    Refused(Problem),
    Ask(CallToolResponse),
}

impl From<Problem> for Not {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// Calls a tool.
pub(super) async fn call(
    mcp: &Mcp,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let all = tools::all();
    let Some(tool) = all.iter().find(|tool| tool.name == request.name) else {
        let names = all.iter().map(|tool| tool.name.as_ref());
        return Err(ErrorData::invalid_params(
            format!(
                "found no tool `{}`{}",
                request.name,
                did_you_mean(&request.name, names)
            ),
            None,
        ));
    };
    let arguments = request.arguments.clone().unwrap_or_default();
    let known = |name: &String| {
        tool.input_schema
            .get("properties")
            .is_some_and(|p| p.get(name).is_some())
    };
    if let Some(unknown) = arguments.keys().find(|name| !known(name)) {
        let problem = Problem::bad(format!(
            "found the argument `{unknown}`, which `{}` does not have",
            tool.name
        ));
        return Ok(refused(&problem).into());
    }
    let call = Call {
        mcp,
        request: &request,
        context,
        arguments,
    };
    if request.name == "picture" {
        return Ok(match call.picture().await {
            Ok(png) => CallToolResult::success(vec![ContentBlock::image(png, "image/png")]).into(),
            Err(problem) => refused(&problem).into(),
        });
    }
    match call.answer(&request.name).await {
        Ok(Answer { text, content }) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
            result.structured_content = Some(content).filter(Value::is_object);
            Ok(result.into())
        }
        Err(Not::Refused(problem)) => Ok(refused(&problem).into()),
        Err(Not::Ask(response)) => Ok(response),
    }
}

/// A refusal: the model reads it, and may do better.
fn refused(problem: &Problem) -> CallToolResult {
    let text = format!("{} {}: {}", problem.status, problem.title, problem.detail);
    CallToolResult::error(vec![ContentBlock::text(text)])
}

struct Call<'a> {
    mcp: &'a Mcp,
    request: &'a CallToolRequestParams,
    context: &'a RequestContext<RoleServer>,
    arguments: JsonObject,
}

impl Call<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.arguments.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(Problem::bad(format!(
                "found `{name}`: {other}; expected a text"
            ))),
        }
    }

    /// Path of a resource of the run.
    fn path(&self, rest: &str) -> Result<String, Problem> {
        Ok(match self.text("run")? {
            Some(run) => format!("/v1/runs/{}/{rest}", part(&run)),
            None => format!("/v1/{rest}"),
        })
    }

    async fn ask(&self, question: Question) -> Result<Value, Problem> {
        self.mcp.asked(self.context, question).await
    }

    async fn get(&self, rest: &str) -> Result<Value, Problem> {
        self.ask(Question::get(self.path(rest)?)).await
    }

    async fn post(&self, rest: &str, body: Option<Value>) -> Result<Value, Problem> {
        self.ask(Question::post(self.path(rest)?, body)).await
    }

    /// The agent that is named, or the only one.
    async fn agent(&self) -> Result<String, Problem> {
        if let Some(agent) = self.text("agent")? {
            return Ok(agent);
        }
        let list = self.get("agents").await?;
        let all = list["agents"].as_array().map_or(&[][..], Vec::as_slice);
        match all {
            [only] => Ok(only["agent"].as_str().unwrap_or_default().to_owned()),
            _ => {
                let names = all.iter().filter_map(|agent| agent["agent"].as_str());
                let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
                Err(Problem::bad(format!(
                    "expected `agent`: one of {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// An agent and its run, as leases are kept.
    fn of_run(&self, agent: &str) -> Result<String, Problem> {
        Ok(format!("{}/{agent}", self.text("run")?.unwrap_or_default()))
    }

    /// How a person is shown an agent.
    fn shown(&self, agent: &str) -> Result<String, Problem> {
        Ok(match self.text("run")? {
            Some(run) => format!("`{agent}` of the run `{run}`"),
            None => format!("`{agent}`"),
        })
    }

    /// Has a person approve this text.
    async fn approved(&self, text: &str) -> Result<(), Not> {
        match self.mcp.approvals.decide(text, self.request, self.context).await {
            Decided::Yes => Ok(()),
            Decided::No => Err(Problem::forbidden("found no approval: the person declined").into()),
            Decided::Ask(question) => Err(Not::Ask((*question).into())),
            Decided::Nobody => Err(Problem::forbidden(
                "found a client that cannot ask a person (elicitation); expected a lease from elsewhere, as `lease`: \
                 an owner grants it on the page of the run, or by POST /v1/agents/{agent}/lease",
            )
            .into()),
        }
    }

    async fn answer(&self, tool: &str) -> Result<Answer, Not> {
        Ok(match tool {
            "status" => self.status().await?,
            "diagnose" => self.diagnose().await?,
            "history" => self.history().await?,
            "explain_event" => self.explain_event().await?,
            "watch" => self.watch().await?,
            "watches" => self.watches().await?,
            "unwatch" => self.unwatch().await?,
            "recall" => self.recall().await?,
            "read_sensor" => self.read_sensor().await?,
            "list_scenes" => {
                self.listed("/v1/scenes", "scenes", "scene", "about")
                    .await?
            }
            "list_runs" => self.listed("/v1/runs", "runs", "run", "state").await?,
            "run_scene" => self.run_scene().await?,
            "end_run" => self.end_run().await?,
            "score" => self.score().await?,
            "record" => self.record().await?,
            "pause" => self.pause().await?,
            "step" => {
                let body = self.arguments_of(&["ticks"]);
                self.told("run/step", Some(body), "the ticks will be run")
                    .await?
            }
            "set" => self.set().await?,
            "reset" => self.told("run/reset", None, "it begins anew").await?,
            "lease" => self.lease().await?,
            "drive" => {
                let body = self.arguments_of(&["linear_m_s", "angular_rad_s", "for_s"]);
                self.command("drive", body).await?
            }
            "move" => {
                let body = self.arguments_of(&["distance_m", "angle_rad"]);
                let kind = match (body.get("distance_m"), body.get("angle_rad")) {
                    (Some(_), None) => "move",
                    (None, Some(_)) => "turn",
                    _ => {
                        return Err(Problem::bad(
                            "expected `distance_m` or `angle_rad`, and not both",
                        )
                        .into());
                    }
                };
                self.command(kind, body).await?
            }
            "fault" => match self.arguments.get("end") {
                Some(Value::Bool(true)) => self.command("end_faults", json!({})).await?,
                _ => {
                    let body = self.arguments_of(&["target", "fault", "for_s"]);
                    self.command("fault", body).await?
                }
            },
            "go_to" => {
                let body = self.arguments_of(&["place", "x_m", "y_m"]);
                self.command("go_to", body).await?
            }
            "stop" => match self.text("agent")? {
                Some(agent) => {
                    let path = format!("agents/{}/stop", part(&agent));
                    self.told(&path, None, "it stops at the next tick, and stays so")
                        .await?
                }
                None => {
                    self.told(
                        "stop",
                        None,
                        "every agent stops at the next tick, and stays so",
                    )
                    .await?
                }
            },
            _ => self.clear_stop().await?,
        })
    }

    /// These arguments, where they are given.
    fn arguments_of(&self, names: &[&str]) -> Value {
        let given = self.arguments.iter();
        let given =
            given.filter(|(name, value)| names.contains(&name.as_str()) && !value.is_null());
        Value::Object(
            given
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    async fn told(&self, rest: &str, body: Option<Value>, text: &str) -> Result<Answer, Problem> {
        let content = self.post(rest, body).await?;
        Ok(Answer {
            text: text.to_owned(),
            content,
        })
    }

    async fn status(&self) -> Result<Answer, Problem> {
        let mut state = self.get("run").await?;
        let agents = self.get("agents").await?;
        // Every figure is of the one tick.
        for of_tick in ["tick", "time_s"] {
            state[of_tick] = agents[of_tick].clone();
        }
        let mut text = text::run(&state);
        for agent in agents["agents"].as_array().into_iter().flatten() {
            text.push('\n');
            text += &text::agent(agent);
        }
        Ok(Answer {
            text,
            content: json!({"run": state, "agents": agents["agents"]}),
        })
    }

    async fn diagnose(&self) -> Result<Answer, Problem> {
        let wanted = self.text("agent")?;
        let Answer { mut text, content } = self.status().await?;
        let wanted = wanted.map_or("*".to_owned(), |agent| format!("{}/*", part(&agent)));
        let readings = self.get(&format!("readings?sensors={wanted}")).await?;
        let mut ill = Vec::new();
        for reading in readings["sensors"]
            .as_array()
            .into_iter()
            .flatten()
            .take(MAX_SENSORS)
        {
            let is_lost = reading["dropped"].as_u64().is_some_and(|n| n > 0);
            let is_late = reading["is_stale"] == true || reading["source_s"].is_null();
            if is_lost || is_late {
                // With the units of its numbers.
                let name = reading["sensor"].as_str().unwrap_or_default();
                let (agent, sensor) = name.split_once('/').unwrap_or_default();
                let path = format!("sensors/{}/{}", part(agent), part(sensor));
                let reading = self.get(&path).await?;
                text.push('\n');
                text += text::reading(&reading).lines().next().unwrap_or_default();
                ill.push(reading);
            }
        }
        if ill.is_empty() {
            text += "\nno sensor is stale or has lost readings";
        }
        let last = self.last_events(20).await?;
        text += "\nlast events:\n";
        text += &text::events(&last);
        Ok(Answer {
            text,
            content: json!({"status": content, "sensors": ill, "events": last["events"]}),
        })
    }

    /// The last events, at most so many.
    async fn last_events(&self, most: usize) -> Result<Value, Problem> {
        let mut list = self.all_events().await?;
        if let Some(events) = list["events"].as_array_mut() {
            let from = events.len().saturating_sub(most);
            events.drain(..from);
        }
        Ok(list)
    }

    /// All events that are kept.
    async fn all_events(&self) -> Result<Value, Problem> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let mut list = self.get(&format!("events?after={after}&most=1000")).await?;
            let Value::Array(events) = list["events"].take() else {
                break;
            };
            let Some(last) = events.last().and_then(|event| event["number"].as_u64()) else {
                break;
            };
            after = last;
            all.extend(events);
        }
        Ok(json!({"lost": 0, "events": all}))
    }

    async fn history(&self) -> Result<Answer, Problem> {
        let number = |name: &str, or: u64| match self.arguments.get(name) {
            None | Some(Value::Null) => Ok(or),
            Some(value) => value
                .as_u64()
                .ok_or_else(|| Problem::bad(format!("expected a whole `{name}`"))),
        };
        let (after, most) = (number("after", 0)?, number("most", 50)?);
        let list = self
            .get(&format!("events?after={after}&most={most}"))
            .await?;
        Ok(Answer {
            text: text::events(&list),
            content: list,
        })
    }

    async fn explain_event(&self) -> Result<Answer, Problem> {
        let wanted = self.arguments.get("number").and_then(Value::as_u64);
        let wanted = wanted.ok_or_else(|| Problem::bad("expected `number`, of `history`"))?;
        let list = self.all_events().await?;
        let all = list["events"].as_array().map_or(&[][..], Vec::as_slice);
        let event = all.iter().find(|event| event["number"] == wanted);
        let event = event.ok_or_else(|| {
            Problem::not_found("found no event of this number; expected one of `history`")
        })?;
        let at = event["time_s"].as_f64().unwrap_or_default();
        let near = all.iter().filter(|other| {
            other["number"] != wanted
                && other["time_s"]
                    .as_f64()
                    .is_some_and(|s| (s - at).abs() <= NEAR_S)
        });
        let near: Vec<_> = near.cloned().collect();
        let agent = event["agent"].as_str().unwrap_or_default();
        let now = self.get(&format!("agents/{}", part(agent))).await.ok();
        let one = json!({"events": [event]});
        let others = json!({"events": near});
        let mut text = text::events(&one);
        text += &format!("within {NEAR_S} s of it:\n{}", text::events(&others));
        if let Some(now) = &now {
            text += &format!("\nnow, tick {}: {}", now["tick"], text::agent(now));
        }
        Ok(Answer {
            text,
            content: json!({"event": event, "near": near, "agent": now}),
        })
    }

    async fn watch(&self) -> Result<Answer, Problem> {
        let mut body = self.arguments_of(&[
            "what",
            "how",
            "value",
            "channel",
            "sensor",
            "event",
            "hysteresis",
            "dwell_s",
            "key",
        ]);
        body["agent"] = json!(self.agent().await?);
        let content = self.post("watches", Some(body)).await?;
        Ok(Answer {
            text: text::watch(&content),
            content,
        })
    }

    async fn watches(&self) -> Result<Answer, Problem> {
        let content = self.get("watches").await?;
        let all = content["watches"].as_array().into_iter().flatten();
        let lines: Vec<_> = all.map(text::watch).collect();
        Ok(Answer {
            text: match lines.is_empty() {
                true => "no watches".to_owned(),
                false => lines.join("\n"),
            },
            content,
        })
    }

    async fn unwatch(&self) -> Result<Answer, Problem> {
        let id = self.text("id")?;
        let id = id.ok_or_else(|| Problem::bad("expected `id`, of `watches`"))?;
        let path = self.path(&format!("watches/{}", part(&id)))?;
        let content = self.ask(Question::get(path).method(Method::DELETE)).await?;
        Ok(Answer {
            text: format!("the watch {id} has ended"),
            content,
        })
    }

    async fn recall(&self) -> Result<Answer, Problem> {
        let agent = self.agent().await?;
        let mut detail = self.get(&format!("agents/{}/kernel", part(&agent))).await?;
        let memories = detail["memories"].take();
        let lines = memories.as_array().into_iter().flatten().map(|memory| {
            let strength = memory["strength"].as_f64().unwrap_or_default();
            format!(
                "{strength:.2}  {}",
                memory["label"].as_str().unwrap_or_default()
            )
        });
        let lines: Vec<_> = lines.collect();
        Ok(Answer {
            text: match lines.is_empty() {
                true => "no memories".to_owned(),
                false => format!("strength (0 to 1), event:\n{}", lines.join("\n")),
            },
            content: json!({"agent": agent, "tick": detail["tick"], "memories": memories}),
        })
    }

    async fn read_sensor(&self) -> Result<Answer, Problem> {
        let Some(sensor) = self.text("sensor")? else {
            let list = self.get("sensors").await?;
            return Ok(Answer {
                text: text::names(&list["sensors"], "sensor", "kind"),
                content: list,
            });
        };
        let agent = self.agent().await?;
        let reading = self
            .get(&format!("sensors/{}/{}", part(&agent), part(&sensor)))
            .await?;
        Ok(Answer {
            text: format!("tick {}: {}", reading["tick"], text::reading(&reading)),
            content: reading,
        })
    }

    /// A picture: PNG, base64.
    async fn picture(&self) -> Result<String, Problem> {
        let Value::Object(seen) =
            self.arguments_of(&["agent", "distance_m", "yaw_rad", "pitch_rad"])
        else {
            return Err(Problem::bad("expected arguments by name"));
        };
        let seen = seen.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), part);
            format!("{name}={value}")
        });
        let query: Vec<_> = seen.collect();
        let png = self.get(&format!("picture?{}", query.join("&"))).await?;
        Ok(png.as_str().unwrap_or_default().to_owned())
    }

    async fn listed(
        &self,
        path: &str,
        list: &str,
        name: &str,
        about: &str,
    ) -> Result<Answer, Problem> {
        let content = self.ask(Question::get(path)).await?;
        Ok(Answer {
            text: text::names(&content[list], name, about),
            content,
        })
    }

    async fn run_scene(&self) -> Result<Answer, Problem> {
        let body = Value::Object(self.arguments.clone());
        let content = self.ask(Question::post("/v1/runs", Some(body))).await?;
        Ok(Answer {
            text: format!(
                "the run `{}` has begun",
                content["run"].as_str().unwrap_or_default()
            ),
            content,
        })
    }

    async fn end_run(&self) -> Result<Answer, Problem> {
        let run = self
            .text("run")?
            .ok_or_else(|| Problem::bad("expected `run`"))?;
        let question = Question::get(format!("/v1/runs/{}", part(&run)));
        let content = self.ask(question.method(Method::DELETE)).await?;
        Ok(Answer {
            text: "it has ended".to_owned(),
            content,
        })
    }

    async fn score(&self) -> Result<Answer, Problem> {
        let mut body = self.arguments.clone();
        body.entry("runs").or_insert(json!(5));
        body.insert("healthy_s".to_owned(), json!(300));
        let question = Question::post("/v1/scores", Some(Value::Object(body)));
        let content = self.ask(question).await?;
        Ok(Answer {
            text: serde_json::to_string_pretty(&content).unwrap_or_default(),
            content,
        })
    }

    async fn record(&self) -> Result<Answer, Problem> {
        let action = self.text("action")?;
        let Some(recording) = self.text("recording")? else {
            return self
                .listed("/v1/recordings", "recordings", "recording", "bytes")
                .await;
        };
        let path = format!("/v1/recordings/{}", part(&recording));
        let question = match action.as_deref() {
            Some("verify") => Question::post(format!("{path}/verify"), None),
            None | Some("info") => Question::get(format!("{path}/info")),
            Some(_) => return Err(Problem::bad("expected `info` or `verify` of a recording")),
        };
        let content = self.ask(question).await?;
        let text = content["text"].as_str().map(str::to_owned);
        Ok(Answer {
            text: text.unwrap_or_else(|| content.to_string()),
            content,
        })
    }

    async fn pause(&self) -> Result<Answer, Problem> {
        match self.arguments.get("paused") {
            Some(Value::Bool(false)) => self.told("run/resume", None, "it goes on").await,
            None | Some(Value::Bool(true)) => self.told("run/pause", None, "it is paused").await,
            Some(_) => Err(Problem::bad("expected `paused`: true or false")),
        }
    }

    async fn set(&self) -> Result<Answer, Problem> {
        let number = self.arguments_of(&["parameter", "value"]);
        if number != json!({}) {
            if self.arguments.contains_key("rate") {
                let expected = "expected `rate`, or `parameter` and `value`, and not both";
                return Err(Problem::bad(expected));
            }
            return self.command("set", number).await;
        }
        let rate = self.arguments.get("rate").and_then(Value::as_f64);
        let rate = rate
            .ok_or_else(|| Problem::bad("expected `rate`: a number; or `parameter` and `value`"))?;
        let factor = if rate == 0.0 {
            Value::Null
        } else {
            json!(rate)
        };
        self.told(
            "run/pace",
            Some(json!({"factor": factor})),
            "it has this speed from the next tick on",
        )
        .await
    }

    async fn lease(&self) -> Result<Answer, Not> {
        let agent = self.agent().await?;
        let path = format!("agents/{}/lease", part(&agent));
        if self.arguments.get("release") == Some(&Value::Bool(true)) {
            let question = Question::get(self.path(&path)?).method(Method::DELETE);
            let content = self
                .ask(question.lease(self.mcp.held(&self.of_run(&agent)?)))
                .await?;
            self.mcp.keep(&self.of_run(&agent)?, None);
            return Ok(Answer {
                text: "it is released; what it asked for ends".to_owned(),
                content,
            });
        }
        let mut wanted = Map::from_iter([
            ("for_s".to_owned(), json!(LEASE_S)),
            ("heartbeat_s".to_owned(), json!(HEARTBEAT_S)),
        ]);
        if let Value::Object(given) =
            self.arguments_of(&["for_s", "max_linear_m_s", "max_angular_rad_s"])
        {
            wanted.extend(given);
        }
        let limit = |name: &str, unit: &str| match wanted.get(name) {
            Some(limit) => format!("at most {limit} {unit}"),
            None => format!("any {unit}"),
        };
        let speed = match wanted.contains_key("max_linear_m_s")
            || wanted.contains_key("max_angular_rad_s")
        {
            true => format!(
                "with {} and {}",
                limit("max_linear_m_s", "m/s"),
                limit("max_angular_rad_s", "rad/s")
            ),
            false => "at any speed of its drive".to_owned(),
        };
        let text = format!(
            "Let this assistant move {} for {} s, {speed}?",
            self.shown(&agent)?,
            wanted["for_s"],
        );
        self.approved(&text).await?;
        let content = self.post(&path, Some(Value::Object(wanted))).await?;
        let id = content["id"].as_str().map(str::to_owned);
        self.mcp.keep(&self.of_run(&agent)?, id);
        Ok(Answer {
            text: format!(
                "granted: `{agent}` may be moved for {} s, and as long as a command comes every {} s",
                content["ends_in_s"], content["heartbeat_s"]
            ),
            content,
        })
    }

    async fn command(&self, kind: &str, mut body: Value) -> Result<Answer, Problem> {
        let agent = self.agent().await?;
        body["kind"] = json!(kind);
        let held = self.mcp.held(&self.of_run(&agent)?);
        let lease = self.text("lease")?.or(held);
        let path = self.path(&format!("agents/{}/requests", part(&agent)))?;
        let content = self
            .ask(Question::post(path, Some(body)).lease(lease))
            .await?;
        Ok(Answer {
            text: format!(
                "accepted: applied with tick {}, until {} s of the run; `status` tells how far it is",
                content["tick"], content["expires_s"]
            ),
            content,
        })
    }

    async fn clear_stop(&self) -> Result<Answer, Not> {
        let agent = self.agent().await?;
        self.approved(&format!(
            "Clear the stop of {}, so that it may move again?",
            self.shown(&agent)?
        ))
        .await?;
        let path = format!("agents/{}/clear_stop", part(&agent));
        let content = self.post(&path, None).await?;
        Ok(Answer {
            text: format!("cleared with tick {}", content["tick"]),
            content,
        })
    }
}
