//! The machine, and what this process may do on it.

#![allow(unsafe_code)]

use std::mem::size_of;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;

use etl_parser::Guid;
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, ERROR_FILE_NOT_FOUND, GetLastError};
use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation};
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, KEY_READ, RegCloseKey, RegOpenKeyExW};
use windows_sys::Win32::System::SystemInformation::{GetTickCount64, OSVERSIONINFOW};
use windows_sys::Win32::System::Threading::{
    ALL_PROCESSOR_GROUPS, CreateMutexW, GetActiveProcessorCount, GetCurrentProcess, OpenProcessToken,
};

use super::super::system::MachineFacts;
use super::text::wide;
use crate::time::FileTime;

/// Holds a name for this process. The system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Claim {
    _mutex: OwnedHandle,
}

pub(super) fn claim(name: &str) -> Option<Claim> {
    let name = wide(&format!(r"Global\{name}"));
    // SAFETY: the name ends with a NUL. The last error is read before anything else is called.
    let (mutex, error) = unsafe {
        let mutex = CreateMutexW(ptr::null(), 0, name.as_ptr());
        (mutex, GetLastError())
    };
    if mutex.is_null() {
        return None;
    }
    // SAFETY: the handle is new and nobody else's.
    let mutex = unsafe { OwnedHandle::from_raw_handle(mutex) };
    (error != ERROR_ALREADY_EXISTS).then_some(Claim { _mutex: mutex })
}

pub(super) fn machine(now: FileTime) -> MachineFacts {
    let mut version = OSVERSIONINFOW {
        dwOSVersionInfoSize: u32::try_from(size_of::<OSVERSIONINFOW>()).unwrap_or(0),
        ..Default::default()
    };
    // SAFETY: the structure says how large it is.
    let is_told = unsafe { RtlGetVersion(&mut version) } >= 0;
    // SAFETY: nothing is passed but a number.
    let processors = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) };
    // SAFETY: nothing is passed.
    let up = unsafe { GetTickCount64() };
    let up = i64::try_from(up).unwrap_or(0).saturating_mul(FileTime::SECOND / 1000);
    MachineFacts {
        os_build: is_told.then_some(version.dwBuildNumber),
        processors: Some(processors).filter(|count| *count > 0),
        boot_time: FileTime::known(now.0.saturating_sub(up)),
    }
}

pub(super) fn is_elevated() -> bool {
    let mut token = ptr::null_mut();
    // SAFETY: the token is ours to be set.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) } == 0 || token.is_null() {
        return false;
    }
    // SAFETY: the handle is new and nobody else's.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut elevation = TOKEN_ELEVATION::default();
    let size = u32::try_from(size_of::<TOKEN_ELEVATION>()).unwrap_or(0);
    let mut written = 0;
    // SAFETY: the structure has as many bytes as the size says.
    let is_told = unsafe {
        let into = ptr::from_mut(&mut elevation).cast();
        GetTokenInformation(token.as_raw_handle(), TokenElevation, into, size, &mut written)
    } != 0;
    is_told && elevation.TokenIsElevated != 0
}

pub(super) fn is_registered(provider: Guid) -> bool {
    let key = wide(&format!(r"SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Publishers\{{{provider}}}"));
    let mut opened = ptr::null_mut();
    // SAFETY: the key's name ends with a NUL, and the handle is ours to be set.
    let status = unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, key.as_ptr(), 0, KEY_READ, &mut opened) };
    if status == 0 {
        // SAFETY: it was opened just now.
        unsafe { RegCloseKey(opened) };
    }
    // What may not be read is there.
    status != ERROR_FILE_NOT_FOUND
}

pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let folder = wide(&path.parent()?.display().to_string());
    let mut free = 0;
    // SAFETY: the name ends with a NUL; what is not asked for may be null.
    let is_told = unsafe { GetDiskFreeSpaceExW(folder.as_ptr(), &mut free, ptr::null_mut(), ptr::null_mut()) } != 0;
    is_told.then_some(free)
}
