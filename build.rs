//! What Windows reads of the program before it runs: its manifest, and the version that the properties of the file show.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const MANIFEST: &str = "src/live/windows/outofports.manifest";

fn main() -> Result<(), Box<dyn Error>> {
    tell(&format!("rerun-if-changed={MANIFEST}"))?;
    // For `--version --verbose`; the commit comes by OUTOFPORTS_COMMIT from who builds a release.
    tell(&format!("rustc-env=OUTOFPORTS_TARGET={}", env::var("TARGET")?))?;
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    if !is("CARGO_CFG_TARGET_OS", "windows") || env::var_os("CARGO_FEATURE_CLI").is_none() {
        return Ok(());
    }
    let manifest = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(MANIFEST);
    if is("CARGO_CFG_TARGET_ENV", "msvc") {
        // Its resource compiler comes with Visual Studio and has no fixed place: the manifest alone.
        tell("rustc-link-arg-bins=/MANIFEST:EMBED")?;
        return tell(&format!("rustc-link-arg-bins=/MANIFESTINPUT:{}", manifest.display()));
    }
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    let (script, object) = (folder.join("outofports.rc"), folder.join("resources.o"));
    fs::write(&script, resources(&manifest)?)?;
    tell("rerun-if-env-changed=WINDRES")?;
    let windres = env::var("WINDRES").unwrap_or_else(|_| "x86_64-w64-mingw32-windres".to_owned());
    let status = Command::new(&windres).arg(&script).arg(&object).status();
    match status {
        Ok(status) if status.success() => tell(&format!("rustc-link-arg-bins={}", object.display())),
        Ok(status) => Err(format!("{windres}: {status}").into()),
        Err(error) => Err(format!("{windres}, which comes with the linker (or set WINDRES): {error}").into()),
    }
}

/// Tells cargo.
fn tell(line: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(io::stdout(), "cargo::{line}")?)
}

/// The script of the resource compiler.
fn resources(manifest: &Path) -> Result<String, Box<dyn Error>> {
    let version = env::var("CARGO_PKG_VERSION")?;
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}"));
    let numbers = [part("MAJOR")?, part("MINOR")?, part("PATCH")?, "0".to_owned()].join(",");
    let description = env::var("CARGO_PKG_DESCRIPTION")?.replace('"', "\"\"");
    let manifest = manifest.display().to_string().replace('\\', "/");
    Ok(format!(
        r#"1 24 "{manifest}"
1 VERSIONINFO
FILEVERSION {numbers}
PRODUCTVERSION {numbers}
FILEOS 0x40004
FILETYPE 0x1
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904B0"
    BEGIN
      VALUE "FileDescription", "{description}"
      VALUE "FileVersion", "{version}"
      VALUE "InternalName", "outofports"
      VALUE "LegalCopyright", "MIT OR Apache-2.0"
      VALUE "OriginalFilename", "outofports.exe"
      VALUE "ProductName", "outofports"
      VALUE "ProductVersion", "{version}"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
"#
    ))
}
