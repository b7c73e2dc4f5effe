//! The table of known causes: what each looks like, what helps, and where that is from.
//!
//! An entry is a hint and never the verdict. Images are in lower case; a `*` at the end stands for any rest. What somebody
//! reported of another program is not repeated of a third one: an entry without a public source is not here. Nor are those that
//! no input of a case shows: registry values (HNS's switch for exclusions, RPC's ports, `ReservedPorts`), entries of the
//! Application log, error codes that only the program sees, and which library a program uses.

use super::Trust::{Maintainer, Microsoft, User};
use super::{ANY, Cause, Remote, Sign, Signs, Use};
use crate::net::Protocol::{Tcp, Udp};

/// Every entry, programs first.
pub(super) static CAUSES: &[Cause] = &[
    Cause {
        code: "docker_sailor_udp",
        signs: Signs { images: &["com.docker.sailor*"], protocol: Some(Udp), ..ANY },
        text: "Docker Desktop 4.88.1 (network type gvisor, Hyper-V) took about 60 new UDP ports a minute and freed none",
        fix: "quit and start Docker Desktop, which frees all at once; update it",
        trust: User,
        sources: &["https://github.com/docker/desktop-feedback/issues/633"],
    },
    Cause {
        code: "docker_backend_bound",
        signs: Signs { images: &["com.docker.backend*"], protocol: Some(Tcp), uses: &[Use::Bound], ..ANY },
        text: "Docker Desktop kept thousands of sockets that are only bound (4.43.1; 4.57.0 with WSL in mirrored mode)",
        fix: "restart Docker Desktop; update it",
        trust: User,
        sources: &["https://github.com/docker/for-win/issues/14859", "https://github.com/docker/for-win/issues/15032"],
    },
    Cause {
        code: "wsl1_dead",
        signs: Signs {
            images: &["node.exe", ""],
            protocol: Some(Tcp),
            uses: &[Use::Bound],
            builds: (16_299, 18_362),
            ..ANY
        },
        text: "WSL 1 keeps the port of a connect that the program closed before it finished",
        fix: "restart the service LxssManager, which ends all WSL work; newer builds of Windows have the fix",
        trust: Maintainer,
        sources: &["https://github.com/microsoft/WSL/issues/2913", "https://github.com/microsoft/WSL/issues/3951"],
    },
    Cause {
        code: "wsl_mirrored_block",
        signs: Signs { beside: &["wslservice.exe"], machine: &[Sign::UnexplainedBlock(4_096)], ..ANY },
        text: "WSL 2 in mirrored mode reserves one block of 4,096 ports for its guest, which no listing shows; that is normal",
        fix: "nothing; another network mode of WSL does without it",
        trust: Maintainer,
        sources: &["https://github.com/microsoft/WSL/issues/12228", "https://github.com/microsoft/WSL/issues/40169"],
    },
    Cause {
        code: "wsl_mirrored_udp_leak",
        signs: Signs { beside: &["wslservice.exe"], machine: &[Sign::UnexplainedUdpPool], ..ANY },
        text: "WSL 2 in mirrored mode left more than 16,000 UDP reservations behind, which have no owner",
        fix: "wsl --shutdown; update WSL",
        trust: User,
        sources: &["https://github.com/microsoft/WSL/issues/41162"],
    },
    Cause {
        code: "tailscale_bound",
        signs: Signs { images: &["tailscaled.exe"], protocol: Some(Tcp), uses: &[Use::Bound], ..ANY },
        text: "Tailscale kept 16,317 sockets that are only bound, under a PID that had ended",
        fix: "a restart of the server: neither its service nor its adapter freed them",
        trust: User,
        sources: &["https://github.com/tailscale/tailscale/issues/20721"],
    },
    Cause {
        code: "tailscale_self_tw",
        signs: Signs {
            protocol: Some(Tcp),
            uses: &[Use::TimeWait],
            remote: Remote::Tailnet,
            beside: &["tailscaled.exe"],
            ..ANY
        },
        text: "programs that reach a server of the same machine by its Tailscale address fill the pool with TIME_WAIT",
        fix: "reuse connections, or use 127.0.0.1",
        trust: User,
        sources: &["https://github.com/tailscale/tailscale/issues/20039"],
    },
    Cause {
        code: "tun_proxy",
        signs: Signs { images: &["tun2socks*", "clash*", "verge-mihomo*"], ..ANY },
        text: "a proxy behind a virtual adapter opens a second connection for each of a program's; a routing loop multiplies them",
        fix: "look for a routing loop, or a peer-to-peer program behind it; restart it",
        trust: User,
        sources: &[
            "https://github.com/xjasonlyu/tun2socks/issues/305",
            "https://github.com/clash-verge-rev/clash-verge-rev/issues/2398",
        ],
    },
    Cause {
        code: "browseros_loopback",
        signs: Signs { images: &["browseros-claw-server*"], protocol: Some(Tcp), remote: Remote::Loopback, ..ANY },
        text: "BrowserOS kept 13,870 connections to itself in five days",
        fix: "restart it",
        trust: User,
        sources: &["https://github.com/browseros-ai/BrowserOS/issues/2591"],
    },
    Cause {
        code: "fluent_bit_pairs",
        signs: Signs {
            images: &["fluent-bit.exe"],
            protocol: Some(Tcp),
            uses: &[Use::Kept, Use::Connected],
            remote: Remote::Loopback,
            ..ANY
        },
        text: "Fluent Bit 2.0 did not close the socket pairs of its log pipe",
        fix: "update it",
        trust: Maintainer,
        sources: &["https://github.com/fluent/fluent-bit/issues/6748"],
    },
    Cause {
        code: "fluent_bit_tw",
        signs: Signs {
            images: &["fluent-bit.exe"],
            protocol: Some(Tcp),
            uses: &[Use::TimeWait],
            remote: Remote::Loopback,
            ..ANY
        },
        text: "Fluent Bit leaves 10,000 and more of its own connections in TIME_WAIT under load",
        fix: "fewer inputs on a host; a wider range",
        trust: Maintainer,
        sources: &["https://github.com/fluent/fluent-bit/issues/11790"],
    },
    Cause {
        code: "wazuh_bound",
        signs: Signs {
            images: &["wazuh-agent.exe", "ossec-agent.exe"],
            services: &["WazuhSvc", "OssecSvc"],
            protocol: Some(Tcp),
            uses: &[Use::Bound, Use::Kept],
            ..ANY
        },
        text: "a Wazuh agent (4.1.2) kept the socket of each registration that the manager refused",
        fix: "make the manager reachable; update the agent",
        trust: Maintainer,
        sources: &["https://github.com/wazuh/wazuh/issues/8786", "https://github.com/wazuh/wazuh/issues/9398"],
    },
    Cause {
        code: "adguard_proxy",
        signs: Signs { images: &["adguardsvc.exe"], protocol: Some(Tcp), uses: &[Use::CloseWait], ..ANY },
        text: "AdGuard (7.21.3) kept connections in CLOSE_WAIT behind an upstream HTTP proxy",
        fix: "update it; do not put two HTTPS filters behind each other",
        trust: Maintainer,
        sources: &["https://github.com/AdguardTeam/AdguardForWindows/issues/5647"],
    },
    Cause {
        code: "adguard_vpn_probe",
        signs: Signs {
            images: &["adguardvpn*"],
            protocol: Some(Tcp),
            uses: &[Use::TimeWait],
            remote: Remote::Ports(&[443]),
            ..ANY
        },
        text: "AdGuard VPN probes its servers: 800 to 1,200 ports in TIME_WAIT while idle, harmless alone; that is normal",
        fix: "nothing",
        trust: User,
        sources: &["https://github.com/AdguardTeam/AdGuardVPNForWindows/issues/367"],
    },
    Cause {
        code: "solarwinds_poller",
        signs: Signs { images: &["solarwinds.*"], protocol: Some(Tcp), ..ANY },
        text: "a SolarWinds poller needs 12,000 to 15,000 TCP ports when it watches many elements",
        fix: "fewer elements for each poller; a wider range",
        trust: User,
        sources: &["thwack.solarwinds.com, blog of 2019-03"],
    },
    Cause {
        code: "entra_connector",
        signs: Signs {
            images: &["microsoftentraprivatenetworkconnectorservice.exe", "applicationproxyconnectorservice.exe"],
            protocol: Some(Tcp),
            ..ANY
        },
        text: "all clients of a Microsoft Entra private network connector leave from its address: load by design",
        fix: "a wider range; more connectors",
        trust: User,
        sources: &["directaccess.richardhicks.com, \"Preventing Port Exhaustion on Entra Private Network Connector Servers\""],
    },
    Cause {
        code: "exchange_chatty",
        signs: Signs {
            images: &["w3wp.exe"],
            protocol: Some(Tcp),
            beside: &["microsoft.exchange.*", "msexchange*"],
            ..ANY
        },
        text: "Exchange may turn over the whole default range within two minutes; its setup widens the range for that",
        fix: "a wider range",
        trust: Microsoft,
        sources: &[
            "https://learn.microsoft.com/archive/blogs/clinth/detecting-ephemeral-port-exhaustion",
            "https://technet.microsoft.com/library/bb397379(v=exchg.80)",
        ],
    },
    Cause {
        code: "dns_pool",
        signs: Signs { images: &["dns.exe"], protocol: Some(Udp), most_ports: 10_000, ..ANY },
        text: "DNS Server holds a pool of 2,500 UDP sockets by default, 10,000 at most, from its start on; that is normal",
        fix: "nothing; dnscmd /info /socketpoolsize shows the size, and a smaller one is weaker against spoofing",
        trust: Microsoft,
        sources: &["https://support.microsoft.com/kb/956188"],
    },
    Cause {
        code: "dns_pool_steals",
        signs: Signs {
            images: &["dns.exe"],
            protocol: Some(Udp),
            most_ports: 10_000,
            machine: &[Sign::ConflictInPool],
            ..ANY
        },
        text: "DNS Server's pool may take a port of the dynamic range that another service always asks for",
        fix: "exclude that port: SocketPoolExcludedPortRanges of DNS Server, or netsh's excludedportrange",
        trust: Microsoft,
        sources: &["https://support.microsoft.com/kb/956188"],
    },
    Cause {
        code: "technitium_pool",
        signs: Signs { images: &["dnsservice.exe"], protocol: Some(Udp), ..ANY },
        text: "Technitium DNS Server holds UDP sockets on random ports on purpose; that is normal",
        fix: "nothing; where it takes a service's port, delay its start",
        trust: Maintainer,
        sources: &["https://github.com/TechnitiumSoftware/DnsServer/issues/743"],
    },
    Cause {
        code: "ancm_hop",
        signs: Signs {
            images: &["w3wp.exe"],
            protocol: Some(Tcp),
            uses: &[Use::TimeWait],
            remote: Remote::Loopback,
            ..ANY
        },
        text: "IIS in front of an ASP.NET Core process of its own opens a connection on the same machine for each request",
        fix: "host it in the process of IIS; keep connections alive",
        trust: Maintainer,
        sources: &["https://github.com/aspnet/IISIntegration/issues/854"],
    },
    Cause {
        code: "httpclient_per_request",
        signs: Signs {
            images: &["dotnet.exe", "w3wp.exe"],
            protocol: Some(Tcp),
            uses: &[Use::TimeWait],
            remote: Remote::OneElsewhere,
            ..ANY
        },
        text: "a .NET program that makes and disposes an HttpClient for each request leaves each port in TIME_WAIT",
        fix: "one shared client, or IHttpClientFactory; see too whether the server answers with Connection: close",
        trust: Microsoft,
        sources: &["https://learn.microsoft.com/dotnet/fundamentals/networking/http/httpclient-guidelines"],
    },
    Cause {
        code: "dotnet_connectex",
        signs: Signs {
            images: &["dotnet.exe"],
            protocol: Some(Tcp),
            uses: &[Use::Connected],
            remote: Remote::Many,
            least_percent: 90,
            builds: (10_240, u32::MAX),
            ..ANY
        },
        text: ".NET Core up to 5 binds before it connects, so that each connection takes a port of its own on the machine",
        fix: ".NET 6 or later, which sets SO_REUSE_UNICASTPORT, together with an auto-reuse range",
        trust: Maintainer,
        sources: &["https://github.com/dotnet/runtime/issues/47531", "https://github.com/dotnet/runtime/pull/54903"],
    },
    Cause {
        code: "node_no_keepalive",
        signs: Signs { images: &["node.exe"], protocol: Some(Tcp), uses: &[Use::TimeWait], ..ANY },
        text: "Node.js before 19, or with an http.Agent of its own, opens a connection for each request",
        fix: "new Agent({keepAlive: true})",
        trust: Maintainer,
        sources: &["https://github.com/nodejs/node/issues/37184", "https://github.com/nodejs/node/issues/55770"],
    },
    Cause {
        code: "java_selector",
        signs: Signs {
            images: &["java.exe", "javaw.exe"],
            protocol: Some(Tcp),
            uses: &[Use::Kept, Use::Connected],
            remote: Remote::Loopback,
            ..ANY
        },
        text: "each NIO selector of Java before 19 costs a pair of connections to itself: dozens are normal, thousands are selectors that nobody closed",
        fix: "find who opens selectors and does not close them; a newer Java",
        trust: Maintainer,
        sources: &["https://github.com/openjdk/jdk/pull/7302"],
    },
    Cause {
        code: "sql_no_pool",
        signs: Signs {
            protocol: Some(Tcp),
            uses: &[Use::TimeWait],
            remote: Remote::Ports(&[1433, 5432, 3306]),
            ..ANY
        },
        text: "a program that opens a connection to its database for each query, with Pooling=false or a leak of the pool",
        fix: "use the driver's pool, and dispose connections",
        trust: Maintainer,
        sources: &[
            "https://github.com/npgsql/npgsql/issues/1386",
            "https://github.com/dotnet/SqlClient/pull/890",
        ],
    },
    Cause {
        code: "ssis_jobs",
        signs: Signs { images: &["dtexec.exe", "isserverexec.exe"], protocol: Some(Tcp), ..ANY },
        text: "SSIS packages that run at the same time open many connections",
        fix: "let the jobs start one after the other",
        trust: User,
        sources: &["blog.coeo.com, 2016-06-01"],
    },
    Cause {
        code: "redis_per_request",
        signs: Signs { protocol: Some(Tcp), uses: &[Use::TimeWait], remote: Remote::Ports(&[6379]), ..ANY },
        text: "a program that makes a ConnectionMultiplexer of Redis for each request",
        fix: "one for the life of the process",
        trust: Maintainer,
        sources: &["https://github.com/StackExchange/StackExchange.Redis/issues/1517"],
    },
    Cause {
        code: "grpc_channel_per_call",
        signs: Signs { protocol: Some(Tcp), uses: &[Use::TimeWait], remote: Remote::Ports(&[50_051]), ..ANY },
        text: "a program that makes a gRPC channel for each call",
        fix: "keep channels",
        trust: Maintainer,
        sources: &["https://github.com/grpc/grpc/issues/5582"],
    },
    Cause {
        code: "wininet_ftp",
        signs: Signs { protocol: Some(Tcp), uses: &[Use::TimeWait], remote: Remote::Ports(&[21]), ..ANY },
        text: "thousands of small files by FTP, each with connections of its own (WinINet error 12058)",
        fix: "pack the files, or slow down",
        trust: Microsoft,
        sources: &["https://github.com/MicrosoftDocs/sdk-api/pull/1998"],
    },
    Cause {
        code: "wmi_gpo_udp",
        signs: Signs {
            images: &["wmiprvse.exe"],
            protocol: Some(Udp),
            builds: (14_393, 14_393),
            machine: &[Sign::UdpPoolFullEvent],
            ..ANY
        },
        text: "group policies with WMI filters filled the UDP pool of Server 2016; ending WmiPrvSE does not help",
        fix: "update Server 2016; do without WMI filters",
        trust: User,
        sources: &["dimitri.janczak.net, 2017-10-24"],
    },
    Cause {
        code: "loopback_churn",
        signs: Signs { protocol: Some(Tcp), uses: &[Use::TimeWait], remote: Remote::Loopback, ..ANY },
        text: "short connections to the same machine: both ends are here, and each request through a proxy costs two ports",
        fix: "keep connections alive",
        trust: Maintainer,
        sources: &["https://github.com/oven-sh/bun/pull/33898"],
    },
    Cause {
        code: "kernel_leak",
        signs: Signs { images: &["system"], least_percent: 30, ..ANY },
        text: "a driver keeps sockets, which count for System",
        fix: "a complete memory dump while many are leaked shows the driver",
        trust: Microsoft,
        sources: &["https://learn.microsoft.com/archive/blogs/clinth/detecting-ephemeral-port-exhaustion"],
    },
    Cause {
        code: "scal_starve",
        signs: Signs { machine: &[Sign::OneAddressFull], ..ANY },
        text: "a proxy that sets SO_PORT_SCALABILITY uses up the pool of one address; sockets without the option find its ports closed too",
        fix: "let the proxy use SO_REUSE_UNICASTPORT instead; more addresses do not help the others",
        trust: Microsoft,
        sources: &["https://learn.microsoft.com/windows/win32/winsock/so-port-scalability"],
    },
    // Reservations and settings.
    Cause {
        code: "winnat_blocks",
        signs: Signs { machine: &[Sign::BlocksOf(100)], ..ANY },
        text: "blocks of 100 reserved ports without a star are WinNAT's, for virtual machines, containers and WSL; that is normal, and they move at each start",
        fix: "where one takes a program's port: net stop winnat, exclude the port with netsh, net start winnat; virtual machines and containers lose their network in between",
        trust: User,
        sources: &["https://github.com/microsoft/WSL/issues/5514", "https://github.com/docker/for-win/issues/3171"],
    },
    Cause {
        code: "hns_60",
        signs: Signs { machine: &[Sign::HnsOwnRange], ..ANY },
        text: "50000-50059 with a star is excluded by HNS itself, on any server with containers; that is normal",
        fix: "nothing",
        trust: User,
        sources: &["https://github.com/docker/for-win/issues/3171"],
    },
    Cause {
        code: "sandbox_blocks",
        signs: Signs { machine: &[Sign::ManyReservations(100)], ..ANY },
        text: "Windows Sandbox left hundreds of ranges reserved after it was closed",
        fix: "a restart of the machine",
        trust: User,
        sources: &["https://github.com/microsoft/Windows-Sandbox/issues/61"],
    },
    Cause {
        code: "dp_start_low",
        signs: Signs { machine: &[Sign::LowStart, Sign::Hns], ..ANY },
        text: "a dynamic range that starts at 1024 or 1025 lets WinNAT reserve blocks among the ports of services",
        fix: "set the default range of 49152 with 16384 ports, and restart the server",
        trust: User,
        sources: &["https://github.com/docker/for-win/issues/3171", "https://github.com/microsoft/WSL/issues/5306"],
    },
    Cause {
        code: "dp_too_small",
        signs: Signs { machine: &[Sign::SmallRange], ..ANY },
        text: "the dynamic range is smaller than the default of 16,384 ports",
        fix: "restore the default",
        trust: Microsoft,
        sources: &[
            "https://learn.microsoft.com/troubleshoot/windows-client/networking/tcp-ip-port-exhaustion-troubleshooting",
        ],
    },
    Cause {
        code: "hns_lb",
        signs: Signs { machine: &[Sign::BlocksOf(64)], ..ANY },
        text: "blocks of 64 reserved ports are those of the load balancer of HNS on a Windows node of Kubernetes, one for each service",
        fix: "direct server return (DSR); KB4550969 of 2020-04 or later; the range 33000-65535, as AKS sets it",
        trust: Maintainer,
        sources: &["https://github.com/Azure/AKS/issues/1375", "https://github.com/Azure/aks-engine/issues/2684"],
    },
    Cause {
        code: "aks_65330",
        signs: Signs { machine: &[Sign::Excluded(Udp, 65_330)], ..ANY },
        text: "UDP 65330 is excluded on nodes of AKS for a service of the host; that is normal",
        fix: "nothing",
        trust: Maintainer,
        sources: &["https://github.com/Azure/AgentBaker/pull/1913"],
    },
    Cause {
        code: "service_fabric",
        signs: Signs { beside: &["fabric.exe", "fabrichost.exe"], machine: &[Sign::OtherRange], ..ANY },
        text: "Service Fabric sets the dynamic range of a node by its ephemeralPorts; that is normal",
        fix: "change it in the node type, not with netsh",
        trust: Microsoft,
        sources: &["https://learn.microsoft.com/azure/service-fabric, NodeTypeDescription"],
    },
    // Old Windows.
    Cause {
        code: "kb2553549",
        signs: Signs { builds: (6_000, 7_601), machine: &[Sign::UpForDays(497)], ..ANY },
        text: "after 497 days without a restart, ports in TIME_WAIT do not come back on this Windows",
        fix: "KB2553549 or any later tcpip.sys; until then a restart",
        trust: Microsoft,
        sources: &["https://learn.microsoft.com/archive/blogs/jpntsblog/497-2"],
    },
    Cause {
        code: "kb3149157",
        signs: Signs { builds: (9_200, 9_600), machine: &[Sign::OutOfPorts], ..ANY },
        text: "this Windows may hang when it is out of ports, and cannot let connections share them without an update",
        fix: "KB3149157 (8.1, Server 2012 R2) or KB3014399 (8, Server 2012)",
        trust: Microsoft,
        sources: &["https://support.microsoft.com/help/3149157"],
    },
    Cause {
        code: "kb3123245",
        signs: Signs { builds: (9_600, 9_600), machine: &[Sign::Listing], ..ANY },
        text: "netstat and Get-NetTCPConnection count too few sockets on this Windows without an update",
        fix: "KB3123245, or the updates of 2016-10",
        trust: Microsoft,
        sources: &[
            "https://learn.microsoft.com/troubleshoot/windows-client/networking/tcp-ip-port-exhaustion-troubleshooting",
        ],
    },
    Cause {
        code: "ev4227_2008",
        signs: Signs { builds: (6_002, 6_002), machine: &[Sign::TupleReuse], ..ANY },
        text: "Server 2008 SP2 gives out a port that is still closing: Tcpip 4227 and Winsock error 10048",
        fix: "the hotfix of the page on event 4227",
        trust: Microsoft,
        sources: &["support.microsoft.com, \"Event ID 4227 … Windows Server 2008 SP2\""],
    },
    Cause {
        code: "tdi_reuse",
        signs: Signs { builds: (6_000, 6_002), machine: &[Sign::OutOfPorts], ..ANY },
        text: "with an old antivirus or firewall (a TDI filter), sockets that are reused leak handles on this Windows",
        fix: "KB977332; a newer antivirus",
        trust: Microsoft,
        sources: &["support.microsoft.com, KB977332"],
    },
    // What looks alike.
    Cause {
        code: "azure_snat",
        signs: Signs {
            beside: &["windowsazureguestagent.exe"],
            machine: &[Sign::ConnectTimeouts, Sign::NotOutOfPorts],
            ..ANY
        },
        text: "connects from a virtual machine of Azure to public addresses time out when its load balancer is out of SNAT ports; the server's own pool is not",
        fix: "a NAT gateway or more SNAT ports; a wider dynamic range does nothing",
        trust: Microsoft,
        sources: &["https://learn.microsoft.com/azure/api-management/troubleshoot-response-timeout-and-errors"],
    },
    Cause {
        code: "tuple_reuse",
        signs: Signs { machine: &[Sign::TupleReuse, Sign::NotOutOfPorts], ..ANY },
        text: "Tcpip 4227 without 4231: many connections to one address and port, not a shortage of ports",
        fix: "keep and reuse connections; options to share ports do not help against one destination",
        trust: Maintainer,
        sources: &["https://github.com/dotnet/runtime/issues/109141"],
    },
    Cause {
        code: "excluded_range",
        signs: Signs { machine: &[Sign::RefusedBinds], ..ANY },
        text: "a bind to a fixed port that ends with access denied (Winsock 10013) often meets an excluded range",
        fix: "see netsh int ipv4 show excludedportrange; exclude the program's port for it",
        trust: User,
        sources: &["https://github.com/docker/for-win/issues/3171"],
    },
];
