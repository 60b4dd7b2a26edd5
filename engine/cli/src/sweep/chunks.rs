//! Chunks of a sweep on threads of this process: a part is written once all its runs are done.

use super::parts::Parts;
use super::progress::Progress;
use super::recordings::Recordings;
use super::table::write_part;
use crate::failure::Failure;
use becomingone::sweep::{Plan, PlanError, Row, Runner, run_on_threads};
use becomingone::trials::CancelToken;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time of a chunk's runs, one after the other.
const CHUNK: Duration = Duration::from_secs(20);

/// Most runs of a chunk.
const MOST_RUNS: u64 = 10_000;

/// Fewest chunks of each shard: the last one to end is waited for.
const SHARD_CHUNKS: u64 = 4;

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Engine(error) => error.into(),
            other => Self::BadInput(other.to_string()),
        }
    }
}

/// The first runs, each on a thread, and the number of runs of a chunk by their time. Runs that are to be recorded are not
/// returned.
pub(super) fn first_runs(
    runner: &Runner<'_>,
    plan: &Plan,
    threads: usize,
    shards: u64,
    cancel: &CancelToken,
) -> (Vec<Row>, u64) {
    let begun = Instant::now();
    let rows = Mutex::new(Vec::new());
    let runs = 0..plan.runs.min(threads as u64);
    // Without recordings: these runs may be those of other shards.
    run_on_threads(runner, runs, threads, cancel, &(), |row| {
        let took = begun.elapsed();
        let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.push((row, took));
    });
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A run that fails at once has the time of no other.
    let took = rows.iter().filter(|(row, _)| row.error.is_none());
    let slowest = took.map(|(_, took)| *took).max();
    let runs = slowest.map_or(100, |one| (CHUNK.as_nanos() / one.as_nanos().max(1)) as u64);
    let runs = runs.clamp(1, MOST_RUNS);
    let runs = match shards {
        1 => runs,
        _ => runs.min(plan.runs.div_ceil(shards.saturating_mul(SHARD_CHUNKS))),
    };
    let rows = rows.into_iter().map(|(row, _)| row);
    let rows = rows.filter(|_| plan.request.record.is_none());
    (rows.collect(), runs.max(1))
}

/// Runs these chunks; `known` are rows that are there already. Stops at the first part that cannot be written.
pub(super) fn run(
    runner: &Runner<'_>,
    plan: &Plan,
    parts: &Parts,
    chunks: &[u64],
    known: Vec<Row>,
    threads: usize,
    cancel: &CancelToken,
    progress: Progress,
) -> Result<(), Failure> {
    let open = Mutex::new(BTreeMap::<u64, Vec<Row>>::new());
    let failure = Mutex::new(None);
    let progress = Mutex::new(progress);
    let done = |row: Row| {
        let chunk = row.run / plan.chunk_runs;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = open.entry(chunk).or_default();
        rows.push(row);
        let runs = plan.runs_of(chunk);
        let whole = match (rows.len() as u64) < runs.end - runs.start {
            true => None,
            false => open.remove(&chunk),
        };
        drop(open);
        if let Some(mut rows) = whole {
            rows.sort_by_key(|row| row.run);
            if let Err(error) = write_part(&parts.part(chunk), plan, &rows) {
                cancel.stop();
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
        }
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.add(1);
    };
    let mine: HashSet<u64> = chunks.iter().copied().collect();
    let known = known.into_iter();
    let known: Vec<Row> = known
        .filter(|row| mine.contains(&(row.run / plan.chunk_runs)))
        .collect();
    let ready: HashSet<u64> = known.iter().map(|row| row.run).collect();
    known.into_iter().for_each(done);
    let runs = chunks.iter().flat_map(|&chunk| plan.runs_of(chunk));
    let runs = runs.filter(|run| !ready.contains(run));
    let recordings = Recordings::of(plan, None);
    run_on_threads(runner, runs, threads, cancel, &recordings, done);
    let progress = progress
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    progress.end();
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// Rows of one chunk, on this thread alone; `None` where it was cancelled. `record` is a folder for recordings in place of
/// that of the plan.
pub(super) fn rows_of(
    runner: &mut Runner<'_>,
    plan: &Plan,
    chunk: u64,
    record: Option<&Path>,
    cancel: &CancelToken,
) -> Option<Vec<Row>> {
    let recordings = Recordings::of(plan, record);
    let runs = plan.runs_of(chunk);
    runs.map(|run| runner.run(run, cancel, &recordings))
        .collect()
}
