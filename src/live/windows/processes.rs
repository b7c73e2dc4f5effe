//! Processes: names, times of creation, handle counts.

#![allow(unsafe_code)]

use std::mem::size_of;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{FILETIME, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    GetProcessHandleCount, GetProcessTimes, OpenProcess, PROCESS_ACCESS_RIGHTS, PROCESS_QUERY_LIMITED_INFORMATION,
    QueryFullProcessImageNameW,
};

use super::super::system::{RunningProcess, WhyMissing};
use super::text::{from_wide, last_error};
use crate::time::FileTime;

/// Processes listed. A terminal server has a few thousand.
const MAX_PROCESSES: usize = 1 << 16;

/// Characters of a path.
const MAX_PATH: usize = 32_768;

/// Opens a process; `None` where it is protected, or gone.
pub(super) fn open(pid: u32, access: PROCESS_ACCESS_RIGHTS) -> Option<OwnedHandle> {
    // SAFETY: nothing is passed but numbers.
    let handle = unsafe { OpenProcess(access, 0, pid) };
    // SAFETY: the handle is new and nobody else's.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn entries() -> Result<Vec<PROCESSENTRY32W>, WhyMissing> {
    // SAFETY: nothing is passed but numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(last_error());
    }
    // SAFETY: the handle is new and nobody else's.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let size = u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or(0);
    let mut entry = PROCESSENTRY32W { dwSize: size, ..Default::default() };
    let mut all = Vec::new();
    // SAFETY: the handle is open, and the entry says how large it is.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &mut entry) };
    while more != 0 && all.len() < MAX_PROCESSES {
        all.push(entry);
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &mut entry) };
    }
    if all.is_empty() { Err(last_error()) } else { Ok(all) }
}

pub(super) fn processes() -> Result<Vec<RunningProcess>, WhyMissing> {
    let process = |entry: PROCESSENTRY32W| {
        let handle = open(entry.th32ProcessID, PROCESS_QUERY_LIMITED_INFORMATION);
        let path = handle.as_ref().and_then(image_path);
        RunningProcess {
            pid: entry.th32ProcessID,
            parent_pid: entry.th32ParentProcessID,
            created: handle.as_ref().and_then(created),
            image: path.unwrap_or_else(|| from_wide(&entry.szExeFile)),
        }
    };
    // PID 0 is what is left of the processors' time.
    Ok(entries()?.into_iter().filter(|entry| entry.th32ProcessID != 0).map(process).collect())
}

fn image_path(process: &OwnedHandle) -> Option<String> {
    let mut path = vec![0_u16; MAX_PATH];
    let mut length = u32::try_from(path.len()).ok()?;
    // SAFETY: the buffer has as many units as the length says.
    let is_told =
        unsafe { QueryFullProcessImageNameW(process.as_raw_handle(), 0, path.as_mut_ptr(), &mut length) } != 0;
    let path = from_wide(path.get(..usize::try_from(length).ok()?)?);
    (is_told && !path.is_empty()).then_some(path)
}

fn created(process: &OwnedHandle) -> Option<FileTime> {
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: all four are ours to be set.
    let is_told = unsafe { GetProcessTimes(process.as_raw_handle(), created, exited, kernel, user) } != 0;
    let ticks = u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime);
    is_told.then(|| FileTime::known(ticks.cast_signed())).flatten()
}

pub(super) fn handle_counts() -> Result<Vec<(u32, u64)>, WhyMissing> {
    let count = |entry: PROCESSENTRY32W| {
        let process = open(entry.th32ProcessID, PROCESS_QUERY_LIMITED_INFORMATION)?;
        let mut count = 0;
        // SAFETY: the handle is open, and the count ours to be set.
        let is_told = unsafe { GetProcessHandleCount(process.as_raw_handle(), &mut count) } != 0;
        is_told.then_some((entry.th32ProcessID, u64::from(count)))
    };
    Ok(entries()?.into_iter().filter_map(count).collect())
}
