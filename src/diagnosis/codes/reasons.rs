//! Why the verdict is what it is.

use super::codes;

codes! {
    /// A reason of the verdict, most important first.
    ReasonCode, "reason" {
        BindFailures = "bind_failures",
            "binds failed with 0xC0000209",
            "A program asked for any local port, and Windows had none to give: the bind ended with STATUS_TOO_MANY_ADDRESSES. Programs see it as Winsock error 10055 or 10048. One such failure is enough for the verdict, since the pool belongs to the machine and not to the program. The process whose bind failed is the victim: see `holders` for who has the ports.";
        ConnectFailures = "connect_failures",
            "connects failed with 0xC0000209",
            "A socket without a port of its own was connected, and Windows had no local port to give it. It is the same shortage as of binds, seen where a program does not bind first. These failures are counted separately and never added to those of binds. See `holders` for who has the ports.";
        TcpipRefusals = "tcpip_refusals",
            "TCP/IP's own events say that it refused binds or connects because no local port was free",
            "The TCPIP provider logged binds (1006, 1394) or connects (1050) that ended with STATUS_TOO_MANY_ADDRESSES. This is the layer below Winsock, so it also shows requests of the kernel that have no socket. Where Winsock reports the same request, it counts once.";
        WeakReferences = "weak_references",
            "TCP/IP gave ports that others use too, because none was free (1195)",
            "TCP/IP found no free port and gave one that is in use already. The program notices nothing, but the pool had no port left: treat it as exhaustion. See `holders` for who has the ports.";
        PoolFullEvents = "pool_full_events",
            "Tcpip 4231 or 4266 in an event log, inside the span of the traces",
            "Windows itself logged that all TCP ports (4231) or all UDP ports (4266) were in use, inside the span of the traces or, without a trace, within the last day of the log. The entry names no process. Alone it is indirect evidence, so the confidence is low: capture a trace with the Winsock-AFD provider to see who fails.";
        PoolNearlyFull = "pool_nearly_full",
            "80 % or more of what a pool can give out was held in the trace at one moment",
            "No request failed, but at one moment sockets held at least four of five ports that the pool can give out. The next peak can use up the rest. Look at the holders, and watch whether they grow.";
        ListingNearlyFull = "listing_nearly_full",
            "80 % or more of a pool is in use in a listing; low confidence where that includes sockets whose ports the listing does not show",
            "No request failed in a trace, but a listing of sockets shows at least four of five ports of a pool in use. A listing shows one moment, which need not be that of the trace. Where it only counts sockets without telling their ports, some may be a server's own connections, and the confidence is low.";
        TimeWaitNearlyFull = "time_wait_nearly_full",
            "80 % or more of a pool is in use with TIME_WAIT by estimate, for the shorter or only for the longer time; the text says which",
            "Held ports and those of connections closed shortly before add up to at least four of five ports. How long a closed connection keeps its port is not in every trace, so both usual times are tried, and the text names the one it uses. Only the side that closes first waits, and the trace does not tell which side that was: the number is an upper bound. A netstat listing shows the true number.";
        ListingUsage = "listing_usage",
            "how much of a pool the fullest listing shows in use",
            "This is the fullest pool of all listings, and it is not nearly full. It shows how far from exhaustion the machine was when the listing was taken, and nothing about other times.";
        NoFailures = "no_failures",
            "bind events, and none failed with 0xC0000209",
            "The trace holds Winsock-AFD bind events, so failures would be in it, and there is none. That rules out exhaustion for the time of the trace, if nothing was lost. If programs failed at another time, capture again while they fail.";
        NoAfdEvents = "no_afd_events",
            "no Winsock-AFD event: the provider was not enabled",
            "The provider Microsoft-Windows-Winsock-AFD reports binds and their failures, and the trace holds no event of it. Nothing follows from their absence. Capture again with that provider: the recommendation `capture` has the commands.";
        NoBindEvents = "no_bind_events",
            "Winsock-AFD events, and no bind among them",
            "The provider Microsoft-Windows-Winsock-AFD was enabled, but its keywords or level, or the load of the machine, left no bind event in the trace. Nothing follows from the absence of failures. Capture again with the keywords and the level that `capture` names, while programs fail.";
        NoTrace = "no_trace",
            "side files alone",
            "No trace was given, only listings and logs. They can show a pool that is full or nearly full at their own time. They cannot show whose requests failed.";
        EventsLost = "events_lost",
            "the header of a trace admits lost events or buffers",
            "The session could not write all events, as its own header says. Failures may be among those lost, so all counts are lower bounds, and a trace without any failure proves nothing. The confidence is medium, or low from a tenth of the trace on. Capture again with fewer providers or with more and larger buffers.";
        LossFlags = "loss_flags",
            "buffers are flagged as following a loss",
            "The flags of some buffers say that events were lost before them, whatever the header admits. Failures may be among those lost, so all counts are lower bounds. Capture again with fewer providers or with more and larger buffers.";
        Damaged = "damaged",
            "damaged or cut places",
            "Parts of the file are not what the format promises, often because it was cut short while being copied. What could be read is in the report, and the notes name each place with its offset. Failures may stand in the rest, so counts are lower bounds. Fetch the file again, and compare its size with the original.";
        MalformedRecords = "malformed_records",
            "Winsock-AFD records shorter than their layout",
            "Some Winsock-AFD records end before all their fields. They are not counted, so failures may be among them. A damaged file or an unknown version of Windows can be behind it.";
        UnknownPhases = "unknown_phases",
            "Winsock-AFD events with an EnterExit value that no source describes, not counted",
            "A Winsock-AFD event says by its EnterExit whether a request begins, ends or goes on, and some have a value that no source describes. They are left out, because a guess could count a failure twice. A trace without any failure then proves nothing.";
        UnknownVersions = "unknown_versions",
            "events about sockets or ports in versions that neither a table of the program nor the trace describes, not read",
            "Each event says in which version its fields are laid out, and some are of versions newer than the tables of the program. Where the trace brings their layout (a merge by `netsh trace stop` does) they are read by that; otherwise they are left out, because a guess could make up a failure or an owner. Failures may be among them. `coverage.unknown_versions` has their numbers: a newer version of the program may know them.";
        DisplacedEvents = "displaced_events",
            "events with wrong time stamps: the order of events is uncertain there",
            "The time stamps of some events contradict the records around them, so that their order is uncertain. Counts of failures are right, but who owned a socket and what was held at a moment may be wrong there. Events of a live session that came too late count here too.";
        ClockAssumed = "clock_assumed",
            "the header does not say how the clock counts, so times are estimates",
            "The header of the trace is missing, or names a clock that no source describes, so times rest on an assumption. Counts of failures do not depend on them. Do not compare times of this report with those of other logs.";
        ClockSetBack = "clock_set_back",
            "the system clock was set back while the trace was taken: times and rates are uncertain",
            "The header of the trace, or its buffers, show that somebody or a time service set the clock of the machine back while the session ran. Counts of failures are right. Times, ages and rates are uncertain, so no holder is given a pattern. Do not compare times of this report with those of other logs without looking at the clock's own events (Kernel-General 1 in the System log).";
        Wrapped = "wrapped",
            "a circular log overwrote its beginning",
            "The log was circular and full, so its oldest events are gone. Who took the ports may have been among them, and failures may have begun earlier than the first one shown. Capture with a larger maximum size, or stop sooner after the failures.";
        NotClosed = "not_closed",
            "a session did not close its log, so its count of lost events is not final",
            "The file was copied while its session was still writing, or the system stopped before the session did. The header's counts of lost events are then not final, and the last events may be missing. Stop the session before copying the file.";
        AfdLog = "afd_log",
            "events are from an event log of Winsock-AFD's channel, which may have overwritten its beginning",
            "Some or all of this comes from a log of the channel Microsoft-Windows-Winsock-AFD/Operational and not from a trace. Each entry is as good as the event in a trace, and has its owner. But a channel keeps only its newest entries, and the log does not say what it has overwritten: sockets bound before are not in it, and failures may have begun earlier. For high confidence capture a trace.";
        WeakOwners = "weak_owners",
            "fewer than 95 % of the failures have an owner known from socket creation, EPROCESS, or a record header that is reliable",
            "The process of a failure is known best from the creation of its socket, from its kernel address (EPROCESS), or from the header of a record that was logged where the header is known to be right. For more than one failure in twenty it is known only from the header of another record, which may name another process, or not at all. It is still certain that ports ran out; whose requests failed is less certain. A trace that begins before the programs start shows more.";
        SingleFailure = "single_failure",
            "only one failure",
            "A single request failed because no local port was free. One failure is enough to say that the pool was full at that moment, but it does not show for how long, or who else was hit. The confidence is low. Capture for longer to see whether it comes again.";
        OthersServed = "others_served",
            "while some requests failed, other processes were given ports of the same pool all along, and those that failed were given none: the pool was not full for all",
            "The failures are real, and they belong to few processes: between them others asked for a port of the same pool again and again, and each got one. A pool that is full is full for all, so these processes probably use another one: that of a container (a network compartment), which the events of Winsock-AFD do not distinguish, that of a local address, or one with a limit of its own. Nobody is named as the holder, and a wider pool is not advised. Capture with the provider Microsoft-Windows-TCPIP too, which names compartments.";
        BeganAfter = "began_after",
            "the pool was full when the trace began, or nearly so: hardly any bind was given a port before the first failure, and less than half of the pool is explained",
            "The ports were taken before the capture began, so the binds of the holder are not in the trace. Holders named here are those that the trace happens to show, and the real one may be missing. List the sockets on the server (`netstat -anobq`), or capture before the failures begin.";
        UnexplainedPorts = "unexplained_ports",
            "less than 70 % of the full pool is explained, so a holder is missing here",
            "What the trace and the listings show adds up to less than 70 % of a pool that was full. Something else holds the rest: `unexplained` lists what it may be. Do not blame the holders shown before a listing of sockets (`netstat -anobq`) confirms them.";
        NarrowerPool = "narrower_pool",
            "all ports given out lie in less than half of the default range, nearly all of them in use: the pool may be no larger",
            "The range of the pool is not known and taken to be the default, but all ports given out lie in a small part of it, which is nearly used up. Somebody may have set a narrower range. Give a listing of `netsh int ipv4 show dynamicport tcp`, or the option --pool.";
        RangeRefuted = "range_refuted",
            "known ports lie outside of the range that a listing or --pool gives: that range is from another time or machine, and nothing is counted against it",
            "A listing, or the option --pool, gives the range of the pool, but some known ports lie outside of it. The range belongs to another time, protocol or machine, or was mistyped. Holders are counted against what the ports themselves show, and shares are approximate. Take the listing again on this server: `netsh int ipv4 show dynamicport tcp`.";
        WiderPool = "wider_pool",
            "ports were given out that lie outside of the range: the pool is larger than assumed, is not called nearly full, and no wider range is recommended",
            "Windows gave out ports that lie outside of the assumed range of the pool. The range is therefore larger, and shares of it are overstated. Give a listing of `netsh int ipv4 show dynamicport tcp`, or the option --pool.";
        NoCloseEvents = "no_close_events",
            "ports were given out, and the trace holds no close or cleanup event at all, so what is still held is not known, and no process is called a leak",
            "Sockets got ports in the trace, and no event records that a socket was closed. Sessions that filter event ids look like that. The trace then cannot show who still holds ports: every program looks like one that never closes. List the sockets on the server (`netstat -anobq`), or capture again without a filter of ids.";
        HeldBeyondPool = "held_beyond_pool",
            "more ports seem to be held than the pool has: several network compartments (containers), or closes that the trace lacks",
            "Sockets seem to hold more ports than the pool has, so something is missing or not understood. Windows containers have network compartments with pools of their own, and the events of Winsock-AFD do not distinguish them: capture with the provider Microsoft-Windows-TCPIP, which does. Closes that are missing in the trace look the same. Nobody is named as the holder.";
        ForeignListing = "foreign_listing",
            "a listing contradicts the trace: its PIDs belong to other programs, or its ports to other processes; it is from another machine or time, and not counted",
            "A listing beside the trace was taken on another server, or at another time. Its PIDs belong to other programs in the trace, or ports that it lists are held by other processes there. It is not counted, and `side_inputs` says which one it is. Take the listing again on this server while programs fail.";
        PacketsUnanswered = "packets_unanswered",
            "captured packets show connections that were asked for and that nobody answered; a hint, no evidence of exhaustion",
            "No event of sockets or ports is in the trace, but packets are. Of the connections that they show, ten or more were asked for (SYN) and never answered, so the peer, a firewall or the way to it is silent. A machine that is out of ports sends no such packet at all: a lack of ports is less likely where this is all that is wrong. It changes nothing in the verdict. Capture again with the providers that `capture` names.";
        PacketsRefused = "packets_refused",
            "captured packets show connections that were refused; a hint, no evidence of exhaustion",
            "No event of sockets or ports is in the trace, but packets are. Of the connections that they show, ten or more were answered with a reset (RST): nobody listens there, or something between refuses them. Programs see that as connection refused, and not as a lack of ports. It changes nothing in the verdict. Capture again with the providers that `capture` names.";
        PacketsTooSoon = "packets_too_soon",
            "captured packets show connections between the same ends less than four minutes after the last one; a hint: it is what Tcpip 4227 warns of",
            "No event of sockets or ports is in the trace, but packets are. They show connections with the same addresses and ports as one that had ended less than four minutes before, while its TIME_WAIT may have lasted. Where Windows itself notices that, it logs Tcpip 4227, whose text says that it usually comes of a high rate of connections that has used all local ports. It changes nothing in the verdict. Take `netstat -anoq` on the server, and capture again with the providers that `capture` names.";
        PacketsRate = "packets_rate",
            "captured packets show a client that asked for more than 1,000 connections in a minute; a hint",
            "No event of sockets or ports is in the trace, but packets are. One client asked for more than 1,000 new connections within a minute, the rate from which Microsoft's SQL Network Analyzer reports high use of ephemeral ports. With TIME_WAIT of four minutes 16,384 ports last for some 4,000 connections a minute, so that the rate alone proves nothing. It changes nothing in the verdict. Capture again on that client with the providers that `capture` names.";
        NoTcpipEvents = "no_tcpip_events",
            "no TCPIP event, so only Winsock's sockets show what is held",
            "The trace holds no port, bind or connection event of the provider Microsoft-Windows-TCPIP. Ports of the kernel and of connections older than the trace are then not visible. Holders may be missing: capture with that provider too, or list the sockets on the server.";
    }
}

/// How far a reason takes the confidence down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lowers {
    /// Not at all.
    Nothing,
    /// To medium; a loss of a tenth or more of the trace, to low.
    ToMedium,
    /// To low.
    ToLow,
}

/// What a reason says, from which all its properties follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// What the verdict is drawn from, or what is missing for one.
    Ground,
    /// Events were lost or cannot be read.
    Loss,
    /// Events are there and cannot be understood.
    NotUnderstood,
    /// The trace is not all of its session.
    Part,
    /// Times or order are uncertain.
    Time,
    /// Whose failures these are is uncertain.
    Owner,
    /// For whom the pool was full is uncertain.
    Scope,
    /// There is too little of it.
    Few,
    /// Who holds the ports is uncertain; the verdict is not.
    Holder,
    /// How large the pool is is uncertain; the verdict is not.
    Range,
    /// Something that may have to do with it, and from which nothing follows.
    Hint,
}

impl ReasonCode {
    const fn nature(self) -> Nature {
        match self {
            Self::BindFailures
            | Self::ConnectFailures
            | Self::TcpipRefusals
            | Self::WeakReferences
            | Self::PoolFullEvents
            | Self::PoolNearlyFull
            | Self::ListingNearlyFull
            | Self::TimeWaitNearlyFull
            | Self::ListingUsage
            | Self::NoFailures
            | Self::NoAfdEvents
            | Self::NoBindEvents
            | Self::NoTrace => Nature::Ground,
            Self::EventsLost | Self::LossFlags | Self::Damaged | Self::MalformedRecords => Nature::Loss,
            Self::UnknownPhases | Self::UnknownVersions => Nature::NotUnderstood,
            Self::Wrapped | Self::NotClosed | Self::AfdLog => Nature::Part,
            Self::DisplacedEvents | Self::ClockAssumed | Self::ClockSetBack => Nature::Time,
            Self::WeakOwners => Nature::Owner,
            Self::OthersServed => Nature::Scope,
            Self::SingleFailure => Nature::Few,
            Self::BeganAfter
            | Self::UnexplainedPorts
            | Self::NoCloseEvents
            | Self::HeldBeyondPool
            | Self::ForeignListing
            | Self::NoTcpipEvents => Nature::Holder,
            Self::NarrowerPool | Self::RangeRefuted | Self::WiderPool => Nature::Range,
            Self::PacketsUnanswered | Self::PacketsRefused | Self::PacketsTooSoon | Self::PacketsRate => Nature::Hint,
        }
    }

    /// Whether it lowers the trust in what the report says, and is not the evidence for the verdict.
    pub const fn is_doubt(self) -> bool {
        !matches!(self.nature(), Nature::Ground | Nature::Hint)
    }

    /// How far it takes the confidence in the verdict down.
    pub const fn lowers(self) -> Lowers {
        match self.nature() {
            Nature::Loss | Nature::NotUnderstood | Nature::Part | Nature::Time | Nature::Owner | Nature::Scope => {
                Lowers::ToMedium
            }
            Nature::Few => Lowers::ToLow,
            Nature::Ground | Nature::Holder | Nature::Range | Nature::Hint => Lowers::Nothing,
        }
    }

    /// Whether failures may be hidden by it: without any, nothing can then be told.
    pub const fn hides_failures(self) -> bool {
        matches!(self.nature(), Nature::Loss | Nature::NotUnderstood)
    }

    /// Whether something is missing that the session had, or had to write.
    pub const fn is_incompleteness(self) -> bool {
        matches!(self.nature(), Nature::Loss | Nature::Part)
    }

    /// Whether the notes about the trace tell it too, with the place.
    pub const fn is_noted(self) -> bool {
        matches!(self.nature(), Nature::Loss | Nature::NotUnderstood | Nature::Part | Nature::Time)
    }

    /// Whether the first screen of a report tells it beside an answer: every doubt that lowers the confidence, so that no
    /// `medium` or `low` stands there without its reason, and every doubt about the holder named there.
    pub const fn on_first_screen(self) -> bool {
        !matches!(self.lowers(), Lowers::Nothing) || matches!(self.nature(), Nature::Holder)
    }
}
