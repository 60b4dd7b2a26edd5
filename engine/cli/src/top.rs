//! `becomingone top`: a table of a run that serves, drawn anew again and again.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::found::choose;
use becomingone_api::{Client, Found};
use clap::Args;
use comfy_table::{Table, presets};
use serde_json::Value;
use std::io::{IsTerminal as _, Write as _};
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
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let run = choose(self.at.as_deref())?.ok_or_else(|| Failure::BadInput(
            "found no run that serves; expected one, as by `becomingone run robot --real-time --serve`, or --at URL".to_owned(),
        ))?;
        let client = Client::of(&run).map_err(Failure::BadInput)?;
        let is_terminal = std::io::stdout().is_terminal();
        let mut before: Option<(std::time::Instant, f64)> = None;
        loop {
            let state = match client.get("/v1/run") {
                Ok(state) => state,
                // It ended between two tables.
                Err(_) if before.is_some() => return Ok(Exit::SUCCESS),
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
                return Ok(Exit::SUCCESS);
            }
            std::thread::sleep(EVERY);
        }
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
