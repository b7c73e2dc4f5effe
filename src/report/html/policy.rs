//! What the page may do: run its one script, if it has one, use its styles, and nothing else; no request leaves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The content security policy of a page with this script, if any, and these styles.
pub(crate) fn policy(script: Option<&str>, styles: &[&str]) -> String {
    let styles: Vec<String> = styles.iter().map(|style| hash(style)).collect();
    let script = script.map(|script| format!("script-src {}; ", hash(script))).unwrap_or_default();
    format!("default-src 'none'; {script}style-src {}; base-uri 'none'; form-action 'none'", styles.join(" "))
}

/// The source expression of an inline script or style.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// Text as a string of CSS: all but letters, digits and spaces are escaped, so that nothing ends it.
pub(super) fn css_string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        if character.is_alphanumeric() || character == ' ' {
            string.push(character);
        } else {
            string.push_str(&format!("\\{:x} ", u32::from(character)));
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_string_of_css() {
        assert_eq!(css_string("a \"</style>\n"), "\"a \\22 \\3c \\2f style\\3e \\a \"");
    }

    #[test]
    fn hashes_are_those_of_the_text() {
        // As `printf 'alert(1)' | openssl dgst -sha256 -binary | base64` says.
        assert_eq!(hash("alert(1)"), "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='");
    }
}
