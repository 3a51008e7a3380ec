"""Boolean columns (flags) that are computed from the texts of another column."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, matches_pattern

_NO_VALUE = ("", "null", "none", "unknown", "n/a")
_ZEROS = "^0+$"


def compute_flags(texts: AnyArray, words: Sequence[str], *, masks: bool) -> AnyArray:
    """Return whether each text is one of `words`.

    Case, dashes and surrounding blanks are ignored. A null is compared as an empty text.

    Args:
        texts: the texts of the column that is compared.
        words: the texts for which the flag is true.
        masks: whether the flag is also true for a masked value: an empty text, null, none, unknown, n/a, or only zeros.
    """
    normalized = _normalize(texts.fill_null(""))
    known = _normalize(pa.array([*words, *(_NO_VALUE if masks else ())], pa.string()))
    result: AnyArray = pc.is_in(normalized, known)
    return pc.or_(result, pa.array(matches_pattern(normalized, _ZEROS))) if masks else result


def _normalize(texts: AnyArray) -> AnyArray:
    return pc.utf8_trim_whitespace(pc.utf8_lower(pc.replace_substring(texts, "-", "")))
