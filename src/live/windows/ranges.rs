//! Dynamic port ranges, from WMI: `MSFT_NetTCPSetting` and `MSFT_NetUDPSetting`.

#![allow(unsafe_code)]

use std::sync::mpsc;
use std::time::Duration;

use windows::Win32::Foundation::RPC_E_TOO_LATE;
use windows::Win32::System::Com::{
    CLSCTX_INPROC_SERVER, COINIT_MULTITHREADED, CoCreateInstance, CoInitializeEx, CoInitializeSecurity,
    CoSetProxyBlanket, EOAC_NONE, RPC_C_AUTHN_LEVEL_CALL, RPC_C_AUTHN_LEVEL_DEFAULT, RPC_C_IMP_LEVEL_IMPERSONATE,
};
use windows::Win32::System::Wmi::{
    IWbemClassObject, IWbemLocator, IWbemServices, WBEM_FLAG_CONNECT_USE_MAX_WAIT, WBEM_FLAG_FORWARD_ONLY,
    WBEM_FLAG_RETURN_IMMEDIATELY, WbemLocator,
};
use windows::core::{BSTR, PCWSTR, VARIANT, w};

use super::super::system::WhyMissing;
use crate::net::Protocol;
use crate::side::facts::DynamicPorts;

/// WMI may be what is sick.
const LIMIT: Duration = Duration::from_secs(10);

/// `RPC_C_AUTHN_WINNT`, `RPC_C_AUTHZ_NONE`.
const AUTHENTICATE_BY_NTLM: u32 = 10;
const AUTHORIZE_BY_NOTHING: u32 = 0;

/// Settings that are looked at: there is one for each template, and all have the same range.
const MAX_ROWS: usize = 32;

pub(super) fn dynamic_ports() -> Result<Vec<DynamicPorts>, WhyMissing> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = send.send(ask());
    });
    receive.recv_timeout(LIMIT).unwrap_or_else(|_| Err("WMI does not answer".to_owned()))
}

fn ask() -> Result<Vec<DynamicPorts>, WhyMissing> {
    let failed = |error: windows::core::Error| {
        let words = error.message();
        format!("WMI: error {:#010x} {}", error.code().0, words.trim()).trim_end().to_owned()
    };
    let services = connect().map_err(failed)?;
    let mut found = Vec::new();
    for (class, protocol) in [("MSFT_NetTCPSetting", Protocol::Tcp), ("MSFT_NetUDPSetting", Protocol::Udp)] {
        if let Some((start, count)) = range(&services, class).map_err(failed)? {
            // The settings are the same for both families.
            found.push(DynamicPorts { source: 0, protocol, family: None, start, count });
        }
    }
    if found.is_empty() { Err("WMI reports no dynamic port range".to_owned()) } else { Ok(found) }
}

fn connect() -> windows::core::Result<IWbemServices> {
    // SAFETY: this thread is new and ends with `ask`; COM is set up on it before anything else is called.
    unsafe {
        CoInitializeEx(None, COINIT_MULTITHREADED).ok()?;
        // Without it the enumerator of rows may answer WBEM_E_ACCESS_DENIED, 0x80041003. It is once for the whole process.
        let secured = CoInitializeSecurity(
            None,
            -1,
            None,
            None,
            RPC_C_AUTHN_LEVEL_DEFAULT,
            RPC_C_IMP_LEVEL_IMPERSONATE,
            None,
            EOAC_NONE,
            None,
        );
        if let Err(error) = secured
            && error.code() != RPC_E_TOO_LATE
        {
            return Err(error);
        }
        let locator: IWbemLocator = CoCreateInstance(&WbemLocator, None, CLSCTX_INPROC_SERVER)?;
        let none = BSTR::new();
        let namespace = BSTR::from(r"root\StandardCimv2");
        let wait = WBEM_FLAG_CONNECT_USE_MAX_WAIT.0;
        let services = locator.ConnectServer(&namespace, &none, &none, &none, wait, &none, None)?;
        CoSetProxyBlanket(
            &services,
            AUTHENTICATE_BY_NTLM,
            AUTHORIZE_BY_NOTHING,
            PCWSTR::null(),
            RPC_C_AUTHN_LEVEL_CALL,
            RPC_C_IMP_LEVEL_IMPERSONATE,
            None,
            EOAC_NONE,
        )?;
        Ok(services)
    }
}

/// First port and number of ports of the first setting that tells them.
fn range(services: &IWbemServices, class: &str) -> windows::core::Result<Option<(u16, u32)>> {
    let (language, query) = (BSTR::from("WQL"), BSTR::from(format!("SELECT * FROM {class}")));
    // SAFETY: COM is set up on this thread; all strings live through the call.
    let rows = unsafe {
        let flags = WBEM_FLAG_FORWARD_ONLY | WBEM_FLAG_RETURN_IMMEDIATELY;
        services.ExecQuery(&language, &query, flags, None)?
    };
    for _ in 0..MAX_ROWS {
        let mut row = [None];
        let mut count = 0;
        let limit = i32::try_from(LIMIT.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: there is room for the one row that is asked for.
        unsafe { rows.Next(limit, &mut row, &mut count) }.ok()?;
        let [Some(row)] = row else { break };
        let start = number(&row, w!("DynamicPortRangeStartPort")).and_then(|start| u16::try_from(start).ok());
        let ports = number(&row, w!("DynamicPortRangeNumberOfPorts")).filter(|ports| *ports <= 1 << 16);
        if let (Some(start), Some(ports)) = (start.filter(|start| *start > 0), ports.filter(|ports| *ports > 0)) {
            return Ok(Some((start, ports)));
        }
    }
    Ok(None)
}

fn number(row: &IWbemClassObject, property: PCWSTR) -> Option<u32> {
    let mut value = VARIANT::default();
    // SAFETY: the value is ours to be set, and clears itself.
    unsafe { row.Get(property, 0, &mut value, None, None) }.ok()?;
    u32::try_from(&value).ok()
}
