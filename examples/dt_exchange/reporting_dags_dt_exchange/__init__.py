"""DT Exchange, Digital Turbine's ad exchange, as a provider of `reporting_dags`."""

from reporting_dags.reports.registry import RegisteredProvider
from reporting_dags_dt_exchange.report import REPORTS
from reporting_dags_dt_exchange.resource import DtExchangeResource

PROVIDER = RegisteredProvider("dt_exchange", DtExchangeResource, REPORTS)
