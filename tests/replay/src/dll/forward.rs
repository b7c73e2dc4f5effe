//! What has nothing to do with sessions goes to the real library. Arguments are words here: all that is passed are pointers,
//! handles and numbers of at most a word.

use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};
use windows_sys::core::PCWSTR;

use super::session::{log, wide};

macro_rules! forward {
    ($($name:ident($($argument:ident),*) -> $result:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "system" fn $name($($argument: usize),*) -> $result {
            type Function = unsafe extern "system" fn($(forward!(@word $argument)),*) -> $result;
            static REAL: OnceLock<usize> = OnceLock::new();
            let address = *REAL.get_or_init(|| real(concat!(stringify!($name), "\0")));
            // SAFETY: it is the function of that name in the real library, which takes what the caller gives.
            unsafe { std::mem::transmute::<usize, Function>(address)($($argument),*) }
        }
    )*};
    (@word $argument:ident) => { usize };
}

fn real(name: &str) -> usize {
    let library: Vec<u16> = "advapi32.dll\0".encode_utf16().collect();
    // SAFETY: both names end with a NUL.
    let found = unsafe { GetProcAddress(LoadLibraryW(library.as_ptr()), name.as_ptr()) };
    match found {
        Some(function) => function as usize,
        None => {
            log(&format!("advapi32.dll has no {name}"));
            std::process::abort()
        }
    }
}

forward! {
    AdjustTokenPrivileges(token, none, privileges, bytes, before, needed) -> i32;
    CloseServiceHandle(handle) -> i32;
    ConvertSidToStringSidA(sid, text) -> i32;
    ConvertStringSecurityDescriptorToSecurityDescriptorW(text, revision, descriptor, size) -> i32;
    EnumServicesStatusExW(manager, level, kind, state, services, bytes, needed, count, resume, group) -> i32;
    GetTokenInformation(token, class, information, bytes, needed) -> i32;
    ImpersonateSelf(level) -> i32;
    LookupPrivilegeValueW(system, name, number) -> i32;
    OpenProcessToken(process, access, token) -> i32;
    OpenSCManagerW(machine, database, access) -> usize;
    OpenThreadToken(thread, access, as_self, token) -> i32;
    RevertToSelf() -> i32;
    SystemFunction036(buffer, bytes) -> u8;
}

/// The key of a provider that is registered here.
const REGISTERED: usize = 0x3333;

const SUCCESS: u32 = 0;
const FILE_NOT_FOUND: u32 = 2;

/// Only the keys of providers are asked for.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn RegOpenKeyExW(
    _key: usize,
    name: PCWSTR,
    _options: u32,
    _access: u32,
    opened: *mut usize,
) -> u32 {
    // SAFETY: as the documentation of RegOpenKeyExW asks for.
    let name = unsafe { wide(name) };
    let missing = std::env::var("REPLAY_UNREGISTERED").is_ok_and(|guid| name.contains(&guid));
    if missing {
        return FILE_NOT_FOUND;
    }
    // SAFETY: as above.
    unsafe { *opened = REGISTERED };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn RegCloseKey(_key: usize) -> u32 {
    SUCCESS
}
