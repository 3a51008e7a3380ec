"""Mintegral Advanced Performance: the declared reports. To change what is pulled, edit the declarations here.

Dimensions are the values of the provider's parameter `dimension_option`.
"""

from reporting_dags.providers.mintegral.report import advanced_performance_report

OFFER_PERFORMANCE = advanced_performance_report(
    name="offer_performance",
    dimensions=("Offer", "Campaign", "CampaignPackage", "AdType", "Location"),
    description="Spend and results of each offer by campaign, package, ad type and country.",
)

CREATIVE_PERFORMANCE = advanced_performance_report(
    name="creative_performance",
    dimensions=("Offer", "Creative", "AdType", "Location"),
    description="Spend and results of each offer's creatives by ad type and country.",
)

OFFER_PERFORMANCE_HOURLY = advanced_performance_report(
    name="offer_performance_hourly",
    granularity="hourly",
    dimensions=("Offer", "AdType", "Location"),
    description="Spend and results of each offer by hour, ad type and country.",
)

REPORTS = (OFFER_PERFORMANCE, CREATIVE_PERFORMANCE, OFFER_PERFORMANCE_HOURLY)
