//! Loops of listings: who grows is named before who had as many in the first, and nothing is told of growth that listings cannot show.

use outofports::{Case, NoProgress, Options};

/// Sockets of a process in a state, from a port on.
type Held<'a> = (u32, &'a str, u32);

/// A loop of `netstat`, one listing an hour, and the first screen's sentences about it.
fn answer(listings: &[&[Held<'_>]]) -> Vec<String> {
    let mut text = String::new();
    for (hour, held) in listings.iter().enumerate() {
        text.push_str(&format!("{:02}:00:00\r\n\r\nActive Connections\r\n\r\n", 9 + hour));
        text.push_str("  Proto  Local Address          Foreign Address        State           PID\r\n");
        let mut port = 49_152;
        for (pid, state, count) in *held {
            for _ in 0..*count {
                text.push_str(&format!("  TCP    10.20.0.5:{port:<14} 203.0.113.9:443        {state:<15} {pid}\r\n"));
                port += 1;
            }
        }
        text.push_str("\r\n");
    }
    let case = Case::from_bytes("netstat.txt", text.into_bytes());
    outofports::analyze(&case, &Options::default(), &NoProgress).unwrap().report.answer()
}

/// A loop in which one process has so many in each listing, and another these.
fn beside(most: Held<'_>, (pid, state, counts): (u32, &str, [u32; 3])) -> Vec<String> {
    let all = counts.map(|count| [most, (pid, state, count), (744, "ESTABLISHED", 20)]);
    answer(&all.each_ref().map(|held| held.as_slice()))
}

#[test]
fn who_grows_is_named_before_who_had_as_many_in_the_first_listing() {
    let told = beside((7312, "ESTABLISHED", 9_500), (2840, "ESTABLISHED", [1_000, 2_500, 4_200]));
    assert_eq!(told[0], "PID 2840 held 4,200 of 16,384 ports (25.6 %). It had 1,000 in the first of 3 listings.");
    assert_eq!(told[1], "PID 7312 held 9,500 of 16,384 ports (58.0 %), and about as many in the first listing.");
}

#[test]
fn what_looks_like_a_leak_is_excused_by_another_leak_alone() {
    for counts in [[300, 1_000, 1_800], [100, 3_000, 20], [20, 3_000, 2_900]] {
        let told = beside((7312, "CLOSE_WAIT", 12_000), (2840, "ESTABLISHED", counts));
        assert!(
            told[0].starts_with("PID 7312 held 12,000 of 16,384 ports (73.2 %). It looks like a leak."),
            "{told:?}"
        );
    }
}

#[test]
fn nothing_grew_in_a_pool_that_was_full_at_first() {
    let of =
        |grown: u32| [(7312, "ESTABLISHED", 9_500), (2840, "CLOSE_WAIT", grown), (3000, "ESTABLISHED", 6_000 - grown)];
    let told = answer(&[&of(1_000), &of(2_500), &of(4_200)]);
    assert!(!told.join(" ").contains("in the first"), "{told:?}");
}

#[test]
fn a_first_listing_that_cannot_show_it_is_none() {
    let growing = |count: u32| (2840, "BOUND", count);
    // Without -q; of another kind; cut off; a process that is another one.
    let told = [
        answer(&[&[(744, "ESTABLISHED", 60)], &[growing(12_000), (744, "ESTABLISHED", 60)], &[growing(13_500)]]),
        answer(&[&[(744, "CLOSE_WAIT", 2_000)], &[growing(9_000)], &[growing(14_000)]]),
        answer(&[
            &[(2840, "CLOSE_WAIT", 20), (744, "ESTABLISHED", 20)],
            &[(2840, "CLOSE_WAIT", 7_000), (744, "ESTABLISHED", 6_000)],
            &[(2840, "CLOSE_WAIT", 8_000), (744, "ESTABLISHED", 6_200)],
        ]),
        answer(&[&[(9404, "CLOSE_WAIT", 7_000)], &[(9404, "CLOSE_WAIT", 9_000)], &[(2840, "CLOSE_WAIT", 14_000)]]),
    ];
    assert!(told.iter().all(|told| !told.join(" ").contains("in the first")), "{told:?}");
}

#[test]
fn sockets_that_share_a_port_are_not_told_as_ports() {
    let mut text = String::from("  Proto  Local Address          Foreign Address        State           PID\r\n");
    for n in 0..14_000 {
        let state = if n < 9_000 { "ESTABLISHED" } else { "FIN_WAIT_2" };
        let port = if n < 9_000 { 49_152 + n } else { 65_000 };
        text.push_str(&format!("  TCP    10.20.0.5:{port:<14} 203.0.113.9:443        {state:<15} 2840\r\n"));
    }
    for n in 0..5_000 {
        text.push_str(&format!("  TCP    10.20.0.5:{:<14} 203.0.113.9:443        CLOSE_WAIT      744\r\n", 58_500 + n));
    }
    let case = Case::from_bytes("netstat.txt", text.into_bytes());
    let told = outofports::analyze(&case, &Options::default(), &NoProgress).unwrap().report.answer();
    assert!(told[0].starts_with("PID 2840 held 9,001 of 16,384 ports"), "{told:?}");
    assert!(!told.join(" ").contains("FIN_WAIT_2"), "{told:?}");
}
