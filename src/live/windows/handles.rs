//! Which handles are sockets: those to `\Device\Afd`.
//!
//! A handle's name can only be had by asking its device, and a pipe may let the asker wait for ever. So only handles with the
//! rights of sockets are asked, of processes that have many, on a thread that may be left behind, once.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use windows_sys::Wdk::Foundation::NtQueryObject;
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcess, PROCESS_DUP_HANDLE};

use super::super::system::{AfdHandles, WhyMissing};
use super::super::tables::{self, Questions};
use super::information::SystemTable;
use super::privilege::DebugPrivilege;
use super::processes;

/// `SystemExtendedHandleInformation`, `ObjectNameInformation`.
const ALL_HANDLES: i32 = 64;
const NAME: i32 = 1;

/// The name of a socket's device; whatever is behind it is another.
const AFD: &str = r"\Device\Afd";

/// Handles asked for their name. A leak takes 65,000 ports.
const MAX_ASKED: usize = 200_000;

/// Time for all of them.
const LIMIT: Duration = Duration::from_secs(5);

/// A handle has not answered: no further thread must be left behind.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

pub(super) fn afd_handles() -> Result<AfdHandles, WhyMissing> {
    const STUCK: &str = "a handle did not give its name; handles are no longer counted";
    if IS_STUCK.load(Ordering::Relaxed) {
        return Err(STUCK.to_owned());
    }
    let own = File::open("NUL").map_err(|error| crate::words::system_message(&error))?;
    let table = SystemTable::of(ALL_HANDLES)?;
    let own_handle = own.as_raw_handle().addr() as u64;
    let candidates =
        tables::may_be_sockets(&tables::handles(table.bytes()), (u64::from(std::process::id()), own_handle));
    drop(table);
    let images = processes::processes()?.into_iter().map(|process| (process.pid, process.image)).collect();
    let questions = tables::whom_to_ask(candidates, &images);
    if questions.ask.values().map(Vec::len).sum::<usize>() > MAX_ASKED {
        return Err(format!("more than {MAX_ASKED} handles may be sockets: too many to ask each"));
    }
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(count(questions));
    });
    receive.recv_timeout(LIMIT).map_err(|_| {
        IS_STUCK.store(true, Ordering::Relaxed);
        STUCK.to_owned()
    })
}

fn count(questions: Questions) -> AfdHandles {
    let mut found = AfdHandles::default();
    let mut estimated = questions.estimate;
    let privilege = DebugPrivilege::enable();
    for (pid, handles) in questions.ask {
        match open(pid) {
            Some(process) => {
                let sockets = handles.iter().filter(|handle| is_afd(&process, **handle)).count() as u64;
                found.counts.extend((sockets > 0).then_some((pid, sockets)));
            }
            None => estimated.push((pid, handles.len() as u64)),
        }
    }
    drop(privilege);
    estimated.sort_unstable();
    found.estimated = estimated.iter().map(|(pid, _)| *pid).collect();
    found.counts.append(&mut estimated);
    found.counts.sort_unstable();
    found
}

/// Opens a process to copy its handles; `None` where it is protected, or gone.
fn open(pid: u32) -> Option<OwnedHandle> {
    // SAFETY: nothing is passed but numbers.
    let handle = unsafe { OpenProcess(PROCESS_DUP_HANDLE, 0, pid) };
    // SAFETY: the handle is new and nobody else's.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
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
