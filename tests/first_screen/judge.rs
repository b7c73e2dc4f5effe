//! What of a report is not as the truth has it.

use serde_json::Value;
use synth::{Named, Screen};

use super::look::Mention;
use super::{Seen, Wrong};

const CONFIDENCES: [&str; 3] = ["low", "medium", "high"];

/// What is wrong, by what it is about; empty where nothing is.
pub(super) fn judge(truth: &Screen, seen: &Seen) -> Vec<Wrong> {
    let state = (seen.state() != truth.state).then(|| format!("state {}", seen.state()));
    let points = [
        ("state", Vec::from_iter(state)),
        ("confidence", Vec::from_iter(confidence(truth, seen))),
        ("first", named(truth, seen)),
        ("blames", blamed(truth, seen)),
        ("holder", row_of_named(truth, seen)),
        ("sums", sums(truth, seen)),
        ("listing", listing(truth, seen)),
        ("order", order(truth, seen)),
        ("lacks", lacks(truth, seen)),
        ("harms", harms(truth, seen)),
        ("restarts", restarts(truth, seen)),
        ("says", missing(&truth.says, &format!("{}\n{}", seen.headline(), seen.screen), "on the first screen")),
        ("tells", missing(&truth.tells, &seen.text, "in the report")),
        ("silent", unfit(truth, seen)),
        ("outages", outages(truth, seen)),
        ("known", known(truth, seen)),
        ("destination", destination(truth, seen)),
        ("forecast", forecast(truth, seen)),
    ];
    let of_point =
        |(point, texts): (&'static str, Vec<String>)| texts.into_iter().map(move |text| Wrong { point, text });
    points.into_iter().flat_map(of_point).collect()
}

/// Whether each failure counts once.
pub(super) fn counts((binds, connects): (u64, u64), seen: &Seen) -> Option<Wrong> {
    let told = |key: &str| seen.json["failures"][key].as_u64().unwrap();
    let is_right = (told("binds"), told("connects")) == (binds, connects);
    let text = format!("{} and {} failures, not {binds} and {connects}", told("binds"), told("connects"));
    (!is_right).then_some(Wrong { point: "counts", text })
}

/// What is to be named first, as the table shows it.
pub(super) fn name_of(truth: &Screen) -> String {
    match truth.first {
        Named::Process(pid, image) => format!("{image} {pid}").trim_start().to_owned(),
        Named::Several(pids) => format!("each of {pids:?}"),
        Named::Image(image) => image.to_owned(),
        Named::TimeWait => "TIME_WAIT".to_owned(),
        Named::Kernel => "the kernel".to_owned(),
        Named::Cause(code, image) => format!("{code}: {image}"),
        Named::Nobody => "nobody".to_owned(),
    }
}

fn confidence(truth: &Screen, seen: &Seen) -> Option<String> {
    let rank = |confidence: &str| CONFIDENCES.iter().position(|known| *known == confidence);
    let is_right = match (truth.confidence, seen.confidence()) {
        (Some((lowest, highest)), Some(told)) => (rank(lowest)..=rank(highest)).contains(&rank(told)),
        (None, None) => true,
        _ => false,
    };
    (!is_right).then(|| format!("confidence {}", seen.confidence().unwrap_or("none")))
}

fn named(truth: &Screen, seen: &Seen) -> Vec<String> {
    let first = seen.mentions.first();
    let is_named = match truth.first {
        Named::Process(pid, image) => {
            let is_it = |first: &Mention| first.pid == Some(pid) && (image.is_empty() || first.image == image);
            first.is_some_and(|first| !first.suffers && is_it(first))
        }
        Named::Several(pids) => {
            let told: Vec<u32> =
                seen.mentions.iter().filter(|told| !told.suffers).filter_map(|told| told.pid).collect();
            seen.screen.contains("stands out") && pids.iter().all(|pid| told.contains(pid))
        }
        Named::Image(image) => first.is_some_and(|first| !first.suffers && first.image == image && first.pid.is_none()),
        Named::TimeWait => seen.blamed().is_none() && seen.screen.contains("TIME_WAIT"),
        Named::Kernel => seen.screen.contains("kernel") && seen.blamed().is_none_or(|blamed| blamed.pid == Some(4)),
        Named::Cause(code, image) => {
            let standing = seen.rows("ruled_out").find(|row| row["code"] == code).map(|row| &row["standing"]);
            standing.is_some_and(|standing| standing == "seen") && first.is_some_and(|first| first.image == image)
        }
        Named::Nobody => seen.blamed().is_none(),
    };
    if is_named || truth.or_nobody && seen.blamed().is_none() {
        Vec::new()
    } else {
        vec![format!("names {} first", seen.first_name())]
    }
}

fn blamed(truth: &Screen, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let holder = match truth.first {
        Named::Process(_, image) | Named::Image(image) | Named::Cause(_, image) => image,
        _ => "",
    };
    for image in truth.forbidden.blamed.iter().filter(|image| **image != holder) {
        if seen.mentions.iter().any(|mention| mention.image == *image && !mention.suffers) {
            wrong.push(format!("blames {image}"));
        }
    }
    wrong
}

/// The row of holders, or of images, that is to be named.
pub(super) fn of_named<'a>(truth: &Screen, seen: &'a Seen) -> Option<&'a Value> {
    let ports = |row: &&Value| row["ports"].as_u64();
    match truth.first {
        Named::Process(pid, image) => {
            let processes = &seen.json["processes"];
            let is_it = |row: &&Value| {
                let process = &processes[usize::try_from(row["process"].as_u64().unwrap()).unwrap()];
                process["pid"] == pid && (image.is_empty() || process["image"] == image)
            };
            seen.rows("holders").filter(is_it).max_by_key(ports)
        }
        Named::Image(image) => seen.rows("images").filter(|row| row["image"] == image).max_by_key(ports),
        _ => None,
    }
}

fn row_of_named(truth: &Screen, seen: &Seen) -> Vec<String> {
    let is_told = truth.ports.is_some() || truth.evidence.is_some() || !truth.patterns.is_empty();
    if !is_told || !matches!(truth.first, Named::Process(..) | Named::Image(_)) {
        return Vec::new();
    }
    let Some(row) = of_named(truth, seen) else { return vec!["has no row of who is to be named".to_owned()] };
    let mut wrong = Vec::new();
    let ports = row["ports"].as_u64().unwrap();
    if let Some((least, most)) = truth.ports
        && !(u64::from(least)..=u64::from(most)).contains(&ports)
    {
        wrong.push(format!("{ports} ports, not {least} to {most}"));
    }
    let pattern = row["pattern"].as_str().unwrap_or("-");
    if !truth.patterns.is_empty() && !truth.patterns.contains(&pattern) {
        wrong.push(format!("pattern {pattern}"));
    }
    // Rows of images have no grade of their own.
    if let (Some((best, weakest)), Some(grade)) = (truth.evidence, row["evidence"].as_str())
        && !grade.starts_with(|grade| (best..=weakest).contains(&grade))
    {
        wrong.push(format!("evidence {grade}"));
    }
    wrong
}

/// Nobody holds more than there is, and nobody holds what another server's listing shows. A port that TCP/IP gave twice
/// (1195) has two holders.
fn sums(truth: &Screen, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let given_twice = seen.json["verdict"]["reasons"].as_array().unwrap().iter();
    let given_twice = given_twice.filter(|reason| reason["code"] == "weak_references").count() > 0;
    for (index, pool) in seen.rows("pools").enumerate() {
        let of_pool = seen.rows("holders").filter(|row| row["pool"] == index);
        let held: u64 = of_pool.filter_map(|row| row["ports"].as_u64()).sum();
        let count = pool["count"].as_u64().unwrap();
        if held > count && !given_twice {
            wrong.push(format!("{held} ports held of a pool of {count}"));
        }
    }
    let image = |row: &Value| {
        seen.json["processes"][usize::try_from(row["process"].as_u64().unwrap()).unwrap()]["image"].clone()
    };
    let holding: Vec<Value> = seen.rows("holders").map(image).collect();
    let strangers = truth.forbidden.holders.iter().filter(|stranger| holding.iter().any(|image| image == **stranger));
    wrong.extend(strangers.map(|stranger| format!("{stranger} holds ports")));
    wrong
}

/// A side file that contradicts the trace is said to do so.
fn listing(truth: &Screen, seen: &Seen) -> Vec<String> {
    let Some(file) = truth.doubted_file else { return Vec::new() };
    let notes = seen.json["coverage"]["notes"].as_array().unwrap().iter().filter_map(Value::as_str);
    let is_noted = notes.filter(|note| note.contains(file)).count() > 0;
    let mut rows = seen.rows("side_inputs").filter(|row| row["path"].as_str().is_some_and(|path| path.ends_with(file)));
    let is_told = is_noted || rows.any(|row| row["note"].is_string());
    if is_told { Vec::new() } else { vec![format!("no doubt of {file}")] }
}

/// The first two steps.
fn order(truth: &Screen, seen: &Seen) -> Vec<String> {
    let codes = seen.steps();
    let told = truth.steps.iter().enumerate().map(|(n, allowed)| (n, allowed, codes.get(n).copied().unwrap_or("-")));
    let unfit = told.filter(|(_, allowed, code)| !allowed.is_empty() && !allowed.contains(code));
    unfit.map(|(n, _, code)| format!("step {} is {code}", n + 1)).collect()
}

/// Steps that have to be there.
fn lacks(truth: &Screen, seen: &Seen) -> Vec<String> {
    let codes = seen.steps();
    truth.needed_steps.iter().filter(|code| !codes.contains(code)).map(|code| format!("no step {code}")).collect()
}

/// Steps that must not be there.
fn harms(truth: &Screen, seen: &Seen) -> Vec<String> {
    let codes = seen.steps();
    truth.forbidden.steps.iter().filter(|code| codes.contains(code)).map(|code| format!("a step {code}")).collect()
}

fn restarts(truth: &Screen, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in seen.rows("recommendations") {
        let text = step["text"].as_str().unwrap();
        let commands: Vec<&str> = step["commands"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for pid in &truth.forbidden.restarted_pids {
            let is_restart = step["code"] == "restart_holder" && text.contains(&format!("PID {pid})"));
            let ends = ["taskkill", "Stop-Process"];
            let is_end = commands.iter().any(|command| {
                ends.iter().any(|end| command.contains(end))
                    && command.split(|c: char| !c.is_ascii_digit()).any(|number| number == pid.to_string())
            });
            if is_restart || is_end {
                wrong.push(format!("restarts PID {pid}"));
            }
        }
    }
    wrong
}

fn missing(words: &[&str], text: &str, place: &str) -> Vec<String> {
    words.iter().filter(|word| !text.contains(**word)).map(|word| format!("no {word:?} {place}")).collect()
}

fn unfit(truth: &Screen, seen: &Seen) -> Vec<String> {
    let forbidden = truth.forbidden.words.iter().filter(|word| seen.text.contains(**word));
    forbidden.map(|word| format!("says {word:?}")).collect()
}

fn outages(truth: &Screen, seen: &Seen) -> Vec<String> {
    let Some(outages) = truth.outages else { return Vec::new() };
    let mut wrong = Vec::new();
    let told = seen.rows("outages").count();
    if told != outages {
        wrong.push(format!("{told} outages, not {outages}"));
    }
    if seen.rows("outages").any(|outage| outage["holders"].as_array().is_none_or(Vec::is_empty)) {
        wrong.push("an outage has no holders".to_owned());
    }
    wrong
}

fn known(truth: &Screen, seen: &Seen) -> Vec<String> {
    let known: Vec<&str> = seen.rows("known").filter_map(|row| row["code"].as_str()).collect();
    let missing = truth.known.iter().filter(|code| !known.contains(code));
    let missing = missing.map(|code| format!("known cause {code} missing"));
    let unfit = truth.forbidden.known.iter().filter(|code| known.contains(code));
    missing.chain(unfit.map(|code| format!("known cause {code} does not fit"))).collect()
}

fn destination(truth: &Screen, seen: &Seen) -> Vec<String> {
    let first = &seen.json["destinations"][0];
    let told = first["remote"].as_str().map(|remote| format!("{remote}:{}", first["port"]));
    let missing = truth.destination.filter(|remote| told.as_deref() != Some(remote));
    Vec::from_iter(missing.map(|remote| format!("{remote} is not the first destination")))
}

fn forecast(truth: &Screen, seen: &Seen) -> Vec<String> {
    let Some((least, most)) = truth.full_in_minutes else { return Vec::new() };
    let minutes = full_in_minutes(seen);
    let is_right = minutes.is_some_and(|minutes| (f64::from(least)..=f64::from(most)).contains(&minutes));
    if is_right { Vec::new() } else { vec![format!("full in {minutes:?} minutes, not {least} to {most}")] }
}

/// Minutes from the end of the trace to when a pool is full, by the forecast that is first to come true.
fn full_in_minutes(seen: &Seen) -> Option<f64> {
    let time = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
    let ended = seen.rows("traces").filter_map(|trace| time(&trace["ended"])).max()?;
    let full = seen.rows("pools").filter_map(|pool| time(&pool["forecast"]["full_at"])).min()?;
    Some(full.duration_since(ended).as_secs_f64() / 60.0)
}
