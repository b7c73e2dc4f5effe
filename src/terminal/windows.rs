//! What consoles and shells of Windows can show.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_CHAR, FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Console::{CONSOLE_FONT_INFOEX, GetConsoleOutputCP, GetCurrentConsoleFontEx};

/// The code page of UTF-8.
const UTF_8: u32 = 65_001;

/// `TMPF_TRUETYPE`, in the family of a font.
const TRUE_TYPE: u32 = 0x4;

/// Lets the console of standard output take escape sequences; `false` where it takes none, as those before Windows 10.
pub(super) fn takes_colors() -> bool {
    console::Term::stdout().features().colors_supported()
}

/// Whether standard output garbles all but ASCII: a console with raster fonts, or of a Windows that knows no escape sequences
/// and had raster fonts; and a pipe whose reader takes it to be in the console's code page, as `>` in Windows PowerShell 5.1 does.
pub(super) fn is_ascii_alone() -> bool {
    let stdout = io::stdout().as_raw_handle();
    // SAFETY: the handle is that of this process, and may be none.
    match unsafe { GetFileType(stdout) } {
        FILE_TYPE_CHAR => !(has_true_type(stdout) && takes_colors()),
        // SAFETY: nothing is passed.
        FILE_TYPE_PIPE => {
            (unsafe { GetConsoleOutputCP() }) != UTF_8 && !console::Term::stdout().features().is_msys_tty()
        }
        _ => false,
    }
}

fn has_true_type(console: std::os::windows::io::RawHandle) -> bool {
    let mut font = CONSOLE_FONT_INFOEX {
        cbSize: u32::try_from(size_of::<CONSOLE_FONT_INFOEX>()).unwrap_or(0),
        ..Default::default()
    };
    // SAFETY: the structure says how large it is.
    let is_told = unsafe { GetCurrentConsoleFontEx(console, 0, &mut font) } != 0;
    is_told && font.FontFamily & TRUE_TYPE != 0
}
