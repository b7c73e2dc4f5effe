//! Cases of machines that are not part of the repository, with what the machine knows beside each. Where they are not at hand,
//! there are none.

use std::path::{Path, PathBuf};

use serde_json::Value;
use synth::screen::step;
use synth::{Named, Screen};

use crate::common::corpus;

/// A case and its truth.
pub(super) struct Machine {
    pub(super) zip: PathBuf,
    pub(super) truth: Screen,
    pub(super) cast: Vec<(u32, String)>,
    /// Failures of binds and of connects.
    pub(super) failures: (u64, u64),
}

pub(super) fn all() -> Vec<Machine> {
    let Some(folder) = corpus().map(|corpus| corpus.join("../cases/machines")).filter(|folder| folder.is_dir()) else {
        return Vec::new();
    };
    truths().into_iter().map(|truth| machine(&folder, truth)).collect()
}

fn machine(folder: &Path, truth: Screen) -> Machine {
    let zip = folder.join(format!("{}.zip", truth.case));
    let text = std::fs::read_to_string(folder.join(format!("{}.truth.json", truth.case))).unwrap();
    let known: Value = serde_json::from_str(&text).unwrap();
    let owners = known["pools"].as_array().unwrap().iter().flat_map(|pool| pool["owners"].as_array().unwrap());
    let processes = known["processes"].as_array().unwrap().iter().chain(owners);
    let cast = processes
        .map(|row| (u32::try_from(row["pid"].as_u64().unwrap()).unwrap(), row["image"].as_str().unwrap().to_owned()));
    let mut cast: Vec<(u32, String)> = cast.collect();
    cast.sort();
    cast.dedup();
    let connects = known["connects"].as_u64().unwrap();
    let failures = (known["total_failures"].as_u64().unwrap() - connects, connects);
    Machine { zip, truth, cast, failures }
}

/// What the first screen of each has to say. All of them have the default pools, or a range that a listing tells.
fn truths() -> Vec<Screen> {
    let leak = || {
        Screen::exhausted("high", "high")
            .process(7312, "leaky-agent.exe")
            .looks()
            .innocent(&["w3wp.exe", "sqlservr.exe", "lsass.exe", "BackupBroker.exe"])
            .spared(&[5120, 3340, 716, 2264])
    };
    vec![
        leak()
            .ports(16_000, 16_384)
            .evidence('B', 'B')
            .silent(&["--pool 60000:40"])
            .of("rundown_holder", "A holder that TCP/IP's rundown shows."),
        leak()
            .process(9404, "leaky-agent.exe")
            .ports(16_200, 16_384)
            .pattern(&["leak"])
            .outages(2)
            .spared(&[7312])
            .never(&[step::HOLDER_ENDED])
            .of("restarted", "Its successor fills the pool again."),
        leak()
            .ports(6_800, 6_884)
            .pattern(&["leak"])
            .innocent(&["poolkeeper.exe"])
            .spared(&[6600])
            .of("steady_big", "A plateau beside a leak."),
        leak()
            .ports(1_930, 1_940)
            .pattern(&["leak"])
            .restores()
            .innocent(&["multicast.exe"])
            .spared(&[6600])
            .of("shared_port", "3,000 sockets on 60 ports."),
        leak()
            .process(1644, "svchost.exe")
            .ports(16_300, 16_384)
            .pattern(&["leak"])
            .spared(&[1644])
            .never(&[step::RESTART_HOLDER])
            .needs(&[step::RESTART_SERVER])
            .tells(&["BrokerInfrastructure", "DcomLaunch", "PlugPlay", "Power", "SystemEventsBroker"])
            .of("svchost_core", "A svchost.exe that Windows cannot do without."),
        leak().image("worker.exe").ports(16_300, 16_384).says(&["30"]).of("farm", "Thirty processes of one image."),
        Screen::exhausted("medium", "high")
            .first(Named::TimeWait)
            .looks()
            .needs(&[step::REUSE_CONNECTIONS])
            .says(&["TIME_WAIT", "16,384"])
            .silent(&["evidence E"])
            .never(&[step::RESTART_HOLDER])
            .of("tw_listing", "TIME_WAIT fills the pool, by a listing."),
        leak()
            .ports(16_300, 16_384)
            .pattern(&["leak"])
            .silent(&["in sight"])
            .of("dual_stack", "Sockets of IPv6 that serve IPv4 too."),
        leak()
            .ports(3_900, 3_976)
            .silent(&["in sight"])
            .never(&[step::MEMORY_DUMP, step::WIDEN_POOL])
            .of("dyn_german", "A listing that the trace refutes."),
    ]
}
