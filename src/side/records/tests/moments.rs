//! What is several moments, or one in several parts; and which table a command is about.

use super::*;

/// Of each listing of TCP: when it was taken, whether something tells what was asked, and how many sockets it has.
fn moments(text: &str) -> Vec<(Option<u32>, bool, usize)> {
    let of = |listing: &SocketListing| {
        let second = listing.taken.as_ref().map(|taken| taken.second_of_day);
        (second, listing.asked.is_some(), listing.sockets.len())
    };
    parse(text).tcp.iter().map(of).collect()
}

const TWO: i64 = 14 * 3600 + 180;

#[test]
fn a_list_that_is_given_again_is_another_moment() {
    let block = |port: u16| format!("LocalPort     : {port}\nState         : Bound\nOwningProcess : 7312\n\n");
    let blocks = |from: u16| format!("\n\n{}{}\n", block(from), block(from + 1));
    let command = "PS C:\\> Get-NetTCPConnection -OwningProcess 7312 | fl LocalPort,State,OwningProcess\n";
    let text = format!("{command}{}{command}{}", blocks(50_000), blocks(51_000));
    assert_eq!(moments(&text), [(None, true, 2), (None, true, 2)]);
    let text = format!("14:03:00\n{}14:04:00\n{}", blocks(50_000), blocks(51_000));
    let two = u32::try_from(TWO).unwrap();
    assert_eq!(moments(&text), [(Some(two), false, 2), (Some(two + 60), false, 2)]);
    assert_eq!(moments(&(blocks(50_000) + &blocks(51_000))).len(), 1, "nothing says so");
}

#[test]
fn a_program_that_names_itself_again_begins_another_listing() {
    let row = |port: u16| format!("TCP,a.exe,7312,ESTABLISHED,10.1.2.3:{port},10.1.2.4:443\n");
    let text = format!("TCPView v4.0\n\n{}{}TCPView v4.0\n\n{}", row(50_000), row(50_001), row(50_002));
    assert_eq!(moments(&text), [(None, true, 2), (None, true, 1)]);
    assert_eq!(parse(&text).socket_rows.not_understood, 0);
}

#[test]
fn each_array_of_objects_is_a_moment() {
    let object = |port: u16| {
        format!("{{\"LocalAddress\": \"10.1.2.3\", \"LocalPort\": {port}, \"OwningProcess\": 7312, \"State\": 5}}")
    };
    let array = |from: u16| format!("[{},\n{}]\n", object(from), object(from + 1));
    assert_eq!(moments(&(array(50_000) + &array(51_000))), [(None, true, 2), (None, true, 2)]);
    let lines = format!("{}\n{}\n", object(50_000), object(50_001));
    assert_eq!(moments(&lines), [(None, false, 2)], "a script writes an object in each line");
    let found = parse(&(array(50_000) + &array(51_000)));
    assert_eq!(found.tcp[0].asked, found.tcp[1].asked);
}

#[test]
fn rows_with_times_are_of_the_moments_that_these_tell() {
    let two = u32::try_from(TWO).unwrap();
    let heading = "Timestamp,LocalAddress,LocalPort,RemoteAddress,RemotePort,State,OwningProcess\n";
    let row = |second: u32, port: u16| {
        let (minute, second) = (3 + second / 60, second % 60);
        format!("11/22/2026 14:{minute:02}:{second:02},0.0.0.0,{port},0.0.0.0,0,Bound,7312\n")
    };
    let rows =
        |seconds: &[u32]| -> String { seconds.iter().zip(50_000..).map(|(second, port)| row(*second, port)).collect() };
    let text = heading.to_owned() + &rows(&[0, 0, 0, 60, 60, 120, 120]);
    assert_eq!(moments(&text), [(Some(two), false, 3), (Some(two + 60), false, 2), (Some(two + 120), false, 2)]);
    // A script that notes the time of each row takes a second or two for all.
    assert_eq!(moments(&(heading.to_owned() + &rows(&[0, 0, 1, 1, 2, 4]))).len(), 1);
    // Events are no list of sockets.
    let found = parse(&(heading.to_owned() + &rows(&[0, 10, 20, 30, 70, 90])));
    assert_eq!((found.tcp.len(), found.socket_rows.rows, found.socket_rows.not_understood), (0, 0, 6));
    assert!(found.notes[0].contains("each row has a time of its own"), "{:?}", found.notes);
}

#[test]
fn columns_of_times_and_rounds_have_many_names() {
    let rest = "LocalAddress,LocalPort,RemoteAddress,RemotePort,State,OwningProcess";
    let table = |name: &str, cells: [&str; 2]| -> String {
        let rows = (0..20).map(|row| {
            let cell = cells[usize::from(row >= 10)];
            format!("{cell},10.0.0.5,{},10.0.0.9,443,Established,7312\n", 50_000 + row % 10)
        });
        format!("{name},{rest}\n") + &rows.collect::<String>()
    };
    let times = ["2026-11-22 14:03:00", "2026-11-22 14:13:00"];
    for name in ["Timestamp_UTC", "UtcTime", "CollectedAt", "Sample Time", "Zeitstempel", "日時"] {
        assert_eq!(moments(&table(name, times)).len(), 2, "{name}");
    }
    assert_eq!(moments(&table("Run", ["0", "1"])), [(None, true, 10), (None, true, 10)]);
    // What no known column tells apart is not summed up.
    let found = parse(&table("Whatever", ["a", "b"]));
    assert_eq!((found.tcp.len(), found.socket_rows.not_understood), (0, 20));
    // Rows that follow each other are one socket with two of something.
    let joined = "Service,".to_owned() + rest + "\n" + &"Dhcp,10.0.0.5,50000,10.0.0.9,443,Established,7312\n".repeat(2);
    assert_eq!(moments(&joined).len(), 1);
}

#[test]
fn groups_of_one_table_are_one_listing() {
    let rows = |from: u16, count: u16, last: &str| -> String {
        (from..from + count).map(|port| format!("10.1.2.3     {port}     10.1.2.4      443        {last}\n")).collect()
    };
    let heading = |last: &str| {
        format!(
            "\nLocalAddress LocalPort RemoteAddress RemotePort {last}\n------------ --------- ------------- ---------- {}\n",
            "-".repeat(last.len())
        )
    };
    let of_owner = |pid: u32, from: u16, count: u16| {
        format!("\n\n   OwningProcess: {pid}\n{}{}", heading("State"), rows(from, count, "Established"))
    };
    let found = parse(&(of_owner(7312, 50_000, 4) + &of_owner(2840, 51_000, 2)));
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let pids: Vec<_> = listing.sockets.iter().filter_map(|socket| socket.pid).collect();
    assert_eq!(pids, [7312, 7312, 7312, 7312, 2840, 2840]);
    let of_state = |state: &str, from: u16, count: u16| {
        format!("\n\n   State: {state}\n{}{}", heading("OwningProcess"), rows(from, count, "7312"))
    };
    let found = parse(&(of_state("CloseWait", 50_000, 2) + &of_state("Established", 51_000, 1)));
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    let states: Vec<_> = listing.sockets.iter().map(|socket| socket.state.clone().unwrap()).collect();
    assert_eq!(states, [TcpState::CloseWait, TcpState::CloseWait, TcpState::Established]);
}

/// A table of groups, of so many sockets each.
fn table(rows: &[(u32, u32)]) -> String {
    let rows: String = rows.iter().map(|(count, name)| format!("{count:5} {name}\n")).collect();
    format!("\nCount Name\n----- ----\n{rows}\n")
}

/// Whether each listing tells owners, and the remote ports that groups tell.
fn told(text: &str) -> (Vec<Option<u32>>, Vec<Option<u16>>) {
    let found = parse(text);
    let pids = found.tcp.iter().flat_map(|listing| &listing.sockets).map(|socket| socket.pid).collect();
    (pids, found.remotes.iter().map(|remote| remote.port).collect())
}

#[test]
fn of_several_questions_in_one_line_each_table_answers_its_own() {
    let (owners, ports) = (table(&[(15_210, 7312), (85, 2840)]), table(&[(15_100, 1433)]));
    let group = |property: &str| format!("$c | group {property} -NoElement");
    let line =
        |one: &str, other: &str| format!("PS C:\\> $c = Get-NetTCPConnection; {}; {}\n", group(one), group(other));
    let want = (vec![Some(7312), Some(2840)], vec![Some(1433)]);
    assert_eq!(told(&(line("OwningProcess", "RemotePort") + &owners + &ports)), want);
    assert_eq!(told(&(line("RemotePort", "OwningProcess") + &ports + &owners)), want);
    // A question is answered once, unless it is asked in a loop or another time stands above.
    let one = "Get-NetTCPConnection | group OwningProcess -NoElement\n".to_owned();
    assert_eq!(told(&(one.clone() + &owners + &ports)), (vec![Some(7312), Some(2840)], vec![]));
    let timed = format!("{one}14:03:11\n{owners}14:04:11\n{owners}");
    assert_eq!(told(&timed).0.len(), 4);
    let in_loop = "PS C:\\> while ($true) { Get-NetTCPConnection | group OwningProcess -NoElement; sleep 60 }\n";
    assert_eq!(told(&format!("{in_loop}{owners}{owners}")).0.len(), 4);
}

#[test]
fn values_that_were_taken_out_are_grouped_by_their_property() {
    let owners = table(&[(15_210, 7312)]);
    for command in [
        "Get-NetTCPConnection | % OwningProcess | group -NoElement",
        "Get-NetTCPConnection | Select-Object -ExpandProperty OwningProcess | Group-Object",
        "(Get-NetTCPConnection).OwningProcess | group",
    ] {
        assert_eq!(told(&format!("PS C:\\> {command}\n{owners}")).0, [Some(7312)], "{command}");
    }
    let command = "Get-NetTCPConnection | % { $_.CreationTime.Hour } | group";
    assert_eq!(told(&format!("PS C:\\> {command}\n{owners}")), (vec![], vec![]));
}

#[test]
fn counts_of_groups_may_have_their_digits_in_groups() {
    let text = "PS C:\\> Get-NetTCPConnection | group OwningProcess -NoElement\n\nCount  Name\n-----  ----\n15,210 7312\n    85 2840\n\n";
    let counts: Vec<_> = parse(text).tcp[0].sockets.iter().map(|socket| socket.count).collect();
    assert_eq!(counts, [15_210, 85]);
}

#[test]
fn headings_that_are_cut_are_told_where_one_property_begins_so() {
    let heading = |name: &str| {
        format!(
            "LocalAddress LocalPort State {name}\n------------ --------- ----- -------\n10.1.2.3     50000     Bound    7312\n"
        )
    };
    assert_eq!(parse(&heading("Owning…")).tcp[0].sockets[0].pid, Some(7312));
    assert_eq!(parse(&heading("Owni...")).tcp[0].sockets[0].pid, Some(7312));
    assert_eq!(parse(&heading("Remot…")).tcp[0].sockets[0].pid, None, "an address or a port");
    let text = "LocalAddress LocalPort State OwningProcess\n------------ --------- ----- -------------\n10.1.2.3     50000     Bound           73…\n";
    let found = parse(text);
    assert_eq!((found.tcp[0].sockets[0].pid, found.notes.len()), (None, 1));
}

#[test]
fn a_host_beside_a_remote_port_is_no_machine_of_the_row() {
    let text = "Process,PID,LocalPort,Server,RemotePort,State\na.exe,12,50000,db01,1433,Established\nb.exe,16,50001,db02,1433,Established\n";
    let found = parse(text);
    assert_eq!((found.machines.len(), found.tcp.len(), found.of_machines.len()), (0, 1, 0));
}

#[test]
fn a_column_for_each_state_counts_sockets() {
    let text = "Process       PID  CloseWait TimeWait Established Bound Total\n\
                -------       ---  --------- -------- ----------- ----- -----\n\
                OrderGateway  7312     14000        0          12     0 14012\n\
                sqlservr      2840         0        0          85     0    85\n";
    let found = parse(text);
    let [listing] = found.tcp.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        listing.sockets,
        [
            grouped(14_000, TcpState::CloseWait, Some(7312)),
            grouped(12, TcpState::Established, Some(7312)),
            grouped(85, TcpState::Established, Some(2840))
        ]
    );
    assert_eq!(listing.owners[&7312].image.as_deref(), Some("OrderGateway"));
    // One such column may be a switch.
    assert_eq!(parse("Name,Pid,Established\na.exe,12,1\n").tcp, []);
}

#[test]
fn services_are_told_with_their_processes() {
    let table = "Name       ProcessId State\n----       --------- -----\nDcomLaunch      1044 Running\nSpooler            0 Stopped\n";
    let block = "SERVICE_NAME: DcomLaunch\nDISPLAY_NAME: DCOM\n        TYPE               : 20  WIN32_SHARE_PROCESS\n        \
        STATE              : 4  RUNNING\n                                (STOPPABLE)\n        PID                : 1044\n        FLAGS              :\n";
    for text in [table, block, "\"Name\",\"ProcessId\",\"State\"\n\"DcomLaunch\",\"1044\",\"Running\"\n"] {
        let found = parse(text);
        let services: Vec<_> = found.services.iter().map(|service| (service.pid, service.name.as_str())).collect();
        assert_eq!((services, found.names.len()), (vec![(1044, "DcomLaunch")], 0), "{text}");
    }
    let jobs = "Id Name  State\n-- ----  -----\n 9 Job9  Running\n";
    assert_eq!(parse(jobs), Found::default(), "jobs have numbers, too");
}
