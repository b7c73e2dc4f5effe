//! Reads each file as the manifest of winget that it says it is, by `winget-types`, which knows the fields of all manifests with what each
//! may hold. Written again, it must hold what the file holds: a field that is not known would be missing then, and one that is
//! missing would have its default.

use std::{env, error::Error, fs, process::ExitCode};

use serde_yaml_ng::Value;
use winget_types::{DefaultLocaleManifest, InstallerManifest, ManifestType, VersionManifest, utils::GenericManifest};

/// The number of fields of the file, those inside of others among them.
fn check(path: &str) -> Result<usize, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let read: Value = serde_yaml_ng::from_str(&text)?;
    let kind = serde_yaml_ng::from_str::<GenericManifest>(&text)?.r#type;
    let known = match kind {
        ManifestType::Version => serde_yaml_ng::to_value(serde_yaml_ng::from_str::<VersionManifest>(&text)?)?,
        ManifestType::Installer => serde_yaml_ng::to_value(serde_yaml_ng::from_str::<InstallerManifest>(&text)?)?,
        ManifestType::DefaultLocale => {
            serde_yaml_ng::to_value(serde_yaml_ng::from_str::<DefaultLocaleManifest>(&text)?)?
        }
        other => return Err(format!("nobody writes manifests of the kind {other:?}").into()),
    };
    if let Some(difference) = difference(&read, &known, "") {
        return Err(difference.into());
    }
    Ok(fields(&read))
}

fn fields(value: &Value) -> usize {
    match value {
        Value::Mapping(mapping) => mapping.values().map(|inner| 1 + fields(inner)).sum(),
        Value::Sequence(sequence) => sequence.iter().map(fields).sum(),
        _ => 0,
    }
}

/// The first place where the two differ. The order of fields means nothing, that of lists does.
fn difference(read: &Value, known: &Value, place: &str) -> Option<String> {
    match (read, known) {
        (Value::Mapping(read), Value::Mapping(known)) => {
            let name = |key: &Value| format!("{place}/{}", key.as_str().unwrap_or("?"));
            read.iter()
                .find_map(|(key, value)| match known.get(key) {
                    Some(other) => difference(value, other, &name(key)),
                    None => Some(format!("winget knows no field {}", name(key))),
                })
                .or_else(|| {
                    known
                        .keys()
                        .find(|key| !read.contains_key(*key))
                        .map(|key| format!("there is no field {}", name(key)))
                })
        }
        (Value::Sequence(read), Value::Sequence(known)) if read.len() == known.len() => read
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (read, known))| difference(read, known, &format!("{place}/{index}"))),
        _ if read == known => None,
        _ => Some(format!("{place} holds {read:?}, which winget reads as {known:?}")),
    }
}

fn main() -> ExitCode {
    let paths: Vec<String> = env::args().skip(1).collect();
    if paths.is_empty() {
        eprintln!("usage: winget-manifests FILE...");
        return ExitCode::from(2);
    }
    let (mut faults, mut total) = (0, 0);
    for path in &paths {
        match check(path) {
            Ok(fields) => total += fields,
            Err(error) => {
                eprintln!("{path}: {error}");
                faults += 1;
            }
        }
    }
    if faults > 0 {
        return ExitCode::FAILURE;
    }
    println!("winget: {total} fields of {} manifests hold what winget's fields may hold", paths.len());
    ExitCode::SUCCESS
}
