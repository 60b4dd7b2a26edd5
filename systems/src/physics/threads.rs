//! The thread pools that rapier runs in.

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
#[error("cannot start {threads} physics threads: {cause}")]
pub struct ThreadsError {
    threads: usize,
    cause: rayon::ThreadPoolBuildError,
}

/// Runs rapier on this many threads.
///
/// # Errors
///
/// The operating system may refuse the threads.
pub fn use_threads(rapier: &mut PhysicsWorld, threads: usize) -> Result<(), ThreadsError> {
    let fail = |cause| ThreadsError { threads, cause };
    // A thread of somebody else's pool cannot be ours as well.
    let taken = HERE.with(|pool| pool.get().is_none()) && rayon::current_thread_index().is_some();
    if threads > 1 || taken {
        return rapier.configure_thread_pool(threads).map_err(fail);
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
    Ok(())
}
