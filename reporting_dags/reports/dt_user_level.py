"""Digital Turbine User Level: the reports that are pulled, for every app of DT_USER_LEVEL_APP_IDS.

The API always answers all of its dimensions. Columns that are not declared are kept in `other_columns`; to give one a
column of its own, pass `columns=(*COLUMNS, identity("Placement ID", "…"))`.
"""

from reporting_dags.providers.digital_turbine.user_level_report import user_level_report

REVENUE = user_level_report(
    name="revenue",
    restated_at=(1, 3, 6),
    description="Revenue and impressions of each user, by app and country, for the apps that are enabled for the API. "
    "A day can be had for ten days; users without an advertising id come aggregated, and are flagged as masked.",
)

REPORTS = (REVENUE,)
