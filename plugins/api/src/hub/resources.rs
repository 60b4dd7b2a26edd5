//! What is answered here: scenes, runs, recordings, scores. All else is answered by a run.

use super::Hub;
use super::child::{Child, State as Life};
use super::download;
use super::scenes::SceneEntry;
use crate::ask::Ask;
use crate::companion::{self, Companions};
use crate::connections::Open;
use crate::extract::{Body as Content, Path};
use crate::gate::{self, Caller};
use crate::grpc;
use crate::idempotency;
use crate::mcp;
use crate::problem::Problem;
use crate::routes::{self, RunEntry, RunList, Security, health};
use crate::token::{Role, write_private};
use axum::body::Body;
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest check of a scene.
const CHECK_WITHIN: Duration = Duration::from_secs(30);
/// Longest score, and longest replay.
const SCORE_WITHIN: Duration = Duration::from_secs(1800);
/// Longest start of a run that its answer waits for.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Most overlays of a run, and longest of them (bytes).
const MAX_SET: usize = 100;
const MAX_SET_BYTES: usize = 4096;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "BecomingONE, several runs",
        description = "Scenes, runs and recordings. Resources of a run are below `/v1/runs/{run}` and are described by its own \
            `/v1/runs/{run}/openapi.json`; where there is one run, `/v1/agents` is short for `/v1/runs/{run}/agents`. \
            Errors are problem+json and say what is expected.",
        license(name = "MIT", identifier = "MIT")
    ),
    components(schemas(Problem)),
    security(("token" = [])),
    modifiers(&Security)
)]
struct Description;

fn closed() -> OpenApiRouter<Arc<Hub>> {
    OpenApiRouter::new()
        .routes(routes!(version))
        .routes(routes!(scenes))
        .routes(routes!(scene))
        .routes(routes!(resolved))
        .routes(routes!(check))
        .routes(routes!(runs, start))
        .routes(routes!(run, end))
        .routes(routes!(stop_all))
        .routes(routes!(recordings))
        .routes(routes!(recording))
        .routes(routes!(info))
        .routes(routes!(verify))
        .routes(routes!(score))
        .merge(companion::talk())
}

/// Everything that the server answers.
pub(crate) fn router(hub: Arc<Hub>, companions: Companions) -> Result<Router, String> {
    let gate = hub.gate.clone();
    let known = from_fn_with_state(gate.clone(), gate::known);
    let admitted = from_fn_with_state(gate.clone(), gate::admitted);
    let once = from_fn_with_state(hub.replies.clone(), idempotency::once);
    let (v1, mut api) = OpenApiRouter::with_openapi(Description::openapi())
        .nest("/v1", closed())
        .split_for_parts();
    let (hooks, of_hooks) = OpenApiRouter::default()
        .nest("/v1", companion::hooks())
        .split_for_parts();
    api.merge(of_hooks);
    api.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let description = routes::described(&api);
    let describe =
        move || async move { ([(header::CONTENT_TYPE, "application/json")], description) };
    // A run has its own keys: the answer is its own.
    let handed_on = Router::new()
        .route("/v1/runs/{run}/{*rest}", any(of_run))
        .route("/v1/{*rest}", any(of_only_run));
    let closed = v1
        .layer(once)
        .merge(handed_on)
        .layer(from_fn(idempotency::bounded))
        .layer(known);
    let resources = closed
        .route("/v1/health", get(health))
        .merge(hooks.layer(from_fn(idempotency::bounded)))
        .route("/foxglove", get(foxglove))
        .route("/v1/runs/{run}/foxglove", get(foxglove))
        .merge(routes::page_of(gate.clone(), hub.is_secure))
        .route("/v1/openapi.json", get(describe))
        .fallback(routes::missing)
        .method_not_allowed_fallback(routes::no_method)
        .with_state(hub.clone());
    let resources = resources.layer(Extension(companions));
    let ask = Ask::Here(resources.clone());
    let engine = grpc::handed_on(gate.clone(), move |run, request| {
        let hub = hub.clone();
        async move { hub.grpc(run, request).await }
    })?;
    Ok(engine
        .merge(mcp::router(ask).layer(admitted))
        .fallback_service(resources)
        .layer(from_fn_with_state(gate, gate::ours))
        .layer(from_fn(routes::finish)))
}

impl Hub {
    /// Hands a call of gRPC to a run: the named one, or the only one.
    async fn grpc(
        self: Arc<Self>,
        run: Option<String>,
        request: Request,
    ) -> Result<Response, Problem> {
        let caller = self
            .gate
            .caller(request.headers(), gate::is_stop(&request))?;
        let child = match run {
            Some(run) => self.runs.get(&run)?,
            // A stop is of all runs; one of them answers.
            None if request.uri().path().ends_with("/StopAll") => {
                stop_all(State(self.clone()), Extension(caller)).await?;
                let mut all = self.runs.list().into_iter();
                all.find(|child| !matches!(child.state(), Life::Ended(_)))
                    .map_or_else(|| self.runs.only(), Ok)?
            }
            None => self.runs.only()?,
        };
        let path = request.uri().path().to_owned();
        self.proxy
            .ask(&child, Some(caller.role), &path, request)
            .await
    }
}

async fn of_run(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    Path((run, _)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let child = hub.runs.get(&run)?;
    // Behind the name, as it was sent.
    let all = request
        .uri()
        .path_and_query()
        .map_or("", |all| all.as_str());
    let rest = all.splitn(5, '/').nth(4).unwrap_or_default();
    let path = format!("/v1/{rest}");
    hub.proxy
        .ask(&child, Some(caller.role), &path, request)
        .await
}

async fn of_only_run(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let child = hub.runs.only()?;
    let path = request
        .uri()
        .path_and_query()
        .map_or("", |all| all.as_str());
    let path = path.to_owned();
    hub.proxy
        .ask(&child, Some(caller.role), &path, request)
        .await
}

/// Foxglove's protocol of a run: the named one, or the only one. A code is the run's own.
async fn foxglove(
    State(hub): State<Arc<Hub>>,
    Extension(open): Extension<Arc<Open>>,
    run: Option<UrlPath<String>>,
    request: Request,
) -> Result<Response, Problem> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let has_code = query.split('&').any(|option| option.starts_with("code="));
    let role = match has_code {
        true => None,
        false => Some(hub.gate.caller(request.headers(), false)?.role),
    };
    let child = match run {
        Some(UrlPath(run)) => hub.runs.get(&run),
        None => hub.runs.only(),
    };
    // Who is not known yet learns of no run, and waits for none.
    let is_there = |child: &Arc<Child>| matches!(child.state(), Life::Running(_));
    let child = match child {
        Ok(child) if role.is_some() || is_there(&child) => child,
        Err(problem) if role.is_some() => return Err(problem),
        _ => {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "found a code that is not good, or not any more; expected one of POST /v1/runs/{run}/foxglove/code",
            ));
        }
    };
    let path = format!("/foxglove?{query}");
    let answer = hub.proxy.ask(&child, role, &path, request).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        open.know();
    }
    Ok(answer)
}

/// Which server this is.
#[derive(Serialize, ToSchema)]
struct Version {
    /// `becomingone`.
    name: &'static str,
    /// Of the program.
    version: &'static str,
    /// Of this interface.
    api: &'static str,
    /// Of the process.
    process: u32,
}

/// Which server this is.
#[utoipa::path(
    get, path = "/version", tag = "server",
    responses((status = 200, body = Version), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
async fn version() -> Json<Version> {
    Json(Version {
        name: "becomingone",
        version: env!("CARGO_PKG_VERSION"),
        api: "v1",
        process: std::process::id(),
    })
}

/// Scenes of the server.
#[derive(Serialize, ToSchema)]
struct SceneList {
    /// Those of its folder, then the built-in ones.
    scenes: Vec<SceneEntry>,
}

/// What can be run.
#[utoipa::path(
    get, path = "/scenes", tag = "scenes",
    responses((status = 200, body = SceneList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
async fn scenes(State(hub): State<Arc<Hub>>) -> Json<SceneList> {
    Json(SceneList {
        scenes: hub.scenes.list(),
    })
}

/// Text of a scene, as it is written.
#[utoipa::path(
    get, path = "/scenes/{scene}", tag = "scenes", params(("scene" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
async fn scene(State(hub): State<Arc<Hub>>, Path(scene): Path<String>) -> Result<String, Problem> {
    hub.scenes.text(&scene)
}

/// The scene as it runs: defaults filled in.
#[utoipa::path(
    get, path = "/scenes/{scene}/resolved", tag = "scenes", params(("scene" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn resolved(
    State(hub): State<Arc<Hub>>,
    Path(scene): Path<String>,
) -> Result<String, Problem> {
    let file = hub.scenes.find(&scene)?.display().to_string();
    let arguments = vec![
        "check".to_owned(),
        "--resolved".to_owned(),
        "--".to_owned(),
        file,
    ];
    let done = hub.program.output(arguments, CHECK_WITHIN).await?;
    match done.status.success() {
        true => Ok(text(&done.stdout)),
        false => Err(Problem::bad(text(&done.stderr))),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// A scene, by its name or as text, with changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Name of a scene of the list.
    #[serde(default)]
    scene: Option<String>,
    /// A scene itself (RON), in place of a name. Its sources are simulated, and its models below the folder of the server,
    /// unless the server was started with `--allow-sources`.
    #[serde(default)]
    text: Option<String>,
    /// Changes: `agents.rover.controller.speed_m_s=0.8`. A scene with changes is one that came over the network.
    #[serde(default)]
    #[schema(max_items = 100)]
    set: Vec<String>,
}

/// A scene that is given to the program; the file of a text is removed with it.
struct Given {
    name: String,
    arguments: Vec<String>,
    file: Option<PathBuf>,
}

impl Hub {
    /// A scene as it is given to the program.
    fn given(&self, which: &Which) -> Result<Given, Problem> {
        let (name, what, file) = match (&which.scene, &which.text) {
            (Some(name), None) => (name.clone(), self.scenes.find(name)?, None),
            (None, Some(text)) => {
                let name = crate::token::Secret::random().map_err(Problem::unavailable)?;
                let file = self.runs.folder().join(format!("{}.ron", name.reveal()));
                write_private(&file, text).map_err(|e| Problem::unavailable(e.to_string()))?;
                ("network".to_owned(), file.clone(), Some(file))
            }
            _ => return Err(Problem::bad("expected `scene` or `text`, and not both")),
        };
        if which.set.len() > MAX_SET || which.set.iter().any(|set| set.len() > MAX_SET_BYTES) {
            return Err(Problem::bad(format!(
                "expected at most {MAX_SET} changes, of at most {MAX_SET_BYTES} bytes each"
            )));
        }
        let mut arguments = Vec::new();
        let is_of_owner = which.text.is_none() && which.set.is_empty();
        if !is_of_owner && !self.options.allow_sources {
            let folder = self.scenes.folder().unwrap_or(self.runs.folder());
            arguments.push(format!("--confine={}", folder.display()));
        }
        arguments.extend(which.set.iter().map(|set| format!("--set={set}")));
        arguments.extend(["--".to_owned(), what.display().to_string()]);
        Ok(Given {
            name,
            arguments,
            file,
        })
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Result of a check.
#[derive(Serialize, ToSchema)]
struct Checked {
    /// Whether it can be run.
    is_ok: bool,
    /// Warnings and errors, with their places.
    text: String,
}

/// Checks a scene without running it.
#[utoipa::path(
    post, path = "/scenes/check", tag = "scenes", request_body = Which,
    responses(
        (status = 200, body = Checked),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn check(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    Content(which): Content<Which>,
) -> Result<Json<Checked>, Problem> {
    caller.needs(Role::Operator)?;
    let given = hub.given(&which)?;
    let arguments = ["check".to_owned()].into_iter();
    let arguments = arguments.chain(given.arguments.iter().cloned()).collect();
    let done = hub.program.output(arguments, CHECK_WITHIN).await?;
    Ok(Json(Checked {
        is_ok: done.status.success(),
        text: text(&[done.stderr, done.stdout].concat()),
    }))
}

fn entry(child: &Child) -> RunEntry {
    let (state, exit) = match child.state() {
        Life::Starting => ("starting", None),
        Life::Running(_) => ("running", None),
        Life::Ended(exit) => ("ended", exit),
    };
    RunEntry {
        run: child.run.clone(),
        scene: child.scene.clone(),
        state,
        process: child.process(),
        exit,
        recording: child.recording.clone(),
    }
}

/// All runs, also those that ended.
#[utoipa::path(
    get, path = "/runs", tag = "runs",
    responses((status = 200, body = RunList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
async fn runs(State(hub): State<Arc<Hub>>) -> Json<RunList> {
    Json(RunList {
        runs: hub.runs.list().iter().map(|child| entry(child)).collect(),
    })
}

/// A run to start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Name of a scene of the list.
    #[serde(default)]
    scene: Option<String>,
    /// A scene itself (RON), in place of a name; see the check of scenes.
    #[serde(default)]
    text: Option<String>,
    /// Changes: `agents.rover.controller.speed_m_s=0.8`.
    #[serde(default)]
    #[schema(max_items = 100)]
    set: Vec<String>,
    /// Seed of all random numbers; none: the scene's.
    #[serde(default, deserialize_with = "maybe_whole")]
    #[schema(minimum = 0, maximum = 1000000000000000_f64)]
    seed: Option<u64>,
    /// Simulated time to run (s); none: the scene's.
    #[serde(default)]
    #[schema(minimum = 1e-9, maximum = 31536000.0)]
    duration_s: Option<f64>,
    /// Multiple of real time; 0: as fast as possible; none: real time.
    #[serde(default)]
    #[schema(minimum = 0.0, maximum = 1000000.0)]
    rate: Option<f64>,
    /// Whether it is recorded.
    #[serde(default = "yes")]
    record: bool,
}

fn maybe_whole<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "routes::whole")] u64);
    Ok(Option::<Whole>::deserialize(from)?.map(|whole| whole.0))
}

fn yes() -> bool {
    true
}

/// Starts a run; an operator may.
#[utoipa::path(
    post, path = "/runs", tag = "runs", request_body = Start,
    responses(
        (status = 201, body = RunEntry),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn start(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    Content(start): Content<Start>,
) -> Result<(StatusCode, Json<RunEntry>), Problem> {
    caller.needs(Role::Operator)?;
    let range =
        |name: &str, value: Option<f64>, is_in: &dyn Fn(f64) -> bool, expected: &str| match value
            .is_none_or(is_in)
        {
            true => Ok(()),
            false => Err(Problem::bad(format!("expected `{name}` {expected}"))),
        };
    range(
        "duration_s",
        start.duration_s,
        &|s| (1e-9..=31_536_000.0).contains(&s),
        "from 1e-9 to 31536000: a year",
    )?;
    range(
        "rate",
        start.rate,
        &|r| r == 0.0 || (1e-3..=1e6).contains(&r),
        "of 0, or from 0.001 to 1000000",
    )?;
    let which = Which {
        scene: start.scene,
        text: start.text,
        set: start.set,
    };
    let given = hub.given(&which)?;
    let mut options = vec!["--serve=0".to_owned(), "--rerun=off".to_owned()];
    if let Some(seed) = start.seed {
        options.push(format!("--seed={seed}"));
    }
    if let Some(s) = start.duration_s {
        options.push(format!("--duration={}ns", (s * 1e9).round()));
    }
    options.push(match start.rate {
        None => "--real-time".to_owned(),
        Some(0.0) => "--fast".to_owned(),
        Some(rate) => format!("--rate={rate}"),
    });
    let limits = &hub.options;
    if limits.arm {
        options.push("--arm".to_owned());
    }
    options.extend(limits.memory_bytes.map(|n| format!("--limit-memory={n}")));
    options.extend(limits.cpu_s.map(|s| format!("--limit-cpu={s}")));
    let recordings = &limits.recordings;
    let recording = |run: &str| {
        if !start.record {
            return None;
        }
        let names = (1..).map(|k| format!("{run}-{k}.mcap"));
        names
            .into_iter()
            .find(|name| !recordings.join(name).exists())
    };
    if start.record {
        std::fs::create_dir_all(recordings).map_err(|e| {
            Problem::unavailable(format!("cannot record: {}: {e}", recordings.display()))
        })?;
    }
    let command = |recording: Option<&str>| {
        let mut command = hub.program.command();
        command.arg("run").args(&options);
        if let Some(recording) = recording {
            command.arg(format!("--record={}", recordings.join(recording).display()));
        }
        command
    };
    let child = hub
        .runs
        .start(&given.name, recording, command, &given.arguments)?;
    if let Life::Ended(_) = child.started(START_WITHIN).await {
        hub.runs.forget(&child.run);
        return Err(Problem::bad(child.lines().join("\n")));
    }
    Ok((StatusCode::CREATED, Json(entry(&child))))
}

/// A run with its output.
#[derive(Serialize, ToSchema)]
struct OneRun {
    #[serde(flatten)]
    run: RunEntry,
    /// Its last lines of output.
    lines: Vec<String>,
}

/// A run.
#[utoipa::path(
    get, path = "/runs/{run}", tag = "runs", params(("run" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = OneRun),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
async fn run(
    State(hub): State<Arc<Hub>>,
    Path(run): Path<String>,
) -> Result<Json<OneRun>, Problem> {
    let child = hub.runs.get(&run)?;
    Ok(Json(OneRun {
        run: entry(&child),
        lines: child.lines(),
    }))
}

/// Ends a run, whose recording is closed; an owner may. One that has ended is forgotten.
#[utoipa::path(
    delete, path = "/runs/{run}", tag = "runs", params(("run" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = RunEntry),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn end(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Json<RunEntry>, Problem> {
    caller.needs(Role::Owner)?;
    let child = hub.runs.get(&run)?;
    if matches!(child.state(), Life::Ended(_)) {
        hub.runs.forget(&run);
        return Ok(Json(entry(&child)));
    }
    child.terminate();
    if !child.ended(Duration::from_secs(10)).await {
        return Err(Problem::unavailable(
            "found a run that does not end within 10 s",
        ));
    }
    Ok(Json(entry(&child)))
}

/// Stops every agent of every run: no lease and no role is needed.
#[utoipa::path(
    post, path = "/stop", tag = "motion",
    responses(
        (status = 204, description = "Every agent stops, and stays so"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn stop_all(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Problem> {
    let alive = hub.runs.list().into_iter();
    // One that starts is stopped as soon as it can be asked.
    let alive = alive.filter(|child| !matches!(child.state(), Life::Ended(_)));
    let mut asked = tokio::task::JoinSet::new();
    for child in alive {
        let hub = hub.clone();
        asked.spawn(async move {
            let mut request = Request::new(Body::empty());
            *request.method_mut() = axum::http::Method::POST;
            let answer = hub
                .proxy
                .ask(&child, Some(caller.role), "/v1/stop", request)
                .await;
            match answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("{}: {}", child.run, answer.status())),
                Err(problem) => Some(format!("{}: {}", child.run, problem.detail)),
            }
        });
    }
    let failed: Vec<String> = asked.join_all().await.into_iter().flatten().collect();
    match failed.is_empty() {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::unavailable(format!(
            "found runs that do not answer: {}",
            failed.join("; ")
        ))),
    }
}

/// A recording.
#[derive(Serialize, ToSchema)]
struct RecordingEntry {
    /// Its name.
    recording: String,
    /// Size (bytes).
    bytes: u64,
}

/// Recordings of the server.
#[derive(Serialize, ToSchema)]
struct RecordingList {
    /// In the order of their names.
    recordings: Vec<RecordingEntry>,
}

impl Hub {
    fn recording_list(&self) -> Vec<RecordingEntry> {
        let files = std::fs::read_dir(&self.options.recordings);
        let files = files.into_iter().flatten().flatten();
        let mut all: Vec<_> = files
            .filter(|file| file.path().extension().is_some_and(|e| e == "mcap"))
            .filter_map(|file| {
                let data = file.metadata().ok().filter(|data| data.is_file())?;
                Some(RecordingEntry {
                    recording: file.file_name().into_string().ok()?,
                    bytes: data.len(),
                })
            })
            .collect();
        all.sort_by(|a, b| a.recording.cmp(&b.recording));
        all
    }

    /// File of a recording of the list.
    fn recording(&self, name: &str) -> Result<PathBuf, Problem> {
        let all = self.recording_list();
        match all.iter().any(|entry| entry.recording == name) {
            true => Ok(self.options.recordings.join(name)),
            false => Err(Problem::not_found(
                "found no recording of this name; expected one of /v1/recordings",
            )),
        }
    }

    /// What a command prints, which is JSON.
    async fn json(&self, arguments: Vec<String>, within: Duration) -> Result<Response, Problem> {
        let done = self.program.output(arguments, within).await?;
        match done.status.success() {
            true => Ok(([(header::CONTENT_TYPE, "application/json")], done.stdout).into_response()),
            false => Err(Problem::bad(text(&done.stderr))),
        }
    }
}

/// All recordings.
#[utoipa::path(
    get, path = "/recordings", tag = "recordings",
    responses((status = 200, body = RecordingList), (status = 401, body = Problem, content_type = "application/problem+json"))
)]
async fn recordings(State(hub): State<Arc<Hub>>) -> Json<RecordingList> {
    Json(RecordingList {
        recordings: hub.recording_list(),
    })
}

/// The file of a recording (MCAP), or a part of it by `Range`.
#[utoipa::path(
    get, path = "/recordings/{recording}", tag = "recordings", params(("recording" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "A part of it", content_type = "application/octet-stream"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The file is shorter")
    )
)]
async fn recording(
    State(hub): State<Arc<Hub>>,
    Path(recording): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let file = hub.recording(&recording)?;
    download::file(file, request.headers()).await
}

/// What a recording contains: as `becomingone info --json`.
#[utoipa::path(
    get, path = "/recordings/{recording}/info", tag = "recordings", params(("recording" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Scene, topics, length, how it ended", content_type = "application/json"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn info(
    State(hub): State<Arc<Hub>>,
    Path(recording): Path<String>,
) -> Result<Response, Problem> {
    let file = hub.recording(&recording)?.display().to_string();
    let arguments = ["info", "--json", "--", &file].map(str::to_owned);
    hub.json(arguments.to_vec(), CHECK_WITHIN).await
}

/// Result of a replay.
#[derive(Serialize, ToSchema)]
struct Verified {
    /// Whether every tick is as it was recorded.
    is_equal: bool,
    /// What `becomingone replay --verify` prints.
    text: String,
}

/// Replays a recording and compares every tick; an operator may. Answered when it is done.
#[utoipa::path(
    post, path = "/recordings/{recording}/verify", tag = "recordings", params(("recording" = String, Path, description = "Its name")),
    responses(
        (status = 200, body = Verified),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn verify(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    Path(recording): Path<String>,
) -> Result<Json<Verified>, Problem> {
    caller.needs(Role::Operator)?;
    let file = hub.recording(&recording)?.display().to_string();
    let arguments = ["replay", "--verify", "--rerun=off", "--", &file].map(str::to_owned);
    let done = hub.program.output(arguments.to_vec(), SCORE_WITHIN).await?;
    Ok(Json(Verified {
        is_equal: done.status.success(),
        text: text(&[done.stdout, done.stderr].concat()),
    }))
}

/// A score to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Scored {
    /// Name of a scene of the list.
    scene: String,
    /// Faults whose name contains this; none: all.
    #[serde(default)]
    faults: Option<String>,
    /// Runs per fault, 1 to 100; none: 20.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    runs: Option<u32>,
    /// Healthy time in which false alarms are counted (s); none: 3000 s.
    #[serde(default)]
    #[schema(exclusive_minimum = 0.0, maximum = 100000.0)]
    healthy_s: Option<f64>,
}

/// Measures detection and isolation of faults and false alarms, as `becomingone score --json`; an operator may. Answered when
/// it is done, which takes minutes.
#[utoipa::path(
    post, path = "/scores", tag = "scenes", request_body = Scored,
    responses(
        (status = 200, description = "The table", content_type = "application/json"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")
    )
)]
async fn score(
    State(hub): State<Arc<Hub>>,
    Extension(caller): Extension<Caller>,
    Content(wanted): Content<Scored>,
) -> Result<Response, Problem> {
    caller.needs(Role::Operator)?;
    let scene = hub.scenes.find(&wanted.scene)?.display().to_string();
    if wanted.runs.is_some_and(|runs| !(1..=100).contains(&runs)) {
        return Err(Problem::bad("expected `runs` from 1 to 100"));
    }
    if wanted.healthy_s.is_some_and(|s| !(s > 0.0 && s <= 1e5)) {
        return Err(Problem::bad(
            "expected `healthy_s` above 0, and at most 100000",
        ));
    }
    let name = crate::token::Secret::random().map_err(Problem::unavailable)?;
    let file = hub.runs.folder().join(format!("{}.json", name.reveal()));
    let mut arguments = vec!["score".to_owned(), format!("--json={}", file.display())];
    arguments.extend(wanted.faults.map(|faults| format!("--faults={faults}")));
    arguments.extend(wanted.runs.map(|runs| format!("--runs={runs}")));
    arguments.extend(
        wanted
            .healthy_s
            .map(|s| format!("--healthy={}ms", (s * 1e3).round().max(1.0))),
    );
    arguments.extend(["--".to_owned(), scene]);
    let done = hub.program.output(arguments, SCORE_WITHIN).await;
    let table = std::fs::read(&file);
    let _ = std::fs::remove_file(&file);
    let done = done?;
    match (done.status.success(), table) {
        (true, Ok(table)) => {
            Ok(([(header::CONTENT_TYPE, "application/json")], table).into_response())
        }
        _ => Err(Problem::bad(text(&done.stderr))),
    }
}
