//! The two scales of a verdict: its state, and how far to trust it.

use std::fmt;

use serde::Serialize;

/// The verdict's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At least one bind or connect failed because no local port was free.
    Exhausted,
    /// None did, and 80 % or more of a pool was in use at some moment.
    Near,
    /// AFD bind events are there, none failed for that reason, and nothing was lost that could hide one.
    NotSeen,
    /// Everything else.
    CannotTell,
}

/// How far to trust the state. The order is from more to less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Direct evidence, nothing lost or damaged, owners known from socket creation, EPROCESS, or a reliable record header.
    High,
    /// Direct evidence with losses, damage, a wrapped log, or weaker owners.
    Medium,
    /// Indirect evidence only, a single failure, or losses so large that counts are a lower bound.
    Low,
}

impl Confidence {
    /// The lower of two.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        self.max(other)
    }
}

impl State {
    /// As JSON names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Near => "near",
            Self::NotSeen => "not_seen",
            Self::CannotTell => "cannot_tell",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
