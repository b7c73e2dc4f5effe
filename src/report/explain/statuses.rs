//! What operations end with: NTSTATUS values, and the Winsock errors that programs see of them.

use super::{Explanation, Kind};
use crate::status::{NtStatus, of_winsock_error, shares_low_word_only};

/// Number, meaning, explanation. The names are those of the table of statuses.
type Status = (u32, &'static str, &'static str);

/// What follows where nothing else does.
const NO_SHORTAGE: &str = "It is no shortage of ports.";

const STATUSES: [Status; 46] = [
    (0x0000_0000, "the operation succeeded", "A bind with it holds its port until the socket is closed."),
    (0x0000_0102, "the time ran out", NO_SHORTAGE),
    (
        0x0000_0103,
        "the operation goes on",
        "It is neither success nor failure: the completion comes later, as a record of its own.",
    ),
    (0x4000_0000, "an object of this name exists already", NO_SHORTAGE),
    (0x8000_0005, "the buffer was too small for all data", NO_SHORTAGE),
    (0xC000_0001, "the operation failed, for no reason that is told", NO_SHORTAGE),
    (0xC000_0002, "the operation is not there", NO_SHORTAGE),
    (0xC000_0005, "memory was accessed that must not be", NO_SHORTAGE),
    (0xC000_0008, "the handle is not valid", NO_SHORTAGE),
    (0xC000_000D, "a parameter is not valid", NO_SHORTAGE),
    (0xC000_0010, "the device does not take this request in its state", NO_SHORTAGE),
    (
        0xC000_0017,
        "memory is short",
        "Programs see Winsock error 10055, as with a shortage of ports, but it is none: the kernel lacks memory. See `check_memory`.",
    ),
    (0xC000_0018, "the address conflicts with another one", NO_SHORTAGE),
    (
        0xC000_0022,
        "access is denied",
        "Of a bind: the port lies in an excluded range, or another program uses it exclusively. Programs see Winsock error 10013. It is no shortage of ports: see `reservations`.",
    ),
    (0xC000_0023, "the buffer is too small", NO_SHORTAGE),
    (0xC000_0024, "the object is of another type", NO_SHORTAGE),
    (0xC000_0034, "no object has this name", NO_SHORTAGE),
    (
        0xC000_0043,
        "another one uses it exclusively",
        "Of a bind: another socket has the port, and does not share it. Programs see Winsock error 10013 or 10048. It is a conflict about one port, and no shortage: see `find_listener`.",
    ),
    (
        0xC000_0044,
        "a quota is used up",
        "Programs see Winsock error 10055, as with a shortage of ports, but it is none: the process may take no more memory.",
    ),
    (
        0xC000_009A,
        "the kernel lacks resources",
        "Programs see Winsock error 10055, as with a shortage of ports, but it is none: the kernel lacks memory. See `check_memory`.",
    ),
    (
        0xC000_00B5,
        "an operation of a device took too long",
        "Of a connect: nobody answered. It is no shortage of ports.",
    ),
    (0xC000_00BB, "the operation is not supported", NO_SHORTAGE),
    (0xC000_00BE, "the network path was not found", NO_SHORTAGE),
    (
        0xC000_0120,
        "the operation was cancelled",
        "The program gave it up, or closed the socket while it went on. It is no shortage of ports.",
    ),
    (0xC000_0128, "the file was closed", NO_SHORTAGE),
    (0xC000_0140, "the connection is not valid", NO_SHORTAGE),
    (
        0xC000_0141,
        "the address is not valid",
        "Of a bind: the machine does not have this local address. It is no shortage of ports.",
    ),
    (0xC000_0184, "the device is in no state for this", NO_SHORTAGE),
    (0xC000_0207, "a part of the address is not valid", NO_SHORTAGE),
    (0xC000_0208, "the address must not be a wildcard", NO_SHORTAGE),
    (
        0xC000_0209,
        "no local port was free",
        "This is port exhaustion: a program asked for any local port, and Windows had none to give. Programs see Winsock error 10055 or 10048. The process that fails is the victim; who holds the ports is another question, which the report answers first.",
    ),
    (
        0xC000_020A,
        "the address or port is in use",
        "Of a bind: another socket has the port that was asked for. Programs see Winsock error 10048. It is a conflict about one port, and no shortage: see `find_listener`.",
    ),
    (0xC000_020B, "the address was closed", NO_SHORTAGE),
    (0xC000_020C, "the connection is closed", NO_SHORTAGE),
    (0xC000_020D, "the other side reset the connection", NO_SHORTAGE),
    (0xC000_020E, "the transaction was aborted", NO_SHORTAGE),
    (
        0xC000_0236,
        "the other side refused the connection",
        "Nobody listens at the remote port, or a firewall refuses it. It is no shortage of ports.",
    ),
    (0xC000_0237, "the other side has closed the connection", NO_SHORTAGE),
    (0xC000_0238, "the endpoint has an address already", NO_SHORTAGE),
    (0xC000_0239, "the endpoint has no address", NO_SHORTAGE),
    (0xC000_023A, "there is no such connection", NO_SHORTAGE),
    (0xC000_023B, "the connection is in use", NO_SHORTAGE),
    (0xC000_023C, "the network cannot be reached", NO_SHORTAGE),
    (0xC000_023D, "the host cannot be reached", NO_SHORTAGE),
    (0xC000_023F, "the remote port cannot be reached", NO_SHORTAGE),
    (0xC000_0241, "the connection was aborted on this side", NO_SHORTAGE),
];

/// Number, symbol, meaning, explanation.
const WINSOCK: [(u32, &str, &str, &str); 3] = [
    (
        10013,
        "WSAEACCES",
        "access is denied",
        "Of a bind: the port lies in an excluded or reserved range, or another program uses it exclusively. It is no shortage of ports. Look at the excluded ranges: see `reservations`.",
    ),
    (
        10048,
        "WSAEADDRINUSE",
        "the address or port is in use",
        "Of a bind to a certain port: another socket has it, a conflict about one port. Of a bind to any port or of a connect it can also be port exhaustion, or a connection whose addresses still wait in TIME_WAIT (Tcpip 4227). The NTSTATUS behind it tells which: only 0xC0000209 is exhaustion.",
    ),
    (
        10055,
        "WSAENOBUFS",
        "no ports or no memory",
        "The error of a program that ran out of ports, but also of one for which the kernel lacks memory. The NTSTATUS behind it tells which: 0xC0000209 is port exhaustion, 0xC000009A and 0xC0000017 are memory.",
    ),
];

/// The bits of an NTSTATUS that tell how bad it is.
const SEVERITIES: [&str; 4] = ["success", "information", "warning", "error"];

pub(super) fn all() -> Vec<Explanation> {
    let statuses = STATUSES.iter().map(|(value, meaning, explanation)| {
        let status = NtStatus(*value);
        let mut explained = Explanation::new(Kind::Ntstatus, &status.to_string(), meaning, explanation);
        explained.name = status.name().map(str::to_owned);
        explained.see = winsock_of(status);
        explained
    });
    let winsock = WINSOCK.iter().map(|(number, symbol, meaning, explanation)| Explanation {
        name: Some((*symbol).to_owned()),
        see: of_winsock_error(*number).into_iter().flatten().map(NtStatus::to_string).collect(),
        ..Explanation::new(Kind::Winsock, &number.to_string(), meaning, explanation)
    });
    statuses.chain(winsock).collect()
}

/// The Winsock errors that programs may see of a status.
fn winsock_of(status: NtStatus) -> Vec<String> {
    let shows = |number: &u32| of_winsock_error(*number).is_some_and(|all| all.contains(&status));
    WINSOCK.iter().map(|(number, ..)| *number).filter(shows).map(|number| number.to_string()).collect()
}

/// A status by its number in any writing: one of the table, or one of which the number alone is known.
pub(super) fn by_number(text: &str) -> Option<Explanation> {
    let bare = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let hexadecimal = |digits: &str| u32::from_str_radix(digits, 16).ok();
    let value = match bare {
        Some(digits) => hexadecimal(digits)?,
        // As tools print it that take it for a signed number.
        None if text.starts_with('-') => text.parse::<i32>().ok()?.cast_unsigned(),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<u32>().ok().filter(|value| *value >= 1 << 30)?
        }
        None => hexadecimal(text).filter(|_| text.len() == 8)?,
    };
    let status = NtStatus(value);
    let code = status.to_string();
    if let Some(known) = all().into_iter().find(|one| one.code == code) {
        return Some(known);
    }
    let severity = SEVERITIES.get((value >> 30) as usize).copied().unwrap_or_default();
    let (facility, number) = (value >> 16 & 0xFFF, value & 0xFFFF);
    let place = format!("Its severity is {severity}, its facility {facility:#x}, its number {number:#x}.");
    Some(if shares_low_word_only(status) {
        let mut explained = Explanation::new(
            Kind::Ntstatus,
            &code,
            "a status with the low word of 0xC0000209, which it is not",
            &format!(
                "{place} Network Monitor's filter (Code == 0x209) takes it for 0xC0000209. The report counts it apart, and not as a failure for want of a port."
            ),
        );
        explained.see.push(NtStatus::TOO_MANY_ADDRESSES.to_string());
        explained
    } else {
        Explanation::new(
            Kind::Ntstatus,
            &code,
            "a status that this program has no name for",
            &format!("{place} Look it up in ntstatus.h. It is no shortage of ports: only 0xC0000209 is."),
        )
    })
}
