//! The Application log, and the registration of a source: what is written goes to the log of the calls.

use windows_sys::core::{BOOL, PCWSTR};

use super::session::{log, wide};

/// The source of entries, and the key of its registration.
const SOURCE: usize = 0x4444;
const KEY: usize = 0x5555;

const SUCCESS: u32 = 0;
const DONE: BOOL = 1;

/// `REG_EXPAND_SZ`.
const TEXT: u32 = 2;

#[unsafe(no_mangle)]
pub unsafe extern "system" fn RegisterEventSourceW(_server: PCWSTR, name: PCWSTR) -> usize {
    // SAFETY: as the documentation asks for; so for all functions of this module.
    log(&format!("RegisterEventSourceW {}", unsafe { wide(name) }));
    SOURCE
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn ReportEventW(
    source: usize,
    kind: u16,
    category: u16,
    id: u32,
    _user: usize,
    strings: u16,
    bytes: u32,
    texts: *const PCWSTR,
    _data: usize,
) -> BOOL {
    // SAFETY: as above; there is one string.
    let text = unsafe { wide(*texts) };
    log(&format!(
        "ReportEventW {source:#x} type {kind} category {category} id {id} strings {strings} bytes {bytes}: {text}"
    ));
    DONE
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn DeregisterEventSource(source: usize) -> BOOL {
    log(&format!("DeregisterEventSource {source:#x}"));
    DONE
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn RegCreateKeyExW(
    root: usize,
    name: PCWSTR,
    _reserved: u32,
    _class: PCWSTR,
    _options: u32,
    access: u32,
    _security: usize,
    key: *mut usize,
    _disposition: *mut u32,
) -> u32 {
    // SAFETY: as above.
    log(&format!("RegCreateKeyExW {:#x} {} access {access:#x}", root & 0xFFFF_FFFF, unsafe { wide(name) }));
    // SAFETY: the key is the caller's to be set.
    unsafe { *key = KEY };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn RegSetValueExW(
    key: usize,
    name: PCWSTR,
    _reserved: u32,
    kind: u32,
    data: *const u8,
    bytes: u32,
) -> u32 {
    // SAFETY: as above; a text ends with a NUL.
    let name = unsafe { wide(name) };
    let value = if kind == TEXT { unsafe { wide(data.cast()) } } else { String::new() };
    log(&format!("RegSetValueExW {key:#x} {name} type {kind} bytes {bytes} {value}"));
    SUCCESS
}
