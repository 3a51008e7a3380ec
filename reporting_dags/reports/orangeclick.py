"""OrangeClickMedia: the declared reports. To change what is pulled, edit, add or remove a declaration here.

Dimensions, metrics and filters are the provider's names.
"""

from reporting_dags.providers.orangeclick.report import orangeclick_report

EARNINGS = orangeclick_report(
    name="earnings",
    dimensions=("day", "domain", "ad_unit", "country", "device", "media_type"),
    currency="USD",
    description="Net earnings and impressions by domain, ad unit, country, device and media type.",
)

REPORTS = (EARNINGS,)
