//! States of TCP sockets in the words of `netstat` and PowerShell.

use super::facts::TcpState;

/// Words without `_`, in capitals.
///
/// English: `netstat` and the enumeration of `Get-NetTCPConnection`, with its numbers as documented for
/// `MSFT_NetTCPConnection`. German: as printed by Windows 7 to 11. Italian, Polish, Spanish, Portuguese, French: as users report
/// them; most systems in these languages print the English words, as do Russian, Japanese and Chinese ones.
const WORDS: [(TcpState, &[&str]); 13] = [
    (
        TcpState::Listen,
        &[
            "LISTENING",
            "LISTEN",
            "2",
            "ABHÖREN",
            "ABHOEREN",
            "ESCUCHANDO",
            "ESCUCHA",
            "INASCOLTO",
            "ESCUTANDO",
            "ÉCOUTE",
            "ECOUTE",
            "ÀL'ÉCOUTE",
            "NASŁUCHIWANIE",
            "NASŁUCHUJE",
        ],
    ),
    (
        TcpState::Established,
        &[
            "ESTABLISHED",
            "ESTAB",
            "5",
            "HERGESTELLT",
            "ESTABLECIDO",
            "ESTABLECIDA",
            "STABILITA",
            "STABILITO",
            "ESTABELECIDA",
            "ESTABELECIDO",
            "ÉTABLIE",
            "ETABLIE",
            "ÉTABLI",
            "ETABLI",
            "USTANOWIONO",
        ],
    ),
    (TcpState::TimeWait, &["TIMEWAIT", "11", "WARTEND", "CZASOCZEKIWANIA"]),
    (TcpState::CloseWait, &["CLOSEWAIT", "8", "SCHLIESSENWARTEN"]),
    (TcpState::Bound, &["BOUND", "100"]),
    (TcpState::SynSent, &["SYNSENT", "3", "SYNGESENDET"]),
    (TcpState::SynReceived, &["SYNRECEIVED", "SYNRCVD", "SYNRECV", "4", "SYNEMPFANGEN"]),
    (TcpState::FinWait1, &["FINWAIT1", "6", "FINWARTEN1"]),
    (TcpState::FinWait2, &["FINWAIT2", "7", "FINWARTEN2"]),
    (TcpState::Closing, &["CLOSING", "9", "SCHLIESSEND"]),
    (TcpState::LastAck, &["LASTACK", "10", "LETZTESACK", "ZULETZTACK"]),
    (TcpState::Closed, &["CLOSED", "1", "GESCHLOSSEN"]),
    (TcpState::DeleteTcb, &["DELETETCB", "12"]),
];

impl TcpState {
    /// The state that a word names, in any case and in a language that is known; `None` for other words.
    pub fn from_word(word: &str) -> Option<Self> {
        let joined: String = word
            .chars()
            .filter(|character| !matches!(character, '_' | '-' | '\\') && !character.is_whitespace())
            .flat_map(char::to_uppercase)
            .collect();
        // The one letter outside of ASCII that is common suffers in every wrong code page.
        if joined.starts_with("ABH") && joined.ends_with("REN") && joined.chars().count() <= 8 {
            return Some(Self::Listen);
        }
        let found = WORDS.iter().find(|(_, words)| words.contains(&joined.as_str()));
        found.map(|(state, _)| state.clone())
    }

    /// The place among the known states of the one that a word names, where it is no number.
    pub(super) fn number_of_word(word: &str) -> Option<u8> {
        let state = Self::from_word(word).filter(|_| word.contains(char::is_alphabetic))?;
        u8::try_from(WORDS.iter().position(|(known, _)| *known == state)?).ok()
    }

    /// The state at such a place.
    pub(super) fn numbered(number: u8) -> Option<Self> {
        WORDS.get(usize::from(number)).map(|(state, _)| state.clone())
    }

    /// The state that a row's word names. Whatever the language: only sockets in TIME_WAIT are connected and nobody's.
    pub(super) fn of_row(word: &str, pid: Option<u32>, is_connected: bool) -> Self {
        match Self::named(word) {
            Self::Other(_) if pid == Some(0) && is_connected => Self::TimeWait,
            state => state,
        }
    }

    /// The state of sockets whose listing has no such column: of nobody's, they are in TIME_WAIT.
    pub(super) fn where_untold(pid: Option<u32>) -> Option<Self> {
        (pid == Some(0)).then_some(Self::TimeWait)
    }

    /// The state that a word names; a word that is not known names itself.
    pub fn named(word: &str) -> Self {
        Self::from_word(word).unwrap_or_else(|| Self::Other(word.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_spelling() {
        for (word, state) in [
            ("LISTENING", TcpState::Listen),
            ("Listen", TcpState::Listen),
            ("ABHÖREN", TcpState::Listen),
            ("ABH\u{fffd}REN", TcpState::Listen),
            ("IN ASCOLTO", TcpState::Listen),
            ("WARTEND", TcpState::TimeWait),
            ("SCHLIESSEN_WARTEN", TcpState::CloseWait),
            ("FIN_WAIT_2", TcpState::FinWait2),
            ("FinWait1", TcpState::FinWait1),
            ("DeleteTCB", TcpState::DeleteTcb),
            ("bound", TcpState::Bound),
        ] {
            assert_eq!(TcpState::named(word), state, "{word}");
        }
        assert_eq!(TcpState::named("NASLOUCHÁNÍ"), TcpState::Other("NASLOUCHÁNÍ".into()));
        assert_eq!(TcpState::of_row("ČEKÁNÍ", Some(0), true), TcpState::TimeWait);
        assert_eq!(TcpState::of_row("ČEKÁNÍ", Some(4), true), TcpState::Other("ČEKÁNÍ".into()));
        assert_eq!(TcpState::of_row("ČEKÁNÍ", Some(0), false), TcpState::Other("ČEKÁNÍ".into()));
    }
}
