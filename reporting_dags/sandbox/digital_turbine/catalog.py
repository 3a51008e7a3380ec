"""The apps, countries and campaigns of the emulated publisher, and the dimensions and metrics of the Offer Wall."""

from dataclasses import dataclass

DATE = "Date"
APP = "DT Publisher App ID"
COUNTRY = "Country"
CAMPAIGN_ID = "Campaign ID"
CAMPAIGN_NAME = "Campaign Name"
BUNDLE = "Publisher App Bundle"

REVENUE = "Publisher Revenue"
ARPU = "Publisher ARPU"
IMPRESSIONS = "Offer Impressions"
CLICKS = "Offer Clicks"
USERS = "OFW Unique Users"

DOCUMENTED_DIMENSIONS = (DATE, APP, COUNTRY)
"""OW3 D."""
UNDOCUMENTED_DIMENSIONS = (CAMPAIGN_ID, CAMPAIGN_NAME, BUNDLE)
"""OW3 F."""
DOCUMENTED_METRICS = (REVENUE, ARPU, IMPRESSIONS, CLICKS, USERS)
"""OW3 D."""
UNDOCUMENTED_METRICS = (
    "Avg. Offers per Container",
    "Avg. Position",
    "Container Fill Rate",
    "Offer Completion Time",
    "OFW Container Impressions",
    "Offer Installs",
    "Offer Conversions",
)
"""OW3 F."""


@dataclass(frozen=True)
class App:
    """An app of the publisher. Ids are texts: some have leading zeros, or more digits than a double or an int64."""

    id: str
    bundle: str
    weight: float


@dataclass(frozen=True)
class Campaign:
    """A campaign of an advertiser."""

    id: str
    name: str
    payout: float


APPS = (
    App("171893", "com.example.farm", 6.0),
    App("00171893", "com.example.farm.lite", 2.0),
    App("0042", "com.example.puzzle", 1.4),
    App("1234567890123456789", "com.example.chess", 1.2),
    App("9007199254740993", "com.example.cards", 1.0),
    App("9223372036854775808", "com.example.tower", 0.8),
    App("205511", "com.example.racing", 3.0),
    App("205512", "com.example.racing.pro", 0.7),
    App("310077", "id1020304050", 1.8),
    App("310078", "id1020304051", 0.5),
    App("98", "com.example.old", 0.4),
    App("777000", "com.example.words", 1.5),
)

COUNTRIES = (
    ("UNITED STATES", 9.0),
    ("GERMANY", 4.0),
    ("UNITED KINGDOM", 3.6),
    ("KOREA, REPUBLIC OF", 3.2),
    ("JAPAN", 3.0),
    ("FRANCE", 2.6),
    ("CANADA", 2.4),
    ("BRAZIL", 2.2),
    ("ISRAEL", 1.6),
    ("ITALY", 1.6),
    ("SPAIN", 1.5),
    ("AUSTRALIA", 1.4),
    ("MEXICO", 1.3),
    ("INDIA", 1.3),
    ("POLAND", 1.0),
    ("NETHERLANDS", 1.0),
    ("SWEDEN", 0.8),
    ("TURKEY", 0.8),
    ("INDONESIA", 0.8),
    ("THAILAND", 0.7),
    ("VIET NAM", 0.6),
    ("PHILIPPINES", 0.6),
    ("EGYPT", 0.5),
    ("NEW ZEALAND", 0.4),
    ("NORWAY", 0.4),
    # Edge cases for parsers: words for missing values, separators, quotes, non-ASCII letters.
    ("NA", 0.5),
    ("null", 0.4),
    ("CÔTE D'IVOIRE", 0.4),
    ('VIRGIN ISLANDS "U.S."', 0.4),
)

CAMPAIGNS = (
    Campaign("60012345", "Kingdoms - install", 0.0121),
    Campaign("60012346", "Kingdoms - level 20", 1.37),
    Campaign("60019001", "Survey, daily", 0.083),
    Campaign("0060020", 'Bank "Plus" account', 4.21),
    Campaign("60020777", "Été à Paris", 0.37),
    Campaign("60031000", "Shop\nfirst order", 0.64),
    Campaign("1900000000000000001", "Words 2", 0.0291),
)
