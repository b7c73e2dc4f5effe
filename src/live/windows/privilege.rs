//! The privilege to open processes of other accounts, for one thread and no longer than needed.

#![allow(unsafe_code)]

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::LUID;
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, ImpersonateSelf, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, RevertToSelf,
    SE_PRIVILEGE_ENABLED, SecurityImpersonation, TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken};

use super::text::wide;

/// While it lives, this thread has `SeDebugPrivilege`, if its account may have it: the thread gets a token of its own, and the
/// process keeps its own without the privilege. It stays on its thread.
pub(super) struct DebugPrivilege {
    _on_this_thread: std::marker::PhantomData<*const ()>,
}

impl DebugPrivilege {
    /// `None` where it is not to be had: then processes of other accounts cannot be opened.
    pub(super) fn enable() -> Option<Self> {
        // SAFETY: nothing is passed but a number.
        if unsafe { ImpersonateSelf(SecurityImpersonation) } == 0 {
            return None;
        }
        let enabled = Self { _on_this_thread: std::marker::PhantomData };
        let mut token = ptr::null_mut();
        // SAFETY: the token is ours to be set.
        let is_open =
            unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, 0, &mut token) } != 0;
        if !is_open || token.is_null() {
            return None;
        }
        // SAFETY: the handle is new and nobody else's.
        let token = unsafe { OwnedHandle::from_raw_handle(token) };
        let (name, mut luid) = (wide("SeDebugPrivilege"), LUID::default());
        // SAFETY: the name ends with a NUL, and the number is ours to be set.
        if unsafe { LookupPrivilegeValueW(ptr::null(), name.as_ptr(), &mut luid) } == 0 {
            return None;
        }
        let privilege = LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED };
        let privileges = TOKEN_PRIVILEGES { PrivilegeCount: 1, Privileges: [privilege] };
        // SAFETY: there is one privilege, as it says; what was before is not asked for.
        let is_adjusted = unsafe {
            AdjustTokenPrivileges(token.as_raw_handle(), 0, &privileges, 0, ptr::null_mut(), ptr::null_mut())
        } != 0;
        is_adjusted.then_some(enabled)
    }
}

impl Drop for DebugPrivilege {
    fn drop(&mut self) {
        // SAFETY: nothing is passed. The token of the thread goes, and with it the privilege.
        unsafe { RevertToSelf() };
    }
}
