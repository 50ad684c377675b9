"""What no page can take is refused in a sentence that arrives."""

import json
import urllib.error

import pytest

from bench.stack import Browser


def test_a_file_over_the_limit_is_refused_with_an_answer(ann: Browser) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ann.upload("/tasks/import", "file", b"title\n" + b"x" * (60 * 1024 * 1024))

    assert refused.value.code == 413
    assert "too large" in json.loads(refused.value.read())["error"]
    assert ann.get("/tasks")["tasks"] is not None
