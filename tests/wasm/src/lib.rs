//! The library for WebAssembly: JavaScript hands over the files of a case as bytes, and takes the report as JSON.
//!
//! One instance analyzes one case: [`room`], fill it, [`add`], for each file; then [`analyze`], [`output`], [`output_bytes`].
//! Without wasm-bindgen: what crosses the border are numbers and bytes.

use std::cell::RefCell;

use outofports::{Case, Format, NoProgress, Options};

#[derive(Default)]
struct State {
    /// A file's name, then its bytes, as JavaScript writes them.
    room: Vec<u8>,
    case: Case,
    output: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// What the page's JavaScript provides.
mod page {
    #[link(wasm_import_module = "page")]
    unsafe extern "C" {
        /// Fills memory with random bytes.
        pub(super) fn random(to: *mut u8, bytes: usize);
        /// Takes the message of a panic, after which the instance is of no use.
        pub(super) fn panicked(message: *const u8, bytes: usize);
    }
}

/// Makes room for the name of a file and its bytes, and says where.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.room = vec![0; bytes];
        state.room.as_mut_ptr()
    })
}

/// Adds what was written into the room: `name_bytes` of it are the file's name, the rest is the file.
#[unsafe(no_mangle)]
pub extern "C" fn add(name_bytes: usize) {
    STATE.with_borrow_mut(|state| {
        let mut name = std::mem::take(&mut state.room);
        let bytes = name.split_off(name_bytes.min(name.len()));
        let name = String::from_utf8_lossy(&name).into_owned();
        state.case = std::mem::take(&mut state.case).with_bytes(name, bytes);
    });
}

/// Analyzes the case. As the program's exit code: 0 for a report of everything, 1 where some input could not be used,
/// 2 where there is no report; the output is then the reason.
#[unsafe(no_mangle)]
pub extern "C" fn analyze() -> u32 {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string();
        // SAFETY: the string lives until the call returns, and JavaScript copies it.
        unsafe { page::panicked(message.as_ptr(), message.len()) };
    }));
    STATE.with_borrow_mut(|state| {
        state.output.clear();
        match outofports::analyze(&state.case, &Options::default(), &NoProgress) {
            Ok(analyzed) => match analyzed.report.write(Format::Json, &mut state.output) {
                Ok(()) => u32::from(!analyzed.is_complete),
                Err(error) => {
                    state.output = error.to_string().into_bytes();
                    2
                }
            },
            Err(error) => {
                state.output = error.to_string().into_bytes();
                2
            }
        }
    })
}

/// Where the report is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    STATE.with_borrow(|state| state.output.as_ptr())
}

/// How long it is.
#[unsafe(no_mangle)]
pub extern "C" fn output_bytes() -> usize {
    STATE.with_borrow(|state| state.output.len())
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
