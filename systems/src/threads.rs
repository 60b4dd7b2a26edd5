//! Threads of a run: rapier's steps, and parallel work on agents.

use bevy_ecs::prelude::*;
use rapier3d::prelude::PhysicsWorld;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::OnceCell;
use std::sync::Arc;

thread_local! {
    /// A pool whose one worker is this thread: a step runs here, without a hop to another thread
    /// (which would cost as much as the physics of one robot). A thread can be in one such pool only.
    static HERE: OnceCell<Arc<ThreadPool>> = const { OnceCell::new() };
}

/// The thread pool could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} threads: {cause}")]
pub struct ThreadsError {
    threads: usize,
    cause: rayon::ThreadPoolBuildError,
}

/// Threads that a run may use; its results are the same with any number.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(pub usize);

/// Fewer agents than this are processed by one thread: an agent costs a system some 100 ns, waking another thread
/// costs tens of microseconds.
const FEW: usize = 64;
/// Agents per chunk, where there are more.
const CHUNK: usize = 256;

/// Thread pool for work on many agents; only the caller where a run has one thread.
#[derive(Resource, Clone, Debug, Default)]
pub struct Workers(Option<Arc<ThreadPool>>);

impl Workers {
    /// Works on each item, in no order. All data that an item's work reads and writes must be its own.
    pub fn each<T: Send>(&self, items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
        self.for_each_prefetched(items, |_| {}, work);
    }

    /// The same, and [prefetches](prefetch) one item ahead where there are many.
    pub fn for_each_prefetched<T: Send>(
        &self,
        mut items: impl Iterator<Item = T>,
        ask: impl Fn(&T) + Sync,
        work: impl Fn(T) + Sync,
    ) {
        if items.size_hint().1.is_some_and(|most| most <= FEW) {
            items.for_each(work);
            return;
        }
        let (ask, work) = (&ask, &work);
        let Some(pool) = &self.0 else {
            let mut next = items.next();
            while let Some(item) = next {
                next = items.next();
                next.iter().for_each(ask);
                work(item);
            }
            return;
        };
        pool.in_place_scope(|scope| {
            loop {
                let mut piece = Vec::with_capacity(CHUNK);
                piece.extend(items.by_ref().take(CHUNK));
                if piece.is_empty() {
                    break;
                }
                scope.spawn(move |_| {
                    let mut piece = piece.into_iter();
                    while let Some(item) = piece.next() {
                        piece.as_slice().first().into_iter().for_each(ask);
                        work(item);
                    }
                });
            }
        });
    }

    /// Works on chunks of agents; `agents` is the number of all.
    pub fn pieces<T: Send>(
        &self,
        agents: usize,
        items: impl Iterator<Item = T>,
        work: impl Fn(T) + Sync,
    ) {
        let Some(pool) = self.0.as_ref().filter(|_| agents > 16 * FEW) else {
            items.for_each(work);
            return;
        };
        let work = &work;
        pool.in_place_scope(|scope| {
            for item in items {
                scope.spawn(move |_| work(item));
            }
        });
    }
}

/// Prefetches values into the cache: for states that exceed all caches, as those of thousands of agents. A hint
/// without effect on results; does nothing on machines other than x86-64.
#[inline]
pub fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        /// Size of a cache line (bytes).
        const LINE: usize = 64;
        let from: *const i8 = values.as_ptr().cast();
        for at in (0..size_of_val(values)).step_by(LINE) {
            // SAFETY: a prefetch is a hint. It reads nothing that is visible to the program, and accepts any address.
            #[expect(unsafe_code, reason = "std has no safe prefetch")]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at));
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Runs rapier on this many threads, and returns those for work on agents.
///
/// # Errors
///
/// The operating system may refuse the threads.
pub fn use_threads(rapier: &mut PhysicsWorld, threads: usize) -> Result<Workers, ThreadsError> {
    let fail = |cause| ThreadsError { threads, cause };
    // A thread of another pool cannot be ours as well.
    let taken = HERE.with(|pool| pool.get().is_none()) && rayon::current_thread_index().is_some();
    if threads > 1 || taken {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = Arc::new(pool.map_err(fail)?);
        rapier.set_thread_pool(Some(pool.clone()));
        return Ok(Workers((threads > 1).then_some(pool)));
    }
    let here = HERE.with(|pool| match pool.get() {
        Some(pool) => Ok(pool.clone()),
        None => {
            let new = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
            let new = Arc::new(new.build()?);
            Ok(pool.get_or_init(|| new).clone())
        }
    });
    rapier.set_thread_pool(Some(here.map_err(fail)?));
    Ok(Workers::default())
}
