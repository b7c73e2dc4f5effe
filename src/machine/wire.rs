//! What captured packets show of connections, where no event of sockets or ports tells anything: hints, and no proof.

use std::net::IpAddr;

use etl_parser::Trace;

use super::window::Window;
use crate::hash::FastMap;
use crate::net::{Protocol, SocketAddress};
use crate::pipeline::Streams;
use crate::progress::{Progress, Stopped};
use crate::providers::packets::frame::{Headers, TcpFlags};
use crate::providers::packets::ndis;
use crate::time::FileTime;

/// Connections and clients that are followed, some 80 bytes each: a minute of a busy server has some 10,000.
const MAX_FOLLOWED: usize = 1 << 20;

/// A request that is repeated within this time is the same one: TCP gives up after 21 seconds by default.
const REPEATED_100NS: i64 = 21 * FileTime::SECOND;

/// How long a closed connection may keep its ends, so that the same ones come too soon (Tcpip 4227).
const TIME_WAIT_100NS: i64 = 240 * FileTime::SECOND;

/// Records after which it is asked whether to stop.
const ASK_EVERY: usize = 1 << 14;

/// What packets show of TCP connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wire {
    /// Connections that were asked for, each once.
    pub requests: u64,
    /// Of these, those that nobody answered, and that TCP had given up before the capture ended.
    pub unanswered: u64,
    /// Of these, those that were refused.
    pub refused: u64,
    /// Connections that were asked for with the ends of one that had ended less than four minutes before.
    pub too_soon: u64,
    /// The client that asked most often within a minute, and how often.
    pub busiest: Option<(IpAddr, u64)>,
}

/// Follows the captured packets of traces, by time.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn follow(traces: &[Trace<'_>], window: Window, progress: &dyn Progress) -> Result<Wire, Stopped> {
    let mut follower = Follower::default();
    for (number, (_, ordered)) in Streams::new(traces).enumerate() {
        if number % ASK_EVERY == 0 && progress.should_stop() {
            return Err(Stopped);
        }
        let record = ordered.record();
        if !ndis::is_fragment(&record) || !window.contains(ordered.time()) {
            continue;
        }
        let Some(fragment) = ndis::read_fragment(&record).filter(|fragment| fragment.is_start) else { continue };
        let headers = Headers::read(fragment.link, fragment.bytes);
        let Some((Protocol::Tcp, source, destination)) = headers.flow() else { continue };
        if let Some(flags) = headers.ip.and_then(|ip| ip.transport?.tcp_flags) {
            follower.segment(ordered.order_time(), source, destination, flags);
        }
    }
    Ok(follower.finish())
}

/// A connection, by client and server.
#[derive(Debug, Clone, Copy)]
struct Connection {
    asked: FileTime,
    answer: Answer,
    /// When an end closed it or gave it up.
    ended: Option<FileTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    Accepted,
    Refused,
}

/// Requests of a client in a minute, and the most that it had in one.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    minute: i64,
    count: u64,
    most: u64,
}

#[derive(Debug, Default)]
struct Follower {
    connections: FastMap<(SocketAddress, SocketAddress), Connection>,
    clients: FastMap<IpAddr, Rate>,
    now: Option<FileTime>,
    wire: Wire,
}

impl Follower {
    fn segment(&mut self, time: FileTime, source: SocketAddress, destination: SocketAddress, flags: TcpFlags) {
        self.now = Some(time);
        if flags.is_request() {
            self.request(time, (source, destination));
            return;
        }
        if flags.is_answer() {
            if let Some(connection) = self.connections.get_mut(&(destination, source)) {
                connection.answer = Answer::Accepted;
            }
            return;
        }
        if !flags.is_reset() && !flags.is_end() {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&(destination, source))
            && flags.is_reset()
            && connection.answer == Answer::None
        {
            connection.answer = Answer::Refused;
            self.wire.refused += 1;
            return;
        }
        for ends in [(source, destination), (destination, source)] {
            if let Some(connection) = self.connections.get_mut(&ends) {
                connection.ended = Some(time);
            }
        }
    }

    fn request(&mut self, time: FileTime, ends: (SocketAddress, SocketAddress)) {
        if let Some(before) = self.connections.get(&ends).copied() {
            if before.answer == Answer::None && time.since(before.asked) <= REPEATED_100NS {
                return;
            }
            self.wire.unanswered += u64::from(before.answer == Answer::None);
            let is_soon = before.ended.is_some_and(|ended| time.since(ended) < TIME_WAIT_100NS);
            self.wire.too_soon += u64::from(before.answer == Answer::Accepted && is_soon);
        } else if self.connections.len() >= MAX_FOLLOWED {
            return;
        }
        self.wire.requests += 1;
        self.connections.insert(ends, Connection { asked: time, answer: Answer::None, ended: None });
        let client = ends.0.ip;
        if self.clients.len() < MAX_FOLLOWED || self.clients.contains_key(&client) {
            let rate = self.clients.entry(client).or_default();
            let minute = time.0.div_euclid(60 * FileTime::SECOND);
            if rate.minute != minute {
                (rate.minute, rate.count) = (minute, 0);
            }
            rate.count += 1;
            rate.most = rate.most.max(rate.count);
        }
    }

    fn finish(mut self) -> Wire {
        let Some(now) = self.now else { return self.wire };
        let is_given_up = |open: &&Connection| open.answer == Answer::None && now.since(open.asked) > REPEATED_100NS;
        self.wire.unanswered += self.connections.values().filter(is_given_up).count() as u64;
        // Of several the first by address: the order of the map is none.
        let most = self.clients.iter().map(|(client, rate)| (rate.most, std::cmp::Reverse(*client)));
        self.wire.busiest = most.max().map(|(most, client)| (client.0, most));
        self.wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: TcpFlags = TcpFlags(0x02);
    const SYN_ACK: TcpFlags = TcpFlags(0x12);
    const RST: TcpFlags = TcpFlags(0x14);
    const FIN: TcpFlags = TcpFlags(0x11);

    fn end(last: u8, port: u16) -> SocketAddress {
        SocketAddress { ip: IpAddr::from([10, 0, 0, last]), port }
    }

    fn at(seconds: i64) -> FileTime {
        FileTime(seconds * FileTime::SECOND)
    }

    #[test]
    fn requests_are_answered_refused_or_given_up() {
        let mut follower = Follower::default();
        let server = end(9, 443);
        for (port, answer) in [(1, Some(SYN_ACK)), (2, Some(RST)), (3, None), (4, None)] {
            let client = end(5, port);
            let asked = if port == 4 { 95 } else { 0 };
            follower.segment(at(asked), client, server, SYN);
            if let Some(answer) = answer {
                follower.segment(at(1), server, client, answer);
            }
        }
        // Repeated, and no second request.
        follower.segment(at(3), end(5, 3), server, SYN);
        follower.segment(at(100), end(5, 1), server, TcpFlags(0x10));
        let wire = follower.finish();
        assert_eq!((wire.requests, wire.unanswered, wire.refused, wire.too_soon), (4, 1, 1, 0));
        assert_eq!(wire.busiest, Some((end(5, 0).ip, 3)));
    }

    #[test]
    fn the_same_ends_come_too_soon_only_within_time_wait() {
        let again = |after: i64| {
            let mut follower = Follower::default();
            let (client, server) = (end(5, 50_000), end(9, 443));
            for (time, flags) in [(0, SYN), (0, SYN_ACK), (10, FIN), (10 + after, SYN)] {
                let is_answer = flags == SYN_ACK;
                let (source, destination) = if is_answer { (server, client) } else { (client, server) };
                follower.segment(at(time), source, destination, flags);
            }
            follower.finish().too_soon
        };
        assert_eq!((again(30), again(239), again(240)), (1, 1, 0));
    }
}
