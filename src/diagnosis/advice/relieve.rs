//! What to do about who holds the ports.

use std::borrow::Cow;

use super::restart::{Restart, restart_of};
use super::situation::{Accused, Named, NamedHolder, NamedImage, Situation};
use super::{BLAMED_SHARE, Recommendation, SEARCH_KERNEL_SHARE, memory_dump, unchanging};
use crate::diagnosis::codes::RecommendationCode;
use crate::diagnosis::holders::{Holder, Pattern};
use crate::diagnosis::pools::PoolFinding;
use crate::time::duration_text;

/// Whose habits do not show, and who holds less than this part of a pool, is not restarted for it.
const RESTARTED_SHARE: f64 = 0.25;

/// The part of its pool that a holder has.
fn share_of(situation: &Situation<'_>, named: &NamedHolder<'_>) -> f64 {
    let pool = situation.pools.get(named.holder.pool);
    pool.map_or(0.0, |pool| f64::from(named.holder.ports) / f64::from(pool.range.count.max(1)))
}

/// The steps for each full pool: of several, each says which it is for.
pub(super) fn relieve(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    let own = std::iter::once((situation.pool, &situation.accused));
    for (pool, accused) in own.chain(situation.others.iter().map(|(pool, accused)| (Some(*pool), accused))) {
        let name = pool.and_then(|index| situation.pools.get(index)).map(PoolFinding::name);
        for step in steps_for(situation, accused) {
            // Who has the ports of two pools is restarted once.
            if list.iter().any(|known| known.code == step.code && known.commands == step.commands) {
                continue;
            }
            list.push(match &name {
                Some(name) => Recommendation { text: format!("for {name}, {}", step.text), ..step },
                None => step,
            });
        }
    }
}

fn steps_for(situation: &Situation<'_>, accused: &Accused<'_>) -> Vec<Recommendation> {
    match accused {
        Accused::Holder(named) if named.who.is_kernel() => {
            if named.who.pid.is_none() || share_of(situation, named) < SEARCH_KERNEL_SHARE {
                return Vec::new();
            }
            let commands = ["driverquery /v /fo csv > drivers.csv", "fltmc filters > filters.txt"];
            let text = "find the driver: the kernel holds the ports for a driver (backup, antivirus, storage, tunnels), not for a program";
            let find = unchanging(RecommendationCode::FindDriver, text, &commands);
            vec![find, memory_dump(situation.has_listing)]
        }
        Accused::Holder(named) => step_for_holder(situation, named).into_iter().collect(),
        Accused::Alike(all) => match all.as_slice() {
            [first, second] => one_after_the_other([first, second].map(|named| step_for_holder(situation, named))),
            // Of more, nothing tells where to begin.
            _ => Vec::new(),
        },
        Accused::AlikeImages(all) => match all.as_slice() {
            [first, second] => one_after_the_other([first, second].map(step_for_image)),
            _ => Vec::new(),
        },
        Accused::Image(named) => step_for_image(named).into_iter().collect(),
        Accused::Sockets(who, _) if who.is_given_again => Vec::new(),
        Accused::Sockets(who, sockets) => {
            // Handles are no ports yet.
            let sockets = crate::words::grouped(*sockets);
            let step = if who.is_gone() { ended(who, CAME_BACK) } else { restart(who) };
            let first = format!("once a listing of sockets confirms that its {sockets} sockets hold the ports, ");
            vec![Recommendation { text: format!("{first}{}", step.text), ..step }]
        }
        Accused::TimeWait(..) | Accused::Nobody => Vec::new(),
    }
}

fn step_for_holder(situation: &Situation<'_>, named: &NamedHolder<'_>) -> Option<Recommendation> {
    let (who, share) = (&named.who, share_of(situation, named));
    if share < BLAMED_SHARE {
        return None;
    }
    // Where ports were given out again later, nothing is gained by an interruption now.
    let outage = situation.pools.get(named.holder.pool).and_then(|pool| pool.outage);
    let is_over = outage.is_some_and(|outage| !outage.lasts);
    match named.holder.pattern {
        // What is in TIME_WAIT or reserved comes back by other steps; what is steady needs what it has, as far as anybody sees.
        Some(Pattern::Churn | Pattern::Reservation | Pattern::Steady) => None,
        // Whoever has the PID now need not be who had the ports.
        _ if who.is_given_again => None,
        Some(Pattern::Load) => Some(reduce_load(&who.label)),
        Some(Pattern::Leak) | None if who.is_gone() => Some(ended(who, &since_its_end(named.holder))),
        None if share < RESTARTED_SHARE || named.holder.gives_back_older() => None,
        Some(Pattern::Leak) | None if is_over || named.holder.ports_later.is_some() => None,
        Some(Pattern::Leak) | None => Some(restart(who)),
    }
}

/// Of two that hold much alike, each has its step.
fn one_after_the_other([first, second]: [Option<Recommendation>; 2]) -> Vec<Recommendation> {
    let is_after = first.as_ref().is_some_and(|step| step.changes_state);
    let after = |step: Recommendation| {
        let first = if is_after && step.changes_state { "if requests still fail after that, " } else { "" };
        Recommendation { text: format!("{first}{}", step.text), ..step }
    };
    let second = second.map(after);
    first.into_iter().chain(second).collect()
}

fn reduce_load(label: &str) -> Recommendation {
    let text = format!(
        "reduce the load: {label} uses many ports at once and gives them back. Have it keep and reuse connections, or spread the load over more machines"
    );
    unchanging(RecommendationCode::ReduceLoad, &text, &[])
}

/// Many processes of one image: what starts them is looked for where they come and go, else they are restarted together.
fn step_for_image(named: &NamedImage<'_>) -> Option<Recommendation> {
    let image = crate::words::shown(&named.image.image);
    let count = crate::words::grouped(named.members.len() as u64);
    let list = format!("tasklist /svc /fi \"imagename eq {image}\"");
    let is_name = image.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '));
    let commands: Vec<&str> = if is_name { vec![&list] } else { Vec::new() };
    match named.image.pattern {
        Some(Pattern::Steady | Pattern::Reservation) => None,
        Some(Pattern::Load) => Some(reduce_load(&format!("{image} ({count} processes)"))),
        _ if named.image.pattern == Some(Pattern::Churn) || named.members.iter().all(Named::is_gone) => {
            let text = format!(
                "find what starts {image} again and again: {count} of its processes came and went, each with its own connections. Let one process do the work, or start it less often"
            );
            let tasks = "schtasks /query /v /fo csv > tasks.csv";
            let commands: Vec<&str> = commands.into_iter().chain([tasks]).collect();
            Some(unchanging(RecommendationCode::FindStarter, &text, &commands))
        }
        Some(Pattern::Leak | Pattern::Churn) | None => {
            let largest = named.members.iter().find(|who| !who.is_gone())?;
            Some(match restart_of(largest) {
                Restart::Program => Recommendation {
                    code: RecommendationCode::RestartHolder,
                    text: format!(
                        "restart the {count} processes of {image} through the program that starts them: none of them holds much, but together they do. If outbound connections recover, that confirms it"
                    ),
                    commands: commands.into_iter().map(str::to_owned).collect(),
                    changes_state: true,
                    undo: None,
                },
                _ => restart(largest),
            })
        }
    }
}

/// Nothing tells whether its ports came back.
const CAME_BACK: &str = "Its ports came back when it ended, unless another process inherited its sockets or they stay under the dead PID; then only a restart of the server frees them";

/// What became of the ports of a holder that has ended.
fn since_its_end(holder: &Holder) -> Cow<'static, str> {
    if holder.waits_since_its_end {
        return "Its ports come back as TIME_WAIT ends, within some minutes".into();
    }
    match holder.kept_since_end {
        Some(span) => format!(
            "Its ports had not come back {} later, when requests still failed: another process inherited its sockets, or they stay under the dead PID; then only a restart of the server frees them",
            duration_text(span)
        )
        .into(),
        None => CAME_BACK.into(),
    }
}

/// Who has ended is not restarted, and whoever has its PID now has nothing to do with it. Its connections may wait in TIME_WAIT.
fn ended(named: &Named<'_>, comes_back: &str) -> Recommendation {
    let (label, pid) = (&named.label, named.pid.unwrap_or(0));
    let now = named.now_is.map_or_else(String::new, |image| {
        format!(" PID {pid} now belongs to {}, another process: leave it alone.", crate::words::shown(image))
    });
    if let Some(runs_as) = named.runs_as.filter(|_| !named.ended && named.now_is.is_none()) {
        let text = format!(
            "watch the new process: the process list does not have {label} any more, and has the same program as PID {runs_as}, so it was restarted and may take the ports again. The ports came back when it ended, unless another process inherited its sockets"
        );
        return look_again(runs_as, &text);
    }
    if named.is_absent && !named.ended && named.now_is.is_none() {
        let text = format!(
            "see whether {label} still runs: a process list does not have it, so it has ended, or was started after the list. {comes_back}"
        );
        return look_again(pid, &text);
    }
    if let Some((times, last)) = named.started_again {
        let again = if times > 1 {
            format!("started again {}, last as PID {last}, which", crate::words::counted(times as u64, "time"))
        } else {
            format!("started again as PID {last}, which")
        };
        let text = format!(
            "watch PID {last}: {label} has ended, and the trace shows its program {again} may take the ports again. {comes_back}"
        );
        return look_again(last, &text);
    }
    if !named.ended && named.now_is.is_some() {
        let text = format!(
            "see whether {label} still runs: its end is not in the trace.{now} If a list says so that is older than the trace, or not of this server, {label} still runs; else it has ended. {comes_back}"
        );
        return look_again(pid, &text);
    }
    let text = format!(
        "see whether {label} starts again: it has ended.{now} A service or a scheduled task may start it. {comes_back}"
    );
    let list = format!("tasklist /svc /fi \"pid eq {pid}\"");
    unchanging(RecommendationCode::HolderEnded, &text, &[&list, "schtasks /query /v /fo csv > tasks.csv"])
}

/// Whose a PID is now, and what it has.
fn look_again(pid: u32, text: &str) -> Recommendation {
    let commands = [&*format!("tasklist /svc /fi \"pid eq {pid}\""), super::capture::LIST_SOCKETS];
    unchanging(RecommendationCode::HolderEnded, text, &commands)
}

fn restart(named: &Named<'_>) -> Recommendation {
    let label = &named.label;
    let check = format!("tasklist /svc /fi \"pid eq {}\"", named.pid.unwrap_or(0));
    let confirms = "If outbound connections recover, that confirms it";
    let changing =
        |code, text: String, commands| Recommendation { code, text, commands, changes_state: true, undo: None };
    match restart_of(named) {
        Restart::Never(what, why) => {
            let hosted: Vec<String> = named.services.iter().map(|name| crate::words::shown(name)).collect();
            let hosts = if hosted.is_empty() { String::new() } else { format!(", which hosts {},", hosted.join(", ")) };
            let why = if what == *label { why.to_owned() } else { format!("{what}: {why}") };
            let mut commands = Vec::new();
            if what.eq_ignore_ascii_case("Dnscache") {
                commands.push("ipconfig /flushdns".to_owned());
            }
            let text = format!(
                "plan a restart of the server. Leave {label}{hosts} running ({why}). Look first for what makes it hold ports: it may work on behalf of other programs"
            );
            changing(RecommendationCode::RestartServer, text, commands)
        }
        Restart::AtTheConsole(service, why) => {
            let text = format!(
                "restart the service {service} in {label} at the console of the server, not over the network: {why}. {confirms}"
            );
            changing(RecommendationCode::RestartAtConsole, text, vec![check, depends_on(&service)])
        }
        Restart::UnknownServices => {
            let text = format!(
                "find out which services {label} hosts, and restart nothing until you know: some must never be restarted. Analyze again with the process list"
            );
            unchanging(RecommendationCode::FindService, &text, &[&check, super::capture::LIST_PROCESSES])
        }
        Restart::WebPool => {
            let text = format!(
                "recycle the application pool of {label}, not all of IIS. The command lists the pool of each PID; then: appcmd recycle apppool /apppool.name:\"NAME\". {confirms}"
            );
            let list = r"%windir%\system32\inetsrv\appcmd.exe list wp".to_owned();
            changing(RecommendationCode::RestartHolder, text, vec![list])
        }
        Restart::Services(services) => {
            let (what, each) = match services.as_slice() {
                [one] => (format!("the service {one}"), ""),
                all => (
                    format!("the services {} one by one", all.join(", ")),
                    " It is not known which of them holds the ports: after each one, see whether the ports came back.",
                ),
            };
            let cluster = if services.iter().any(|name| is_clustered_kind(name)) {
                " If it is a role of a failover cluster, use the tools of the cluster instead."
            } else {
                ""
            };
            let text = format!(
                "restart {what} in {label}, if that PID is still the same process. See first which services depend on it and stop with it.{each}{cluster} {confirms}"
            );
            let mut commands = vec![check];
            commands.extend(services.iter().map(|service| depends_on(service)));
            commands
                .extend(services.iter().map(|service| format!("powershell -c \"Restart-Service -Name '{service}'\"")));
            changing(RecommendationCode::RestartHolder, text, commands)
        }
        Restart::Program => {
            let text = format!(
                "restart {label}, if that PID is still the same process, in the way its vendor intends. {confirms}"
            );
            changing(RecommendationCode::RestartHolder, text, vec![check])
        }
    }
}

fn depends_on(service: &str) -> String {
    let is_word = service.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
    if is_word { format!("sc.exe enumdepend {service}") } else { format!("sc.exe enumdepend \"{service}\"") }
}

/// Services that are often roles of a failover cluster: SQL Server, its agent, DTC.
fn is_clustered_kind(service: &str) -> bool {
    let name = service.to_lowercase();
    name.starts_with("mssql") || name.starts_with("sqlagent") || name == "sqlserveragent" || name == "msdtc"
}
