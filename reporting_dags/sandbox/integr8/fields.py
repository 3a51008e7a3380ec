"""The documented field names of rows and objects, in the documented order (IN11)."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CLICKS = _names(
    """
    advertiser advertiser_db_id advertiser_id asn blocked browser_language browser_name browser_timezone
    browser_version bundle_id city click_ip country coupon_code device_id device_type external_transaction_id
    extra_params.keys extra_params.values filter_group_id final_offer final_offer_id fingerprint integration_id
    integration_type invalid_sub_id ip_network is_bot is_old_browser is_old_os isp lat long manager_id manager_name
    monitoring_mode offer offer_db_id offer_group_id offer_id organization_id os_name os_version payout postal_code
    preview_url_enabled proxy_type publisher publisher_db_id real_advertiser real_filter_group_id real_offer_id
    real_publisher real_tx_id referer referer_categories rejected_advanced_reason rejected_internal_reason
    rejected_language rejected_primary_reason rejected_simple_reason rejection_type rejections request_date
    request_time revenue risk rtb_url_used rtt score server_region smart_link_id smartlink_db_id status sub_id
    sub_id_2 sub_id_3 sub_id_4 sub_id_5 sub_id_6 tags targeting_group_id tx_id user_agent user_email uuid
    """
)
"""Fields of the click table and of exports of clicks."""

CONVERSIONS = _names(
    """
    advertiser advertiser_db_id advertiser_name app_id app_version asn begin_install_time browser_language
    browser_name browser_timezone browser_version city click_ip click_time click_tx_id conversion_ip conversion_time
    country coupon_code device_id device_type event_24metrics event_db_id event_id event_name event_status
    external_transaction_id extra_params.keys extra_params.values filter_group_id fingerprint finish_install_time
    hash integration_id integration_type invalid_sub_id ip_network is_bot is_click_spam is_low_session_time
    is_old_browser is_old_os isp lat long manager_id manager_name network offer offer_db_id offer_group_id offer_id
    offer_id_name organization_id os_name os_version payout postal_code proxy_type publisher publisher_db_id
    publisher_name purchase_value real_advertiser real_filter_group_id real_offer_id real_publisher
    real_rejected_advanced_reason real_rejected_simple_reason real_tx_id referer referer_categories rejected
    rejected_advanced_reason rejected_internal_reason rejected_language rejected_simple_reason rejection_type
    rejections request_time revenue risk rtt score server_ip server_region session_time smart_link_id
    smartlink_db_id status sub_id sub_id_2 sub_id_3 sub_id_4 sub_id_5 sub_id_6 tags targeting_group_id
    third_party_rejection_reason third_party_status tx_id user_agent user_email uuid
    """
)
"""Fields of the conversion table and of exports of conversions."""

IMPRESSIONS = _names(
    """
    advertiser advertiser_db_id advertiser_id asn blocked browser_language browser_name browser_timezone
    browser_version bundle_id city click_ip country device_id device_type extra_params.keys extra_params.values
    filter_group_id fingerprint integration_id integration_type invalid_sub_id ip_network is_bot is_old_browser
    is_old_os isp lat long manager_id manager_name monitoring_mode offer_db_id offer_id organization_id os_name
    os_version payout postal_code proxy_type publisher publisher_db_id real_advertiser real_filter_group_id
    real_offer_id real_publisher real_tx_id referer referer_categories rejected_advanced_reason
    rejected_internal_reason rejected_language rejected_primary_reason rejected_simple_reason rejection_type
    rejections request_date request_time revenue risk rtt score server_region site_url site_url_categories status
    sub_id sub_id_2 sub_id_3 sub_id_4 sub_id_5 sub_id_6 tags targeting_group_id tx_id user_agent user_email uuid
    """
)
"""Fields of the impression table and of exports of impressions."""

POSTBACKS = _names(
    """
    id real_tx_id tx_id event_id event_name request_time offer offer_db_id offer_id publisher publisher_db_id
    advertiser advertiser_db_id method url response_code response_body status attempt
    """
)
"""Fields of exports of postback logs. A: the documentation does not list them."""

OFFERS = _names(
    """
    active advertiser_id allow_duplicate_conversions archived block_on_reject conversion_name created_at currency
    deep_link_enabled default_payout description fallback_url hide_js_tracking id impression_forwarding_enabled
    impression_forwarding_url incremental_id manually_approve_conversions name name_with_id offer_preview_enabled
    parallel_tracking_enabled parallel_tracking_url primary_domain restriction_note targeting_group_id
    targeting_simple_enabled terms_and_conditions terms_and_conditions_enabled updated_at
    view_through_attribution_enabled visibility
    """
)
"""Fields of an offer."""

PUBLISHERS = _names(
    """
    active address archived city company_name countries country created_at description email first_name id
    incremental_id last_name manager_email manager_id manager_name messenger name name_with_id pending phone
    promotional_method timezone tracking_domain_ids updated_at website
    """
)
"""Fields of a publisher."""

ADVERTISERS = _names(
    """
    active address archived company_name country created_at description email first_name id incremental_id last_name
    manager_email manager_id manager_name messenger name name_with_id phone updated_at website
    """
)
"""Fields of an advertiser."""
