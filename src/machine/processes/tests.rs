use std::collections::BTreeSet;

use super::lives::MAX_PROCESSES;
use super::*;
use crate::event::ProcessSource;

fn event(change: ProcessChange, pid: u32, image: &str) -> ProcessEvent {
    ProcessEvent {
        source: ProcessSource::KernelProcess,
        change,
        pid,
        parent_pid: None,
        eprocess: None,
        created: None,
        exited: None,
        image: Some(image.to_owned()),
        image_may_be_cut: change == ProcessChange::End,
    }
}

fn at(seconds: i64) -> FileTime {
    FileTime(1_000_000 * FileTime::SECOND + seconds * FileTime::SECOND)
}

fn names(table: &ProcessTable) -> Vec<(u32, Option<&str>)> {
    table.processes().iter().map(|process| (process.pid, process.image().map(|(name, _)| name))).collect()
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut table = ProcessTable::default();
    table.observe(&event(ProcessChange::Start, 100, "a.exe"), at(1));
    let first = table.running(100, at(2));
    table.observe(&event(ProcessChange::End, 100, "a.exe"), at(3));
    table.observe(&event(ProcessChange::Start, 100, "b.exe"), at(3));
    let second = table.running(100, at(4));
    assert_ne!(first, second);
    assert_eq!(names(&table), [(100, Some("a.exe")), (100, Some("b.exe"))]);
    assert_eq!(table.processes()[0].ended, Some(at(3)));
}

#[test]
fn two_providers_report_one_start_and_one_end() {
    let mut table = ProcessTable::default();
    let mof = |change| ProcessEvent { source: ProcessSource::Mof, eprocess: Some(0xE1), ..event(change, 7, "x") };
    table.observe(&event(ProcessChange::Start, 7, r"\Device\x.exe"), at(1));
    table.observe(&mof(ProcessChange::Start), at(1));
    table.observe(&mof(ProcessChange::End), at(9));
    table.observe(&event(ProcessChange::End, 7, "x.exe"), at(9));
    assert_eq!(names(&table), [(7, Some(r"\Device\x.exe"))]);
    assert_eq!(table.processes()[0].eprocess, Some(0xE1));
}

#[test]
fn a_later_rundown_names_who_was_seen_before() {
    let mut table = ProcessTable::default();
    let process = table.running(50, at(1));
    let created = ProcessEvent { created: Some(at(-500)), ..event(ProcessChange::Rundown, 50, "old.exe") };
    table.observe(&created, at(2));
    assert_eq!(table.running(50, at(3)), process);
    assert_eq!(table.processes()[0].started, Some(at(-500)));
    // A rundown that tells a creation after the first sight is of another process.
    let mut table = ProcessTable::default();
    table.running(50, at(1));
    let created = ProcessEvent { created: Some(at(60)), ..event(ProcessChange::Rundown, 50, "new.exe") };
    table.observe(&created, at(100));
    assert_eq!(names(&table), [(50, None), (50, Some("new.exe"))]);
}

#[test]
fn an_address_learned_later_settles_what_waited() {
    let mut table = ProcessTable::default();
    let header = table.running(900, at(1));
    let owner = table.by_eprocess(0xE1, Some(header), false);
    assert!(matches!(owner, Owner::Eprocess(..)));
    table.tally(owner).bind_failure(at(1));
    let known = table.creator(100, 0xE1, at(2));
    assert_eq!(table.by_eprocess(0xE1, None, false), Owner::Process(known));
    table.tally(owner).bind_failure(at(3));
    table.finish();
    let (processes, unknown) = (table.processes(), table.unknown());
    assert_eq!(processes[0].tally.bind_failures, 0);
    assert_eq!(processes[1].tally.bind_failures, 2);
    assert_eq!(processes[1].tally.owner_source.eprocess, 1);
    assert_eq!(unknown.bind_failures, 0);
}

#[test]
fn what_never_gets_a_pid_goes_to_the_header_or_to_nobody() {
    let mut table = ProcessTable::default();
    let header = table.running(900, at(1));
    let owner = table.by_eprocess(0xE1, Some(header), false);
    table.tally(owner).bind_failure(at(1));
    let owner = table.by_eprocess(0xE1, None, false);
    table.tally(owner).bind_failure(at(2));
    table.finish();
    let (processes, unknown) = (table.processes(), table.unknown());
    assert_eq!((processes[0].tally.bind_failures, processes[0].tally.owner_source.header_pid), (1, 1));
    assert_eq!((unknown.bind_failures, unknown.owner_source.unknown), (1, 1));
}

#[test]
fn a_rundown_with_another_image_is_of_another_process() {
    let mut table = ProcessTable::default();
    let named = |image| event(ProcessChange::Rundown, 700, image);
    table.observe(&named("\\Device\\a\\agent.exe"), at(1));
    table.observe(&named("\\Device\\a\\AGENT.exe"), at(2));
    assert_eq!(table.processes().len(), 1);
    table.observe(&named("\\Device\\b\\backup.exe"), at(3600));
    assert_eq!(table.processes().len(), 2);
    assert!(!table.processes()[0].lasts() && table.processes()[1].lasts());
}

#[test]
fn an_address_is_free_again_after_its_process_ended() {
    let mut table = ProcessTable::default();
    let old = table.creator(100, 0xE1, at(1));
    table.observe(&event(ProcessChange::End, 100, "a.exe"), at(2));
    assert_eq!(table.by_eprocess(0xE1, None, true), Owner::Process(old), "its handles are closed after the end");
    let owner = table.by_eprocess(0xE1, None, false);
    assert!(matches!(owner, Owner::Eprocess(..)));
    let new = table.creator(200, 0xE1, at(4));
    assert_eq!(table.by_eprocess(0xE1, None, false), Owner::Process(new));
    assert_eq!(table.processes().len(), 2);
}

#[test]
fn a_pid_with_another_address_is_another_process() {
    let mut table = ProcessTable::default();
    let first = table.creator(100, 0xE1, at(1));
    let second = table.creator(100, 0xE2, at(2));
    assert_ne!(first, second);
    assert_eq!(table.creator(100, 0xE2, at(3)), second);
}

#[test]
fn full_names_win_over_cut_ones() {
    let mut table = ProcessTable::default();
    table.observe(&event(ProcessChange::End, 8, "a-very-long-na"), at(1));
    assert!(table.processes()[0].image_may_be_cut());
    let mof = ProcessEvent { source: ProcessSource::Mof, ..event(ProcessChange::Defunct, 8, "a-very-long-name.exe") };
    table.observe(&mof, at(2));
    assert_eq!(table.processes()[0].image(), Some(("a-very-long-name.exe", ProcessSource::Mof)));
}

#[test]
fn what_further_processes_do_counts_for_nobody_known() {
    let mut table = ProcessTable::default();
    let waiting = table.by_eprocess(0xE1, None, false);
    table.tally(waiting).bind_failure(at(1));
    for pid in 0..MAX_PROCESSES as u32 {
        table.running(pid, at(2));
    }
    assert!(!table.overflowed());
    let further = table.creator(u32::MAX, 0xE1, at(3));
    table.tally(Owner::Process(further)).bind_failure(at(3));
    table.finish();
    assert!(table.overflowed());
    assert_eq!((table.processes().len(), table.unknown().bind_failures), (MAX_PROCESSES, 2));
    assert_eq!((table.settled(Owner::Process(further)), table.pid(further)), (None, None));
}

#[test]
fn the_list_of_holders_has_all_who_hold_ports_and_stays_short() {
    let mut table = ProcessTable::default();
    let hold = |owner| Hold { owner, pool: PoolKey::default(), port: None, since: at(1), dual: false };
    let mut held = Vec::new();
    for n in 0..2_000 {
        let owner = match n % 7 {
            // Of a process that is known later, or never.
            0 => table.by_eprocess(0x1000 + 0x10 * u64::from(n), None, false),
            _ => Owner::Process(table.running(100 + n, at(1))),
        };
        table.hold(&hold(owner), true, n % 2 == 0);
        held.push(owner);
        if n % 21 == 0 {
            table.creator(100_000 + n, 0x1000 + 0x10 * u64::from(n), at(1));
        }
        if n % 5 > 0 {
            let owner = held.swap_remove(n as usize % held.len());
            table.tally(owner).release(&hold(owner), true, at(2));
        }
        let owners =
            |all: &mut dyn Iterator<Item = (Owner, &Tally)>| all.map(|(owner, _)| owner).collect::<BTreeSet<_>>();
        let listed = owners(&mut table.holders());
        assert_eq!(listed, owners(&mut table.tallies().filter(|(_, tally)| tally.ports_held > 0)), "{n}");
        assert_eq!(listed.len(), table.holders().count(), "each once");
    }
    assert!(table.holders.len() < 2 * held.len() + 65, "{} of {}", table.holders.len(), held.len());
}
