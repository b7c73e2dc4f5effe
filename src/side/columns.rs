//! Columns of tables, lists and objects by their names, in the usual spellings.

use std::sync::LazyLock;

use super::facts::TcpState;
use crate::hash::FastMap;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Protocol,
    LocalAddress,
    LocalPort,
    RemoteAddress,
    RemotePort,
    State,
    /// Empty for sockets that are not connected.
    AppliedSetting,
    /// The PID of a socket's owner, or of a process.
    Pid,
    /// The image name of a process, with or without `.exe`.
    ProcessName,
    /// The name of whatever the row is of.
    Name,
    Handles,
    Services,
    Modules,
    Count,
    /// Members of a group.
    Group,
    /// The number or the kind of a handle.
    Handle,
    SettingName,
    RangeStart,
    RangeCount,
    DateTime,
    /// When a process started.
    Started,
    /// Which of several times that a script asked the row is of.
    Round,
    InUse,
    Max,
    /// `#TYPE` is not always there, the class of each object is.
    Class,
    EventId,
    EventSource,
    /// The machine that the row is of.
    Machine,
    /// What happened to a connection: a row is an event, and no socket.
    ActionType,
    /// What rules of firewalls have, and sockets do not.
    Rule,
    /// The number of a process, or of whatever else the rows are of: [`Column::settle`] says which.
    Id,
    /// An address or a port, and not whose: [`Column::settle`] says that, too.
    Address,
    Port,
    /// How many sockets are in a state, by its number.
    OfState(u8),
    Other,
}

/// Names without blanks and signs, in small letters.
const NAMES: [(Column, &[&str]); 32] = [
    (Column::Protocol, &["protocol", "proto", "toru", "prot", "transport", "transportprotocol"]),
    (
        Column::LocalAddress,
        &[
            "localaddress",
            "local",
            "localip",
            "localipaddress",
            "localaddr",
            "localendpoint",
            "laddr",
            "localhost",
            "lokaleadresse",
            "adresselocale",
            "direcciónlocal",
            "indirizzolocale",
            "endereçolocal",
            "lokaaladres",
            "adreslokalny",
            "локальныйадрес",
            "ローカルアドレス",
            "本地地址",
            "本機位址",
            "로컬주소",
        ],
    ),
    (
        Column::LocalPort,
        &[
            "localport",
            "lport",
            "lokalerport",
            "portlocal",
            "puertolocal",
            "portalocale",
            "portalocal",
            "lokalepoort",
            "portlokalny",
            "локальныйпорт",
            "ローカルポート",
            "本地端口",
            "本機連接埠",
            "로컬포트",
        ],
    ),
    (
        Column::RemoteAddress,
        &[
            "remoteaddress",
            "remote",
            "remoteip",
            "remoteipaddress",
            "remoteaddr",
            "remoteendpoint",
            "raddr",
            "foreignaddress",
            "foreign",
            "foreignip",
            "remotehost",
            "remoteadresse",
            "adressedistante",
            "direcciónremota",
            "indirizzoremoto",
            "endereçoremoto",
            "externadres",
            "adreszdalny",
            "удаленныйадрес",
            "удалённыйадрес",
            "リモートアドレス",
            "远程地址",
            "遠端位址",
            "원격주소",
        ],
    ),
    (
        Column::RemotePort,
        &[
            "remoteport",
            "rport",
            "foreignport",
            "portdistant",
            "puertoremoto",
            "portaremota",
            "externepoort",
            "portzdalny",
            "удаленныйпорт",
            "удалённыйпорт",
            "リモートポート",
            "远程端口",
            "遠端連接埠",
            "원격포트",
        ],
    ),
    (Column::State, &["state", "status", "tcpstate", "connectionstate"]),
    (Column::AppliedSetting, &["appliedsetting"]),
    (
        Column::Pid,
        &[
            "pid",
            "processid",
            "owningprocess",
            "owningpid",
            "ownerpid",
            "owningprocessid",
            "ownerprocess",
            "idprocess",
            "besitzenderprozess",
        ],
    ),
    (
        Column::ProcessName,
        &[
            "processname",
            "process",
            "image",
            "imagename",
            "exe",
            "executable",
            "owningprocessname",
            "procname",
            "program",
        ],
    ),
    (Column::Name, &["name", "caption"]),
    (Column::Handles, &["handles", "handlecount"]),
    (Column::Services, &["services", "service", "servicename", "servicenames", "svc", "svcs", "hostedservices"]),
    (Column::Modules, &["modules", "module"]),
    (
        Column::Count,
        &[
            "count",
            "sockets",
            "connections",
            "localports",
            "portcount",
            "portsused",
            "usedports",
            "socketcount",
            "connectioncount",
            "tcpconnections",
        ],
    ),
    (Column::Group, &["group"]),
    (Column::Handle, &["handle", "handlevalue"]),
    (Column::SettingName, &["settingname"]),
    (Column::RangeStart, &["dynamicportrangestartport"]),
    (Column::RangeCount, &["dynamicportrangenumberofports"]),
    (
        Column::DateTime,
        &[
            "datetime",
            "timestamp",
            "date",
            "time",
            "timecreated",
            "timegenerated",
            "timewritten",
            "dateandtime",
            "ts",
            "when",
            "collected",
            "collectedat",
            "collectedon",
            "collectiontime",
            "sampletime",
            "sampledat",
            "sampledate",
            "snapshottime",
            "snapshotdate",
            "capturetime",
            "capturedat",
            "logtime",
            "logdate",
            "loggedat",
            "querytime",
            "querydate",
            "polltime",
            "polledat",
            "scantime",
            "scandate",
            "recordedat",
            "recordtime",
            "observedat",
            "takenat",
            "checktime",
            "reporttime",
            "zeit",
            "zeitstempel",
            "zeitpunkt",
            "uhrzeit",
            "datum",
            "datumzeit",
            "horodatage",
            "heure",
            "dateheure",
            "fecha",
            "hora",
            "fechahora",
            "dataora",
            "datahora",
            "ora",
            "czas",
            "tarih",
            "saat",
            "дата",
            "время",
            "датавремя",
            "日時",
            "時刻",
            "时间",
            "日期",
            "時間",
            "시간",
            "날짜",
        ],
    ),
    (Column::Started, &["starttime", "creationdate", "processstarttime", "processstart", "started", "startedat"]),
    (
        Column::Round,
        &[
            "run",
            "runid",
            "runnumber",
            "round",
            "iteration",
            "loop",
            "pass",
            "cycle",
            "sample",
            "sampleid",
            "samplenumber",
            "snapshot",
            "snapshotid",
            "poll",
            "batch",
            "batchid",
            "measurement",
            "lauf",
            "durchlauf",
            "messung",
        ],
    ),
    (Column::InUse, &["inuse", "used"]),
    (Column::Max, &["max", "maximum"]),
    (Column::Class, &["cimclass"]),
    (Column::EventId, &["eventid", "eventcode", "instanceid"]),
    (Column::Id, &["id"]),
    (
        Column::Address,
        &["address", "adresse", "dirección", "indirizzo", "endereço", "adres", "адрес", "アドレス", "地址", "주소"],
    ),
    (Column::Port, &["port", "puerto", "porta", "порт", "ポート", "端口", "포트"]),
    (
        Column::Machine,
        &[
            "pscomputername",
            "computername",
            "computer",
            "machinename",
            "devicename",
            "server",
            "servername",
            "host",
            "hostname",
            "machine",
            "node",
            "nodename",
            "fqdn",
            "vmname",
            "systemname",
            "dnshostname",
            "sourceserver",
            "sourcehost",
            "sourcecomputer",
            "sourcemachine",
            "sourcenode",
            "rechner",
            "rechnername",
            "maschine",
            "ordinateur",
            "serveur",
            "equipo",
            "servidor",
            "компьютер",
            "сервер",
            "コンピューター名",
            "サーバー",
            "计算机名",
            "主机名",
            "服务器",
            "컴퓨터이름",
            "서버",
        ],
    ),
    (Column::ActionType, &["actiontype"]),
    (Column::Rule, &["enabled", "action", "direction", "profile", "profiles", "priority"]),
];

static BY_NAME: LazyLock<FastMap<&str, Column>> =
    LazyLock::new(|| NAMES.iter().flat_map(|(column, names)| names.iter().map(|name| (*name, *column))).collect());

/// Names of event logs' columns for who wrote an entry.
const SOURCES: [&str; 3] = ["source", "providername", "sourcename"];

/// A name is no longer than this.
const MAX_NAME: usize = 48;

impl Column {
    /// The column of that name; [`Column::Other`] for names that are not known.
    pub(super) fn named(name: &str) -> Self {
        if name.len() > MAX_NAME {
            return Self::Other;
        }
        if let Some(beginning) = name.trim().strip_suffix('…').or_else(|| name.trim().strip_suffix("...")) {
            return Self::beginning_with(beginning);
        }
        let letters: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        if SOURCES.contains(&letters.as_str()) {
            return Self::EventSource;
        }
        let named = |letters: &str| BY_NAME.get(letters).copied();
        // `Timestamp_UTC`, `UtcTime`.
        let of_zone = || {
            let zones = ["utc", "gmt", "local"];
            let rest =
                zones.iter().find_map(|zone| letters.strip_suffix(zone).or_else(|| letters.strip_prefix(zone)))?;
            named(rest).filter(|column| *column == Self::DateTime)
        };
        let of_state = || TcpState::number_of_word(&letters).map(Self::OfState);
        named(&letters).or_else(of_zone).or_else(of_state).unwrap_or(Self::Other)
    }

    /// Says of columns called `Id` what their numbers are. Jobs, sessions and the like have a name and a state; processes have no state.
    pub(super) fn settle(columns: &mut [Self]) {
        let has = |column| columns.contains(&column);
        let is_of_process = has(Self::ProcessName) || has(Self::LocalPort) || !(has(Self::Name) && has(Self::State));
        let settled = if is_of_process { Self::Pid } else { Self::Other };
        let is_of_socket = has(Self::Pid) && has(Self::Protocol) && !has(Self::LocalAddress) && !has(Self::LocalPort);
        // A host beside a remote port alone is the remote one.
        let is_remote = has(Self::RemotePort) && !has(Self::RemoteAddress);
        for column in columns {
            *column = match *column {
                Self::Machine if is_remote => Self::RemoteAddress,
                Self::Id => settled,
                Self::Address if is_of_socket => Self::LocalAddress,
                Self::Port if is_of_socket => Self::LocalPort,
                Self::Address | Self::Port => Self::Other,
                other => other,
            };
        }
    }

    /// The column of a heading that a narrow table has cut, where one property alone begins so.
    fn beginning_with(beginning: &str) -> Self {
        const PROPERTIES: [&str; 8] = [
            "LocalAddress",
            "LocalPort",
            "RemoteAddress",
            "RemotePort",
            "State",
            "AppliedSetting",
            "OwningProcess",
            "CreationTime",
        ];
        let mut all = PROPERTIES.iter().filter(|name| !beginning.is_empty() && name.starts_with(beginning));
        match (all.next(), all.next()) {
            (Some(name), None) => Self::named(name),
            _ => Self::Other,
        }
    }
}

/// A row: cells by their columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'r> {
    pub(super) columns: &'r [Column],
    pub(super) cells: &'r [&'r str],
    /// Cells are told by separators or labels, and not by where they stand.
    pub(super) is_exact: bool,
}

impl<'r> Record<'r> {
    pub(super) fn has(&self, column: Column) -> bool {
        self.columns.contains(&column)
    }

    /// What a cell holds; `None` where it is empty.
    pub(super) fn get(&self, wanted: Column) -> Option<&'r str> {
        let at = self.columns.iter().position(|column| *column == wanted)?;
        self.cells.get(at).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
    }

    /// The number in a cell.
    pub(super) fn number<N: std::str::FromStr>(&self, column: Column) -> Option<N> {
        self.get(column).and_then(number)
    }
}

/// Digits alone: no sign, no blank.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Digits in groups of three, whatever stands between them.
pub(super) fn grouped_number(text: &str) -> Option<u64> {
    let mut groups = text.split([',', '.', ' ', '\'', '\u{a0}', '\u{202f}', '’']);
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    number(&digits)
}
