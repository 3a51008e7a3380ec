"""Applies the privacy setting (hash, keep or drop) to personal data. All personal data passes through this module."""

from collections.abc import Mapping

import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.model.column import Column
from reporting_dags.model.privacy import PersonalData, Privacy, looks_personal


def apply_privacy(column: Column, texts: AnyArray, privacy: Privacy) -> AnyArray:
    """Return the values of a column as they may be stored. Nulls and empty texts are not hashed."""
    if column.personal is None or not pa.types.is_string(column.type) or privacy.mode is PersonalData.KEEP:
        return texts
    if privacy.mode is PersonalData.DROP:
        return pa.nulls(len(texts), pa.string())
    encoded = texts.dictionary_encode()
    hashes = [text and privacy.hashed(text, column.personal) for text in encoded.dictionary.to_pylist()]
    return pa.array(hashes, pa.string()).take(encoded.indices)


def is_dropped(column: Column, privacy: Privacy) -> bool:
    """Return whether the values of the column are not stored at all."""
    return column.personal is not None and pa.types.is_string(column.type) and privacy.mode is PersonalData.DROP


def apply_privacy_to_members(members: Mapping[str, str], privacy: Privacy) -> dict[str, str]:
    """Return the values of undeclared columns, by header, as they may be stored.

    The privacy setting applies to columns whose name suggests personal data.
    """
    results: dict[str, str] = {}
    for header, text in members.items():
        why = looks_personal(header)
        if why is None or privacy.mode is PersonalData.KEEP:
            results[header] = text
        elif privacy.mode is PersonalData.HASH:
            results[header] = privacy.hashed(text, why)
    return results
