//! Which handles are sockets: those to `\Device\Afd`.
//!
//! A handle's name can only be had by asking its device, and a pipe may let the asker wait for ever. So only handles with the
//! rights of sockets are asked, on a thread that may be left behind, once.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use windows_sys::Wdk::Foundation::NtQueryObject;
use windows_sys::Wdk::System::SystemInformation::NtQuerySystemInformation;
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, PROCESS_DUP_HANDLE};

use super::super::system::WhyMissing;
use super::super::tables;
use super::processes;

/// `SystemExtendedHandleInformation`, `STATUS_INFO_LENGTH_MISMATCH`, `ObjectNameInformation`.
const ALL_HANDLES: i32 = 64;
const TOO_SMALL: i32 = 0xC000_0004_u32.cast_signed();
const NAME: i32 = 1;

/// Largest table read. Six million handles are 256 MB.
const MAX_TABLE_BYTES: u32 = 256 << 20;

/// The name of a socket's device; whatever is behind it is another.
const AFD: &str = r"\Device\Afd";

/// Handles asked for their name. A leak takes 65,000 ports.
const MAX_ASKED: usize = 200_000;

/// Time for all of them.
const LIMIT: Duration = Duration::from_secs(5);

/// A handle has not answered: no further thread must be left behind.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

pub(super) fn afd_handles() -> Result<Vec<(u32, u64)>, WhyMissing> {
    const STUCK: &str = "a handle did not give its name; handles are no longer counted";
    if IS_STUCK.load(Ordering::Relaxed) {
        return Err(STUCK.to_owned());
    }
    let own = File::open("NUL").map_err(|error| crate::words::system_message(&error))?;
    let table = table()?;
    let own_handle = own.as_raw_handle().addr() as u64;
    let candidates = tables::may_be_sockets(&tables::handles(&table), (u64::from(std::process::id()), own_handle));
    drop(table);
    if candidates.values().map(Vec::len).sum::<usize>() > MAX_ASKED {
        return Err(format!("more than {MAX_ASKED} handles may be sockets: too many to ask each"));
    }
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(count(&candidates));
    });
    receive.recv_timeout(LIMIT).map_err(|_| {
        IS_STUCK.store(true, Ordering::Relaxed);
        STUCK.to_owned()
    })
}

fn table() -> Result<Vec<u8>, WhyMissing> {
    let mut size: u32 = 1 << 20;
    while size <= MAX_TABLE_BYTES {
        let mut table = vec![0_u8; usize::try_from(size).unwrap_or(0)];
        let mut needed = 0;
        // SAFETY: the buffer has as many bytes as the size says.
        let status = unsafe { NtQuerySystemInformation(ALL_HANDLES, table.as_mut_ptr().cast(), size, &mut needed) };
        match status {
            0.. => return Ok(table),
            TOO_SMALL => size = size.saturating_mul(2).max(needed.saturating_add(needed / 8)),
            status => return Err(format!("status {status:#010x}")),
        }
    }
    Err("there are too many handles to list".to_owned())
}

fn count(candidates: &BTreeMap<u64, Vec<u64>>) -> Vec<(u32, u64)> {
    let of_process = |(pid, handles): (&u64, &Vec<u64>)| {
        let pid = u32::try_from(*pid).ok()?;
        let process = processes::open(pid, PROCESS_DUP_HANDLE)?;
        let sockets = handles.iter().filter(|handle| is_afd(&process, **handle)).count() as u64;
        (sockets > 0).then_some((pid, sockets))
    };
    candidates.iter().filter_map(of_process).collect()
}

fn is_afd(process: &OwnedHandle, handle: u64) -> bool {
    let Ok(handle) = usize::try_from(handle) else { return false };
    let mut copy = std::ptr::null_mut();
    // SAFETY: both processes are open; a handle that is gone meanwhile is refused. The copy is ours to be set.
    let is_copied = unsafe {
        let source = std::ptr::without_provenance_mut(handle);
        DuplicateHandle(process.as_raw_handle(), source, GetCurrentProcess(), &mut copy, 0, 0, DUPLICATE_SAME_ACCESS)
    } != 0;
    if !is_copied {
        return false;
    }
    // SAFETY: the handle is new and nobody else's.
    let copy = unsafe { OwnedHandle::from_raw_handle(copy) };
    // A UNICODE_STRING (length in bytes, capacity, pointer), then its text.
    let mut answer = [0_u64; 132];
    let size = u32::try_from(size_of_val(&answer)).unwrap_or(0);
    // SAFETY: the buffer has as many bytes as the size says, and is aligned for pointers.
    let status =
        unsafe { NtQueryObject(copy.as_raw_handle(), NAME, answer.as_mut_ptr().cast(), size, std::ptr::null_mut()) };
    let [head, _pointer, text @ ..] = &answer;
    let length = usize::try_from(head & 0xFFFF).unwrap_or(0) / 2;
    let units = text.iter().flat_map(|word| word.to_le_bytes().as_chunks::<2>().0.to_vec()).map(u16::from_le_bytes);
    let name = String::from_utf16_lossy(&units.take(length).collect::<Vec<_>>());
    status >= 0 && (name == AFD || name.strip_prefix(AFD).is_some_and(|rest| rest.starts_with('\\')))
}
