//! The threads of one job.

use std::fmt;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The system gives no threads; what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoThreads(String);

impl fmt::Display for NoThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "threads cannot be started: {}", self.0)
    }
}

impl std::error::Error for NoThreads {}

/// The threads of one job: its own, so that jobs beside each other do not wait for one another. Where a system has no threads,
/// the job runs on its caller.
#[derive(Debug)]
pub struct Threads {
    pool: Option<ThreadPool>,
}

impl Threads {
    /// Starts so many threads; 0 for one on each processor.
    ///
    /// # Errors
    ///
    /// [`NoThreads`] where the system gives none.
    pub fn start(count: usize) -> Result<Self, NoThreads> {
        if cfg!(target_family = "wasm") {
            return Ok(Self { pool: None });
        }
        let pool = ThreadPoolBuilder::new().num_threads(count).build();
        Ok(Self { pool: Some(pool.map_err(|error| NoThreads(error.to_string()))?) })
    }

    /// Runs `work` on them. A caller that is one of other threads waits, and takes up no further job of theirs meanwhile: that
    /// could be another such call, and so on, deeper than its stack.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let Some(pool) = &self.pool else { return work() };
        if rayon::current_thread_index().is_none() {
            return pool.install(work);
        }
        let result = std::thread::scope(|scope| scope.spawn(|| pool.install(work)).join());
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `work` on them, and `here` on the caller meanwhile.
    pub fn beside<T: Send, U>(&self, work: impl FnOnce() -> T + Send, here: impl FnOnce() -> U) -> (T, U) {
        let Some(pool) = &self.pool else { return (work(), here()) };
        let mut result = None;
        let done = pool.in_place_scope(|scope| {
            scope.spawn(|_| result = Some(work()));
            here()
        });
        (result.expect("the scope has ended, and passes panics on"), done)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, ThreadPool::current_num_threads)
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn a_job_within_a_job_of_other_threads_takes_up_no_third() {
        let (outer, inner) = (Threads::start(2).unwrap(), Threads::start(1).unwrap());
        let deepest = outer.run(|| {
            (0..200)
                .into_par_iter()
                .map(|_| {
                    thread_local!(static DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
                    DEPTH.set(DEPTH.get() + 1);
                    inner.run(|| std::thread::sleep(std::time::Duration::from_micros(100)));
                    let depth = DEPTH.get();
                    DEPTH.set(depth - 1);
                    depth
                })
                .max()
        });
        assert_eq!(deepest, Some(1));
    }
}
