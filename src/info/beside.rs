//! What the side files beside a trace can answer.

use crate::case::SideInput;
use crate::side::Kind;
use crate::side::facts::SideFacts;
use crate::words::{counted, grouped, shown};

/// Side files of the case that a trace belongs to.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    pub(super) inputs: Vec<SideInput>,
    /// Processes that lists name.
    tasks: u64,
    /// Sockets that listings show with their owner.
    owned_sockets: u64,
    /// Entries of logs of Winsock-AFD's channel.
    pub(super) logged: u64,
    /// Of these, binds.
    pub(super) logged_binds: u64,
    /// Of these, ends of sockets.
    pub(super) logged_closes: u64,
}

impl Beside {
    /// Of the side files of a case, and what they told.
    pub fn new(inputs: &[SideInput], side: &SideFacts) -> Self {
        let sockets = side.listings.iter().flat_map(|listing| &listing.sockets);
        let owned =
            sockets.filter(|socket| socket.pid.is_some_and(|pid| pid != 0)).map(|socket| u64::from(socket.count));
        Self {
            inputs: inputs.to_vec(),
            tasks: side.tasks.len() as u64,
            owned_sockets: owned.sum(),
            logged: side.afd_logs.iter().map(|log| log.entries).sum(),
            logged_closes: side.afd_logs.iter().map(|log| log.closes).sum(),
            logged_binds: side.afd_logs.iter().map(|log| log.binds).sum(),
        }
    }

    /// `40 processes in tasklist.txt`: what names processes; `None` where nothing does.
    pub(super) fn names(&self) -> Option<String> {
        let files = self.files(&[Kind::Tasklist]);
        let noun = if self.tasks == 1 { "process" } else { "processes" };
        (self.tasks > 0).then(|| format!("{} {noun} in {files}", grouped(self.tasks)))
    }

    /// `9,000 sockets with their owners in netstat.txt`; `None` where no listing shows any.
    pub(super) fn owners(&self) -> Option<String> {
        let files = self.files(&[Kind::Netstat, Kind::NetstatLoop, Kind::NetTcpConnection, Kind::NetUdpEndpoint]);
        (self.owned_sockets > 0)
            .then(|| format!("{} with their owners in {files}", counted(self.owned_sockets, "socket")))
    }

    /// The names of the files of some kinds that were used.
    fn files(&self, kinds: &[Kind]) -> String {
        let is_of_kind = |input: &&SideInput| input.used && kinds.iter().any(|kind| kind.name() == input.kind);
        let mut files: Vec<String> = self.inputs.iter().filter(is_of_kind).map(|input| shown(&input.path)).collect();
        files.dedup();
        match files.as_slice() {
            [] => "side files".to_owned(),
            [one] => one.clone(),
            [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        }
    }
}
