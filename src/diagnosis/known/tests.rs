use std::collections::BTreeSet;

use super::*;
use crate::net::Family;

/// What is looked at: a process, where the entry is about one, and the machine.
type Scene = (Option<Process>, Machine);

fn tcp(image: &str) -> Process {
    Process { image: image.to_owned(), protocol: Some(Protocol::Tcp), ports: 1000, percent: 95, ..Process::default() }
}

fn udp(image: &str) -> Process {
    Process { protocol: Some(Protocol::Udp), ..tcp(image) }
}

/// With this many sockets that are bound alone, in CLOSE_WAIT, connected.
fn listed(process: Process, bound: u32, close_wait: u32, established: u32) -> Process {
    let ports = process.ports;
    Process { listed: Some(Listed { ports, bound, close_wait, established, ..Listed::default() }), ..process }
}

fn waiting(process: Process) -> Process {
    Process { time_wait: 900, ..process }
}

fn leaking(process: Process) -> Process {
    Process { pattern: Some(Pattern::Leak), ..process }
}

fn to(process: Process, remotes: &[&str]) -> Process {
    let remotes = remotes.iter().zip([500, 300, 200]).map(|(remote, connects)| (remote.parse().unwrap(), connects));
    Process { remotes: remotes.collect(), ..process }
}

/// To several addresses, none with half of the connects.
fn to_many(process: Process) -> Process {
    let remotes = (1..=4).map(|n| (format!("10.0.0.{n}:443").parse().unwrap(), 100));
    Process { remotes: remotes.collect(), ..process }
}

fn only(process: Process) -> Scene {
    (Some(process), Machine::default())
}

fn build(build: u32, process: Process) -> Scene {
    (Some(process), Machine { build: Some(build), ..Machine::default() })
}

fn beside(image: &str, process: Process) -> Scene {
    (Some(process), runs(image, Machine::default()))
}

fn runs(image: &str, machine: Machine) -> Machine {
    Machine { images: vec![image.to_owned()], ..machine }
}

fn excluded(start: u16, end: u16, administered: bool) -> ExcludedPorts {
    let (protocol, family) = (Protocol::Tcp, Some(Family::Ipv4));
    ExcludedPorts { source: 0, protocol, family, start, end, administered }
}

fn with_excluded(excluded: Vec<ExcludedPorts>) -> Scene {
    (None, Machine { excluded, ..Machine::default() })
}

fn blocks(count: u16, size: u16) -> Scene {
    with_excluded((0..count).map(|n| excluded(50_100 + n * size, 50_099 + n * size + size, false)).collect())
}

fn ranges(range: (u16, u32), machine: Machine) -> Scene {
    (None, Machine { ranges: vec![range], ..machine })
}

fn unexplained(protocol: Protocol, ports: u32, image: &str) -> Scene {
    let machine = Machine { unexplained: vec![(Some(protocol), ports, 16_384)], ..Machine::default() };
    (None, runs(image, machine))
}

fn machine(build: u32, change: impl FnOnce(&mut Machine)) -> Scene {
    let mut machine = Machine { build: Some(build), ..Machine::default() };
    change(&mut machine);
    (None, machine)
}

const LOCAL: &[&str] = &["127.0.0.1:5000"];
const FAR: &[&str] = &["10.1.2.3:8080"];
const WSL: &str = "wslservice.exe";

/// For each entry a scene that it fits, and one like it that it does not.
fn scenes() -> Vec<(&'static str, Scene, Scene)> {
    let days = |build: u32, days: i64| machine(build, |machine| machine.uptime_100ns = Some(days * DAY_100NS));
    let out = |build: u32| machine(build, |machine| machine.is_out_of_ports = true);
    let reuse = |build: u32| machine(build, |machine| machine.tuple_reuse = 3);
    let timeouts = |count: u64| {
        let (_, machine) = machine(20348, |machine| machine.connect_timeouts = count);
        (None, runs("windowsazureguestagent.exe", machine))
    };
    let wmi = |build: u32, events: u64| {
        let (_, machine) = machine(build, |machine| machine.udp_pool_full = events);
        (Some(udp("wmiprvse.exe")), machine)
    };
    let stolen = |conflict_in_pool: bool| {
        let dns = Process { ports: 2500, percent: 15, ..udp("dns.exe") };
        (Some(dns), Machine { conflict_in_pool, ..Machine::default() })
    };
    let port = |port: u16| with_excluded(vec![ExcludedPorts { protocol: Protocol::Udp, ..excluded(port, port, true) }]);
    let hns = |has_hns: bool| Machine { has_hns, ..Machine::default() };
    let dns_sockets = |ports: u32| only(Process { ports, ..udp("dns.exe") });
    let fabric = "fabrichost.exe";
    vec![
        ("docker_sailor_udp", only(udp("com.docker.sailor.exe")), only(tcp("com.docker.sailor.exe"))),
        (
            "docker_backend_bound",
            only(listed(tcp("com.docker.backend.exe"), 900, 0, 100)),
            only(listed(tcp("com.docker.backend.exe"), 100, 0, 900)),
        ),
        ("wsl1_dead", build(17_763, listed(tcp(""), 900, 0, 0)), build(19_041, listed(tcp(""), 900, 0, 0))),
        ("wsl_mirrored_block", unexplained(Protocol::Tcp, 4_100, WSL), unexplained(Protocol::Tcp, 9_000, WSL)),
        ("wsl_mirrored_udp_leak", unexplained(Protocol::Udp, 16_000, WSL), unexplained(Protocol::Udp, 16_000, "a.exe")),
        (
            "tailscale_bound",
            only(listed(tcp("tailscaled.exe"), 900, 0, 0)),
            only(listed(tcp("tailscaled.exe"), 0, 0, 900)),
        ),
        (
            "tailscale_self_tw",
            beside("tailscaled.exe", to(waiting(tcp("a.exe")), &["100.100.1.2:8080"])),
            beside("tailscaled.exe", to(waiting(tcp("a.exe")), &["100.128.1.2:8080"])),
        ),
        ("tun_proxy", only(udp("clash-meta.exe")), only(udp("crash.exe"))),
        (
            "browseros_loopback",
            only(to(tcp("browseros-claw-server.exe"), LOCAL)),
            only(to(tcp("browseros-claw-server.exe"), FAR)),
        ),
        (
            "fluent_bit_pairs",
            only(to(leaking(tcp("fluent-bit.exe")), LOCAL)),
            only(to(leaking(tcp("fluent-bit.exe")), FAR)),
        ),
        (
            "fluent_bit_tw",
            only(to(waiting(tcp("fluent-bit.exe")), LOCAL)),
            only(to(waiting(tcp("fluent-bit.exe")), FAR)),
        ),
        (
            "wazuh_bound",
            only(Process { services: vec!["WazuhSvc".to_owned()], ..listed(tcp("agent.exe"), 900, 0, 0) }),
            only(Process { services: vec!["WazuhSvc".to_owned()], ..listed(tcp("agent.exe"), 0, 0, 900) }),
        ),
        (
            "adguard_proxy",
            only(listed(tcp("adguardsvc.exe"), 0, 600, 300)),
            only(listed(tcp("adguardsvc.exe"), 0, 100, 900)),
        ),
        (
            "adguard_vpn_probe",
            only(to(waiting(tcp("adguardvpnsvc.exe")), &["10.1.1.1:443"])),
            only(to(waiting(tcp("adguardvpnsvc.exe")), &["10.1.1.1:80"])),
        ),
        (
            "solarwinds_poller",
            only(tcp("solarwinds.businesslayerhost.exe")),
            only(udp("solarwinds.businesslayerhost.exe")),
        ),
        (
            "entra_connector",
            only(tcp("microsoftentraprivatenetworkconnectorservice.exe")),
            only(udp("microsoftentraprivatenetworkconnectorservice.exe")),
        ),
        ("exchange_chatty", beside("microsoft.exchange.store.service.exe", tcp("w3wp.exe")), only(tcp("w3wp.exe"))),
        ("dns_pool", dns_sockets(2_500), dns_sockets(10_001)),
        ("dns_pool_steals", stolen(true), stolen(false)),
        ("technitium_pool", only(udp("dnsservice.exe")), only(tcp("dnsservice.exe"))),
        ("ancm_hop", only(to(waiting(tcp("w3wp.exe")), LOCAL)), only(to(waiting(tcp("w3wp.exe")), FAR))),
        (
            "httpclient_per_request",
            only(to(waiting(tcp("dotnet.exe")), FAR)),
            only(to_many(waiting(tcp("dotnet.exe")))),
        ),
        (
            "dotnet_connectex",
            build(20_348, to_many(listed(tcp("dotnet.exe"), 0, 0, 900))),
            build(9_600, to_many(listed(tcp("dotnet.exe"), 0, 0, 900))),
        ),
        ("node_no_keepalive", only(waiting(tcp("node.exe"))), only(leaking(tcp("node.exe")))),
        ("java_selector", only(to(leaking(tcp("java.exe")), LOCAL)), only(to(leaking(tcp("java.exe")), FAR))),
        (
            "sql_no_pool",
            only(to(waiting(tcp("a.exe")), &["10.0.0.9:1433"])),
            only(to(leaking(tcp("a.exe")), &["10.0.0.9:1433"])),
        ),
        ("ssis_jobs", only(tcp("dtexec.exe")), only(tcp("dtexecui.exe"))),
        (
            "redis_per_request",
            only(to(waiting(tcp("a.exe")), &["10.0.0.9:6379"])),
            only(to(waiting(tcp("a.exe")), &["10.0.0.9:6380"])),
        ),
        (
            "grpc_channel_per_call",
            only(to(waiting(tcp("a.exe")), &["10.0.0.9:50051"])),
            only(to(tcp("a.exe"), &["10.0.0.9:50051"])),
        ),
        (
            "wininet_ftp",
            only(to(waiting(tcp("a.exe")), &["10.0.0.9:21"])),
            only(to(waiting(tcp("a.exe")), &["10.0.0.9:22"])),
        ),
        ("wmi_gpo_udp", wmi(14_393, 1), wmi(17_763, 1)),
        (
            "loopback_churn",
            only(to(waiting(tcp("a.exe")), &["[::1]:80"])),
            only(to(leaking(tcp("a.exe")), &["[::1]:80"])),
        ),
        ("kernel_leak", only(tcp("system")), only(Process { percent: 29, ..tcp("system") })),
        (
            "scal_starve",
            machine(20_348, |machine| machine.is_one_address = true),
            machine(20_348, |machine| machine.is_out_of_ports = true),
        ),
        ("winnat_blocks", blocks(2, 100), blocks(1, 100)),
        (
            "hns_60",
            with_excluded(vec![excluded(50_000, 50_059, true)]),
            with_excluded(vec![excluded(50_000, 50_059, false)]),
        ),
        ("sandbox_blocks", blocks(100, 20), blocks(99, 20)),
        ("dp_start_low", ranges((1024, 64_511), hns(true)), ranges((1024, 64_511), hns(false))),
        ("dp_too_small", ranges((49_152, 1000), hns(false)), ranges((49_152, 16_384), hns(false))),
        ("hns_lb", blocks(3, 64), blocks(3, 65)),
        ("aks_65330", port(65_330), port(65_331)),
        (
            "service_fabric",
            ranges((20_000, 6_000), runs(fabric, Machine::default())),
            ranges((49_152, 16_384), runs(fabric, Machine::default())),
        ),
        ("kb2553549", days(7_601, 497), days(7_601, 496)),
        ("kb3149157", out(9_600), out(14_393)),
        (
            "kb3123245",
            machine(9_600, |machine| machine.has_listing = true),
            machine(14_393, |machine| machine.has_listing = true),
        ),
        ("ev4227_2008", reuse(6_002), reuse(7_601)),
        ("tdi_reuse", out(6_001), out(7_600)),
        ("azure_snat", timeouts(20), timeouts(19)),
        (
            "tuple_reuse",
            reuse(20_348),
            machine(20_348, |machine| (machine.tuple_reuse, machine.is_out_of_ports) = (3, true)),
        ),
        (
            "excluded_range",
            machine(20_348, |machine| machine.refused_binds = 1),
            machine(20_348, |machine| machine.connect_timeouts = 1),
        ),
    ]
}

#[test]
fn each_entry_fits_its_case_and_not_the_near_miss() {
    let scenes = scenes();
    let told: Vec<&str> = scenes.iter().map(|(code, ..)| *code).collect();
    let entries: Vec<&str> = CAUSES.iter().map(|cause| cause.code).collect();
    assert_eq!(told, entries, "each entry has its scenes, in the order of the table");
    for (cause, (code, hit, miss)) in CAUSES.iter().zip(&scenes) {
        let fits = |(process, machine): &Scene| cause.signs.fit(process.as_ref(), machine);
        assert!(fits(hit), "{code}");
        assert!(!fits(miss), "{code}: the near miss");
        assert!(!fits(&only(tcp("a.exe"))) && !fits(&(None, Machine::default())), "{code}: anything at all");
    }
}

#[test]
fn each_entry_has_a_source_and_says_what_helps() {
    let mut codes = BTreeSet::new();
    for cause in CAUSES {
        let Cause { code, text, fix, sources, trust, .. } = cause;
        assert!(codes.insert(code), "{code} is there twice");
        assert!(!sources.is_empty() && !text.is_empty() && !fix.is_empty(), "{code}");
        for source in *sources {
            let is_microsoft = source.contains("microsoft.com/") || source.contains("microsoft.com,");
            let is_address = source.starts_with("https://") || source.contains(", ");
            assert!(is_address, "{code}: {source}");
            let is_documented = is_microsoft || source.contains("MicrosoftDocs");
            assert!(*trust != Trust::Microsoft || is_documented, "{code}: {source}");
        }
        for image in cause.signs.images.iter().chain(cause.signs.beside) {
            assert_eq!(*image, image.to_lowercase(), "{code}");
        }
        assert!(!text.ends_with('.') && !fix.ends_with('.'), "{code}");
    }
}
