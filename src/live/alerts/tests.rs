use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::super::capture::{Captured, capture};
use super::super::fake::{Fake, Script, events_of};
use super::super::system::{RunningProcess, SocketList};
use super::super::tests::{plan, socket};
use super::super::watch::{HolderNow, OutageNow, PoolNow, VictimNow};
use super::change::Happened;
use super::*;
use crate::diagnosis::forecast::Forecast;
use crate::net::{Family, Protocol};
use crate::side::facts::{ListedSocket, TcpState};
use crate::time::FileTime;

const EPOCH: FileTime = FileTime(134_000_000_000_000_000);

fn at(second: i64) -> FileTime {
    FileTime(EPOCH.0 + second * FileTime::SECOND)
}

fn outage(first: i64, last: i64, failures: u64, lasts: bool) -> Option<OutageNow> {
    Some(OutageNow { first: at(first), last: at(last), failures, lasts })
}

/// A pool of 1,000 ports, of which so many are listed.
fn pool(listed: u32) -> PoolNow {
    PoolNow {
        protocol: Some(Protocol::Tcp),
        family: Some(Family::Ipv4),
        compartment: None,
        held: 0,
        listed: Some(listed),
        time_wait: Some(0),
        count: 1000,
        set_aside: 0,
        free: Some(1000 - listed),
        share: f64::from(listed) / 1000.0,
        is_near: false,
        bind_failures: 0,
        connect_failures: 0,
        outage: None,
        forecast: None,
    }
}

fn moment(second: i64, pools: Vec<PoolNow>) -> StateNow {
    StateNow {
        time: at(second),
        seconds: second as f64,
        bind_failures: pools.iter().map(|pool| pool.bind_failures).sum(),
        connect_failures: 0,
        failures_per_second: 0.0,
        binds_ok: 5,
        pools,
        victims: Vec::new(),
        holders: Vec::new(),
        events: 9,
        events_lost: 0,
        buffers_lost: 0,
        listed: Some(at(second)),
    }
}

fn happened(changes: &mut Changes, pool: PoolNow) -> Vec<Happened> {
    changes.of(&moment(0, vec![pool])).into_iter().map(|change| change.happened).collect()
}

#[test]
fn each_outage_begins_once_and_ends_once() {
    let mut changes = Changes::new(None);
    let mut next = |outage: Option<OutageNow>| happened(&mut changes, PoolNow { outage, ..pool(900) });
    assert_eq!(next(None), []);
    let (first, more, over) = (outage(5, 5, 1, true), outage(5, 50, 9, true), outage(5, 50, 9, false));
    assert_eq!(next(first), [Happened::Began(first.unwrap())]);
    assert_eq!(next(more), []);
    assert_eq!(next(outage(4, 50, 9, true)), [], "an earlier failure that came late");
    assert_eq!(next(over), [Happened::Ended(over.unwrap())]);
    assert_eq!(next(over), []);
    let again = outage(5, 800, 10, true);
    assert_eq!(next(again), [Happened::GoesOn(again.unwrap())]);
    // The next one, before the end of the last was seen; and one that fits between two moments.
    let (other, short) = (outage(900, 901, 2, true), outage(2000, 2001, 3, false));
    assert_eq!(next(other), [Happened::Ended(again.unwrap()), Happened::Began(other.unwrap())]);
    let all = [Happened::Ended(other.unwrap()), Happened::Began(short.unwrap()), Happened::Ended(short.unwrap())];
    assert_eq!(next(short), all);
    assert_eq!(changes.at_end(&moment(0, vec![PoolNow { outage: short, ..pool(0) }])), []);
    let lasting = changes.at_end(&moment(0, vec![PoolNow { outage: other, ..pool(0) }]));
    assert_eq!(lasting[0].happened, Happened::LeftAlone(other.unwrap()));
}

#[test]
fn pools_have_outages_of_their_own() {
    let mut changes = Changes::new(None);
    let udp = PoolNow { protocol: Some(Protocol::Udp), outage: outage(1, 1, 1, true), ..pool(10) };
    let container = PoolNow { compartment: Some(3), outage: outage(1, 1, 1, true), ..pool(10) };
    let told = changes.of(&moment(1, vec![pool(10), udp, container]));
    let names: Vec<String> = told.iter().map(|change| change.pool.name()).collect();
    assert_eq!(names, ["UDP over IPv4", "TCP over IPv4 in network compartment 3"]);
}

#[test]
fn the_threshold_is_told_when_it_is_crossed_and_not_when_it_trembles() {
    let mut changes = Changes::new(Some(80));
    let mut next = |listed| happened(&mut changes, pool(listed));
    assert_eq!(next(799), []);
    assert_eq!(next(800), [Happened::Reached(80)]);
    assert_eq!([next(790), next(810), next(750)], [[], [], []]);
    assert_eq!(next(749), [Happened::Left(80)]);
    assert_eq!(next(1000), [Happened::Reached(80)]);
    // Of a pool that is not known nobody knows the size.
    assert_eq!(happened(&mut changes, PoolNow { protocol: None, ..pool(1000) }), []);
    // Excluded ports can't be given out.
    let mut changes = Changes::new(Some(100));
    assert_eq!(happened(&mut changes, PoolNow { set_aside: 500, ..pool(500) }), [Happened::Reached(100)]);
}

#[test]
fn sentences_say_what_is_known_and_how() {
    let mut changes = Changes::new(Some(50));
    let forecast = Some(Forecast { free: 300, per_minute: 12.5, full_at: at(86_400) });
    let holder = HolderNow {
        pid: Some(7),
        image: Some("a\u{1b}[31m.exe".to_owned()),
        protocol: Some(Protocol::Tcp),
        family: Some(Family::Ipv4),
        compartment: None,
        ports: 600,
        is_listed: true,
    };
    let filling = StateNow { holders: vec![holder], ..moment(0, vec![PoolNow { forecast, ..pool(700) }]) };
    let told = changes.of(&filling);
    assert_eq!(
        told[0].sentence(),
        "TCP over IPv4: 700 of 1,000 ports in use, 70 % (threshold 50 %); at 12.5 more each minute it is full at 2025-08-19 14:13:20 UTC; most: a\\u{1b}[31m.exe (PID 7), 600 ports"
    );
    let unlisted = PoolNow { listed: None, held: 30, share: 0.039, outage: outage(0, 9, 2, true), ..pool(0) };
    let failing = StateNow { events_lost: 1, holders: Vec::new(), ..moment(9, vec![unlisted]) };
    let told = changes.of(&failing);
    assert_eq!(
        told[0].sentence(),
        "port exhaustion: TCP over IPv4: 2 failures with STATUS_TOO_MANY_ADDRESSES since 2025-08-18 14:13:20 UTC; 30 of 1,000 ports seen in use, 3 %; events were lost: counts are a lower bound"
    );
    let names: Vec<&str> =
        told[0].environment(outage(0, 9, 2, true).unwrap()).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"OUTOFPORTS_FIRST_FAILURE") && !names.contains(&"OUTOFPORTS_HOLDER"), "{names:?}");
}

#[test]
fn a_heartbeat_comes_when_it_is_due() {
    let mut heartbeat = Heartbeat { every: Duration::from_secs(60), next: Duration::from_secs(60) };
    assert_eq!(heartbeat.line(&moment(59, vec![pool(1)])), None);
    let line = heartbeat.line(&moment(64, vec![pool(1)])).unwrap();
    assert_eq!(
        line,
        "2025-08-18 14:14:24 UTC: capturing for 1 min 4 s: 0 failures; TCP over IPv4: 1 of 1,000 ports in use, 0 %; 9 events, none lost"
    );
    assert_eq!(heartbeat.line(&moment(120, vec![])), None);
    assert!(heartbeat.line(&moment(124, vec![])).is_some());
}

/// A file of metrics that is committed, so that promtool can look at it.
fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/live/alerts").join(name);
    let text = text.replace(concat!("version=\"", env!("CARGO_PKG_VERSION")), "version=\"VERSION");
    if std::env::var_os("OUTOFPORTS_WRITE_PROM").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "OUTOFPORTS_WRITE_PROM=1 cargo test --lib alerts");
}

#[test]
fn odd_names_and_pools_give_metrics_that_prometheus_takes() {
    let victim = |pid, failures| VictimNow { pid, image: Some("a\"b\\c\n{}.exe".to_owned()), failures, recent: 0 };
    let holder = |image: Option<&str>, ports| HolderNow {
        pid: Some(4),
        image: image.map(str::to_owned),
        protocol: None,
        family: None,
        compartment: Some(7),
        ports,
        is_listed: false,
    };
    let unknown = PoolNow { protocol: None, family: None, compartment: Some(7), listed: None, free: None, ..pool(0) };
    let forecast = Some(Forecast { free: 300, per_minute: 12.5, full_at: at(86_400) });
    let odd = StateNow {
        // Of two processes with one PID, one after the other.
        victims: vec![victim(Some(9), 5), victim(Some(9), 6), victim(None, 1)],
        holders: vec![holder(None, 3), holder(None, 4), holder(Some("日本.exe"), 5)],
        ..moment(3, vec![PoolNow { forecast, ..pool(700) }, PoolNow { time_wait: None, ..unknown }])
    };
    let text = prometheus::text(&odd, false);
    assert!(
        text.contains("outofports_victim_failures_total{process=\"a\\\"b\\\\c\\\\u{a}{}.exe\",process_id=\"9\"} 11\n"),
        "{text}"
    );
    compare("odd.prom", &text);
}

/// The trace of a leak, and a machine that lists the same at the end of it.
fn leaking() -> Script {
    let bound = std::iter::repeat_n((TcpState::Bound, 7312), 16_300);
    let connected = std::iter::repeat_n((TcpState::Established, 5120), 76);
    let waiting = std::iter::repeat_n((TcpState::TimeWait, 0), 8);
    let all = (49_152..=u16::MAX).zip(bound.chain(connected).chain(waiting));
    let all: Vec<ListedSocket> = all.map(|(port, (state, pid))| socket(port, state, pid)).collect();
    let (bound, connected) = all.split_at(16_300);
    let process = |pid, image: &str| RunningProcess { pid, parent_pid: 1, created: None, image: image.to_owned() };
    Script {
        events: events_of(&synth::write("leak").unwrap().trace).into(),
        tables: BTreeMap::from([
            (SocketList::BoundTcp(Family::Ipv4), bound.to_vec()),
            (SocketList::Tcp(Family::Ipv4), connected.to_vec()),
        ]),
        processes: vec![process(7312, r"C:\apps\MeterSync.Agent.exe"), process(5120, "w3wp.exe")],
        ..Script::default()
    }
}

fn watched(fake: &Arc<Fake>, asked: Asked) -> (Captured, Vec<Said>) {
    let system: Arc<dyn System> = Arc::clone(fake) as Arc<dyn System>;
    let (mut alerts, mut said) = Alerts::start(&system, asked);
    let captured =
        capture(&system, &plan(true), &AtomicBool::new(false), &mut |moment| said.extend(alerts.take(moment)));
    said.extend(alerts.end());
    (captured.unwrap(), said)
}

#[test]
fn a_leak_is_told_to_all_who_watch() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outofports.prom");
    let fake = Fake::new(leaking());
    let asked = Asked {
        metrics: Some(file.clone()),
        event_log: true,
        registers_source: true,
        threshold: Some(90),
        heartbeat: Some(Duration::from_secs(4)),
        ..Asked::default()
    };
    let (captured, said) = watched(&fake, asked);
    assert_eq!(captured.report.failures.binds, 301);
    let news =
        |words: &str| said.iter().filter(|said| matches!(said, Said::News(line) if line.contains(words))).count();
    assert_eq!([news("since 2026-03-10"), news("(threshold 90 %)"), news("capturing for")], [2, 1, 2], "{said:#?}");
    assert!(said.iter().all(|said| matches!(said, Said::News(_))), "{said:#?}");
    let calls = fake.calls();
    let entries = |id: &str| calls.iter().filter(|call| call.starts_with(id)).collect::<Vec<_>>();
    assert_eq!(entries("register event source").len(), 1);
    let began = entries("entry 1 ");
    assert!(began.len() == 1 && began[0].contains("MeterSync.Agent.exe (PID 7312), 16,300 ports"), "{calls:#?}");
    assert_eq!([entries("entry 2 ").len(), entries("entry 3 ").len(), entries("entry 5 ").len()], [0, 1, 1]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with('\n') && text.lines().all(|line| !line.is_empty()));
    compare("leak.prom", &text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half is left");
}

#[test]
fn what_is_not_asked_for_is_not_done() {
    let fake = Fake::new(leaking());
    let (_, said) = watched(&fake, Asked::default());
    assert_eq!(said, []);
    assert!(fake.calls().iter().all(|call| !call.starts_with("entry")));
}

#[test]
fn what_cannot_be_told_is_said_once_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = vec!["event log", "event source"];
    let fake = Fake::new(Script { missing, ..leaking() });
    let asked = Asked {
        metrics: Some(folder.path().join("no/such/folder/x.prom")),
        event_log: true,
        registers_source: true,
        ..Asked::default()
    };
    let (captured, said) = watched(&fake, asked);
    assert_eq!(captured.report.failures.binds, 301);
    let troubles = said.iter().filter_map(|said| if let Said::Trouble(line) = said { Some(line) } else { None });
    // A machine that has much else to do is told of as well.
    let troubles: Vec<&String> = troubles.filter(|line| !line.contains("takes longer than an interval")).collect();
    let count = |words: &str| troubles.iter().filter(|line| line.contains(words)).count();
    assert_eq!([count("source cannot be registered"), count("x.prom: cannot be written")], [1, 1], "{troubles:?}");
    assert_eq!((count("no entry could be written"), troubles.len()), (2, 4), "{troubles:?}");
}

/// The shell stands for any program.
#[cfg(unix)]
mod programs {
    use super::*;

    fn shell(script: &str, arguments: &[&std::ffi::OsStr]) -> Option<Program> {
        let words = ["sh".as_ref(), "-c".as_ref(), script.as_ref()].into_iter().chain(arguments.iter().copied());
        Some(Program::new(&words.map(std::ffi::OsStr::to_owned).collect::<Vec<_>>()).unwrap())
    }

    #[test]
    fn a_program_runs_once_with_the_outage_in_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let (out, odd) = (folder.path().join("out"), "a b;$(touch x)\"&|");
        let script = r#"{ echo "argument=$1"; env | grep ^OUTOFPORTS_ | sort; } >> "$0""#;
        let program = shell(script, &[out.as_os_str(), odd.as_ref()]);
        let (_, said) = watched(&Fake::new(leaking()), Asked { program, ..Asked::default() });
        let began = std::time::Instant::now();
        while std::fs::metadata(&out).map_or(0, |metadata| metadata.len()) < 400 {
            assert!(began.elapsed() < Duration::from_secs(60), "{said:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let told = std::fs::read_to_string(&out).unwrap();
        assert_eq!(told.matches("argument=").count(), 1, "{told}");
        for line in [
            &format!("argument={odd}"),
            "OUTOFPORTS_STATE=exhausted",
            "OUTOFPORTS_POOL=TCP over IPv4",
            "OUTOFPORTS_POOL_PORTS=16384",
            "OUTOFPORTS_USED_PORTS=16384",
            "OUTOFPORTS_FREE_PORTS=0",
            "OUTOFPORTS_FIRST_FAILURE=2026-03-10T09:49:17.6878306Z",
            "OUTOFPORTS_HOLDER=MeterSync.Agent.exe",
            "OUTOFPORTS_HOLDER_PID=7312",
            "OUTOFPORTS_HOLDER_PORTS=16300",
            "OUTOFPORTS_VICTIM=w3wp.exe",
            "OUTOFPORTS_EVENTS_LOST=0",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}: {told}");
        }
    }

    fn change() -> Change {
        let begun = PoolNow { outage: outage(0, 1, 1, true), ..pool(900) };
        Changes::new(None).of(&moment(1, vec![begun])).remove(0)
    }

    #[test]
    fn one_that_fails_or_hangs_is_told() {
        let mut program = shell("exit 3", &[]).unwrap();
        program.run(&change(), outage(0, 1, 1, true).unwrap()).unwrap();
        let mut troubles = Vec::new();
        while troubles.is_empty() {
            troubles = program.troubles();
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(troubles[0].ends_with("exit code 3"), "{troubles:?}");
        let mut program = shell("exec sleep 5", &[]).unwrap();
        (0..4).for_each(|_| program.run(&change(), outage(0, 1, 1, true).unwrap()).unwrap());
        let why = program.run(&change(), outage(0, 1, 1, true).unwrap()).unwrap_err();
        assert!(why.ends_with("not run: 4 of it run still"), "{why}");
        assert_eq!(program.troubles(), [""; 0]);
        let left = program.left_running();
        assert!(left.len() == 4 && left[0].ends_with("runs still"), "{left:?}");
    }

    #[test]
    fn an_outlet_that_hangs_does_not_hold_the_capture() {
        let fake = Fake::new(Script { entries_hang: true, ..leaking() });
        let began = std::time::Instant::now();
        let asked = Asked { event_log: true, threshold: Some(1), ..Asked::default() };
        let (captured, said) = watched(&fake, asked);
        assert_eq!(captured.report.failures.binds, 301);
        assert!(began.elapsed() < Duration::from_secs(60));
        assert!(
            said.iter().any(|said| matches!(said, Said::Trouble(line) if line.contains("which take too long"))),
            "{said:?}"
        );
    }
}
