//! The library for a browser: JavaScript hands over the files of a case as bytes, and asks for reports, events and explanations.
//!
//! One instance holds one case: for each file [`room`] for its name and [`file_room`] for its bytes, both filled, then [`add`].
//! Then [`ask`] answers requests, which are JSON ([`asked::Request`]); the answer is at [`output`]. Without wasm-bindgen: what
//! crosses the border are numbers and bytes.

mod asked;
mod held;
mod import;

use std::cell::RefCell;

use outofports::Case;

use self::asked::Request;
use self::held::Held;

#[derive(Default)]
struct State {
    /// A file's name, or a request, as JavaScript writes it.
    room: Vec<u8>,
    /// The bytes of a file.
    file: Vec<u8>,
    case: Case,
    held: Held,
    output: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// So many zeros; none where there is not memory enough.
fn zeros(bytes: usize) -> Vec<u8> {
    let mut room = Vec::new();
    if room.try_reserve_exact(bytes).is_ok() {
        room.resize(bytes, 0);
    }
    room
}

/// Makes room for a file's name or a request, and says where; 0 where there is not memory enough.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.room = zeros(bytes);
        if state.room.len() == bytes { state.room.as_mut_ptr() } else { std::ptr::null_mut() }
    })
}

/// As [`room`], for the bytes of a file.
#[unsafe(no_mangle)]
pub extern "C" fn file_room(bytes: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.file = zeros(bytes);
        if state.file.len() == bytes { state.file.as_mut_ptr() } else { std::ptr::null_mut() }
    })
}

/// Whether a file is to be read whole: the room holds its name, the room for files its first mebibyte.
#[unsafe(no_mangle)]
pub extern "C" fn is_worth_reading() -> u32 {
    STATE.with_borrow(|state| {
        let name = String::from_utf8_lossy(&state.room);
        u32::from(outofports::case::is_worth_reading(&name, &state.file))
    })
}

/// Adds the file whose name is in the room, and whose bytes are in the room for files. `is_in_folder`: the name begins with that
/// of a folder that was given whole.
#[unsafe(no_mangle)]
pub extern "C" fn add(is_in_folder: u32) {
    STATE.with_borrow_mut(|state| {
        let name = String::from_utf8_lossy(&state.room).into_owned();
        let bytes = std::mem::take(&mut state.file);
        let case = std::mem::take(&mut state.case);
        state.case = match name.split_once('/') {
            Some((folder, path)) if is_in_folder != 0 => case.with_folder_bytes(folder, path, bytes),
            _ => case.with_bytes(name, bytes),
        };
    });
}

/// Answers the request in the room. As the program's exit code: 0 where everything could be used, 1 where some input could not,
/// 2 where there is no answer; the output is then the reason.
#[unsafe(no_mangle)]
pub extern "C" fn ask() -> u32 {
    import::report_panics();
    STATE.with_borrow_mut(|state| {
        state.output.clear();
        let answer = match serde_json::from_slice::<Request>(&state.room) {
            Ok(request) => state.held.answer(&state.case, request, &mut state.output),
            Err(error) => Err(error.to_string()),
        };
        answer.map_or_else(
            |message| {
                state.output = message.into_bytes();
                2
            },
            |is_complete| u32::from(!is_complete),
        )
    })
}

/// Where the answer is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    STATE.with_borrow(|state| state.output.as_ptr())
}

/// How long it is.
#[unsafe(no_mangle)]
pub extern "C" fn output_bytes() -> usize {
    STATE.with_borrow(|state| state.output.len())
}
