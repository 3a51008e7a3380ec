"""The offers and creatives of the emulated advertiser, and the places where they are shown."""

from dataclasses import dataclass
from functools import lru_cache

USD = ("USD",)
CNY = ("CNY",)


@dataclass(frozen=True)
class Offer:
    """An offer and its campaign. `payout` is in millionths; if it has several currencies, they alternate by hour."""

    id: int
    uuid: str
    name: str
    campaign: int
    package: str
    payout: int
    currencies: tuple[str, ...] = USD


# Edge cases for parsers: words for missing values, separators and quotes of other formats, an unclosed quote, texts
# that look like numbers, non-ASCII and right-to-left letters, spaces, empty texts, a line separator that is not "\n",
# integers that a double cannot represent.
OFFERS = (
    Offer(73332, "ss_kings_US_AND_220112_MTG", "Kings, Queens & Co", 1111, "com.example.kings", 1_370_000),
    Offer(9007199254740993, "ss_na_NA_AND_MTG", "NA", 1111, "com.example.kings", 291_000),
    Offer(73334, "null", "null", 1112, "null", 640_000),
    Offer(73335, "0073335", "00073335", 1112, "0012", 83_000),
    Offer(73336, "", "", 1113, "", 4_210_000),
    Offer(73337, "ss_say_US_IOS_MTG", 'Say "hi", again', 1113, "id1020304050", 12_100),
    Offer(73338, "ss_open_US_IOS_MTG", '"Open quote', 2147483648, "id1020304051", 370_000),
    Offer(73339, "ss_ete_FR_AND_MTG", "Été à Paris 🎮", 1114, "com.example.ete", 520_000),
    Offer(73340, "ss_rtl_SA_AND_MTG", "لعبة الملوك", 1114, "com.example.rtl", 450_000),
    Offer(73341, "ss_blank_US_AND_MTG", " blanks around ", 9007199254740995, " com.example.blank", 210_000),
    Offer(73342, "ss_back_US_AND_MTG", "C:\\new\\table\\N", 1115, "com.example.back", 99_000),
    Offer(73343, "ss_line_US_AND_MTG", "first\u2028second", 1115, "com.example.line", 150_000),
    Offer(73344, "ss_cn_CN_AND_MTG", "王者", 1116, "com.example.wang", 3_300_000, CNY),
    Offer(73345, "ss_cn2_CN_IOS_MTG", "1e5", 1116, "id1020304052", 2_700_000, CNY),
    Offer(73346, "ss_both_CN_AND_MTG", "true", 1117, "com.example.both", 800_000, ("USD", "CNY")),
)


@lru_cache(maxsize=8192)
def offer(number: int) -> Offer:
    """Return an offer: one of the list above, or a generated one for higher numbers."""
    if number < len(OFFERS):
        return OFFERS[number]
    name = f"game{number}_US_AND_game{number}_220112_MTG"
    return Offer(80000 + number, f"ss_{name}", name, 2000 + number // 3, f"com.example.game{number}", 400_000)


CREATIVES = (
    (9007199254740993, "NA"),
    (9223372036854775807, "null"),
    (0, ""),
    (2222, "220301, kings-US-MTG01.png"),
    (2223, 'banner "small".png'),
    (2224, '"open.mp4'),
    (2225, "été 🎬.mp4"),
    (2226, "إعلان.png"),
    (2227, "00012"),
    (2228, "line\u2028two.png"),
    *((3000 + number, f"2203{number:02}-kings-US-MTG{number:02}.png") for number in range(20)),
)
EDGE_CASE_CREATIVES = 10
"""The number of creatives, from the first, that every day has."""

AD_TYPES = ("rewarded_video", "interstitial", "banner", "native", "splash", "null", "")
ORDINARY_AD_TYPES = 4

LOCATIONS = (
    *("NA", "null", "", "UNKNOWN"),
    *("US", "CN", "DE", "GB", "JP", "KR", "FR", "CA", "BR", "IN", "IT", "ES", "AU", "MX", "PL", "NL", "SE", "TR"),
    *("ID", "TH", "VN", "PH", "EG", "NZ", "NO"),
)
EDGE_CASE_LOCATIONS = 4

SUBS = (
    ("00123456", "com.example.host"),
    ("9223372036854775808", "id9988776655"),
    ("NA", "null"),
    ("", ""),
    ("mtg123456", "com.aaa.bbb"),
    ("mtg123457", "com.aaa.bbb"),
    ("mtg123458", "com.aaa, inc"),
    ("mtg123459", 'com."quoted"'),
    ("mtg1é", "com.été.🎮"),
)
"""Sub ids, each with its package name."""

ENDCARDS = (
    (3333, "EC_PL_KINGS_1"),
    (9007199254740993, "NA"),
    (0, ""),
    (3334, "EC, with comma"),
    (3335, "EC_été"),
)

OUTPUT_TYPES = ("standard", "dynamic", "playable")
