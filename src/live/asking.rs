//! Questions that may take long: asked on a thread of their own, so that events are taken in meanwhile and Ctrl-C is seen.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::system::System;

/// An answer that may be on its way. Dropped, the question is left to itself.
#[derive(Debug)]
pub struct Answer<T> {
    receiver: Receiver<T>,
}

/// Asks the system. What takes for ever leaves one thread behind.
pub fn ask<T: Send + 'static>(
    system: &Arc<dyn System>,
    question: impl FnOnce(&dyn System) -> T + Send + 'static,
) -> Answer<T> {
    let (sender, receiver) = channel();
    let system = Arc::clone(system);
    std::thread::spawn(move || {
        let _ = sender.send(question(system.as_ref()));
    });
    Answer { receiver }
}

impl<T> Answer<T> {
    /// The answer, if it comes within `time`.
    pub fn within(&self, time: Duration) -> Option<T> {
        self.receiver.recv_timeout(time).ok()
    }
}
