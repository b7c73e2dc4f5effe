//! Services that come with Windows: their names tell nothing about whose machine it is.

/// Whether a service comes with Windows or its roles; those of one user's session end in an underscore and a number.
pub fn is_of_windows(service: &str) -> bool {
    let name = service.rsplit_once('_').filter(|(_, tail)| is_session(tail)).map_or(service, |(name, _)| name);
    SERVICES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The number of a session: hexadecimal.
fn is_session(tail: &str) -> bool {
    !tail.is_empty() && tail.len() <= 8 && tail.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Source: the lists of services in Microsoft's guidance on system services, and of server roles.
#[rustfmt::skip]
const SERVICES: &[&str] = &[
    "ADWS", "ALG", "AppHostSvc", "AppIDSvc", "Appinfo", "AppMgmt", "AppReadiness", "AppXSvc", "AudioEndpointBuilder", "Audiosrv",
    "AxInstSV", "BFE", "BITS", "BrokerInfrastructure", "Browser", "BTAGService", "BthAvctpSvc", "bthserv", "camsvc",
    "CaptureService", "cbdhsvc", "CDPSvc", "CDPUserSvc", "CertPropSvc", "CertSvc", "ClipSVC", "ClusSvc", "COMSysApp",
    "ConsentUxUserSvc", "CoreMessagingRegistrar", "CryptSvc", "CscService", "DcomLaunch", "defragsvc", "Dfs", "DFSR",
    "DeviceAssociationService", "DeviceInstall", "DevicePickerUserSvc", "DevicesFlowUserSvc", "DevQueryBroker", "Dhcp",
    "DHCPServer", "diagnosticshub.standardcollector.service", "DiagTrack", "DispBrokerDesktopSvc", "DmEnrollmentSvc",
    "dmwappushservice", "DNS", "Dnscache", "DoSvc", "dot3svc", "DPS", "DsmSvc", "DsRoleSvc", "DsSvc", "DusmSvc", "EapHost",
    "edgeupdate", "edgeupdatem", "EFS", "embeddedmode", "EntAppSvc", "EventLog", "EventSystem", "fdPHost", "FDResPub",
    "FontCache", "FontCache3.0.0.0", "FrameServer", "gpsvc", "GraphicsPerfSvc", "hidserv", "hns", "HvHost", "IAS",
    "icssvc", "IISADMIN", "IKEEXT", "InstallService", "iphlpsvc", "IsmServ", "Kdc", "KeyIso", "KPSSVC", "KtmRm", "LanmanServer",
    "LanmanWorkstation", "lfsvc", "LicenseManager", "lltdsvc", "lmhosts", "LSM", "LxssManager", "MapsBroker", "MpsSvc", "MSDTC",
    "MSiSCSI", "msiserver", "MSMQ", "NcaSvc", "NcbService", "Netlogon", "Netman", "netprofm", "NetSetupSvc", "NetTcpPortSharing",
    "NgcCtnrSvc", "NgcSvc", "NlaSvc", "nsi", "NTDS", "NtFrs", "nvspwmi", "PcaSvc", "PerfHost", "PhoneSvc",
    "PimIndexMaintenanceSvc", "pla", "PlugPlay", "PolicyAgent", "Power", "PrintNotify", "PrintWorkflowUserSvc", "ProfSvc",
    "PushToInstall", "QWAVE", "RasAuto", "RasMan", "RemoteAccess", "RemoteRegistry", "RmSvc", "RpcEptMapper", "RpcLocator",
    "RpcSs", "RSoPProv", "sacsvr", "SamSs", "SCardSvr", "ScDeviceEnum", "Schedule", "SCPolicySvc", "seclogon",
    "SecurityHealthService", "SEMgrSvc", "SENS", "Sense", "SensorDataService", "SensorService", "SensrSvc", "SessionEnv",
    "SgrmBroker", "SharedAccess", "ShellHWDetection", "shpamsvc", "smphost", "SNMP", "SNMPTRAP", "Spooler", "sppsvc", "SSDPSRV",
    "ssh-agent", "sshd", "SstpSvc", "StateRepository", "stisvc", "StorSvc", "svsvc", "swprv", "SysMain", "SystemEventsBroker",
    "TabletInputService", "TapiSrv", "TermService", "Themes", "TieringEngineService", "TimeBrokerSvc", "TokenBroker", "TrkWks",
    "TrustedInstaller", "tzautoupdate", "UALSVC", "UevAgentService", "UmRdpService", "UnistoreSvc", "upnphost", "UserDataSvc",
    "UserManager", "UsoSvc", "VaultSvc", "vds", "vmcompute", "vmicguestinterface", "vmicheartbeat", "vmickvpexchange", "vmicrdv",
    "vmicshutdown", "vmictimesync", "vmicvmsession", "vmicvss", "vmms", "VSS", "W32Time", "W3LOGSVC", "W3SVC", "WaaSMedicSvc",
    "WalletService", "WarpJITSvc", "WAS", "WbioSrvc", "Wcmsvc", "wcncsvc", "WdiServiceHost", "WdiSystemHost", "WdNisSvc",
    "WebClient", "Wecsvc", "WEPHOSTSVC", "wercplsupport", "WerSvc", "WFDSConMgrSvc", "WiaRpc", "WinDefend",
    "WinHttpAutoProxySvc", "Winmgmt", "winnat", "WinRM", "wisvc", "wlidsvc", "WLMS", "wmiApSrv", "WMPNetworkSvc", "workfolderssvc",
    "WpcMonSvc", "WPDBusEnum", "WpnService", "WpnUserService", "wscsvc", "WSearch", "WSService", "wuauserv", "WwanSvc",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_windows_are_known_whatever_their_case() {
        assert!(is_of_windows("dnscache") && is_of_windows("CDPUserSvc_3f2a1"));
        assert!(!is_of_windows("ContosoOrders") && !is_of_windows("Dnscache_of_contoso"));
    }
}
