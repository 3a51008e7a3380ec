"""Digital Turbine Offer Wall: the reports that are pulled. Edit, add or remove a declaration here; nothing else.

Metrics, dimensions and filters are the provider's names, as its metrics page lists them. After an edit,
`dg check defs` says in one line what is wrong, if anything is.
"""

from reporting_dags.providers.digital_turbine.offer_wall_report import offer_wall_report

PERFORMANCE = offer_wall_report(
    name="performance",
    source="performance",
    splits=("Date", "DT Publisher App ID", "Country"),
    metrics=("Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users"),
    restated_at=(1, 2, 3, 5, 7, 10),
    description="Offer Wall by app and country, revenue and actions attributed to the time of click and impression; "
    "later days restate it.",
)

EVENT = offer_wall_report(
    name="event",
    source="event",
    splits=("Date", "DT Publisher App ID", "Country"),
    metrics=("Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users"),
    description="Offer Wall by app and country, each action at the time when it happened: the view that matches the "
    "monthly invoice.",
)

REPORTS = (PERFORMANCE, EVENT)
