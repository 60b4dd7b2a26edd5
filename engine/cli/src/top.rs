//! `becomingone top`: a table of a run that serves, drawn anew again and again.

use crate::failure::Failure;
use becomingone_api::{Found, TOKEN_VARIABLE, folder, found};
use clap::Args;
use comfy_table::{Table, presets};
use serde_json::Value;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone top
  becomingone top --at http://127.0.0.1:8421
  becomingone top --once

Exit status: 0 the run ended or --once, 1 no answer, 2 bad input, as where there is no run or more than one.";

/// Arguments of `top`.
#[derive(Args)]
pub(crate) struct Top {
    /// Address of the run [default: the only run of this user].
    #[arg(long, value_name = "URL")]
    at: Option<String>,
    /// Print one table and end.
    #[arg(long)]
    once: bool,
}

/// Time between two tables.
const EVERY: Duration = Duration::from_millis(500);

impl Top {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let run = choose(self.at.as_deref())?;
        let client = Client::of(&run)?;
        let is_terminal = std::io::stdout().is_terminal();
        let mut before: Option<(std::time::Instant, f64)> = None;
        loop {
            let state = match client.get("/v1/run") {
                Ok(state) => state,
                // It ended between two tables.
                Err(_) if before.is_some() => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(Failure::Run(format!("{}: {error}", run.url))),
            };
            let text = |path: &str| {
                client
                    .get(path)
                    .map_err(|e| Failure::Run(format!("{}: {e}", run.url)))
            };
            let (agents, metrics) = (
                text("/v1/agents")?,
                client.text("/v1/metrics").unwrap_or_default(),
            );
            let now = std::time::Instant::now();
            let time_s = state["time_s"].as_f64().unwrap_or_default();
            let rtf = before.map(|(at, s)| (time_s - s) / now.duration_since(at).as_secs_f64());
            before = Some((now, time_s));
            let table = page(&run, &state, &agents, &metrics, rtf);
            if is_terminal && !self.once {
                print!("\x1b[H\x1b[2J");
            }
            print_out!("{table}");
            let _ = std::io::stdout().flush();
            if self.once {
                return Ok(ExitCode::SUCCESS);
            }
            std::thread::sleep(EVERY);
        }
    }
}

/// The run at this address, else the only one of this user.
fn choose(at: Option<&str>) -> Result<Found, Failure> {
    let folder = folder().map_err(Failure::Run)?;
    let runs = found(&folder).map_err(Failure::Run)?;
    let listed = || {
        let runs = runs
            .iter()
            .map(|run| format!("{} ({})", run.url, run.scene));
        runs.collect::<Vec<_>>().join(", ")
    };
    match (at, runs.as_slice()) {
        (None, [run]) => Ok(run.clone()),
        (None, []) => Err(Failure::BadInput(
            "found no run that serves; expected one, as by `becomingone run robot --real-time --serve`, or --at URL".to_owned(),
        )),
        (None, _) => Err(Failure::BadInput(format!("found more than one run; expected --at with one of {}", listed()))),
        (Some(url), _) => {
            let url = url.trim_end_matches('/');
            let known = runs.iter().find(|run| run.url == url).cloned();
            Ok(known.unwrap_or_else(|| Found {
                url: url.to_owned(),
                process: 0,
                scene: String::new(),
                token_file: None,
            }))
        }
    }
}

/// Asks a run.
struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

impl Client {
    fn of(run: &Found) -> Result<Self, Failure> {
        let token = match (std::env::var(TOKEN_VARIABLE), &run.token_file) {
            (Ok(token), _) => token,
            (_, Some(file)) => std::fs::read_to_string(file)
                .map_err(|e| Failure::BadInput(format!("{}: {e}", file.display())))?,
            _ => {
                return Err(Failure::BadInput(format!(
                    "{}: found no token; expected it in {TOKEN_VARIABLE}",
                    run.url
                )));
            }
        };
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .max_redirects(0)
            .proxy(None)
            .build();
        Ok(Self {
            agent: agent.into(),
            url: run.url.clone(),
            token: token.trim().to_owned(),
        })
    }

    fn text(&self, path: &str) -> Result<String, String> {
        let answer = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {}", self.token))
            .call();
        let mut answer = answer.map_err(|e| e.to_string())?;
        answer
            .body_mut()
            .read_to_string()
            .map_err(|e| e.to_string())
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        serde_json::from_str(&self.text(path)?).map_err(|e| e.to_string())
    }
}

fn page(run: &Found, state: &Value, agents: &Value, metrics: &str, rtf: Option<f64>) -> String {
    let number = |x: &Value, digits: usize| {
        x.as_f64()
            .map_or("-".to_owned(), |x| format!("{x:.digits$}"))
    };
    let paused = if state["is_paused"] == true {
        ", paused"
    } else {
        ""
    };
    let speed = rtf.map_or(String::new(), |rtf| format!("  {rtf:.2} x real time"));
    let head = format!(
        "{}  {}  {} s  tick {}{paused}{speed}",
        run.url,
        state["scene"].as_str().unwrap_or_default(),
        number(&state["time_s"], 3),
        state["tick"]
    );
    let new = |head: &[&str]| {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head);
        table
    };
    let mut table = new(&[
        "agent",
        "mode",
        "x",
        "y",
        "m/s",
        "order",
        "coherence",
        "surprise",
        "alarm",
    ]);
    for a in agents["agents"].as_array().into_iter().flatten() {
        table.add_row([
            a["agent"].as_str().unwrap_or_default().to_owned(),
            a["mode"].as_str().unwrap_or_default().to_owned(),
            number(&a["pose"]["x_m"], 2),
            number(&a["pose"]["y_m"], 2),
            number(&a["velocity"]["linear_m_s"], 2),
            number(&a["kernel"]["order"], 3),
            number(&a["kernel"]["coherence"], 3),
            number(&a["kernel"]["surprise"], 2),
            a["cause"].as_str().unwrap_or("-").to_owned(),
        ]);
    }
    let mut sensors = new(&["sensor", "readings", "dropped", "stale"]);
    let of = |family: &str, name: &str| {
        let head = format!("becomingone_{family}{{sensor=\"{name}\"}} ");
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(&head))
            .unwrap_or("-")
            .to_owned()
    };
    for line in metrics.lines() {
        let Some(name) = line.strip_prefix("becomingone_sensor_readings_total{sensor=\"") else {
            continue;
        };
        let Some((name, readings)) = name.split_once("\"} ") else {
            continue;
        };
        let stale = if of("sensor_stale", name) == "1" {
            "stale"
        } else {
            "-"
        };
        sensors.add_row([
            name.to_owned(),
            readings.to_owned(),
            of("sensor_dropped_total", name),
            stale.to_owned(),
        ]);
    }
    format!("{head}\n\n{table}\n\n{sensors}")
}
