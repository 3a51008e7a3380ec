"""The domains, ad units, countries, devices and deals of the emulated publisher, and the names of OC4."""

from dataclasses import dataclass

DAY = "day"
DOMAIN = "domain"
EARNINGS = "earnings"
ECPM = "ecpm"

DIMENSIONS = (
    DAY,
    "month",
    "year",
    "product",
    DOMAIN,
    "subdomain",
    "media_type",
    "device",
    "os",
    "ad_unit",
    "country",
    "deal_id",
    "deal_name",
    "deal_type",
)
METRICS = (
    "impressions",
    EARNINGS,
    ECPM,
    "viewable",
    "first_quartile",
    "midpoint",
    "third_quartile",
    "complete",
)
CURRENCIES = ("EUR", "USD")


@dataclass(frozen=True)
class Placement:
    """An ad unit on a domain, with the earnings of 1000 impressions (`cpm`); ids are texts."""

    domain: str
    subdomain: str
    product: str
    media_type: str
    ad_unit: str
    weight: float
    cpm: float


@dataclass(frozen=True)
class Deal:
    """A deal by which impressions were sold."""

    id: str
    name: str
    type: str


DISPLAY = "Standard Display"
INSTREAM = "Instream Video"
OUTSTREAM = "Outstream Video"
NATIVE = "Native"

PLACEMENTS = (
    Placement("example.com", "www.example.com", DISPLAY, "display", "example_top", 5.0, 1.21),
    Placement("example.com", "www.example.com", DISPLAY, "display", "example_side", 4.0, 0.83),
    Placement("example.com", "video.example.com", INSTREAM, "video", "example_player", 3.0, 6.37),
    Placement("example.com", "app.example.com", NATIVE, "native", "00012345", 1.5, 0.64),
    Placement("another-domain.net", "another-domain.net", DISPLAY, "display", "12345", 4.0, 0.97),
    Placement("another-domain.net", "m.another-domain.net", OUTSTREAM, "video", "9007199254740993", 2.2, 4.21),
    Placement("another-domain.net", "m.another-domain.net", DISPLAY, "display", "1234567890123456789", 1.6, 0.77),
    Placement("news.example.org", "news.example.org", DISPLAY, "display", "9223372036854775808", 2.4, 1.07),
    Placement("news.example.org", "sport.example.org", INSTREAM, "video", "1.21e5", 2.0, 5.3),
    Placement("shop.example.co.uk", "shop.example.co.uk", NATIVE, "native", "/21700000/shop/home", 1.8, 1.9),
    Placement("shop.example.co.uk", "", DISPLAY, "display", "shop_footer", 1.0, 0.39),
    Placement("0042.example", "www.0042.example", DISPLAY, "display", "true", 0.9, 0.31),
    # Edge cases for parsers: words for missing values, separators, quotes, line breaks, non-ASCII letters.
    Placement("münchen.example", "m.münchen.example", DISPLAY, "display", "Été à Paris", 1.4, 0.88),
    Placement("пример.рф", "www.пример.рф", OUTSTREAM, "video", "🎯 sticky", 1.2, 2.9),
    Placement("דוגמה.example", "דוגמה.example", NATIVE, "native", "وحدة إعلانية", 0.8, 0.7),
    Placement("null", "null", DISPLAY, "display", "null", 0.6, 0.5),
    Placement("NA", "NA", DISPLAY, "display", "NA", 0.6, 0.5),
    Placement("example.com", "www.example.com", DISPLAY, "display", 'top, "wide"', 0.8, 0.9),
    Placement("example.com", "www.example.com", DISPLAY, "display", "left\tright", 0.7, 0.6),
    Placement("example.com", "www.example.com", DISPLAY, "display", "first\nsecond", 0.7, 0.6),
    Placement("example.com", "www.example.com", DISPLAY, "display", "back\\slash", 0.6, 0.6),
    Placement("another-domain.net", "another-domain.net", NATIVE, "native", "", 0.6, 0.4),
)
EDGE_CASES_FROM = 12
"""Index of the first placement with edge cases: every day has all of them."""

COUNTRIES = (
    ("US", 6.0),
    ("DE", 4.0),
    ("GB", 3.0),
    ("FR", 2.5),
    ("GR", 2.5),
    ("NL", 1.2),
    ("PL", 1.0),
    ("BR", 1.0),
    # Namibia, and an unknown country.
    ("NA", 0.5),
    ("", 0.4),
)
EDGE_CASE_COUNTRIES_FROM = 8
"""Index of the first country with edge cases: every day has all of them, in the first placement."""

DEVICES = (("mobile", 1.0), ("desktop", 0.7), ("tablet", 0.2))
FURTHER_DEVICES = ("connected tv", "")
"""Devices, numbered after those above, that only the edge cases of a day have."""
OPERATING_SYSTEMS = (("Android", "iOS"), ("Windows", "macOS"), ("iOS", "Android"), ("Tizen",), ("",))
"""The operating systems of each device."""

DEALS = (
    Deal("", "", "Open auction"),
    Deal("00042", 'Autumn "Luxury", EU', "Deal"),
    Deal("9223372036854775808", "Ünlü 🎄", "Deal"),
    Deal("77", "NA", "Proposal"),
)
