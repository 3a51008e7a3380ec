"""All documented fields of Integr8's clicks, conversions, impressions and entities (IN11).

Each field has a text that begins with its kind: t text, i integer, n decimal number, m money in the offer's currency,
T time, b boolean, j array or object (JSON text). e, a, d and f are texts that are personal data: e-mail, IP address,
device id, fingerprint.
"""

from collections.abc import Mapping
from dataclasses import replace

from reporting_dags.model.column import (
    MIXED,
    Column,
    Kind,
    TimeForm,
    boolean,
    identity,
    integer,
    money,
    number,
    timestamp,
)
from reporting_dags.model.privacy import Personal

_PERSONAL = {
    "e": Personal.EMAIL,
    "a": Personal.ADDRESS,
    "d": Personal.DEVICE,
    "f": Personal.FINGERPRINT,
}

_EVENT: Mapping[str, str] = {
    "advertiser": "t Id of the advertiser in reports",
    "advertiser_db_id": "t Id of the advertiser in the entity list",
    "advertiser_id": "t Advertiser's number",
    "advertiser_name": "t Name of the advertiser",
    "app_id": "t App of the event",
    "app_version": "t Version of the app",
    "asn": "i Autonomous system of the user's network",
    "begin_install_time": "T When the install began",
    "blocked": "i 1 if the traffic was blocked",
    "browser_language": "j Languages of the browser",
    "browser_name": "t Browser",
    "browser_timezone": "t Time zone of the browser",
    "browser_version": "t Version of the browser",
    "bundle_id": "t Bundle of the app that sent the traffic",
    "city": "t City of the user",
    "click_ip": "a IP address of the click",
    "click_time": "T Time of the click",
    "click_tx_id": "t Transaction of the click",
    "conversion_ip": "a IP address of the conversion",
    "conversion_time": "T Time of the conversion",
    "country": "t Country of the user, as a two-letter code",
    "coupon_code": "t Coupon that was used",
    "device_id": "d Id of the user's device",
    "device_type": "t Kind of device",
    "event_24metrics": "t Event as 24metrics names it",
    "event_db_id": "t Id of the event in the offer",
    "event_id": "i Number of the event; 0 or none for the conversion itself",
    "event_name": "t Name of the event",
    "event_status": "i Status of the event",
    "external_transaction_id": "t Transaction of the advertiser's own system",
    "extra_params.keys": "j Names of further parameters",
    "extra_params.values": "j Values of further parameters, in the order of their names",
    "filter_group_id": "t Filter group that was applied",
    "final_offer": "t Offer of the final redirect",
    "final_offer_id": "t Number of that offer",
    "fingerprint": "f Fingerprint of the browser or device",
    "finish_install_time": "T When the install was finished",
    "hash": "t Hash of the conversion",
    "integration_id": "t Integration",
    "integration_type": "t Kind of integration",
    "invalid_sub_id": "t Sub id that was refused",
    "ip_network": "a Network of the IP address, which may be the address itself",
    "is_bot": "i 1 if a bot was recognized",
    "is_click_spam": "i 1 if click spam was recognized",
    "is_low_session_time": "i 1 if the session was suspiciously short",
    "is_old_browser": "i 1 if the browser is outdated",
    "is_old_os": "i 1 if the operating system is outdated",
    "isp": "t Internet provider",
    "lat": "n Latitude of the user's place",
    "long": "n Longitude of the user's place",
    "manager_id": "t Account manager",
    "manager_name": "t Name of the account manager",
    "monitoring_mode": "i 1 if filters only monitored",
    "network": "t Network",
    "offer": "t Id of the offer in reports",
    "offer_db_id": "t Id of the offer in the entity list",
    "offer_group_id": "t Offer group",
    "offer_id": "t Offer's number",
    "offer_id_name": "t Offer's number and name",
    "organization_id": "t Organization",
    "os_name": "t Operating system",
    "os_version": "t Version of the operating system",
    "payout": "m What the publisher is paid",
    "postal_code": "t Postal code of the user's place",
    "preview_url_enabled": "i 1 if the preview URL was used",
    "proxy_type": "t Kind of proxy, if any",
    "publisher": "t Id of the publisher in reports",
    "publisher_db_id": "t Id of the publisher in the entity list",
    "publisher_name": "t Name of the publisher",
    "purchase_value": "n Value of the purchase",
    "real_advertiser": "t Advertiser before redirection",
    "real_filter_group_id": "t Filter group before redirection",
    "real_offer_id": "t Offer before redirection",
    "real_publisher": "t Publisher before redirection",
    "real_rejected_advanced_reason": "t Detailed reason of the rejection, before masking",
    "real_rejected_simple_reason": "t Short reason of the rejection, before masking",
    "real_tx_id": "t Transaction id, which identifies the row",
    "referer": "t URL from which the user came",
    "referer_categories": "j Categories of that URL",
    "rejected": "i 1 if the conversion was rejected",
    "rejected_advanced_reason": "t Detailed reason of the rejection",
    "rejected_internal_reason": "t Internal reason of the rejection",
    "rejected_language": "t Language of the rejection",
    "rejected_primary_reason": "t Main reason of the rejection",
    "rejected_simple_reason": "t Short reason of the rejection",
    "rejection_type": "t Kind of rejection",
    "rejections": "j Every reason of the rejection",
    "request_date": "t Day of the request",
    "request_time": "T Time of the request",
    "revenue": "m What the advertiser pays",
    "risk": "t Risk class",
    "rtb_url_used": "i 1 if the real-time-bidding URL was used",
    "rtt": "n Round-trip time",
    "score": "n Fraud score",
    "server_ip": "t IP address of the server that reported the conversion",
    "server_region": "t Region of the server that received the request",
    "session_time": "n Length of the session",
    "site_url": "t Site on which the ad was shown",
    "site_url_categories": "j Categories of that site",
    "smart_link_id": "t Smart link",
    "smartlink_db_id": "t Id of the smart link in the entity list",
    "status": "t Approved or Rejected; may change later",
    "sub_id": "t Publisher's own sub id",
    "sub_id_2": "t Publisher's second sub id",
    "sub_id_3": "t Publisher's third sub id",
    "sub_id_4": "t Publisher's fourth sub id",
    "sub_id_5": "t Publisher's fifth sub id",
    "sub_id_6": "t Publisher's sixth sub id",
    "tags": "j Tags",
    "targeting_group_id": "t Targeting group",
    "third_party_rejection_reason": "t Reason of a third party's rejection",
    "third_party_status": "t Status from a third party",
    "tx_id": "t Transaction id as it was issued",
    "user_agent": "t User agent of the browser",
    "user_email": "e E-mail address of the user",
    "uuid": "t Unique id of the request",
    # Fields of postbacks, which are not documented.
    "id": "t Postback",
    "method": "t HTTP method of the postback",
    "url": "t URL to which the postback was sent",
    "response_code": "t HTTP status of the response",
    "response_body": "t Body of the response",
    "attempt": "i Number of the attempt",
}

_EVERYWHERE = """
    advertiser advertiser_db_id asn browser_language browser_name browser_timezone browser_version city click_ip country
    device_id device_type extra_params.keys extra_params.values filter_group_id fingerprint integration_id
    integration_type invalid_sub_id ip_network is_bot is_old_browser is_old_os isp lat long manager_id manager_name
    offer_db_id offer_id organization_id os_name os_version payout postal_code proxy_type publisher publisher_db_id
    real_advertiser real_filter_group_id real_offer_id real_publisher real_tx_id referer referer_categories
    rejected_advanced_reason rejected_internal_reason rejected_language rejected_simple_reason rejection_type rejections
    request_time revenue risk rtt score server_region status sub_id sub_id_2 sub_id_3 sub_id_4 sub_id_5 sub_id_6 tags
    targeting_group_id tx_id user_agent user_email uuid
"""
_TRAFFIC = "advertiser_id blocked bundle_id monitoring_mode rejected_primary_reason request_date"
_OFFERS = "coupon_code external_transaction_id offer offer_group_id smart_link_id smartlink_db_id"


def _fields(*texts: str) -> tuple[str, ...]:
    """Return the sorted names in `texts`, which separate them by spaces."""
    return tuple(sorted({name for text in texts for name in text.split()}))


CLICK_FIELDS = _fields(_EVERYWHERE, _TRAFFIC, _OFFERS, "final_offer final_offer_id preview_url_enabled rtb_url_used")
IMPRESSION_FIELDS = _fields(_EVERYWHERE, _TRAFFIC, "site_url site_url_categories")
CONVERSION_FIELDS = _fields(
    _EVERYWHERE,
    _OFFERS,
    """
    advertiser_name app_id app_version begin_install_time click_time click_tx_id conversion_ip conversion_time
    event_24metrics event_db_id event_id event_name event_status finish_install_time hash is_click_spam
    is_low_session_time network offer_id_name publisher_name purchase_value real_rejected_advanced_reason
    real_rejected_simple_reason rejected server_ip session_time third_party_rejection_reason third_party_status
    """,
)
POSTBACK_FIELDS = _fields(
    """
    id real_tx_id tx_id event_id event_name request_time offer offer_db_id offer_id publisher publisher_db_id advertiser
    advertiser_db_id method url response_code response_body status attempt
    """
)

OFFER_FIELDS: Mapping[str, str] = {
    "id": "t Offer",
    "incremental_id": "i Number of the offer",
    "name": "t Name",
    "name_with_id": "t Name and number",
    "description": "t Description",
    "active": "b Whether the offer is active",
    "archived": "b Whether the offer is archived",
    "advertiser_id": "i Number of the advertiser",
    "currency": "t Currency of the offer's payouts and revenue: USD or EUR",
    "default_payout": "j Payout and revenue: amounts, percents and types",
    "conversion_name": "t Name of the offer's conversion",
    "visibility": "t Public, Private or Requires_Approval",
    "primary_domain": "t Domain",
    "fallback_url": "t URL for refused traffic",
    "allow_duplicate_conversions": "b Whether a click may convert twice",
    "block_on_reject": "b Whether rejected traffic is blocked",
    "deep_link_enabled": "b Whether deep links are on",
    "hide_js_tracking": "b Whether script tracking is hidden",
    "impression_forwarding_enabled": "b Whether impressions are forwarded",
    "impression_forwarding_url": "t URL to which impressions are forwarded",
    "manually_approve_conversions": "b Whether conversions wait for approval",
    "offer_preview_enabled": "b Whether the offer has a preview",
    "parallel_tracking_enabled": "b Whether parallel tracking is on",
    "parallel_tracking_url": "t URL of parallel tracking",
    "restriction_note": "t Restrictions",
    "targeting_group_id": "t Targeting group",
    "targeting_simple_enabled": "b Whether simple targeting is on",
    "terms_and_conditions": "t Terms and conditions",
    "terms_and_conditions_enabled": "b Whether the terms and conditions must be accepted",
    "view_through_attribution_enabled": "b Whether views are attributed",
    "created_at": "T When the offer was created",
    "updated_at": "T When the offer was last changed",
}

_PARTNER: Mapping[str, str] = {
    "id": "t {0}",
    "incremental_id": "i Number of the {0}",
    "name": "t Name",
    "name_with_id": "t Name and number",
    "description": "t Description",
    "active": "b Whether the {0} is active",
    "archived": "b Whether the {0} is archived",
    "company_name": "t Company",
    "address": "t Address",
    "country": "t Country",
    "email": "e E-mail address",
    "first_name": "t First name of the contact",
    "last_name": "t Last name of the contact",
    "phone": "t Telephone",
    "messenger": "t Messenger name",
    "website": "t Website",
    "manager_id": "t Account manager",
    "manager_name": "t Name of the account manager",
    "manager_email": "e E-mail address of the account manager",
    "created_at": "T When the {0} was created",
    "updated_at": "T When the {0} was last changed",
}
ADVERTISER_FIELDS: Mapping[str, str] = {name: text.format("advertiser") for name, text in _PARTNER.items()}
PUBLISHER_FIELDS: Mapping[str, str] = {
    **{name: text.format("publisher") for name, text in _PARTNER.items()},
    "city": "t City",
    "countries": "j Countries in which the publisher has traffic",
    "pending": "b Whether the publisher waits for approval",
    "promotional_method": "j Methods by which the publisher advertises",
    "timezone": "t Time zone",
    "tracking_domain_ids": "j Tracking domains",
}


def event_column(field: str, time_forms: tuple[TimeForm, ...] = (TimeForm.TEXT,)) -> Column:
    """Return the column of a log's documented field; a time column accepts the formats `time_forms`."""
    column = _column(field, _EVENT[field])
    return replace(column, forms=time_forms) if column.kind is Kind.TIME else column


def entity_columns(fields: Mapping[str, str]) -> tuple[Column, ...]:
    """Return the columns of an entity list."""
    return tuple(_column(field, text) for field, text in fields.items())


def _column(header: str, text: str) -> Column:
    """Return the column of a field; `text` is its kind and its meaning."""
    kind, meaning = text.split(" ", 1)
    if kind == "m":
        return money(header, f"{meaning}, in the offer's currency", currency=MIXED)
    if kind == "j":
        return identity(header, f"{meaning}, as JSON")
    declare = {"i": integer, "n": number, "T": timestamp, "b": boolean}.get(kind)
    return declare(header, meaning) if declare else identity(header, meaning, personal=_PERSONAL.get(kind))
