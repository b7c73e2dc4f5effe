//! The socket tables of iphlpapi.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, TCP_TABLE_OWNER_PID_ALL, UDP_TABLE_OWNER_PID,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{GetProcessHeap, HeapFree};
use windows_sys::core::PCSTR;

use super::super::system::{SocketList, WhyMissing};
use super::super::tables;
use super::text::{wide, words};
use crate::net::Family;
use crate::side::facts::ListedSocket;

/// `ERROR_INSUFFICIENT_BUFFER`.
const TOO_SMALL: u32 = 122;

/// Largest table read. A million sockets are 56 MB.
const MAX_TABLE_BYTES: u32 = 64 << 20;

/// Tables grow while they are asked for.
const MAX_TRIES: usize = 8;

fn address_family(family: Family) -> u32 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 23,
    }
}

pub(super) fn sockets(table: SocketList) -> Result<Vec<ListedSocket>, WhyMissing> {
    let bytes = match table {
        SocketList::BoundTcp(family) => bound(table, family)?,
        // SAFETY: the buffer has as many bytes as the size says.
        SocketList::Tcp(family) => grown(|buffer, size| unsafe {
            GetExtendedTcpTable(buffer, size, 0, address_family(family), TCP_TABLE_OWNER_PID_ALL, 0)
        })?,
        // SAFETY: as above.
        SocketList::Udp(family) => grown(|buffer, size| unsafe {
            GetExtendedUdpTable(buffer, size, 0, address_family(family), UDP_TABLE_OWNER_PID, 0)
        })?,
    };
    Ok(tables::sockets(table, &bytes))
}

/// Asks with ever larger buffers until one is large enough.
fn grown(ask: impl Fn(*mut c_void, &mut u32) -> u32) -> Result<Vec<u8>, WhyMissing> {
    let mut size = 64 << 10;
    for _ in 0..MAX_TRIES {
        let mut buffer = vec![0_u8; usize::try_from(size).unwrap_or(0)];
        let mut needed = size;
        match ask(buffer.as_mut_ptr().cast(), &mut needed) {
            0 => return Ok(buffer),
            TOO_SMALL if needed <= MAX_TABLE_BYTES => size = needed.max(size).saturating_add(size / 4),
            TOO_SMALL => return Err(format!("the table has {needed} bytes")),
            code => return Err(words(code)),
        }
    }
    Err("the table grows faster than it can be read".to_owned())
}

/// `InternalGetBoundTcpEndpointTable` and its twin, which are not documented: they allocate the table from a heap.
type GetBound = unsafe extern "system" fn(table: *mut *mut c_void, heap: *mut c_void, flags: u32) -> u32;

fn bound(table: SocketList, family: Family) -> Result<Vec<u8>, WhyMissing> {
    let name: PCSTR = match family {
        Family::Ipv4 => c"InternalGetBoundTcpEndpointTable".as_ptr().cast(),
        Family::Ipv6 => c"InternalGetBoundTcp6EndpointTable".as_ptr().cast(),
    };
    let library = wide("iphlpapi.dll");
    // SAFETY: both names end with a NUL. The library is loaded as long as the process runs: its tables are linked.
    let found = unsafe { GetProcAddress(GetModuleHandleW(library.as_ptr()), name) };
    let Some(found) = found else {
        return Err("this system has no list of them (Windows 10 and later have); netstat -anobq may".to_owned());
    };
    // SAFETY: this is the signature that System Informer and netstat call it with.
    let get: GetBound = unsafe { std::mem::transmute(found) };
    let mut rows: *mut c_void = ptr::null_mut();
    // SAFETY: the heap is that of the process, and the pointer is ours to be set.
    let (heap, status) = unsafe {
        let heap = GetProcessHeap();
        (heap, get(&mut rows, heap, 0))
    };
    if status != 0 {
        return Err(words(status));
    }
    if rows.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: a table begins with its number of rows, and has so many behind it.
    let bytes = unsafe {
        let count = usize::try_from(rows.cast::<u32>().read()).unwrap_or(0);
        let length = count.saturating_mul(tables::row_bytes(table)).saturating_add(4);
        std::slice::from_raw_parts(rows.cast::<u8>(), length).to_vec()
    };
    // SAFETY: it was allocated from this heap, and is not used any more.
    unsafe { HeapFree(heap, 0, rows) };
    Ok(bytes)
}
