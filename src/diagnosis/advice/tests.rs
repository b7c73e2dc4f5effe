use super::situation::{NamedHolder, NamedImage};
use super::*;
use crate::diagnosis::alternatives::{OtherFailures, PortOwner};
use crate::diagnosis::holders::{Holder, HolderEvidence, Pattern, Seen, Subject};
use crate::diagnosis::images::ImageOutcome;
use crate::diagnosis::state::Confidence;
use crate::machine::pool_key::PoolKey;
use crate::net::{Family, Protocol};

fn pool(range: PoolRange) -> PoolFinding {
    let state = Some(State::Exhausted);
    PoolFinding { state, explained: range.count, ..PoolFinding::new(PoolKey::new(Protocol::Tcp, Family::Ipv4), range) }
}

const DEFAULT: PoolRange = PoolRange { start: 49_152, count: 16_384, source: RangeSource::DynamicPortFile };

fn holder(ports: u32, pattern: Option<Pattern>) -> Holder {
    Holder {
        subject: Subject::Listed(700),
        pool: 0,
        ports,
        time_wait: 0,
        turnover: (0, 0),
        closed_older: 0,
        waits_since_its_end: false,
        ended: false,
        kept_since_end: None,
        evidence: HolderEvidence::A,
        confidence: Confidence::High,
        pattern,
        at_rest: None,
        per_minute: None,
        listed: None,
        close_wait: 0,
        ports_later: None,
        grew_in_listings: None,
        seen: Seen::default(),
    }
}

fn agent<'a>() -> Named<'a> {
    let label = "agent.exe (PID 700)".to_owned();
    Named { label, image: "agent.exe".to_owned(), pid: Some(700), ..Named::default() }
}

/// A full pool of which everything is known, with all listings at hand.
fn situation<'a>(pools: &'a [PoolFinding], accused: Accused<'a>) -> Situation<'a> {
    Situation {
        state: State::Exhausted,
        inputs: vec!["server.etl"],
        has_trace: true,
        bind_records: 100,
        pools,
        accused,
        others: Vec::new(),
        pool: None,
        reserved_by: None,
        excluded: &[],
        has_listing: true,
        has_only_half_listings: false,
        has_tasks: true,
        has_excluded: true,
        has_event_log: true,
        has_hns: false,
        is_room_made: false,
        os_build: Some(20_348),
        logged_before: false,
        unexplained_share: 0.0,
    }
}

fn steps(situation: &Situation<'_>) -> Vec<Recommendation> {
    recommend(situation, &Symptoms::default())
}

fn codes(steps: &[Recommendation]) -> Vec<&'static str> {
    steps.iter().map(|step| step.code.as_str()).collect()
}

fn find<'s>(steps: &'s [Recommendation], code: &str) -> &'s Recommendation {
    steps.iter().find(|step| step.code.as_str() == code).unwrap_or_else(|| panic!("no {code} in {:?}", codes(steps)))
}

#[test]
fn a_leak_is_restarted_by_who_can_and_the_pool_widened_for_the_time_until_then() {
    let (pools, holder) = ([pool(DEFAULT)], holder(16_000, Some(Pattern::Leak)));
    let steps = steps(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who: agent() })));
    assert_eq!(codes(&steps), ["restart_holder", "widen_pool", "vendor"]);
    let first = find(&steps, "restart_holder");
    assert_eq!(first.commands, ["tasklist /svc /fi \"pid eq 700\""], "the PID may be another process by now");
    assert_eq!(first.effect(), Effect::ChangesServer);
}

#[test]
fn what_is_steady_or_small_is_left_alone() {
    for (ports, pattern) in [(9_500, Some(Pattern::Steady)), (2_000, None), (700, Some(Pattern::Leak))] {
        let (pools, holder) = ([pool(DEFAULT)], holder(ports, pattern));
        let steps = steps(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who: agent() })));
        assert_eq!(codes(&steps), ["widen_pool", "vendor"], "{ports}, {pattern:?}");
    }
}

#[test]
fn who_is_gone_is_not_restarted_nor_whoever_has_its_pid_now() {
    let (pools, holder) = ([pool(DEFAULT)], holder(16_000, Some(Pattern::Leak)));
    let who = Named { now_is: Some("other.exe"), ..agent() };
    let steps = steps(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who })));
    assert_eq!(codes(&steps), ["holder_ended", "widen_pool", "vendor"]);
    assert!(steps[0].text.contains("PID 700 now belongs to other.exe"), "{}", steps[0].text);
}

#[test]
fn a_host_of_services_that_must_run_is_named_whole_and_not_restarted() {
    let (pools, holder) = ([pool(DEFAULT)], holder(16_000, Some(Pattern::Leak)));
    let services = ["DcomLaunch", "PlugPlay", "Power"].map(str::to_owned);
    let who = Named { image: "svchost.exe".to_owned(), services: &services, ..agent() };
    let steps = steps(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who })));
    let step = find(&steps, "restart_server");
    assert!(step.text.contains(", which hosts DcomLaunch, PlugPlay, Power"), "{}", step.text);
    assert!(steps.iter().flat_map(|step| &step.commands).all(|command| !command.contains("Restart-Service")));
    let who = Named { image: "svchost.exe".to_owned(), ..agent() };
    let unknown =
        recommend(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who })), &Symptoms::default());
    assert!(!find(&unknown, "find_service").changes_state);
}

#[test]
fn a_service_is_restarted_after_a_look_at_what_depends_on_it() {
    let (pools, holder) = ([pool(DEFAULT)], holder(16_000, Some(Pattern::Leak)));
    let services = ["MSSQL$A".to_owned()];
    let who = Named { image: "sqlservr.exe".to_owned(), services: &services, ..agent() };
    let steps = steps(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who })));
    let step = find(&steps, "restart_holder");
    let want = [
        "tasklist /svc /fi \"pid eq 700\"",
        "sc.exe enumdepend MSSQL$A",
        "powershell -c \"Restart-Service -Name 'MSSQL$A'\"",
    ];
    assert_eq!(step.commands, want);
    assert!(step.text.contains("failover cluster"), "{}", step.text);
}

#[test]
fn a_narrowed_pool_is_restored_before_anything_else() {
    let pools = [pool(PoolRange { start: 50_000, count: 255, source: RangeSource::DynamicPortFile })];
    let steps = steps(&situation(&pools, Accused::Nobody));
    assert_eq!(codes(&steps), ["restore_range"]);
}

#[test]
fn many_processes_of_an_image_are_one_step() {
    let pools = [pool(DEFAULT)];
    let image = |pattern| ImageOutcome {
        image: "worker.exe".to_owned(),
        services: Vec::new(),
        pool: 0,
        holders: vec![0, 1],
        ports: 16_000,
        time_wait: 0,
        share_of_pool: 0.97,
        bind_failures: 0,
        pattern,
    };
    let members = vec![agent(), Named { label: "worker.exe (PID 704)".to_owned(), pid: Some(704), ..agent() }];
    let growing = image(Some(Pattern::Leak));
    let named = NamedImage { image: &growing, members: members.clone() };
    let together = steps(&situation(&pools, Accused::Image(named)));
    assert!(find(&together, "restart_holder").text.contains("2 processes of worker.exe"));
    assert!(find(&together, "vendor").commands[0].contains("--process worker.exe"));
    let short = image(Some(Pattern::Churn));
    let gone = members.into_iter().map(|who| Named { ended: true, ..who }).collect();
    let together = steps(&situation(&pools, Accused::Image(NamedImage { image: &short, members: gone })));
    assert_eq!(codes(&together)[..3], ["find_starter", "reuse_connections", "shorten_time_wait"]);
}

#[test]
fn a_pool_of_closed_connections_asks_for_reuse_and_a_shorter_wait() {
    let pools = [PoolFinding { listed_time_wait: 16_384, ..pool(DEFAULT) }];
    for (build, want) in [(9_200, "30 to 300 s"), (20_348, "2 to 300 s")] {
        let accused = Accused::TimeWait(0, None);
        let steps = steps(&Situation { os_build: Some(build), ..situation(&pools, accused) });
        assert_eq!(codes(&steps), ["reuse_connections", "shorten_time_wait", "widen_pool"]);
        let step = find(&steps, "shorten_time_wait");
        assert!(step.text.contains(want) && step.undo.is_some(), "{build}: {}", step.text);
    }
}

#[test]
fn sharing_ports_is_for_many_destinations_on_a_windows_that_can() {
    let (pools, holder) = ([pool(DEFAULT)], holder(9_000, Some(Pattern::Load)));
    for (goes_to_many, build, want) in [(true, 20_348, true), (false, 20_348, false), (true, 9_600, false)] {
        let who = Named { goes_to_many, ..agent() };
        let accused = Accused::Holder(NamedHolder { holder: &holder, who });
        let steps = steps(&Situation { os_build: Some(build), ..situation(&pools, accused) });
        assert_eq!(codes(&steps).contains(&"share_ports"), want, "{goes_to_many}, {build}");
    }
}

#[test]
fn a_capture_is_advised_where_the_trace_could_not_see() {
    let pools = [pool(DEFAULT)];
    let blind = Situation { bind_records: 0, ..situation(&pools, Accused::Nobody) };
    assert_eq!(find(&steps(&blind), "capture").commands, CAPTURE_COMMANDS);
    let elsewhere = Situation { state: State::NotSeen, logged_before: true, ..situation(&[], Accused::Nobody) };
    assert_eq!(codes(&steps(&elsewhere)), ["capture"]);
    let calm = Situation { state: State::NotSeen, ..situation(&[], Accused::Nobody) };
    assert!(steps(&calm).is_empty());
}

#[test]
fn what_is_missing_is_asked_for_and_nothing_else() {
    let pools = [pool(DEFAULT)];
    let lacking = Situation { has_event_log: false, ..situation(&pools, Accused::Nobody) };
    let steps = steps(&lacking);
    assert_eq!(find(&steps, "collect").commands, [r"md C:\case", r"cd C:\case", "wevtutil epl System System.evtx"]);
}

#[test]
fn a_time_wait_that_is_short_already_is_not_shortened() {
    for (told, is_short) in [((30, 30), true), ((120, 120), false), ((120, 240), false), ((0, 0), false)] {
        let pools = [PoolFinding { time_wait_seconds: told, ..pool(DEFAULT) }];
        let holder = holder(16_000, Some(Pattern::Churn));
        let steps = steps(&situation(&pools, Accused::Holder(NamedHolder { holder: &holder, who: agent() })));
        assert!(codes(&steps).contains(&"reuse_connections"));
        assert_eq!(!codes(&steps).contains(&"shorten_time_wait"), is_short, "{told:?}");
    }
}

#[test]
fn an_old_netstat_is_not_asked_for_bound_sockets() {
    let pools = [pool(DEFAULT)];
    for (build, shown) in [(7601, false), (9200, false), (9600, true), (20_348, true)] {
        let lacking = Situation { has_listing: false, os_build: Some(build), ..situation(&pools, Accused::Nobody) };
        let commands: Vec<String> = steps(&lacking).into_iter().flat_map(|step| step.commands).collect();
        assert!(commands.iter().any(|command| command.starts_with("netstat -ano")), "{commands:?}");
        assert_eq!(commands.iter().any(|command| command.contains("q > netstat")), shown, "{build}: {commands:?}");
    }
}

#[test]
fn what_failed_without_a_shortage_has_steps_of_its_own() {
    let in_use = OtherFailures {
        count: 3,
        port: Some(8080),
        on_port: 3,
        port_owner: Some(PortOwner { label: "w3wp.exe (PID 9)".to_owned(), by: "a listing" }),
        ..OtherFailures::default()
    };
    let symptoms = Symptoms { in_use, ..Symptoms::default() };
    let calm = Situation { state: State::NotSeen, ..situation(&[], Accused::Nobody) };
    let steps = recommend(&calm, &symptoms);
    assert_eq!(codes(&steps), ["find_listener"]);
    assert!(steps[0].text.contains("port 8080: a listing shows that it is w3wp.exe (PID 9)"), "{}", steps[0].text);
    assert_eq!(steps[0].commands[0], r"md C:\case");
}

#[test]
fn every_step_can_be_pasted_line_by_line() {
    let (pools, holder) = ([pool(DEFAULT)], holder(16_000, Some(Pattern::Churn)));
    let who = Named { goes_to_many: true, ..agent() };
    let accused = Accused::Holder(NamedHolder { holder: &holder, who });
    let lacking = Situation { has_listing: false, has_tasks: false, has_excluded: false, ..situation(&pools, accused) };
    for step in steps(&lacking) {
        for command in step.commands.iter().chain(&step.undo) {
            let outside: String = command.split('"').step_by(2).collect();
            assert!(!outside.contains(['&', '^', '|', '\n', '\'']), "{command}");
        }
        assert!(!step.text.ends_with('.') && !step.text.contains("  "), "{}", step.text);
    }
}
