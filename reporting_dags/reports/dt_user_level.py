"""Digital Turbine User Level: the declared reports, pulled for every app in DT_USER_LEVEL_APP_IDS.

The API always returns all of its dimensions. Undeclared columns are stored in `other_columns`. To give one of them a
column of its own, pass `columns=(*COLUMNS, identity("Placement ID", "…"))`.
"""

from reporting_dags.providers.digital_turbine.user_level_report import user_level_report

REVENUE = user_level_report(
    name="revenue",
    restated_at=(1, 3, 6),
    description="Revenue and impressions of each user, by app and country, for the apps that are enabled for the API. "
    "The provider keeps a day for ten days. Users without an advertising id are aggregated and flagged as masked.",
)

REPORTS = (REVENUE,)
