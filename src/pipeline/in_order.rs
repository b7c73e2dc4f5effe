//! Work on all threads whose results are taken in order, one at a time, with a bound for how far ahead it goes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

/// Results that each thread may be ahead of what has been taken: one in work, and one that waits.
const AHEAD_PER_THREAD: usize = 2;

/// Results more, for all threads together, so that few threads need not wait for each other.
const AHEAD: usize = 2;

/// Does `work` for each number below `count`, on all threads of the current rayon pool, and hands the results to `take`
/// in the order of their numbers.
///
/// No thread is set aside for taking: whichever has just finished something takes what is due, unless another one is
/// about it.
pub(super) fn in_order<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync, mut take: impl FnMut(usize, T) + Send) {
    if rayon::current_num_threads() == 1 {
        (0..count).for_each(|number| take(number, work(number)));
        return;
    }
    let ahead = AHEAD_PER_THREAD * rayon::current_num_threads() + AHEAD;
    let line =
        Line { shelf: Mutex::default(), came: Condvar::new(), next: AtomicUsize::new(0), take: Mutex::new(take) };
    rayon::broadcast(|_| {
        let _guard = Guard(&line.shelf, &line.came);
        loop {
            let number = line.next.fetch_add(1, Ordering::Relaxed);
            if number >= count || !line.wait_for_turn(number, ahead) {
                break;
            }
            line.put(number, work(number));
            line.take_if_free();
        }
    });
    line.take_all();
}

struct Line<T, F> {
    shelf: Mutex<Shelf<T>>,
    /// A result came, or the end.
    came: Condvar,
    next: AtomicUsize,
    take: Mutex<F>,
}

/// Results that wait for their turn.
struct Shelf<T> {
    /// From number `taken` on.
    results: VecDeque<Option<T>>,
    taken: usize,
    /// A thread has panicked: what it was about will not come.
    is_over: bool,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { results: VecDeque::new(), taken: 0, is_over: false }
    }
}

impl<T> Shelf<T> {
    fn pop(&mut self) -> Option<(usize, T)> {
        let result = self.results.front_mut()?.take()?;
        self.results.pop_front();
        self.taken += 1;
        Some((self.taken - 1, result))
    }
}

/// A panic elsewhere ends everything soon, and is no reason for a second one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T, F: FnMut(usize, T)> Line<T, F> {
    /// Waits until `number` is less than `ahead` away from what was taken, and takes what is due meanwhile; `false` if that
    /// will never be.
    fn wait_for_turn(&self, number: usize, ahead: usize) -> bool {
        loop {
            {
                let mut shelf = lock(&self.shelf);
                while !shelf.is_over && number >= shelf.taken + ahead && !matches!(shelf.results.front(), Some(Some(_)))
                {
                    shelf = self.came.wait(shelf).unwrap_or_else(PoisonError::into_inner);
                }
                if shelf.is_over {
                    return false;
                }
                if number < shelf.taken + ahead {
                    return true;
                }
            }
            self.take_all();
        }
    }

    fn put(&self, number: usize, result: T) {
        let mut shelf = lock(&self.shelf);
        let at = number.saturating_sub(shelf.taken);
        if shelf.results.len() <= at {
            shelf.results.resize_with(at + 1, || None);
        }
        if let Some(place) = shelf.results.get_mut(at) {
            *place = Some(result);
        }
        self.came.notify_all();
    }

    /// Takes what is due, unless another thread is about it.
    fn take_if_free(&self) {
        match self.take.try_lock() {
            Ok(mut take) => self.take_with(&mut *take),
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => {}
        }
    }

    /// Takes what is due.
    fn take_all(&self) {
        // After a panic nothing more is taken.
        if let Ok(mut take) = self.take.lock() {
            self.take_with(&mut *take);
        }
    }

    fn take_with(&self, take: &mut F) {
        while let Some((number, result)) = { lock(&self.shelf).pop() } {
            take(number, result);
            self.came.notify_all();
        }
    }
}

/// Tells the other threads when one panics.
struct Guard<'a, T>(&'a Mutex<Shelf<T>>, &'a Condvar);

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.0).is_over = true;
            self.1.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(threads: usize, run: impl FnOnce() + Send) {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run);
    }

    /// Work of very different length.
    fn busy(number: usize) -> usize {
        (0..(number * 7919) % 3000).fold(number, |sum, step| std::hint::black_box(sum ^ step ^ step))
    }

    #[test]
    fn results_come_in_order_and_all_of_them() {
        for threads in [1, 2, 7] {
            on(threads, || {
                let mut taken = Vec::new();
                in_order(500, busy, |number, result| {
                    assert_eq!(number, result);
                    taken.push(number);
                });
                assert!(taken.iter().copied().eq(0..500), "{threads} threads");
                in_order(0, busy, |_, _| panic!("there is nothing"));
            });
        }
    }

    #[test]
    fn no_thread_runs_far_ahead_of_what_is_taken() {
        on(3, || {
            let taken = AtomicUsize::new(0);
            let work = |number: usize| {
                // One that is being taken is not counted yet.
                assert!(number <= taken.load(Ordering::SeqCst) + 3 * AHEAD_PER_THREAD + AHEAD);
                number
            };
            in_order(300, work, |number, _| {
                std::thread::yield_now();
                taken.store(number + 1, Ordering::SeqCst);
            });
            assert_eq!(taken.into_inner(), 300);
        });
    }

    #[test]
    fn a_panic_ends_everything_and_is_passed_on() {
        for (bad_work, bad_take) in [(40, usize::MAX), (usize::MAX, 40)] {
            let run = || {
                on(2, || {
                    in_order(
                        200,
                        |number| assert_ne!(number, bad_work, "work"),
                        |number, ()| assert_ne!(number, bad_take, "take"),
                    );
                });
            };
            assert!(std::panic::catch_unwind(run).is_err());
        }
    }
}
