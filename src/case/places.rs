//! Which listings are of different machines where nothing names these: those without a local address in common.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::event::base_name;
use crate::side::facts::are_of_different_machines;

/// A file: its path, and the local addresses of its sockets.
pub(super) struct File<'a> {
    pub(super) path: &'a str,
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// What tells the machine of each file from others: a folder, a word of the name, or the name. `None` where all are of one, or
/// where a file may be of any.
pub(super) fn places(files: &[File<'_>]) -> Vec<Option<String>> {
    by_folder(files).or_else(|| by_name(files)).unwrap_or_else(|| vec![None; files.len()])
}

/// Where each folder with listings has addresses of its own.
fn by_folder(files: &[File<'_>]) -> Option<Vec<Option<String>>> {
    let folders = folders(files);
    let mut groups: Vec<(&str, BTreeSet<IpAddr>)> = Vec::new();
    for (file, folder) in files.iter().zip(&folders) {
        let Some(folder) = folder.as_deref().filter(|_| !file.addresses.is_empty()) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, addresses)) => addresses.extend(&file.addresses),
            None => groups.push((folder, file.addresses.clone())),
        }
    }
    let is_apart = |at: usize| {
        let (before, rest) = groups.split_at_checked(at).unwrap_or_default();
        rest.first().is_some_and(|(_, own)| before.iter().all(|(_, other)| are_of_different_machines(own, other)))
    };
    let all_apart = groups.len() > 1 && (1..groups.len()).all(is_apart);
    all_apart.then(|| folders.iter().map(|folder| folder.as_deref().map(str::to_owned)).collect())
}

/// The first folder of each path in which the paths differ.
fn folders(files: &[File<'_>]) -> Vec<Option<String>> {
    let parts = |path: &'_ str| path.split(['/', '\\']).map(str::to_owned).collect::<Vec<_>>();
    let paths: Vec<Vec<String>> = files.iter().map(|file| parts(file.path)).collect();
    let first = paths.first().cloned().unwrap_or_default();
    let is_common = |at: usize| paths.iter().all(|path| at + 1 < path.len() && path.get(at) == first.get(at));
    let common = (0..first.len()).take_while(|at| is_common(*at)).count();
    paths.iter().map(|path| path.get(common).filter(|_| common + 1 < path.len()).cloned()).collect()
}

/// Where files that share addresses, or may share some, are of one machine: by a word that all names of one have, and those of
/// others do not.
fn by_name(files: &[File<'_>]) -> Option<Vec<Option<String>>> {
    let mut machines: Vec<(BTreeSet<IpAddr>, Vec<usize>)> = Vec::new();
    for (number, file) in files.iter().enumerate().filter(|(_, file)| !file.addresses.is_empty()) {
        let (mut same, others): (Vec<_>, Vec<_>) =
            machines.into_iter().partition(|(addresses, _)| !are_of_different_machines(addresses, &file.addresses));
        machines = others;
        let mut whole = (file.addresses.clone(), vec![number]);
        for (addresses, numbers) in &mut same {
            whole.0.append(addresses);
            whole.1.append(numbers);
        }
        machines.push(whole);
    }
    if machines.len() < 2 {
        return None;
    }
    let words: Vec<BTreeSet<String>> = files.iter().map(|file| words(file.path)).collect();
    let mut places = vec![None; files.len()];
    for (_, numbers) in &machines {
        let mut of_machine = numbers.iter().filter_map(|number| words.get(*number));
        let mut own = of_machine.next().cloned().unwrap_or_default();
        of_machine.for_each(|other| own.retain(|word| other.contains(word)));
        let others = machines.iter().flat_map(|(_, numbers)| numbers).filter(|other| !numbers.contains(other));
        for other in others.filter_map(|other| words.get(*other)) {
            own.retain(|word| !other.contains(word));
        }
        let word = own.first().filter(|_| own.len() == 1);
        for number in numbers {
            let name = files.get(*number).map(|file| base_name(file.path).to_owned());
            if let Some(place) = places.get_mut(*number) {
                *place = word.cloned().or(name);
            }
        }
        for (place, words) in places.iter_mut().zip(&words).filter(|(place, _)| place.is_none()) {
            *place = word.filter(|word| words.contains(*word)).cloned();
        }
    }
    Some(places)
}

/// The words of a file's name, without its extension.
fn words(path: &str) -> BTreeSet<String> {
    let name = base_name(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_lowercase();
    stem.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &[u8])]) -> Vec<String> {
        let files: Vec<File<'_>> = files
            .iter()
            .map(|(path, hosts)| File {
                path,
                addresses: hosts.iter().map(|host| IpAddr::from([10, 0, 0, *host])).collect(),
            })
            .collect();
        places(&files).into_iter().map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn folders_with_other_addresses_are_other_machines() {
        let found = of(&[("c/Berlin/netstat.txt", &[1]), ("c/Hamburg/netstat.txt", &[2]), ("c/Hamburg/d.txt", &[])]);
        assert_eq!(found, ["Berlin", "Hamburg", "Hamburg"]);
        assert_eq!(of(&[("c/before/netstat.txt", &[1]), ("c/after/netstat.txt", &[1, 2])]), ["", ""]);
        assert_eq!(of(&[("c/netstat.txt", &[1]), ("c/tasklist.txt", &[])]), ["", ""]);
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn a_listing_of_each_family_may_be_of_one_machine() {
        let v6: IpAddr = "fe80::1".parse().unwrap();
        let file = |path, ip: IpAddr| File { path, addresses: BTreeSet::from([ip]) };
        let files = [file("tcp.txt", IpAddr::from([10, 0, 0, 1])), file("tcpv6.txt", v6)];
        assert_eq!(places(&files), [None, None]);
    }

    #[test]
    fn names_with_other_addresses_are_other_machines() {
        let found = of(&[
            ("c/netstat-prod.txt", &[1]),
            ("c/netstat-b-prod.txt", &[1, 3]),
            ("c/netstat-test.txt", &[2]),
            ("c/tasklist-test.txt", &[]),
            ("c/dynamicport.txt", &[]),
        ]);
        assert_eq!(found, ["prod", "prod", "test", "test", ""]);
        assert_eq!(of(&[("a b.txt", &[1]), ("c d.txt", &[2])]), ["a b.txt", "c d.txt"]);
    }
}
