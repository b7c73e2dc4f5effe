//! Whether and how a holder may be restarted: what must never be is data, with the reason of each.

use super::situation::Named;

/// What to do with a holder whose ports must come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Restart {
    /// It is a program: restart it in its own way.
    Program,
    /// It is a worker process of IIS: its pool is recycled.
    WebPool,
    /// It hosts these services and no others, each of which may be restarted.
    Services(Vec<String>),
    /// It hosts a service that may be restarted at the console only: which, and why.
    AtTheConsole(String, &'static str),
    /// It hosts services, and which is not known.
    UnknownServices,
    /// Never alone: what must not be (the process, or a service in it), and why.
    Never(String, &'static str),
}

/// Processes that must not be ended. Sources: Microsoft's list of critical processes (bug check 0xEF), its guidelines on
/// system services, its page on protected services for anti-malware; names of minimal processes.
const NEVER_PROCESSES: &[(&[&str], &str)] = &[
    (&["csrss", "wininit", "winlogon", "services", "smss", "logonui"], "Windows stops without it"),
    (&["lsass", "lsaiso"], "it signs users in, and Windows stops without it"),
    (
        &["system", "registry", "memory compression", "secure system", "system idle process", "idle"],
        "it is the kernel, not a program",
    ),
    (
        &["msmpeng", "nissrv", "mssense"],
        "it is protected and cannot be ended: use the switches of the security product",
    ),
];

/// Services that must not be restarted alone. Sources: Microsoft's guidelines on system services, and its page on how services
/// are grouped; for Dnscache, WinHttpAutoProxySvc and hns what users report.
const NEVER_SERVICES: &[(&[&str], &str)] = &[
    (&["RpcSs", "RpcEptMapper"], "Windows does not let it be stopped, and most services depend on it"),
    (
        &["DcomLaunch", "PlugPlay", "Power", "LSM", "DeviceInstall", "BrokerInfrastructure"],
        "Windows becomes unstable without it",
    ),
    (&["SystemEventsBroker", "TimeBrokerSvc", "Schedule"], "Windows runs its own tasks with it"),
    (
        &["SamSs", "KeyIso", "NTDS", "Kdc", "ProfSvc", "gpsvc", "UserManager", "CoreMessagingRegistrar"],
        "nobody can sign in or out without it",
    ),
    (&["nsi"], "the server loses its network without it"),
    (&["EventLog"], "it keeps the evidence, and other services depend on it"),
    (&["BFE", "MpsSvc"], "the firewall and IPsec stop with it"),
    (&["Dnscache"], "Windows does not let it be stopped: first flush its cache with ipconfig /flushdns"),
    (&["WinHttpAutoProxySvc"], "Windows does not let it be stopped"),
    (&["WinDefend", "WdNisSvc", "Sense"], "it is protected: use the switches of the security product"),
    (&["hns"], "containers lose their network and do not recover by themselves"),
    (&["ClusSvc"], "a stop counts as a failure of the node: use the tools of the cluster"),
];

/// Services that cut off whoever restarts them from afar.
const CONSOLE_SERVICES: &[(&[&str], &str)] = &[
    (
        &["NlaSvc", "netprofm", "iphlpsvc", "Dhcp", "Wcmsvc"],
        "it may change the network profile, an address or a tunnel of the server",
    ),
    (&["TermService", "SessionEnv", "UmRdpService"], "Remote Desktop sessions drop"),
];

fn find(list: &[(&[&str], &'static str)], name: &str) -> Option<&'static str> {
    let is_in = |names: &&[&str]| names.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    list.iter().find(|(names, _)| is_in(names)).map(|(_, why)| *why)
}

/// The image without its ending.
fn stem(image: &str) -> &str {
    image.strip_suffix(".exe").unwrap_or(image)
}

/// Whether and how a holder may be restarted.
pub(super) fn restart_of(named: &Named<'_>) -> Restart {
    if named.is_kernel() {
        return Restart::Never(named.label.clone(), "it is the kernel, not a program");
    }
    if let Some(why) = find(NEVER_PROCESSES, stem(&named.image)) {
        return Restart::Never(named.label.clone(), why);
    }
    // The service that owns the sockets is the one to restart: then the others in the process do not matter.
    let owner = named.service.map(|service| [service.to_owned()]);
    let services = owner.as_ref().map_or(named.services, |owner| owner.as_slice());
    let found = |list| services.iter().find_map(|service| Some((service.clone(), find(list, service)?)));
    if let Some((service, why)) = found(NEVER_SERVICES) {
        return Restart::Never(service, why);
    }
    if let Some((service, why)) = found(CONSOLE_SERVICES) {
        return Restart::AtTheConsole(service, why);
    }
    // A name that may not stand in a command is no service that is known.
    let are_names = services.iter().all(|name| is_service_name(name));
    match stem(&named.image) {
        "svchost" if services.is_empty() || !are_names => Restart::UnknownServices,
        "w3wp" => Restart::WebPool,
        _ if services.is_empty() || !are_names => Restart::Program,
        _ => Restart::Services(services.to_vec()),
    }
}

/// Whether a name that a file tells may stand in a command.
fn is_service_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(image: &str, services: &[&str]) -> Restart {
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        let label = format!("{image} (PID 700)");
        restart_of(&Named {
            label,
            image: image.to_lowercase(),
            pid: Some(700),
            services: &services,
            ..Named::default()
        })
    }

    #[test]
    fn nothing_on_the_lists_is_restarted() {
        for (names, why) in NEVER_PROCESSES {
            for name in *names {
                let image = format!("{}.EXE", name.to_uppercase());
                assert_eq!(of(&image, &[]), Restart::Never(format!("{image} (PID 700)"), why));
            }
        }
        for (names, why) in NEVER_SERVICES {
            for name in *names {
                assert_eq!(of("svchost.exe", &[name]), Restart::Never((*name).to_owned(), why));
                // One of them among others is enough, however it is spelled.
                let (other, spelled) = ("W32Time", name.to_lowercase());
                assert_eq!(of("svchost.exe", &[other, &spelled]), Restart::Never(spelled.clone(), why));
            }
        }
        for (names, why) in CONSOLE_SERVICES {
            for name in *names {
                assert_eq!(of("svchost.exe", &[name]), Restart::AtTheConsole((*name).to_owned(), why));
            }
        }
    }

    #[test]
    fn what_may_be_restarted_is_told_how() {
        let own = |names: &[&str]| Restart::Services(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(of("svchost.exe", &["W32Time", "BITS"]), own(&["W32Time", "BITS"]));
        assert_eq!(of("dns.exe", &["DNS"]), own(&["DNS"]));
        assert_eq!(of("sqlservr.exe", &["MSSQL$A"]), own(&["MSSQL$A"]));
        assert_eq!(of("svchost.exe", &[]), Restart::UnknownServices);
        assert_eq!(of("w3wp.exe", &[]), Restart::WebPool);
        assert_eq!(of("agent.exe", &["x'; calc; '"]), Restart::Program);
        assert_eq!(of("agent.exe", &[]), Restart::Program);
        assert_eq!(of("svchost.exe", &["x'; calc; '"]), Restart::UnknownServices);
    }

    #[test]
    fn the_service_that_owns_the_sockets_decides() {
        let services = ["Schedule".to_owned(), "BITS".to_owned()];
        let svchost =
            Named { image: "svchost.exe".to_owned(), pid: Some(700), services: &services, ..Named::default() };
        assert!(matches!(restart_of(&svchost), Restart::Never(..)));
        let owner = |service| restart_of(&Named { service: Some(service), ..svchost.clone() });
        assert_eq!(owner("BITS"), Restart::Services(vec!["BITS".to_owned()]));
        assert!(matches!(owner("Schedule"), Restart::Never(..)));
    }
}
