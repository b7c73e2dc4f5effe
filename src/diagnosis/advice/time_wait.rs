//! What to do about ports in TIME_WAIT.

use super::situation::Accused;
use super::{Recommendation, Situation, unchanging};
use crate::diagnosis::codes::RecommendationCode;
use crate::diagnosis::holders::Pattern;
use crate::diagnosis::pools::PoolFinding;
use crate::net::Protocol;

/// From this part of a pool on (one in four) TIME_WAIT is worth acting on.
const WORTH_SHARE: u32 = 4;

/// Where TCP/IP keeps its parameters.
const PARAMETERS: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";

/// The first build (Windows 8.1, Server 2012 R2) that takes values below 30 s. Source: Microsoft's BizTalk guide.
const SHORT_DELAY_BUILD: u32 = 9600;

/// The value proposed: every version takes it.
const SHORT_DELAY_SECONDS: u32 = 30;

pub(super) fn time_wait_steps(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    // What a process left as it ended comes back by itself, and no connection of it was short.
    let left_by_end = match &situation.accused {
        Accused::Holder(named) if named.holder.waits_since_its_end => named.holder.time_wait,
        _ => 0,
    };
    let waits = |pool: &&PoolFinding| {
        let waiting = pool.time_wait.0.max(pool.listed_time_wait).saturating_sub(left_by_end);
        let is_full = pool.state.is_some() && pool.key.protocol == Some(Protocol::Tcp);
        is_full && waiting.saturating_mul(WORTH_SHARE) >= pool.range.count
    };
    let churner = match &situation.accused {
        Accused::Holder(named) if named.holder.pattern == Some(Pattern::Churn) => Some(named.who.label.clone()),
        Accused::Image(named) if named.image.pattern == Some(Pattern::Churn) => Some(named.image.image.clone()),
        Accused::TimeWait(_, Some(who)) => Some(who.label.clone()),
        _ => None,
    };
    let is_named = matches!(situation.accused, Accused::TimeWait(..));
    if churner.is_none() && !is_named && !situation.pools.iter().any(|pool| waits(&pool)) {
        return;
    }
    let who = churner.map_or_else(
        || "find the program that opens so many short connections, and have it keep and reuse them: each closed connection keeps its port in TIME_WAIT".to_owned(),
        |label| format!("have {label} keep and reuse connections: it closes them faster than TIME_WAIT ends"),
    );
    // A trace that tells the length tells one, not two.
    let told =
        situation.pools.iter().map(|pool| pool.time_wait_seconds).find(|(short, long)| *short > 0 && short == long);
    if told.is_some_and(|(seconds, _)| seconds <= SHORT_DELAY_SECONDS.into()) {
        list.push(unchanging(RecommendationCode::ReuseConnections, &who, &[]));
        return;
    }
    let text = format!("{who}. Check too whether somebody lengthened TIME_WAIT");
    let query = format!("reg query {PARAMETERS} /v TcpTimedWaitDelay");
    list.push(unchanging(RecommendationCode::ReuseConnections, &text, &[&query]));
    let versions = match situation.os_build {
        Some(build) if build < SHORT_DELAY_BUILD => "this Windows accepts 30 to 300 s",
        Some(_) => "this Windows accepts 2 to 300 s",
        None => "Windows accepts 30 to 300 s; from 8.1 and Server 2012 R2 on, 2 to 300 s",
    };
    list.push(Recommendation {
        code: RecommendationCode::ShortenTimeWait,
        text: format!(
            "shorten TIME_WAIT with TcpTimedWaitDelay: {versions}, if it is absent, the default of 120 s applies (Microsoft's newest page says 4 minutes). It may take effect only after the next start of Windows. If the query above shows a value, note it: the undo removes it"
        ),
        commands: vec![format!("reg add {PARAMETERS} /v TcpTimedWaitDelay /t REG_DWORD /d {SHORT_DELAY_SECONDS} /f")],
        changes_state: true,
        undo: Some(format!("reg delete {PARAMETERS} /v TcpTimedWaitDelay /f")),
    });
}
