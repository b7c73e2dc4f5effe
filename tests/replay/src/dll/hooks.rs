//! Functions of other libraries that the program must find changed: their places in its import table are set to functions here.
//! A library that is renamed would have to bring all of its functions.

use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{PAGE_READWRITE, VirtualProtect};

use super::session::{log, number};

/// `DLL_PROCESS_ATTACH`.
const ATTACHED: u32 = 1;

#[unsafe(no_mangle)]
pub unsafe extern "system" fn DllMain(_library: *mut c_void, reason: u32, _reserved: *mut c_void) -> i32 {
    if reason == ATTACHED {
        if number("REPLAY_PROCESSORS") > 0 {
            hook("GetActiveProcessorCount", GetActiveProcessorCount as *const () as usize);
        }
        if number("REPLAY_CHURN") > 0 {
            hook("NtQuerySystemInformation", NtQuerySystemInformation as *const () as usize);
        }
    }
    1
}

/// `ALL_PROCESSOR_GROUPS`, and the most that a group has.
const ALL_GROUPS: u16 = 0xFFFF;
const GROUP: u32 = 64;

unsafe extern "system" fn GetActiveProcessorCount(group: u16) -> u32 {
    let all = number("REPLAY_PROCESSORS");
    let count = match group {
        ALL_GROUPS => all,
        group => all.saturating_sub(GROUP * u32::from(group)).min(GROUP),
    };
    log(&format!("GetActiveProcessorCount {group:#x} -> {count}"));
    count
}

/// `SystemProcessInformation`, `STATUS_INFO_LENGTH_MISMATCH`.
const PROCESSES: i32 = 5;
const TOO_SMALL: i32 = 0xC000_0004_u32.cast_signed();

/// As many times as `REPLAY_CHURN` says, more processes have come than fit.
unsafe extern "system" fn NtQuerySystemInformation(
    class: i32,
    table: *mut c_void,
    bytes: u32,
    needed: *mut u32,
) -> i32 {
    type Function = unsafe extern "system" fn(i32, *mut c_void, u32, *mut u32) -> i32;
    static REAL: OnceLock<usize> = OnceLock::new();
    static TIMES: AtomicU32 = AtomicU32::new(0);
    if class == PROCESSES && TIMES.fetch_add(1, Ordering::Relaxed) < number("REPLAY_CHURN") {
        log(&format!("NtQuerySystemInformation {class}: {bytes} bytes are too few"));
        // SAFETY: as the documentation of NtQuerySystemInformation asks for.
        if let Some(needed) = unsafe { needed.as_mut() } {
            *needed = bytes + 4096;
        }
        return TOO_SMALL;
    }
    let real = *REAL.get_or_init(|| {
        let library: Vec<u16> = "ntdll.dll\0".encode_utf16().collect();
        // SAFETY: both names end with a NUL.
        let found =
            unsafe { GetProcAddress(GetModuleHandleW(library.as_ptr()), c"NtQuerySystemInformation".as_ptr().cast()) };
        found.map_or(0, |function| function as usize)
    });
    // SAFETY: it is that function, which takes what the caller gives.
    unsafe { std::mem::transmute::<usize, Function>(real)(class, table, bytes, needed) }
}

/// Sets the place of an imported function in the program.
fn hook(name: &str, function: usize) {
    // SAFETY: the program stays loaded, and its headers were checked when it was.
    let place = unsafe { place_of(name) };
    let Some(place) = place else {
        log(&format!("the program does not import {name}"));
        return;
    };
    let mut before = 0;
    // SAFETY: the place is that of a pointer in the program; nothing runs in it yet.
    unsafe {
        if VirtualProtect(place.cast(), size_of::<usize>(), PAGE_READWRITE, &mut before) != 0 {
            place.write(function);
        }
    }
}

/// Where the address of an imported function stands in the program.
unsafe fn place_of(name: &str) -> Option<*mut usize> {
    // SAFETY: null is the program itself.
    let program = unsafe { GetModuleHandleW(std::ptr::null()) }.cast::<u8>();
    // SAFETY: for all of them: the loader has mapped headers and import tables as they say.
    let double = |at: usize| unsafe { program.add(at).cast::<u32>().read_unaligned() } as usize;
    let quad = |at: usize| unsafe { program.add(at).cast::<usize>().read_unaligned() };
    let text = |at: usize| unsafe { std::ffi::CStr::from_ptr(program.add(at).cast()) };
    // PE32+, whose import table is the second of its directories.
    let mut library = double(double(0x3C) + 24 + 112 + 8);
    while double(library + 12) != 0 {
        let (mut names, mut addresses) = (double(library), double(library + 16));
        while quad(names) != 0 {
            let by_number = quad(names) >> 63 == 1;
            if !by_number && text(quad(names) + 2).to_bytes() == name.as_bytes() {
                // SAFETY: it lies in the program.
                return Some(unsafe { program.add(addresses) }.cast());
            }
            (names, addresses) = (names + size_of::<usize>(), addresses + size_of::<usize>());
        }
        library += 20;
    }
    None
}
