//! `becomingone sweep`: many runs by one plan, and their summaries as a table.

mod arguments;
mod chunks;
mod digest;
mod parts;
mod progress;
mod ray;
mod recordings;
mod sketch;
mod table;

use self::arguments::{Shard, axis, seeds, shard, span};
use self::digest::Digest;
use self::parts::{Parts, read_plan};
use self::progress::Progress;
use self::table::{Merge, failed, read_part, write_part, write_rows};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::load::{ModelArgs, planned};
use crate::on_ray::{On, RayPython};
use crate::overlays::OverlayArgs;
use crate::parse::duration;
use crate::terminal;
use becomingone::Plugins;
use becomingone::sweep::{Axis, Design, Plan, Request, Runner, Sample, Seeds, Span, Values};
use becomingone::trials::CancelToken;
use becomingone_model::Files as _;
use becomingone_systems::output_file::Replacement;
use clap::{Args, ValueEnum};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone sweep robot --seeds 0..100 --out results.parquet
  becomingone sweep robot --seeds 0..20 --vary agents.rover.controller.speed_m_s=0.5,1.0,1.5 --out speeds.parquet
  becomingone sweep robot --sample 64 --between agents.rover.controller.speed_m_s=0.5..1.5 --out sobol.parquet
  becomingone sweep a.ron b.ron --seeds 0..50 --duration 30s --out both.parquet
  becomingone sweep robot --seeds 0..10000 --out all.parquet --shard $SLURM_ARRAY_TASK_ID/10
  becomingone sweep robot --seeds 0..10000 --out all.parquet --on ray --address auto

Each scene runs with each point of the values and each seed. A run is a row: its values, the hashes and the summary of
`run`, or its error. Rows and hashes do not depend on threads, shards or machines; `wall_s` does.

The folder OUT.parts has the plan, with all files of the scenes, and a part for each chunk of runs that is done. The same
command goes on where it was ended, by Ctrl-C or by a kill; with --shard, the process that finds all parts there writes
OUT. The folder stays: it is how the command knows what is done, and other shards may still read it. Remove it once OUT
is there.

Exit status: 0 done, 1 a run failed or a file could not be written, 2 bad input, 130 Ctrl-C.";

/// How points are spread.
#[derive(Clone, Copy, ValueEnum)]
enum DesignArg {
    /// Sobol sequence.
    Sobol,
    /// Latin hypercube.
    Lhs,
}

/// Arguments of `sweep`.
#[derive(Args)]
#[expect(
    clippy::doc_markdown,
    reason = "the text of --help, where backticks would be read as they stand"
)]
pub(crate) struct Sweep {
    /// Scene files (.ron), names of built-in scenes, or robot or vehicle descriptions.
    #[arg(required_unless_present = "plan")]
    scenes: Vec<PathBuf>,
    /// Table of all runs (Parquet).
    #[arg(long, value_name = "FILE", required_unless_present = "plan")]
    out: Option<PathBuf>,
    /// Seeds: A..B without B, or numbers by commas [default: the scene's own].
    #[arg(long, value_name = "SEEDS", value_parser = seeds)]
    seeds: Option<Seeds>,
    /// Values of a path of the scene, as agents.rover.controller.speed_m_s=0.5,1.0: as --set, each in turn. May be
    /// repeated: each combination is run.
    #[arg(long, value_name = "PATH=VALUE,..", value_parser = axis)]
    vary: Vec<Axis>,
    /// Number of points that are spread over --between.
    #[arg(long, value_name = "POINTS", requires = "between", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    sample: Option<u64>,
    /// Bounds of a path of the scene, as agents.rover.controller.speed_m_s=0.5..1.5. May be repeated.
    #[arg(long, value_name = "PATH=A..B", requires = "sample", value_parser = span)]
    between: Vec<Span>,
    /// How the points of --sample are spread: by a Sobol sequence, which begins with the lower bounds, or a Latin hypercube.
    #[arg(long, value_enum, default_value_t = DesignArg::Sobol, requires = "sample")]
    design: DesignArg,
    /// Robot (.urdf) or vehicle (.yaml, .ron) description that replaces every model of the scenes.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Simulated time of a run, as 30s or 2m [default: the scene's, else until all goals are reached or given up].
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    meshes: ModelArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
    /// Runs at a time, each on a thread [default: the number of processors].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Do a share of the chunks alone: I of N, from 1 on. All shards have the same OUT, on a file system that they share.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Where the runs are done: threads of this machine, or a cluster of Ray, by Python.
    #[arg(long, value_enum, default_value_t = On::Threads, conflicts_with = "shard")]
    on: On,
    /// Address of the cluster [default: one on this machine].
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Record each run into this folder: run-000123.mcap.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Runs of a chunk [default: those of about 20 s, by the time of the first runs].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    chunk_runs: Option<u64>,
    /// Print neither progress nor the table at the end.
    #[arg(long)]
    quiet: bool,
    /// Do a chunk of this plan, or list its chunks, with no other argument.
    #[arg(long, hide = true, value_name = "FILE", conflicts_with_all = ["scenes", "out"])]
    plan: Option<PathBuf>,
    /// The chunk.
    #[arg(long, hide = true, value_name = "CHUNK", requires_all = ["plan", "to"])]
    part: Option<u64>,
    /// File of its rows; `-`: standard output.
    #[arg(long, hide = true, value_name = "FILE", requires = "part")]
    to: Option<PathBuf>,
    /// List the number of chunks and those without a part, as JSON.
    #[arg(long, hide = true, requires = "plan", conflicts_with = "part")]
    list: bool,
}

impl Sweep {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let cancel = CancelToken::default();
        Interrupt::install()?.cancels(&cancel);
        self.on.check(self.address.as_deref())?;
        match (&self.plan, &self.out) {
            (Some(plan), _) => self.of_plan(plan, plugins, &cancel),
            (None, Some(out)) => self.whole(out, plugins, &cancel),
            (None, None) => Err(Failure::BadInput("expected --out".to_owned())),
        }
    }

    /// What was asked for.
    fn request(&self) -> Result<Request, Failure> {
        let scenes = self.scenes.iter().map(|what| planned(what));
        let scenes = scenes.collect::<Result<Vec<_>, Failure>>()?;
        let design = match self.design {
            DesignArg::Sobol => Design::Sobol,
            DesignArg::Lhs => Design::Lhs,
        };
        if let (Design::Sobol, Some(points)) = (design, self.sample)
            && !points.is_power_of_two()
        {
            print_err!(
                "warning: --sample {points}: a Sobol sequence is even for a power of 2 of points, as {}",
                points.next_power_of_two()
            );
        }
        let sample = self.sample.map(|points| Sample {
            design,
            points,
            between: self.between.clone(),
        });
        Ok(Request {
            scenes,
            seeds: self.seeds.clone(),
            values: Values {
                grid: self.vary.clone(),
                sample,
            },
            duration: self.duration,
            profiles: self.overlays.profile.clone(),
            configs: self.overlays.config.clone(),
            sets: self.overlays.set.clone(),
            model: self.model.clone(),
            allow_missing: self.meshes.allow_missing(),
            record: self.record.clone(),
        })
    }

    /// A sweep, or a shard of it.
    fn whole(&self, out: &Path, plugins: &Plugins, cancel: &CancelToken) -> Result<Exit, Failure> {
        let ray = match self.on {
            On::Ray => Some(RayPython::find()?),
            On::Threads => None,
        };
        let parts = Parts::of(out);
        let wanted = Plan::new(self.request()?, plugins)?;
        check_output(out, &parts, &wanted)?;
        // The warnings of the scenes were logged; a thousand runs would repeat them.
        log::set_max_level(log::LevelFilter::Error);
        let threads = self.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            usize::from,
        );
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        let mut known = Vec::new();
        let plan = match parts.read()? {
            Some(there) => there,
            None => {
                let runs = match self.chunk_runs {
                    Some(runs) => runs,
                    None => {
                        let runner = Runner::new(&wanted, plugins)?;
                        if !self.quiet && std::io::stderr().is_terminal() {
                            terminal::overwrite_line("first runs, for the size of the chunks");
                        }
                        let first =
                            chunks::first_runs(&runner, &wanted, threads, shard.count, cancel);
                        known = first.0;
                        first.1
                    }
                };
                terminal::clear();
                if cancel.is_stopped() {
                    return Err(stopped(&parts, &wanted, wanted.runs));
                }
                parts.keep(&wanted.clone().chunked(runs))?
            }
        };
        self.check_same(&parts, &wanted, &plan)?;
        let missing = parts.missing(&plan);
        let mine: Vec<u64> = missing.into_iter().filter(|&k| shard.has(k)).collect();
        match ray {
            Some(_) if mine.is_empty() => {}
            Some(python) => {
                let address = self.address.as_deref();
                let ran = ray::run(&python, address, self.quiet, &parts, out, cancel);
                if !cancel.is_stopped() {
                    ran?;
                }
            }
            None => {
                let runner = Runner::new(&plan, plugins)?;
                let in_shard = (0..plan.chunks).filter(|&k| shard.has(k));
                let all = in_shard.map(|k| runs_in(&plan, k)).sum::<u64>();
                let missing: u64 = mine.iter().map(|&k| runs_in(&plan, k)).sum();
                let progress = Progress::new(!self.quiet, all - missing, all);
                chunks::run(
                    &runner, &plan, &parts, &mine, known, threads, cancel, progress,
                )?;
            }
        }
        if cancel.is_stopped() {
            return Err(stopped(&parts, &plan, left(&parts, &plan)));
        }
        self.end(out, &parts, &plan, shard, cancel)
    }

    /// Merges the parts, where all are there, and reports.
    fn end(
        &self,
        out: &Path,
        parts: &Parts,
        plan: &Plan,
        shard: Shard,
        cancel: &CancelToken,
    ) -> Result<Exit, Failure> {
        let missing = parts.missing(plan);
        if let (On::Ray, Some(chunk)) = (self.on, missing.first()) {
            let count = missing.len();
            return Err(Failure::Run(format!(
                "--on ray: found no {}, and {count} parts are missing in all; the same command does them",
                parts.part(*chunk).display()
            )));
        }
        let mut merge = match missing.is_empty() {
            true => Some(Merge::begin(out, plan)?),
            false => None,
        };
        let mut digest = Digest::new(plan);
        let is_read = |chunk: &u64| missing.is_empty() || shard.has(*chunk);
        for chunk in (0..plan.chunks).filter(is_read) {
            let file = parts.part(chunk);
            for batch in read_part(&file, plan, chunk)? {
                let batch = batch.map_err(|e| failed(&file, e))?;
                digest.add(&batch);
                if let Some(merge) = &mut merge {
                    merge.add(out, &batch)?;
                }
                if cancel.is_stopped() {
                    return Err(stopped(parts, plan, 0));
                }
            }
        }
        let is_merged = merge.is_some();
        if let Some(merge) = merge {
            merge.finish(out)?;
        }
        if !self.quiet {
            digest.print();
            match is_merged {
                true => print_out!("\nwritten to {}", out.display()),
                false => print_out!(
                    "\n{} of {} chunks are still missing: other shards do them, and the last of these writes {}",
                    missing.len(),
                    plan.chunks,
                    out.display()
                ),
            }
        }
        if digest.failed > 0 {
            print_err!(
                "error: failed runs: {}; see the column `error`",
                digest.failed
            );
        }
        Ok(Exit::from(u8::from(digest.failed > 0)))
    }

    /// Refuses to go on with another sweep.
    fn check_same(&self, parts: &Parts, wanted: &Plan, there: &Plan) -> Result<(), Failure> {
        let mut lines = wanted.differences(there);
        if let Some(runs) = self.chunk_runs
            && runs.min(wanted.runs) != there.chunk_runs
        {
            lines.push(format!(
                "--chunk-runs: found {}, not {runs}",
                there.chunk_runs
            ));
        }
        if lines.is_empty() {
            return Ok(());
        }
        Err(Failure::BadInput(format!(
            "{}: found another sweep:\n  {}\nexpected the same one, another --out, or this folder removed",
            parts.folder().display(),
            lines.join("\n  ")
        )))
    }

    /// A chunk of a plan, or the list of its chunks.
    fn of_plan(
        &self,
        file: &Path,
        plugins: &Plugins,
        cancel: &CancelToken,
    ) -> Result<Exit, Failure> {
        let plan = read_plan(file)?;
        let (Some(chunk), Some(to)) = (self.part, &self.to) else {
            if !self.list {
                return Err(Failure::BadInput(
                    "found --plan alone; expected --part CHUNK --to FILE, or --list".to_owned(),
                ));
            }
            let missing = Parts::beside(file).missing(&plan);
            let list = serde_json::json!({"chunks": plan.chunks, "missing": missing});
            print_out!("{list}");
            return Ok(Exit::SUCCESS);
        };
        if chunk >= plan.chunks {
            return Err(Failure::BadInput(format!(
                "--part {chunk}: found a plan of {0} chunks; expected a number below {0}",
                plan.chunks
            )));
        }
        log::set_max_level(log::LevelFilter::Error);
        let mut runner = Runner::new(&plan, plugins)?;
        let rows = chunks::rows_of(&mut runner, &plan, chunk, self.record.as_deref(), cancel);
        let rows = rows.ok_or_else(|| {
            Failure::Stopped(format!(
                "stopped: chunk {chunk} is not done, nothing written"
            ))
        })?;
        if to.as_os_str() == "-" {
            let bytes = write_rows(Vec::new(), &plan, &rows).map_err(|e| failed(to, e))?;
            let mut stdout = std::io::stdout().lock();
            let written = stdout.write_all(&bytes).and_then(|()| stdout.flush());
            written.map_err(|e| Failure::Run(format!("stdout: {e}")))?;
        } else {
            write_part(to, &plan, &rows)?;
        }
        Ok(Exit::SUCCESS)
    }
}

/// Refuses an output that is a file of the scenes, that cannot be written, or that another sweep wrote.
fn check_output(out: &Path, parts: &Parts, plan: &Plan) -> Result<(), Failure> {
    let bad = |text: String| Failure::BadInput(format!("--out {}: {text}", out.display()));
    let real = out.canonicalize().unwrap_or_else(|_| out.to_owned());
    if plan.files.is_file(&real) {
        return Err(bad(
            "found a file of the scenes; expected one of its own".to_owned()
        ));
    }
    Replacement::check(out).map_err(|e| bad(e.to_string()))?;
    if out.exists() && !parts.plan().is_file() {
        return Err(bad(format!(
            "found a file, and no {} to go on with; expected another name, or this file removed",
            parts.plan().display()
        )));
    }
    Ok(())
}

fn runs_in(plan: &Plan, chunk: u64) -> u64 {
    let runs = plan.runs_of(chunk);
    runs.end - runs.start
}

/// Runs without a part.
fn left(parts: &Parts, plan: &Plan) -> u64 {
    let missing = parts.missing(plan);
    missing.iter().map(|&k| runs_in(plan, k)).sum()
}

fn stopped(parts: &Parts, plan: &Plan, left: u64) -> Failure {
    Failure::Stopped(format!(
        "stopped: {} of {} runs are in {}; to go on, type:\n    {}",
        plan.runs - left,
        plan.runs,
        parts.folder().display(),
        command_line()
    ))
}

/// The command line of this process, to be pasted into a shell.
fn command_line() -> String {
    let quoted = std::env::args_os().map(|argument| {
        let text = argument.to_string_lossy();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
        match !text.is_empty() && text.chars().all(is_plain) {
            true => text.into_owned(),
            false => format!("'{}'", text.replace('\'', "'\\''")),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
