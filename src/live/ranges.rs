//! The port ranges of the machine: by an interface of the system, else by netsh.

use std::time::Duration;

use super::system::{System, WhyMissing};
use crate::side::facts::{DynamicPorts, ExcludedPorts};
use crate::side::{decode_text, netsh};

/// A command that takes longer is ended.
const COMMAND_LIMIT: Duration = Duration::from_secs(20);

/// The dynamic ranges. Takes long where WMI and netsh hang.
///
/// # Errors
///
/// Why nothing tells them.
pub fn dynamic(system: &dyn System) -> Result<Vec<DynamicPorts>, WhyMissing> {
    system.dynamic_ports().or_else(|why| {
        let ranges =
            ask(system, "dynamicport", |family, protocol| vec!["int", family, "show", "dynamicport", protocol]);
        let dynamic: Vec<DynamicPorts> = ranges.into_iter().flat_map(|ranges| ranges.dynamic).collect();
        if dynamic.is_empty() { Err(why) } else { Ok(dynamic) }
    })
}

/// The excluded ranges. Takes long where netsh hangs.
///
/// # Errors
///
/// Why nothing tells them.
pub fn excluded(system: &dyn System) -> Result<Vec<ExcludedPorts>, WhyMissing> {
    let ranges = ask(system, "excludedportrange", |family, protocol| {
        let protocol = if protocol == "tcp" { "protocol=tcp" } else { "protocol=udp" };
        vec!["int", family, "show", "excludedportrange", protocol]
    });
    let was_listed = ranges.iter().any(|ranges| ranges.excluded_listings > 0);
    let excluded: Vec<ExcludedPorts> = ranges.into_iter().flat_map(|ranges| ranges.excluded).collect();
    if was_listed { Ok(excluded) } else { Err("netsh lists none".to_owned()) }
}

/// What netsh says for both families and protocols.
fn ask(
    system: &dyn System,
    what: &str,
    arguments: impl Fn(&'static str, &'static str) -> Vec<&'static str>,
) -> Vec<netsh::PortRanges> {
    let pairs = [("ipv4", "tcp"), ("ipv4", "udp"), ("ipv6", "tcp"), ("ipv6", "udp")];
    let answers = pairs.into_iter().filter_map(|(family, protocol)| {
        let output = system.command("netsh", &arguments(family, protocol), COMMAND_LIMIT).ok()?;
        let decoded = decode_text(&output.stdout);
        Some(netsh::parse(&decoded.text, &format!("{what}-{family}.txt")))
    });
    answers.collect()
}
