use super::*;
use crate::machine::Analysis;

const SOCKET: Endpoint = Endpoint::Socket(0x10);

/// Processes 100, 101, ... and what owns something by each.
fn processes(findings: &mut Findings, count: u32) -> Vec<Attribution> {
    let table = &mut findings.world.processes;
    let mut owner = |pid| (Owner::Process(table.running(pid, FileTime(0))), KnownBy::Creation);
    (100..100 + count).map(&mut owner).collect()
}

fn settle(log: OwnerLog, findings: &Findings) -> Owners {
    log.settle(findings, &SideFacts::default(), vec![0])
}

fn pids(owners: &Owners, endpoint: Endpoint, times: impl IntoIterator<Item = i64>) -> Vec<Option<u32>> {
    times.into_iter().map(|time| owners.endpoint(0, endpoint, FileTime(time)).and_then(|owner| owner.pid)).collect()
}

#[test]
fn an_endpoint_is_somebodys_from_its_request_to_what_came_of_it_last() {
    let (mut findings, mut log) = (<Analysis>::default().finish(), OwnerLog::default());
    let owners = processes(&mut findings, 2);
    log.booted(Some(0));
    log.owned(SOCKET, FileTime(10), FileTime(12), owners[0]);
    log.owned(SOCKET, FileTime(15), FileTime(16), owners[0]);
    log.ended(SOCKET, FileTime(20));
    log.lingered(SOCKET, FileTime(22));
    log.owned(SOCKET, FileTime(30), FileTime(32), owners[1]);
    // Of another layer, and of another boot, the same address is another endpoint.
    log.owned(Endpoint::Transport(0x10), FileTime(1), FileTime(1), owners[0]);
    log.booted(Some(1));
    log.owned(SOCKET, FileTime(0), FileTime(0), owners[0]);
    assert_eq!(log.spans.len(), 4, "the same owner goes on");
    let settled = settle(log, &findings);
    let (first, second) = (Some(100), Some(101));
    let want = [None, first, first, first, None, None, second, second];
    assert_eq!(pids(&settled, SOCKET, [9, 10, 20, 22, 23, 29, 30, 1000]), want);
    assert_eq!(pids(&settled, Endpoint::Transport(0x10), [0, 5]), [None, first]);
}

#[test]
fn an_owner_who_takes_over_leaves_the_rest_to_the_former_one() {
    let (mut findings, mut log) = (<Analysis>::default().finish(), OwnerLog::default());
    let owners = processes(&mut findings, 2);
    log.booted(Some(0));
    log.owned(SOCKET, FileTime(10), FileTime(10), owners[0]);
    // Its request came before that of the former owner.
    log.owned(SOCKET, FileTime(5), FileTime(40), owners[1]);
    let settled = settle(log, &findings);
    assert_eq!(pids(&settled, SOCKET, [9, 10, 40]), [None, Some(101), Some(101)]);
}

#[test]
fn wrong_time_stamps_are_overcome() {
    let (mut findings, mut log) = (<Analysis>::default().finish(), OwnerLog::default());
    let owners = processes(&mut findings, 1);
    log.booted(Some(0));
    log.owned(SOCKET, FileTime(1 << 40), FileTime(1 << 40), owners[0]);
    log.owned(SOCKET, FileTime(11), FileTime(12), owners[0]);
    assert_eq!(pids(&settle(log, &findings), SOCKET, [9, 12, 13]), [None, Some(100), Some(100)]);
}

#[test]
fn what_is_kept_is_bounded_and_nothing_is_made_up_beyond() {
    let mut findings = <Analysis>::default().finish();
    let owners = processes(&mut findings, 4);
    let mut log = OwnerLog::with_limits(Limits { failures: 3, spans: 2, owners: 3 });
    log.booted(Some(0));
    let place = |pos| Place { buffer: 1, pos, ..Place::default() };
    for (pos, owner) in (0..).zip(&owners) {
        log.failed(&place(pos), *owner);
    }
    let socket = |number: i64| Endpoint::Socket(number as u64);
    for number in 1..=3 {
        log.owned(socket(number), FileTime(number), FileTime(number), owners[0]);
    }
    // No room for the new owner of a known endpoint: it is not the former one's any more.
    log.owned(socket(1), FileTime(50), FileTime(50), owners[1]);
    assert_eq!(log.beyond, Beyond { failures: 1, owners: true });
    assert_eq!((log.failure_count, log.spans.len(), log.owners.len()), (3, 2, 3));
    let settled = settle(log, &findings);
    let whose: Vec<Option<u32>> =
        settled.failures[0].iter().map(|[_, _, owner]| settled.of_number(*owner).pid).collect();
    assert_eq!(whose, [Some(100), Some(101), None]);
    assert_eq!(pids(&settled, socket(1), [1, 49, 50]), [Some(100), Some(100), None]);
    assert_eq!([2, 3].map(|number| pids(&settled, socket(number), [60])), [[Some(100)], [None]]);
}
