//! What the page's JavaScript provides.

use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};

use outofports::Progress;

mod page {
    #[link(wasm_import_module = "page")]
    unsafe extern "C" {
        /// Fills memory with random bytes.
        pub(super) fn random(to: *mut u8, bytes: usize);
        /// Takes what is known of a panic, after which the instance is of no use: what the code says, and where it stands.
        pub(super) fn panicked(message: *const u8, message_bytes: usize, place: *const u8, place_bytes: usize);
        /// Takes how many bytes were read, and how many there are to read.
        pub(super) fn progress(read: f64, expected: f64);
        /// Takes a part of a long answer.
        pub(super) fn part(from: *const u8, bytes: usize);
    }
}

/// Has panics told before they end the instance. Only what the code itself says: a message with values in it may hold data of
/// the case, and people send it.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // SAFETY: both texts live until the call returns, and JavaScript copies them.
        unsafe { page::panicked(message.as_ptr(), message.len(), place.as_ptr(), place.len()) };
    }));
}

/// Tells the page how far a job has come.
#[derive(Debug, Default)]
pub(crate) struct Told {
    read: AtomicU64,
    expected: AtomicU64,
}

impl Told {
    fn tell(&self) {
        let of = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed) as f64;
        // SAFETY: takes numbers.
        unsafe { page::progress(of(&self.read), of(&self.expected)) };
    }
}

impl Progress for Told {
    fn expect(&self, bytes: u64) {
        self.expected.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    fn advance(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }
}

/// Hands what is written to the page, part by part: an answer may be larger than what memory is left.
#[derive(Debug, Default)]
pub(crate) struct Parts;

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the bytes live until the call returns, and JavaScript copies them.
        unsafe { page::part(bytes.as_ptr(), bytes.len()) };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The source of random bytes of getrandom 0.3, which seeds the hash maps of evtx.
///
/// # Safety
///
/// `to` is the start of so many bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(to: *mut u8, bytes: usize) -> Result<(), getrandom::Error> {
    // SAFETY: as the caller promises.
    unsafe { page::random(to, bytes) };
    Ok(())
}
