//! A moment in the text format of Prometheus, as the textfile collector of windows_exporter reads it.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, <https://prometheus.io/docs/practices/naming/>.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::watch::{PoolNow, StateNow};
use crate::net::{Family, Protocol};
use crate::time::FileTime;
use crate::words::shown;

/// Names and values of labels.
type Labels = Vec<(&'static str, String)>;

/// A metric with its samples, of which no two have the same labels.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: BTreeMap<Labels, f64>,
}

impl Metric {
    fn new(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Self { name, kind, help, samples: BTreeMap::new() }
    }

    /// One value without labels.
    fn with(mut self, value: impl Into<Option<f64>>) -> Self {
        self.samples.extend(value.into().map(|value| (Vec::new(), value)));
        self
    }

    /// A value for each pool that has one.
    fn of_pools(mut self, moment: &StateNow, value: impl Fn(&PoolNow) -> Option<f64>) -> Self {
        for pool in &moment.pools {
            if let Some(value) = value(pool) {
                self.samples.insert(of_pool(pool.protocol, pool.family, pool.compartment), value);
            }
        }
        self
    }

    fn write(&self, text: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let Self { name, kind, help, samples } = self;
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{} {value}", Braces(labels));
        }
    }
}

/// `{name="value",...}`, or nothing.
struct Braces<'l>(&'l Labels);

impl std::fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if number == 0 { "{" } else { "," })?;
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            write!(f, "{name}=\"{value}\"")?;
        }
        f.write_str(if self.0.is_empty() { "" } else { "}" })
    }
}

/// The labels of a pool; what is not known is an empty value.
fn of_pool(protocol: Option<Protocol>, family: Option<Family>, compartment: Option<u32>) -> Labels {
    let protocol = protocol.map_or("", |protocol| match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    });
    let family = family.map_or("", |family| match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    });
    let labels = [("protocol", protocol.to_owned()), ("family", family.to_owned())];
    let compartment = compartment.map(|number| ("compartment", number.to_string()));
    labels.into_iter().chain(compartment).collect()
}

/// The labels of a process, named as windows_exporter's own collector of processes names them.
fn of_process(image: Option<&str>, pid: Option<u32>) -> Labels {
    let pid = pid.map_or_else(String::new, |pid| pid.to_string());
    vec![("process", image.map(shown).unwrap_or_default()), ("process_id", pid)]
}

/// Seconds since 1970.
fn seconds(time: FileTime) -> f64 {
    (time.to_unix_nanoseconds() / 1_000_000) as f64 / 1000.0
}

/// The file of a moment; `is_running` is not set in the last one of a capture.
pub fn text(moment: &StateNow, is_running: bool) -> String {
    let mut text = String::new();
    for metric in capture(moment, is_running).into_iter().chain(pools(moment)).chain(processes(moment)) {
        metric.write(&mut text);
    }
    text
}

fn capture(moment: &StateNow, is_running: bool) -> Vec<Metric> {
    let version: Labels = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let mut info = Metric::new("outofports_info", "gauge", "The program that wrote this file.");
    info.samples.insert(version, 1.0);
    let lost = "Events that the trace session lost: counts of failures are then a lower bound.";
    let buffers = "Buffers that the trace session lost, each with many events.";
    let listed = "When the sockets of the machine were listed last.";
    vec![
        info,
        Metric::new(
            "outofports_capture_running",
            "gauge",
            "Whether the capture goes on (1), or this is its last file (0).",
        )
        .with(f64::from(u8::from(is_running))),
        Metric::new("outofports_capture_duration_seconds", "gauge", "Time since the capture began.")
            .with(moment.seconds),
        Metric::new("outofports_updated_timestamp_seconds", "gauge", "When this file was written.")
            .with(seconds(moment.time)),
        Metric::new("outofports_listed_timestamp_seconds", "gauge", listed).with(moment.listed.map(seconds)),
        Metric::new("outofports_binds_total", "counter", "Binds that succeeded.").with(moment.binds_ok as f64),
        Metric::new("outofports_events_total", "counter", "Events of the trace session.").with(moment.events as f64),
        Metric::new("outofports_events_lost_total", "counter", lost).with(f64::from(moment.events_lost)),
        Metric::new("outofports_buffers_lost_total", "counter", buffers).with(f64::from(moment.buffers_lost)),
    ]
}

fn pools(moment: &StateNow) -> Vec<Metric> {
    let gauge =
        |name, help, value: &dyn Fn(&PoolNow) -> Option<f64>| Metric::new(name, "gauge", help).of_pools(moment, value);
    let counter = |name, help, value: &dyn Fn(&PoolNow) -> Option<f64>| {
        Metric::new(name, "counter", help).of_pools(moment, value)
    };
    let number = |ports: u32| Some(f64::from(ports));
    let of_range = |pool: &PoolNow, ports: u32| pool.is_known().then(|| f64::from(ports));
    vec![
        gauge("outofports_pool_ports", "Ports of the dynamic range.", &|pool| of_range(pool, pool.count)),
        gauge(
            "outofports_pool_excluded_ports",
            "Ports of the range that are excluded and that no socket uses.",
            &|pool| of_range(pool, pool.set_aside),
        ),
        gauge(
            "outofports_pool_used_ports",
            "Ports in use, TIME_WAIT included, as the machine lists them or as binds were seen, whichever is more.",
            &|pool| pool.listed.and_then(|_| number(pool.used())),
        ),
        gauge("outofports_pool_free_ports", "Ports that can still be given out, at most.", &|pool| {
            pool.free.map(f64::from)
        }),
        gauge(
            "outofports_pool_used_ratio",
            "Ports in use as a part of those that are not excluded, 0 to 1.",
            &|pool| pool.listed.map(|_| pool.share),
        ),
        gauge("outofports_pool_time_wait_ports", "Ports in TIME_WAIT, as the machine lists them.", &|pool| {
            pool.time_wait.map(f64::from)
        }),
        gauge("outofports_pool_seen_held_ports", "Ports held by sockets whose bind was seen.", &|pool| {
            number(pool.held)
        }),
        gauge("outofports_pool_outage", "Whether binds or connects fail for want of a port (1) or not (0).", &|pool| {
            Some(f64::from(u8::from(pool.outage.is_some_and(|outage| outage.lasts))))
        }),
        gauge("outofports_pool_full_timestamp_seconds", "When the pool will be full at its present rate.", &|pool| {
            pool.forecast.map(|forecast| seconds(forecast.full_at))
        }),
        counter(
            "outofports_bind_failures_total",
            "Binds that failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209).",
            &|pool| Some(pool.bind_failures as f64),
        ),
        counter(
            "outofports_connect_failures_total",
            "Connects that failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209).",
            &|pool| Some(pool.connect_failures as f64),
        ),
    ]
}

/// Ten processes of each kind at most, as a moment has them.
fn processes(moment: &StateNow) -> [Metric; 2] {
    let help = "Ports of the pool that the process holds; the largest holders.";
    let mut holders = Metric::new("outofports_holder_ports", "gauge", help);
    for holder in &moment.holders {
        let mut labels = of_pool(holder.protocol, holder.family, holder.compartment);
        labels.extend(of_process(holder.image.as_deref(), holder.pid));
        *holders.samples.entry(labels).or_default() += f64::from(holder.ports);
    }
    let help = "Binds and connects of the process that failed for want of a port; those with most.";
    let mut victims = Metric::new("outofports_victim_failures_total", "counter", help);
    for victim in &moment.victims {
        let labels = of_process(victim.image.as_deref(), victim.pid);
        *victims.samples.entry(labels).or_default() += victim.failures as f64;
    }
    [holders, victims]
}
