"""Names as a listing prints them."""

from __future__ import annotations

import pytest

from reframe_firecrest.gateway.file_schemas import unquote_c


@pytest.mark.parametrize(
    ("printed", "path"),
    [
        # Measured: directories keep the quoting that the gateway takes off the last name.
        (r"col\:on/a", "col:on/a"),
        (r"quo\"te/a", 'quo"te/a'),
        (r"back\\slash/a", r"back\slash/a"),
        (r"new\nline/\303\251/x", "new\nline/é/x"),
        (r"\303\251/\303\251", "é/é"),
        ("plain/a b", "plain/a b"),
    ],
)
def test_directories_keep_their_full_quoting(printed: str, path: str) -> None:
    assert unquote_c(printed) == path
