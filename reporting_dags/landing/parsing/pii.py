"""Personal data, met here and nowhere else."""

from collections.abc import Mapping

import pyarrow as pa

from reporting_dags.landing.compute.arrow import AnyArray
from reporting_dags.model.column import Column
from reporting_dags.model.privacy import PersonalData, Privacy, looks_personal


def apply_privacy(column: Column, texts: AnyArray, privacy: Privacy) -> AnyArray:
    """The values of a column as they may be kept; null and empty texts tell nothing and stay as they are."""
    if column.personal is None or not pa.types.is_string(column.type) or privacy.mode is PersonalData.KEEP:
        return texts
    if privacy.mode is PersonalData.DROP:
        return pa.nulls(len(texts), pa.string())
    encoded = texts.dictionary_encode()
    hashes = [text and privacy.hashed(text, column.personal) for text in encoded.dictionary.to_pylist()]
    return pa.array(hashes, pa.string()).take(encoded.indices)


def is_dropped(column: Column, privacy: Privacy) -> bool:
    """Whether nothing of the column's values is kept."""
    return column.personal is not None and pa.types.is_string(column.type) and privacy.mode is PersonalData.DROP


def apply_privacy_to_members(members: Mapping[str, str], privacy: Privacy) -> dict[str, str]:
    """Columns that no one declared, by header, as they may be kept: those whose name tells of a person are guarded."""
    results: dict[str, str] = {}
    for header, text in members.items():
        why = looks_personal(header)
        if why is None or privacy.mode is PersonalData.KEEP:
            results[header] = text
        elif privacy.mode is PersonalData.HASH:
            results[header] = privacy.hashed(text, why)
    return results
