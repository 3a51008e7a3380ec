"""Integr8: the logs and entity lists that are pulled. Edit, add or remove a declaration here; nothing else.

A log comes as an export, ten of which may be requested a day; with `method="table"` it comes page by page instead.
"""

from reporting_dags.providers.integr8.fields import (
    ADVERTISER_FIELDS,
    CLICK_FIELDS,
    CONVERSION_FIELDS,
    IMPRESSION_FIELDS,
    OFFER_FIELDS,
    POSTBACK_FIELDS,
    PUBLISHER_FIELDS,
)
from reporting_dags.providers.integr8.report import integr8_list, integr8_log

CLICKS = integr8_log(
    name="clicks",
    log="clicks",
    fields=CLICK_FIELDS,
    description="Every click, with what the fraud filters made of it.",
)

CONVERSIONS = integr8_log(
    name="conversions",
    log="conversions",
    fields=CONVERSION_FIELDS,
    grain=("real_tx_id", "event_id"),
    restated_at=(1, 2, 3, 5, 7, 10, 14, 21, 30),
    description="Every conversion and event. An approved one may be rejected later.",
)

IMPRESSIONS = integr8_log(
    name="impressions",
    log="impressions",
    fields=IMPRESSION_FIELDS,
    description="Every impression, with what the fraud filters made of it.",
)

POSTBACKS = integr8_log(
    name="postbacks",
    log="postback-logs",
    fields=POSTBACK_FIELDS,
    grain=("id",),
    description="Every postback to a publisher, and how it was answered.",
)

OFFERS = integr8_list(
    name="offers", fields=OFFER_FIELDS, description="Every offer as it is now; its currency is that of its money."
)

PUBLISHERS = integr8_list(name="publishers", fields=PUBLISHER_FIELDS, description="Every publisher as it is now.")

ADVERTISERS = integr8_list(name="advertisers", fields=ADVERTISER_FIELDS, description="Every advertiser as it is now.")

REPORTS = (CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS, OFFERS, PUBLISHERS, ADVERTISERS)
