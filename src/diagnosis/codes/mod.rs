//! The stable codes of a report, as types: what a program may compare, what each means, and what to do about it.
//!
//! Each kind of code is an enum whose strings, in JSON and everywhere else, are those of [`ReasonCode::as_str`] and its
//! like. The tables of `src/report/SCHEMA.md` are compared with them by a test, so that neither has a code that the other
//! lacks.

mod alternatives;
mod possible;
mod reasons;
mod recommendations;
mod rows;

pub use alternatives::AlternativeCode;
pub use possible::PossibleCause;
pub use reasons::{Lowers, ReasonCode};
pub use recommendations::RecommendationCode;
pub use rows::{Remark, Role};

use std::fmt;

/// A text that is none of the codes asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCode {
    /// What kind of code was asked for, such as `reason`.
    pub kind: &'static str,
    /// The text.
    pub text: String,
}

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} has the code {:?}", self.kind, self.text)
    }
}

impl std::error::Error for UnknownCode {}

/// An enum of codes: for each its string, its meaning in a line (that of SCHEMA.md's table), and its explanation.
macro_rules! codes {
    (
        $(#[$about:meta])*
        $name:ident, $kind:literal {
            $($variant:ident = $code:literal, $meaning:literal, $explanation:literal;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $code, "`: ", $meaning)] $variant,)+
        }

        impl $name {
            /// All of them, in the order in which the documentation lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code: lower case, words joined by underscores. It never changes.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// What it stands for, in a line, as the table in SCHEMA.md has it.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// What it means, what follows from it, and what to do: two to six sentences.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => $explanation,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::diagnosis::codes::UnknownCode;

            /// The code with exactly this string.
            ///
            /// # Errors
            ///
            /// `UnknownCode`, where there is none.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().copied().find(|code| code.as_str() == text);
                let unknown = || $crate::diagnosis::codes::UnknownCode { kind: $kind, text: text.to_owned() };
                known.ok_or_else(unknown)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let code = |code: &Self| serde_json::json!({ "const": code.as_str(), "description": code.meaning() });
                let codes: Vec<_> = Self::ALL.iter().map(code).collect();
                schemars::json_schema!({ "oneOf": codes })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
use codes;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Sentences end with a full stop, and a space or the end behind it.
    fn sentences(text: &str) -> usize {
        text.split(". ").filter(|part| !part.is_empty()).count()
    }

    macro_rules! check {
        ($($kind:ident),+) => {
            $(for code in $kind::ALL {
                let text = code.as_str();
                assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{text}");
                assert_eq!(text.parse::<$kind>(), Ok(*code));
                assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{text}\""));
                assert!((2..=6).contains(&sentences(code.explanation())), "{text}: {}", code.explanation());
                assert!(code.explanation().ends_with('.') && !code.meaning().ends_with('.'), "{text}");
            }
            let distinct: BTreeSet<&str> = $kind::ALL.iter().map(|code| code.as_str()).collect();
            assert_eq!(distinct.len(), $kind::ALL.len());)+
        };
    }

    #[test]
    fn every_code_is_unique_explained_and_found_by_its_string() {
        check!(ReasonCode, RecommendationCode, AlternativeCode, PossibleCause, Role, Remark);
        let unknown = "no_such_code".parse::<ReasonCode>().unwrap_err();
        assert_eq!(unknown.to_string(), "no reason has the code \"no_such_code\"");
    }
}
