from __future__ import annotations

import pytest

from karrots.adapters.kube_answers import LONGEST_WARNING, warned


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ('299 - "v1 Thing is deprecated in v1.40"', "v1 Thing is deprecated in v1.40"),
        (r'299 - "unknown field \"spec.x\""', 'unknown field "spec.x"'),
        ('299 kube-apiserver "a" "Mon, 1 Jan 2024 00:00:00 GMT"', "a"),
    ],
)
def test_a_warning(header: str, text: str) -> None:
    assert warned([header]) == (text,)


@pytest.mark.parametrize(
    "header", ["", "299", '299 - "never ends', "no number", '299 - "' + "x" * LONGEST_WARNING + '"']
)
def test_what_is_no_warning(header: str) -> None:
    assert warned([header]) == ()
