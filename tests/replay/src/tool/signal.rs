//! An event of the console, as the console itself gives it: on a thread in the program that begins at `CtrlRoutine`.

use std::error::Error;

#[cfg(not(windows))]
pub(crate) fn send(_image: &str, _event: u32) -> Result<(), Box<dyn Error>> {
    Err("this needs Windows".into())
}

#[cfg(windows)]
#[allow(unsafe_code)]
pub(crate) fn send(image: &str, event: u32) -> Result<(), Box<dyn Error>> {
    use std::mem::size_of;

    use windows_sys::Win32::Foundation::{CloseHandle, INVALID_HANDLE_VALUE};
    use windows_sys::Win32::System::Diagnostics::ToolHelp::{
        CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
    };
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
    use windows_sys::Win32::System::Threading::{
        CreateRemoteThread, LPTHREAD_START_ROUTINE, OpenProcess, PROCESS_ALL_ACCESS,
    };

    let mut entry = PROCESSENTRY32W { dwSize: u32::try_from(size_of::<PROCESSENTRY32W>())?, ..Default::default() };
    let mut pid = None;
    // SAFETY: the entry says how large it is, and the snapshot is open until it is closed.
    unsafe {
        let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if snapshot == INVALID_HANDLE_VALUE {
            return Err("there is no list of processes".into());
        }
        let mut more = Process32FirstW(snapshot, &mut entry);
        while more != 0 {
            let name = String::from_utf16_lossy(&entry.szExeFile);
            if name.split('\0').next().is_some_and(|name| name.eq_ignore_ascii_case(image)) {
                pid = Some(entry.th32ProcessID);
            }
            more = Process32NextW(snapshot, &mut entry);
        }
        CloseHandle(snapshot);
    }
    let pid = pid.ok_or_else(|| format!("{image} does not run"))?;
    let library: Vec<u16> = "kernelbase.dll\0".encode_utf16().collect();
    // SAFETY: both names end with a NUL.
    let routine = unsafe { GetProcAddress(GetModuleHandleW(library.as_ptr()), c"CtrlRoutine".as_ptr().cast()) };
    let routine = routine.ok_or("kernelbase.dll has no CtrlRoutine")?;
    // SAFETY: the routine takes one argument of a word, as all routines of threads; the library has the same place in all programs.
    unsafe {
        let routine: LPTHREAD_START_ROUTINE = std::mem::transmute(routine);
        let process = OpenProcess(PROCESS_ALL_ACCESS, 0, pid);
        if process.is_null() {
            return Err(format!("PID {pid} cannot be opened").into());
        }
        let event = std::ptr::without_provenance::<std::ffi::c_void>(usize::try_from(event)?);
        let thread = CreateRemoteThread(process, std::ptr::null(), 0, routine, event, 0, std::ptr::null_mut());
        CloseHandle(process);
        if thread.is_null() {
            return Err(format!("no thread can be made in PID {pid}").into());
        }
        CloseHandle(thread);
    }
    println!("event {event} for PID {pid}");
    Ok(())
}
