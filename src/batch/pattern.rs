//! `--name-from`: customer and host by the folders that a case lies in.

use std::str::FromStr;

/// What folders and files are called after, as `{customer}/{host}/...`.
///
/// Between slashes stand `{customer}`, `{host}`, `*` (anything), and letters that stand for themselves; each part must fit the
/// folder or file of that place. A path may go on behind the pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    parts: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Letters(String),
    Any,
    Customer,
    Host,
}

/// What a path tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The customer.
    pub customer: Option<String>,
    /// The machine.
    pub host: Option<String>,
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let open = text.trim_end_matches(['/', '.', '…']);
        let parts: Vec<Vec<Piece>> = open.split('/').map(pieces).collect::<Result<_, _>>()?;
        let names = |piece: Piece| parts.iter().flatten().filter(|other| **other == piece).count();
        match (names(Piece::Customer), names(Piece::Host)) {
            (0, 0) => Err("names neither {customer} nor {host}, as {customer}/{host}/... does".to_owned()),
            (0 | 1, 0 | 1) => Ok(Self { parts }),
            _ => Err("names {customer} or {host} twice".to_owned()),
        }
    }
}

fn pieces(part: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        let special = rest.find(['{', '*']).unwrap_or(rest.len());
        let (letters, behind) = rest.split_at(special);
        if !letters.is_empty() {
            pieces.push(Piece::Letters(letters.to_owned()));
        }
        rest = match behind.strip_prefix('*') {
            Some(behind) => {
                pieces.push(Piece::Any);
                behind
            }
            None if behind.is_empty() => behind,
            None => {
                let (name, after) = behind.split_once('}').ok_or_else(|| format!("{behind}: has no closing brace"))?;
                pieces.push(match name {
                    "{customer" => Piece::Customer,
                    "{host" => Piece::Host,
                    _ => return Err(format!("{name}}} is not known: {{customer}} and {{host}} are")),
                });
                after
            }
        };
    }
    Ok(pieces)
}

impl NamePattern {
    /// What the folders and the file of a path tell; nothing where the path does not fit.
    pub fn names<'p>(&self, path: impl IntoIterator<Item = &'p str>) -> Names {
        let mut names = Names::default();
        let mut path = path.into_iter();
        for part in &self.parts {
            let Some(name) = path.next() else { return Names::default() };
            let mut found = Names::default();
            if !fits(part, name, &mut found) {
                return Names::default();
            }
            names = Names { customer: names.customer.or(found.customer), host: names.host.or(found.host) };
        }
        names
    }
}

/// Whether a name fits, each piece that may be anything being as short as it can. A name of a machine is not empty.
fn fits(pieces: &[Piece], name: &str, found: &mut Names) -> bool {
    let Some((piece, others)) = pieces.split_first() else { return name.is_empty() };
    if let Piece::Letters(letters) = piece {
        return name.strip_prefix(letters.as_str()).is_some_and(|rest| fits(others, rest, found));
    }
    let least = usize::from(*piece != Piece::Any);
    // Nothing follows that could take a part of the name: no need to try.
    let ends = if others.is_empty() { vec![name.len()] } else { ends(name) };
    for end in ends.into_iter().filter(|end| *end >= least) {
        let (taken, rest) = name.split_at(end);
        if fits(others, rest, found) {
            match piece {
                Piece::Customer => found.customer = Some(taken.to_owned()),
                Piece::Host => found.host = Some(taken.to_owned()),
                Piece::Any | Piece::Letters(_) => {}
            }
            return true;
        }
    }
    false
}

/// Every place where a name may be cut, its ends among them.
fn ends(name: &str) -> Vec<usize> {
    name.char_indices().map(|(at, _)| at).chain([name.len()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, path: &str) -> (Option<String>, Option<String>) {
        let names = pattern.parse::<NamePattern>().unwrap().names(path.split('/'));
        (names.customer, names.host)
    }

    fn both(customer: &str, host: &str) -> (Option<String>, Option<String>) {
        (Some(customer.to_owned()), Some(host.to_owned()))
    }

    #[test]
    fn folders_tell_customer_and_host() {
        assert_eq!(names("{customer}/{host}/…", "fabrikam/sql7/2026-10/server.etl"), both("fabrikam", "sql7"));
        assert_eq!(names("{customer}/{host}/...", "fabrikam/sql7"), both("fabrikam", "sql7"));
        assert_eq!(names("{customer}/*/{host}.etl", "fabrikam/2026/sql7.etl"), both("fabrikam", "sql7"));
        assert_eq!(names("{customer}-{host}_*", "fabrikam-sql7_2026"), both("fabrikam", "sql7"));
        assert_eq!(names("{customer}/{host}", "fabrikam"), (None, None));
        assert_eq!(names("{host}.etl", "sql7.zip"), (None, None));
        assert_eq!(names("case-*-{host}", "case-1-2-sql7"), (None, Some("2-sql7".to_owned())));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for (pattern, why) in
            [("a/b", "neither"), ("{host}/{host}", "twice"), ("{name}", "not known"), ("{host", "brace")]
        {
            let error = pattern.parse::<NamePattern>().unwrap_err();
            assert!(error.contains(why), "{pattern}: {error}");
        }
    }
}
