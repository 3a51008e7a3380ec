"""Flags that are worked out from the texts of another column."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from reporting_dags.landing.compute.arrow import AnyArray, matches

_NO_VALUE = ("", "null", "none", "unknown", "n/a")
_ZEROS = "^0+$"


def flagged(texts: AnyArray, words: Sequence[str], *, masks: bool) -> AnyArray:
    """Whether each text is one of `words`, compared without case, dashes and outer blanks; a null is an empty text.

    Args:
        texts: of the column that is compared.
        words: for which the flag is true.
        masks: whether it is also true for an empty text, null, none, unknown, n/a, and zeros of any number.
    """
    plain = _plain(texts.fill_null(""))
    known = _plain(pa.array([*words, *(_NO_VALUE if masks else ())], pa.string()))
    result: AnyArray = pc.is_in(plain, known)
    return pc.or_(result, pa.array(matches(plain, _ZEROS))) if masks else result


def _plain(texts: AnyArray) -> AnyArray:
    return pc.utf8_trim_whitespace(pc.utf8_lower(pc.replace_substring(texts, "-", "")))
