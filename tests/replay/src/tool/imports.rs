//! Renames libraries in the import table of a program for 64-bit Windows.

use std::error::Error;
use std::path::Path;

/// Copies `program` to `out` with other names of libraries; each must occur.
pub(crate) fn rename(program: &Path, out: &Path, names: &[String]) -> Result<(), Box<dyn Error>> {
    let mut bytes = std::fs::read(program)?;
    let names: Vec<(&str, &str)> =
        names.iter().map(|pair| pair.split_once('=').ok_or("expected OLD=NEW")).collect::<Result<_, _>>()?;
    let mut found = vec![0; names.len()];
    for at in library_names(&bytes).ok_or("not a program for 64-bit Windows")? {
        let length = bytes.iter().skip(at).position(|byte| *byte == 0).ok_or("a name without an end")?;
        let name = bytes.get_mut(at..at + length).ok_or("a name beyond the end")?;
        let matching = names.iter().position(|(old, _)| name.eq_ignore_ascii_case(old.as_bytes()));
        let Some(index) = matching else { continue };
        let Some((_, new)) = names.get(index).filter(|(_, new)| new.len() <= length) else {
            return Err("the new name is longer".into());
        };
        name.fill(0);
        name.iter_mut().zip(new.bytes()).for_each(|(slot, byte)| *slot = byte);
        found.iter_mut().skip(index).take(1).for_each(|count| *count += 1);
    }
    for ((old, _), count) in names.iter().zip(&found) {
        if *count == 0 {
            return Err(format!("{old} is not imported").into());
        }
        println!("{old}: {count}");
    }
    Ok(std::fs::write(out, bytes)?)
}

/// Where the names of the imported libraries stand in the file.
fn library_names(bytes: &[u8]) -> Option<Vec<usize>> {
    let word = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let double = |at: usize| usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok();
    let header = double(0x3C)?;
    let sections = usize::from(word(header + 6)?);
    let optional_size = usize::from(word(header + 20)?);
    let optional = header + 24;
    // PE32+, whose import table is the second of its directories.
    (word(optional)? == 0x20B).then_some(())?;
    let imports = double(optional + 112 + 8)?;
    let place = |address: usize| {
        (0..sections).find_map(|number| {
            let section = optional + optional_size + 40 * number;
            let (virtual_size, start) = (double(section + 8)?, double(section + 12)?);
            let (size, file) = (double(section + 16)?, double(section + 20)?);
            (start..start + virtual_size.max(size)).contains(&address).then(|| address - start + file)
        })
    };
    let mut at = place(imports)?;
    let mut names = Vec::new();
    while bytes.get(at..at + 20)?.iter().any(|byte| *byte != 0) {
        names.push(place(double(at + 12)?)?);
        at += 20;
    }
    Some(names)
}
