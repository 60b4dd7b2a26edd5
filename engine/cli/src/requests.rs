//! What was acknowledged to clients of a run, beside what its recording has.

use crate::failure::Failure;
use becomingone::record::journal;
use becomingone_components::link::Payload;
use becomingone_components::request::Request;
use serde::Serialize;
use std::path::Path;

/// Requests of clients of `--serve`.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Requests {
    /// Number of requests that were acknowledged, or were about to be when the process ended.
    acknowledged: usize,
    /// Those that the run refused.
    refused: usize,
    /// Those that the recording has: a replay applies them.
    applied: usize,
    /// The others: the recording ends before the tick that was to apply them, they expired in a pause, or a reset
    /// came first.
    not_applied: Vec<NotApplied>,
}

/// A request that the recording does not have.
#[derive(Debug, PartialEq, Serialize)]
struct NotApplied {
    /// Number of the request.
    request: u64,
    /// Its idempotency key.
    key: Option<String>,
    agent: String,
    what: String,
    /// The tick that was to apply it, where it is known.
    tick: Option<u64>,
}

/// The requests that entered with a tick, and its number.
pub(crate) fn of(tick: &journal::RecordedTick) -> impl Iterator<Item = (u64, Request)> + '_ {
    let requests = tick.frames.iter().filter_map(|frame| match &frame.payload {
        Payload::Request(request) => Some(request.clone()),
        _ => None,
    });
    requests.map(|request| (tick.tick, request))
}

/// Compares them with what was acknowledged; none where there is no file of that.
#[cfg(feature = "api")]
pub(crate) fn compare(
    recording: &Path,
    mut entered: Vec<(u64, Request)>,
) -> Result<Option<Requests>, Failure> {
    let all = becomingone_api::acknowledged(recording).map_err(Failure::BadInput)?;
    if all.is_empty() {
        return Ok(None);
    }
    let mut found = Requests {
        acknowledged: all.len(),
        ..Requests::default()
    };
    let (refused, mut left): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|entry| entry.refused.is_some());
    found.refused = refused.len();
    // Those whose tick is known first: any later one may have the others, whose process ended before.
    for is_known in [true, false] {
        left.retain(|entry| {
            let is_it = |(tick, request): &(u64, Request)| {
                entry.tick.is_none_or(|wanted| wanted == *tick)
                    && request.agent == entry.agent
                    && request.what == entry.what
            };
            if entry.tick.is_some() != is_known {
                return true;
            }
            let found_at = entered.iter().position(is_it);
            if let Some(index) = found_at {
                entered.remove(index);
                found.applied += 1;
            }
            found_at.is_none()
        });
    }
    let not_applied = left.into_iter().map(|entry| NotApplied {
        request: entry.request,
        key: entry.key,
        agent: entry.agent,
        what: entry.what.to_string(),
        tick: entry.tick,
    });
    found.not_applied.extend(not_applied);
    Ok(Some(found))
}

#[cfg(not(feature = "api"))]
pub(crate) fn compare(_: &Path, _: Vec<(u64, Request)>) -> Result<Option<Requests>, Failure> {
    Ok(None)
}

impl std::fmt::Display for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "requests: {} acknowledged, {} refused, {} applied",
            self.acknowledged, self.refused, self.applied
        )?;
        for request in &self.not_applied {
            write!(
                f,
                "\nrequest {} not applied: {}: {}",
                request.request, request.agent, request.what
            )?;
        }
        Ok(())
    }
}
