"""Integr8: the declared logs and entity lists. To change what is pulled, edit, add or remove a declaration here.

A log is pulled as an export; the provider allows ten exports a day. With `method="table"` it is pulled page by page.
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
    description="All clicks, with the results of the fraud filters.",
)

CONVERSIONS = integr8_log(
    name="conversions",
    log="conversions",
    fields=CONVERSION_FIELDS,
    grain=("real_tx_id", "event_id"),
    restated_at=(1, 2, 3, 5, 7, 10, 14, 21, 30),
    description="All conversions and events. An approved conversion can be rejected later.",
)

IMPRESSIONS = integr8_log(
    name="impressions",
    log="impressions",
    fields=IMPRESSION_FIELDS,
    description="All impressions, with the results of the fraud filters.",
)

POSTBACKS = integr8_log(
    name="postbacks",
    log="postback-logs",
    fields=POSTBACK_FIELDS,
    grain=("id",),
    description="All postbacks to publishers, with their responses.",
)

OFFERS = integr8_list(
    name="offers",
    fields=OFFER_FIELDS,
    description="Current state of all offers. An offer's currency applies to all of its amounts.",
)

PUBLISHERS = integr8_list(name="publishers", fields=PUBLISHER_FIELDS, description="Current state of all publishers.")

ADVERTISERS = integr8_list(
    name="advertisers", fields=ADVERTISER_FIELDS, description="Current state of all advertisers."
)

REPORTS = (CLICKS, CONVERSIONS, IMPRESSIONS, POSTBACKS, OFFERS, PUBLISHERS, ADVERTISERS)
