//! What a pattern stands for: files, and folders that are cases, on local disks and in object stores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_datafusion_err, plan_err};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt as _;
use glob::{MatchOptions, Pattern};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::table::Table;

/// `*` is within a folder, `**` goes down.
const HOW_TO_MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// A file to be read, or a folder that is a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// As rows name it: a path, or a URL.
    pub(crate) name: String,
    /// The store it lies in.
    store: String,
    /// Its path in the store.
    path: String,
    /// The files of a folder, below it.
    members: Option<Vec<String>>,
    /// Size of its files in bytes.
    pub(crate) bytes: u64,
}

/// What a pattern says: where to look, and what is wanted there.
#[derive(Debug, PartialEq)]
struct Wanted {
    /// The folder, or the one file, before the first wild card.
    base: String,
    /// What is wanted below it; `None` where `base` is it.
    below: Option<Pattern>,
    /// Folders are wanted, not files.
    folders: bool,
}

impl Wanted {
    fn of(table: Table, text: &str) -> Result<Self> {
        if text.is_empty() {
            return plan_err!("{table}: the pattern is empty");
        }
        let ends_with_slash = text.ends_with('/');
        let folders = ends_with_slash && table.takes_folders();
        // In a table of files a folder stands for the traces below it.
        let text = match (ends_with_slash, folders) {
            (true, false) => format!("{text}**/*.etl"),
            _ => text.trim_end_matches('/').to_owned(),
        };
        let Some(wild) = text.find(['*', '?', '[']) else {
            return Ok(Self { base: text, below: None, folders });
        };
        let slash = text.get(..wild).and_then(|before| before.rfind('/'));
        let (base, below) = match slash.and_then(|slash| text.split_at_checked(slash)) {
            Some((base, below)) => (format!("{base}/"), below.get(1..).unwrap_or_default().to_owned()),
            None => ("./".to_owned(), text),
        };
        if folders && below.contains("**") {
            return plan_err!("{table}: folders are named level by level: `*/` instead of `**/`");
        }
        let below = Pattern::new(&below).map_err(|error| plan_datafusion_err!("{table}: {below}: {error}"))?;
        Ok(Self { base, below: Some(below), folders })
    }

    /// The part of a path below the base that is what is wanted; `None` where it is not.
    fn part<'p>(&self, below: &'p str) -> Option<&'p str> {
        let Some(pattern) = &self.below else { return self.folders.then_some("") };
        let part = if self.folders {
            let levels = pattern.as_str().split('/').count();
            let (end, _) = below.match_indices('/').nth(levels - 1)?;
            below.get(..end)?
        } else {
            below
        };
        pattern.matches_with(part, HOW_TO_MATCH).then_some(part)
    }
}

/// What `pattern` stands for, by name.
///
/// # Errors
///
/// A pattern that is none or fits nothing, and what the store says.
pub(crate) async fn find(table: Table, pattern: &str, runtime: &RuntimeEnv) -> Result<Vec<Place>> {
    let wanted = Wanted::of(table, pattern)?;
    let base = ListingTableUrl::parse(&wanted.base)?;
    let store_url = base.object_store();
    let store = runtime.object_store(&store_url)?;
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    if wanted.below.is_none() && !wanted.folders {
        let one = store.head(base.prefix()).await?;
        places.insert(String::new(), Place::file(&store_url, &one));
    } else {
        let mut files = store.list(Some(base.prefix()));
        while let Some(file) = files.try_next().await? {
            let Some(below) = base.strip_prefix(&file.location).map(|parts| parts.collect::<Vec<_>>().join("/")) else {
                continue;
            };
            let Some(part) = wanted.part(&below) else { continue };
            if wanted.folders {
                let place = places.entry(part.to_owned()).or_insert_with(|| Place::folder(&store_url, &base, part));
                let member = below.get(part.len()..).unwrap_or_default().trim_start_matches('/');
                place.bytes = place.bytes.saturating_add(file.size);
                place.members.get_or_insert_default().push(member.to_owned());
            } else {
                places.insert(below, Place::file(&store_url, &file));
            }
        }
    }
    if places.is_empty() {
        return plan_err!("{table}: {pattern}: nothing there fits");
    }
    let mut places: Vec<Place> = places.into_values().collect();
    places.iter_mut().filter_map(|place| place.members.as_mut()).for_each(|members| members.sort_unstable());
    Ok(places)
}

/// Puts places into at most `count` groups of about the same size: the largest first, each into the group that has least. The
/// places of a group are in their order.
pub(crate) fn groups(places: Vec<Place>, count: usize) -> Vec<Vec<Place>> {
    let count = count.clamp(1, places.len().max(1));
    let mut by_size: Vec<(usize, Place)> = places.into_iter().enumerate().collect();
    by_size.sort_by_key(|(number, place)| (std::cmp::Reverse(place.bytes), *number));
    let mut groups: Vec<(u64, Vec<(usize, Place)>)> = vec![(0, Vec::new()); count];
    for (number, place) in by_size {
        let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, group)| (*bytes, group.len())) else { break };
        *bytes = bytes.saturating_add(place.bytes);
        group.push((number, place));
    }
    let in_order = |(_, mut group): (u64, Vec<(usize, Place)>)| {
        group.sort_by_key(|(number, _)| *number);
        group.into_iter().map(|(_, place)| place).collect()
    };
    groups.into_iter().map(in_order).collect()
}

/// A place on this machine.
pub(crate) struct Local {
    pub(crate) path: PathBuf,
    /// Where the path is that of a copy, which goes with this.
    _copy: Option<TempDir>,
}

impl Place {
    fn file(store: &ObjectStoreUrl, file: &ObjectMeta) -> Self {
        Self::new(store, file.location.as_ref(), None, file.size)
    }

    fn folder(store: &ObjectStoreUrl, base: &ListingTableUrl, below: &str) -> Self {
        let path = [base.prefix().as_ref(), below].into_iter().filter(|part| !part.is_empty());
        Self::new(store, &path.collect::<Vec<_>>().join("/"), Some(Vec::new()), 0)
    }

    fn new(store: &ObjectStoreUrl, path: &str, members: Option<Vec<String>>, bytes: u64) -> Self {
        let store = store.as_str().trim_end_matches('/').to_owned();
        let name = if is_local(&store) { local_path(path) } else { None };
        let name = name.map_or_else(|| format!("{store}/{path}"), |path| path.display().to_string());
        Self { name, store, path: path.to_owned(), members, bytes }
    }

    /// Brings it to this machine, unless it is there: objects are copied to a temporary folder.
    ///
    /// # Errors
    ///
    /// What the store or the system says, with the place.
    pub(crate) async fn fetch(&self, runtime: &RuntimeEnv) -> Result<Local> {
        if is_local(&self.store) {
            let path = local_path(&self.path).ok_or_else(|| self.failed("it has no path here"))?;
            return Ok(Local { path, _copy: None });
        }
        let store = runtime.object_store(ObjectStoreUrl::parse(&self.store)?)?;
        let folder = tempfile::tempdir().map_err(|error| self.failed(error))?;
        let path = ObjectPath::parse(&self.path).map_err(|error| self.failed(error))?;
        let target = folder.path().join(path.filename().unwrap_or("case"));
        match &self.members {
            None => self.copy(&store, &path, &target).await?,
            Some(members) => {
                for member in members {
                    let below = ObjectPath::parse(member).map_err(|error| self.failed(error))?;
                    let to = below.parts().fold(target.clone(), |folder, part| folder.join(part.as_ref()));
                    let from: ObjectPath = path.parts().chain(below.parts()).collect();
                    self.copy(&store, &from, &to).await?;
                }
            }
        }
        Ok(Local { path: target, _copy: Some(folder) })
    }

    async fn copy(&self, store: &Arc<dyn ObjectStore>, from: &ObjectPath, to: &Path) -> Result<()> {
        if let Some(folder) = to.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(|error| self.failed(error))?;
        }
        let mut file = tokio::fs::File::create(to).await.map_err(|error| self.failed(error))?;
        let mut bytes = store.get(from).await.map_err(|error| self.failed(error))?.into_stream();
        while let Some(chunk) = bytes.try_next().await.map_err(|error| self.failed(error))? {
            file.write_all(&chunk).await.map_err(|error| self.failed(error))?;
        }
        file.flush().await.map_err(|error| self.failed(error))
    }

    fn failed(&self, why: impl std::fmt::Display) -> DataFusionError {
        DataFusionError::Execution(format!("{}: cannot be fetched: {why}", self.name))
    }
}

fn is_local(store: &str) -> bool {
    store.starts_with("file:")
}

/// The path of a file of a local store.
fn local_path(path: &str) -> Option<PathBuf> {
    LocalFileSystem::new().path_to_filesystem(&ObjectPath::parse(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(table: Table, text: &str) -> (String, Option<String>, bool) {
        let Wanted { base, below, folders } = Wanted::of(table, text).unwrap();
        (base, below.map(|pattern| pattern.as_str().to_owned()), folders)
    }

    #[test]
    fn patterns_are_parted_before_their_first_wild_card() {
        let of = |base: &str, below: Option<&str>, folders| (base.to_owned(), below.map(str::to_owned), folders);
        assert_eq!(wanted(Table::Events, "a/b/*.etl"), of("a/b/", Some("*.etl"), false));
        assert_eq!(wanted(Table::Events, "*.etl"), of("./", Some("*.etl"), false));
        assert_eq!(wanted(Table::Events, "s3://bucket/a*/b.etl"), of("s3://bucket/", Some("a*/b.etl"), false));
        assert_eq!(wanted(Table::Events, "a/b.etl"), of("a/b.etl", None, false));
        assert_eq!(wanted(Table::Events, "a/"), of("a/", Some("**/*.etl"), false));
        assert_eq!(wanted(Table::Cases, "a/"), of("a", None, true));
        assert_eq!(wanted(Table::Cases, "a/*/b?/"), of("a/", Some("*/b?"), true));
        assert!(Wanted::of(Table::Cases, "a/**/").is_err() && Wanted::of(Table::Cases, "").is_err());
    }

    #[test]
    fn a_star_stays_in_its_folder() {
        let part = |table, pattern: &str, below: &'static str| Wanted::of(table, pattern).unwrap().part(below);
        assert_eq!(part(Table::Events, "a/*.etl", "x.etl"), Some("x.etl"));
        assert_eq!(part(Table::Events, "a/*.etl", "b/x.etl"), None);
        assert_eq!(part(Table::Events, "a/**/*.etl", "b/c/x.etl"), Some("b/c/x.etl"));
        assert_eq!(part(Table::Cases, "a/*/", "b/c/x.etl"), Some("b"));
        assert_eq!(part(Table::Cases, "a/*/*/", "b/c/x.etl"), Some("b/c"));
        assert_eq!(part(Table::Cases, "a/*/*/", "b/x.etl"), None);
        assert_eq!(part(Table::Cases, "a/", "b/x.etl"), Some(""));
    }

    #[test]
    fn groups_have_about_the_same_size_and_keep_the_order() {
        let store = ObjectStoreUrl::parse("s3://bucket").unwrap();
        let place = |(name, bytes): (&str, u64)| Place::new(&store, name, None, bytes);
        let places: Vec<Place> = [("a", 1), ("b", 9), ("c", 5), ("d", 5), ("e", 0)].map(place).into();
        let names = |groups: Vec<Vec<Place>>| -> Vec<Vec<String>> {
            groups.into_iter().map(|group| group.into_iter().map(|place| place.path).collect()).collect()
        };
        assert_eq!(names(groups(places.clone(), 2)), [vec!["a", "b", "e"], vec!["c", "d"]]);
        assert_eq!(groups(places.clone(), 9).len(), 5);
        assert_eq!(groups(places, 0).len(), 1);
    }
}
