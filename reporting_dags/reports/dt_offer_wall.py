"""Digital Turbine Offer Wall: the declared reports. To change what is pulled, edit, add or remove a declaration here.

Metrics, dimensions and filters are the names on the provider's metrics page. After an edit, run `dg check defs`: it
reports an invalid declaration in one line.
"""

from reporting_dags.providers.digital_turbine.offer_wall_report import offer_wall_report

PERFORMANCE = offer_wall_report(
    name="performance",
    source="performance",
    splits=("Date", "DT Publisher App ID", "Country"),
    metrics=("Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users"),
    restated_at=(1, 2, 3, 5, 7, 10),
    description="Offer Wall by app and country, on the day of the click or impression. Past days are restated, because "
    "later actions count on that day too.",
)

EVENT = offer_wall_report(
    name="event",
    source="event",
    splits=("Date", "DT Publisher App ID", "Country"),
    metrics=("Publisher Revenue", "Publisher ARPU", "Offer Impressions", "Offer Clicks", "OFW Unique Users"),
    description="Offer Wall by app and country, on the day of each action, as in the monthly invoice.",
)

REPORTS = (PERFORMANCE, EVENT)
