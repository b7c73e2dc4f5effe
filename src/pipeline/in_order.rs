//! Work on all threads whose results are passed on in order, one at a time, with a bound for how far ahead it goes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Results that each thread may be ahead of what has been taken: one in work, and one that waits.
const AHEAD_PER_THREAD: usize = 2;

/// Results more, for all threads together, so that few threads need not wait for each other.
const AHEAD: usize = 2;

/// Does `work` for each number below `count`, on all threads of the current rayon pool, hands the results to `pass` in the order
/// of their numbers, and what comes of that to `take` in the same order.
///
/// While one thread takes, another passes and the others work. No thread is set aside for either: whichever has just finished
/// something does what is due, unless another one is about it.
pub(super) fn in_order<T: Send, P: Send>(
    count: usize,
    work: impl Fn(usize) -> T + Sync,
    mut pass: impl FnMut(usize, T) -> P + Send,
    mut take: impl FnMut(P) + Send,
) {
    if rayon::current_num_threads() == 1 {
        (0..count).for_each(|number| take(pass(number, work(number))));
        return;
    }
    let ahead = AHEAD_PER_THREAD * rayon::current_num_threads() + AHEAD;
    let line = Line {
        shelf: Mutex::default(),
        came: Condvar::new(),
        next: AtomicUsize::new(0),
        pass: Mutex::new(pass),
        take: Mutex::new(take),
    };
    rayon::broadcast(|_| {
        let _guard = Guard(&line.shelf, &line.came);
        loop {
            let number = line.next.fetch_add(1, Ordering::Relaxed);
            if number >= count || !line.wait_for_turn(number, ahead) {
                break;
            }
            line.put(number, work(number));
            line.go_on();
        }
    });
    line.go_on();
}

struct Line<T, P, F, G> {
    shelf: Mutex<Shelf<T, P>>,
    /// Something came, or the end.
    came: Condvar,
    next: AtomicUsize,
    pass: Mutex<F>,
    take: Mutex<G>,
}

/// What waits for its turn.
struct Shelf<T, P> {
    /// Results from number `passed` on.
    results: VecDeque<Option<T>>,
    passed: usize,
    is_passing: bool,
    /// What was passed on, and comes after the first `taken`.
    behind: VecDeque<P>,
    taken: usize,
    is_taking: bool,
    /// A thread has panicked: what it was about will not come.
    is_over: bool,
}

impl<T, P> Default for Shelf<T, P> {
    fn default() -> Self {
        Self {
            results: VecDeque::new(),
            passed: 0,
            is_passing: false,
            behind: VecDeque::new(),
            taken: 0,
            is_taking: false,
            is_over: false,
        }
    }
}

impl<T, P> Shelf<T, P> {
    /// The next result, which its thread passes on now.
    fn next_to_pass(&mut self) -> Option<(usize, T)> {
        let result = self.results.front_mut().and_then(Option::take);
        self.is_passing = result.is_some();
        let result = result?;
        self.results.pop_front();
        self.passed += 1;
        Some((self.passed - 1, result))
    }

    /// The next of what was passed on, which its thread takes now.
    fn next_to_take(&mut self) -> Option<P> {
        let passed = self.behind.pop_front();
        self.is_taking = passed.is_some();
        passed
    }

    /// Something is due that no thread is about.
    fn has_work(&self) -> bool {
        !self.is_passing && matches!(self.results.front(), Some(Some(_))) || !self.is_taking && !self.behind.is_empty()
    }
}

/// A panic elsewhere ends everything soon, and is no reason for a second one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T, P, F: FnMut(usize, T) -> P, G: FnMut(P)> Line<T, P, F, G> {
    /// Waits until `number` is less than `ahead` away from what was taken, and does what is due meanwhile; `false` if that will
    /// never be.
    fn wait_for_turn(&self, number: usize, ahead: usize) -> bool {
        loop {
            {
                let mut shelf = lock(&self.shelf);
                while !shelf.is_over && number >= shelf.taken + ahead && !shelf.has_work() {
                    shelf = self.came.wait(shelf).unwrap_or_else(PoisonError::into_inner);
                }
                if shelf.is_over {
                    return false;
                }
                if number < shelf.taken + ahead {
                    return true;
                }
            }
            self.go_on();
        }
    }

    fn put(&self, number: usize, result: T) {
        let mut shelf = lock(&self.shelf);
        let at = number.saturating_sub(shelf.passed);
        if shelf.results.len() <= at {
            shelf.results.resize_with(at + 1, || None);
        }
        if let Some(place) = shelf.results.get_mut(at) {
            *place = Some(result);
        }
        self.came.notify_all();
    }

    /// Does what is due and no other thread is about.
    fn go_on(&self) {
        let mut shelf = lock(&self.shelf);
        if let Some((number, result)) = if shelf.is_passing { None } else { shelf.next_to_pass() } {
            drop(shelf);
            self.pass_from(number, result);
            shelf = lock(&self.shelf);
        }
        if let Some(passed) = if shelf.is_taking { None } else { shelf.next_to_take() } {
            drop(shelf);
            self.take_from(passed);
        }
    }

    fn pass_from(&self, number: usize, result: T) {
        let mut pass = lock(&self.pass);
        let mut next = Some((number, result));
        while let Some((number, result)) = next {
            let passed = pass(number, result);
            let mut shelf = lock(&self.shelf);
            shelf.behind.push_back(passed);
            next = shelf.next_to_pass();
            self.came.notify_all();
        }
    }

    fn take_from(&self, passed: P) {
        let mut take = lock(&self.take);
        let mut next = Some(passed);
        while let Some(passed) = next {
            take(passed);
            let mut shelf = lock(&self.shelf);
            shelf.taken += 1;
            next = shelf.next_to_take();
            self.came.notify_all();
        }
    }
}

/// Tells the other threads when one panics.
struct Guard<'a, T, P>(&'a Mutex<Shelf<T, P>>, &'a Condvar);

impl<T, P> Drop for Guard<'_, T, P> {
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
                let mut passed = 0..;
                let pass = |number, result| {
                    assert_eq!((Some(number), number), (passed.next(), result));
                    number
                };
                in_order(500, busy, pass, |number| taken.push(number));
                assert!(taken.iter().copied().eq(0..500), "{threads} threads");
                in_order(0, busy, |_, _| panic!("there is nothing"), |()| panic!("there is nothing"));
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
            let take = |number| {
                std::thread::yield_now();
                taken.store(number + 1, Ordering::SeqCst);
            };
            in_order(300, work, |number, _| number, take);
            assert_eq!(taken.into_inner(), 300);
        });
    }

    #[test]
    fn a_panic_ends_everything_and_is_passed_on() {
        let never = usize::MAX;
        for (bad_work, bad_pass, bad_take) in [(40, never, never), (never, 40, never), (never, never, 40)] {
            let run = || {
                on(2, || {
                    in_order(
                        200,
                        |number| assert_ne!(number, bad_work, "work"),
                        |number, ()| {
                            assert_ne!(number, bad_pass, "pass");
                            number
                        },
                        |number| assert_ne!(number, bad_take, "take"),
                    );
                });
            };
            assert!(std::panic::catch_unwind(run).is_err());
        }
    }
}
