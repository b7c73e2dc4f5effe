//! Services and their processes.

#![allow(unsafe_code)]

use std::ptr;

use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW, SC_ENUM_PROCESS_INFO,
    SC_HANDLE, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_ACTIVE, SERVICE_WIN32,
};

use super::super::system::WhyMissing;
use super::text::last_error;

/// Services of one answer: the system gives no more than 256 KiB at once.
const ANSWER_BYTES: usize = 256 << 10;

/// Answers asked for. Each has hundreds of services.
const MAX_ANSWERS: usize = 64;

/// Characters of a service's name. Source: the page on `CreateService`.
const MAX_NAME: usize = 256;

/// `ERROR_MORE_DATA`.
const MORE_DATA: i32 = 234;

struct Manager(SC_HANDLE);

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else's.
        unsafe { CloseServiceHandle(self.0) };
    }
}

pub(super) fn services() -> Result<Vec<(u32, String)>, WhyMissing> {
    // SAFETY: no name is given: this machine, its usual database.
    let manager = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), SC_MANAGER_ENUMERATE_SERVICE) };
    if manager.is_null() {
        return Err(last_error());
    }
    let manager = Manager(manager);
    let mut all = Vec::new();
    let mut resume = 0;
    for _ in 0..MAX_ANSWERS {
        let mut answer = vec![0_u64; ANSWER_BYTES / 8];
        let (mut needed, mut count) = (0, 0);
        // SAFETY: the buffer has as many bytes as are told, aligned for pointers; the rest is ours to be set.
        let is_all = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_ACTIVE,
                answer.as_mut_ptr().cast(),
                u32::try_from(ANSWER_BYTES).unwrap_or(0),
                &mut needed,
                &mut count,
                &mut resume,
                ptr::null(),
            )
        } != 0;
        let error = std::io::Error::last_os_error();
        if !is_all && error.raw_os_error() != Some(MORE_DATA) {
            return Err(crate::words::system_message(&error));
        }
        // SAFETY: the system has put so many entries at the beginning of the buffer.
        let entries: &[ENUM_SERVICE_STATUS_PROCESSW] =
            unsafe { std::slice::from_raw_parts(answer.as_ptr().cast(), usize::try_from(count).unwrap_or(0)) };
        all.extend(entries.iter().map(|entry| (entry.ServiceStatusProcess.dwProcessId, name(entry))));
        if is_all {
            break;
        }
    }
    Ok(all)
}

fn name(entry: &ENUM_SERVICE_STATUS_PROCESSW) -> String {
    let mut units = Vec::new();
    let mut at = entry.lpServiceName.cast_const();
    while !at.is_null() && units.len() < MAX_NAME {
        // SAFETY: the name lies in the buffer of the answer and ends with a NUL, behind which nothing is read.
        let unit = unsafe { at.read() };
        if unit == 0 {
            break;
        }
        units.push(unit);
        // SAFETY: as above.
        at = unsafe { at.add(1) };
    }
    String::from_utf16_lossy(&units)
}
