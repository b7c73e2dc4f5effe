//! Code pages: those that can be guessed, and those that can be named.

use std::borrow::Cow;
use std::str::FromStr;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    BIG5, EUC_KR, Encoding, GBK, IBM866, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252,
    WINDOWS_1253, WINDOWS_1254,
};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;

use super::language::plausibility;

/// How much of a file shows what its code page is. Text in one language has a hundred letters outside of ASCII in less.
const SAMPLE_BYTES: usize = 64 << 10;

/// A code page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodePage {
    /// One of those that the web uses too, as Windows numbers it.
    Web(&'static str, &'static Encoding),
    /// One of consoles.
    Oem(&'static str, u16),
}

impl CodePage {
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match self {
            Self::Web(_, encoding) => encoding.decode_without_bom_handling(bytes).0,
            Self::Oem(_, number) => match DECODING_TABLE_CP_MAP.get(number) {
                Some(table) => table.decode_string_lossy(bytes).into(),
                None => String::from_utf8_lossy(bytes),
            },
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Web(name, _) | Self::Oem(name, _) => name,
        }
    }
}

/// From the most to the least particular: of two that fit as well, the first is taken.
const SMALL: [CodePage; 11] = [
    CodePage::Web("866", IBM866),
    CodePage::Web("1251", WINDOWS_1251),
    CodePage::Oem("850", 850),
    CodePage::Oem("437", 437),
    CodePage::Web("1252", WINDOWS_1252),
    CodePage::Oem("852", 852),
    CodePage::Web("1250", WINDOWS_1250),
    CodePage::Oem("737", 737),
    CodePage::Web("1253", WINDOWS_1253),
    CodePage::Oem("857", 857),
    CodePage::Web("1254", WINDOWS_1254),
];

const JAPANESE: CodePage = CodePage::Web("932", SHIFT_JIS);

/// Pages of East Asia, whose characters overlap: which of them it is, frequencies tell.
const LARGE: [CodePage; 3] = [CodePage::Web("936", GBK), CodePage::Web("949", EUC_KR), CodePage::Web("950", BIG5)];

/// The page that makes words of the bytes outside of ASCII; `None` where none does.
pub(super) fn guess(sample: &[u8]) -> Option<CodePage> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    let likely = detector.guess(None, Utf8Detection::Deny);
    let large = LARGE.into_iter().filter(|page| matches!(page, CodePage::Web(_, encoding) if *encoding == likely));
    let mut best: Option<(i64, CodePage)> = None;
    for page in [JAPANESE].into_iter().chain(large).chain(SMALL) {
        let score = plausibility(&page.decode(sample));
        if score > best.map_or(0, |(score, _)| score) {
            best = Some((score, page));
        }
    }
    best.map(|(_, page)| page)
}

/// The first lines with bytes outside of ASCII.
pub(super) fn sample(bytes: &[u8]) -> Vec<u8> {
    let mut sample = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.is_ascii()) {
        let left = SAMPLE_BYTES.saturating_sub(sample.len());
        sample.extend(line.iter().take(left));
        if left == 0 {
            break;
        }
    }
    sample
}

/// An encoding that the user names: a code page by its number (`852`, `cp852`), or as the web names it (`gbk`, `utf-16le`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedEncoding(CodePage);

/// Pages of Windows that have another name on the web.
const BY_NUMBER: [(&str, &Encoding); 8] = [
    ("932", SHIFT_JIS),
    ("936", GBK),
    ("949", EUC_KR),
    ("950", BIG5),
    ("866", IBM866),
    ("1200", UTF_16LE),
    ("1201", UTF_16BE),
    ("65001", encoding_rs::UTF_8),
];

/// Pages of consoles.
const OF_CONSOLES: [(&str, u16); 18] = [
    ("437", 437),
    ("720", 720),
    ("737", 737),
    ("775", 775),
    ("850", 850),
    ("852", 852),
    ("855", 855),
    ("857", 857),
    ("858", 858),
    ("860", 860),
    ("861", 861),
    ("862", 862),
    ("863", 863),
    ("864", 864),
    ("865", 865),
    ("869", 869),
    ("874", 874),
    // The one that `chcp` names in Arabic.
    ("708", 720),
];

impl NamedEncoding {
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match self.0 {
            CodePage::Web(_, encoding) => encoding.decode(bytes).0,
            page @ CodePage::Oem(..) => match page.decode(bytes) {
                Cow::Borrowed(text) => text.to_owned().into(),
                Cow::Owned(text) => text.into(),
            },
        }
    }

    /// As reports name it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    pub(super) fn is_wide(self) -> bool {
        matches!(self.0, CodePage::Web(_, encoding) if encoding == UTF_16LE || encoding == UTF_16BE)
    }
}

impl FromStr for NamedEncoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let lower = name.trim().to_ascii_lowercase();
        let number = ["windows-", "cp", "ibm", "oem", "ms"]
            .into_iter()
            .find_map(|prefix| lower.strip_prefix(prefix))
            .unwrap_or(&lower)
            .trim_start_matches(['-', '_']);
        if let Some((name, encoding)) = BY_NUMBER.iter().find(|(name, _)| *name == number) {
            return Ok(Self(CodePage::Web(name, encoding)));
        }
        if let Some((name, page)) = OF_CONSOLES.iter().find(|(name, _)| *name == number) {
            return Ok(Self(CodePage::Oem(name, *page)));
        }
        let web = Encoding::for_label(lower.as_bytes()).or_else(|| {
            let windows = format!("windows-{number}");
            Encoding::for_label(windows.as_bytes())
        });
        web.map(|encoding| Self(CodePage::Web(encoding.name(), encoding))).ok_or_else(|| {
            format!("`{name}` is not a known encoding: give a code page such as 850, 852, 866, 936 or 1252, or utf-8 or utf-16le")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_named_as_windows_and_as_the_web_name_them() {
        for (name, known) in [
            ("852", "852"),
            ("cp852", "852"),
            ("IBM857", "857"),
            ("936", "936"),
            ("gbk", "GBK"),
            ("windows-1250", "windows-1250"),
            ("1252", "windows-1252"),
            ("utf-8", "UTF-8"),
            ("UTF-16LE", "UTF-16LE"),
            ("65001", "65001"),
        ] {
            assert_eq!(name.parse::<NamedEncoding>().map(NamedEncoding::name), Ok(known), "{name}");
        }
        assert!("klingon".parse::<NamedEncoding>().is_err());
        assert!("".parse::<NamedEncoding>().is_err());
    }

    fn bytes(text: &str, page: CodePage) -> Vec<u8> {
        match page {
            CodePage::Web(_, encoding) => encoding.encode(text).0.into_owned(),
            CodePage::Oem(_, number) => {
                let table = oem_cp::code_table::ENCODING_TABLE_CP_MAP.get(&number).unwrap();
                oem_cp::encode_string_checked(text, table).unwrap()
            }
        }
    }

    #[test]
    fn headings_tell_the_code_page_of_their_language() {
        for (name, page, text) in [
            ("zh-CN", LARGE[0], "活动连接\r\n  协议  本地地址          外部地址        状态           PID\r\n"),
            (
                "ko",
                LARGE[1],
                "활성 연결\r\n  프로토콜  로컬 주소              외부 주소              상태            PID\r\n",
            ),
            (
                "zh-TW",
                LARGE[2],
                "使用中連線\r\n  協定   本機位址               外部位址               狀態            PID\r\n",
            ),
            (
                "ja",
                JAPANESE,
                "アクティブな接続\r\n  プロトコル  ローカル アドレス          外部アドレス           状態\r\n",
            ),
            ("ja", JAPANESE, "プロトコル tcp の動的ポートの範囲\r\n"),
            ("zh-CN", LARGE[0], "协议 tcp 动态端口范围\r\n启动端口        : 49152\r\n端口数 : 16384\r\n"),
            ("pl", CodePage::Oem("852", 852), "Aktywne połączenia\r\n  Protokół  Adres lokalny  NASŁUCHIWANIE\r\n"),
            ("cs", CodePage::Oem("852", 852), "Aktivní připojení\r\n  Proto  Místní adresa  Cizí adresa  Stav\r\n"),
            ("el", CodePage::Oem("737", 737), "Ενεργές συνδέσεις\r\n  Πρωτ.  Τοπική διεύθυνση\r\n"),
            ("el", CodePage::Web("1253", WINDOWS_1253), "Ενεργές συνδέσεις\r\n  Πρωτ.  Τοπική διεύθυνση\r\n"),
            ("tr", CodePage::Oem("857", 857), "Etkin Bağlantılar\r\n  İl.Kr.  Yerel Adres  Yabancı Adres\r\n"),
            ("tr", CodePage::Web("1254", WINDOWS_1254), "Etkin Bağlantılar\r\n  Başlangıç Bağlantı Noktası\r\n"),
            ("ru", CodePage::Web("1251", WINDOWS_1251), "Активные подключения\r\n  Имя    Локальный адрес\r\n"),
            ("ru", CodePage::Web("866", IBM866), "Активные подключения\r\n  Имя    Локальный адрес\r\n"),
            ("hu", CodePage::Oem("852", 852), "Aktív kapcsolatok\r\nHelyi cím  Állapot\r\nIDŐ_VÁRAKOZÁS\r\n"),
            ("hu", CodePage::Oem("852", 852), "Külső cím      Állapot  Kezdő port\r\n"),
        ] {
            let bytes = bytes(text, page);
            assert_eq!(guess(&sample(&bytes)).map(CodePage::name), Some(page.name()), "{name} {text}");
        }
    }
}
