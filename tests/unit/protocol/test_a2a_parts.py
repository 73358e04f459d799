import json
import math

import pytest
from isek.protocol.a2a_parts import structured_parts


@pytest.mark.parametrize("content", ["{" + '"a": {' * 200 + "}" * 201, "[" * 100_000, json.dumps({"a": math.nan})])
def test_what_has_no_form_as_data_stays_text(content: str) -> None:
    [part] = structured_parts(content, ["application/json"])

    assert (part.media_type, part.text) == ("text/plain", content)


def test_half_an_emoji_in_an_object_is_replaced_in_both_forms() -> None:
    in_words, data = structured_parts('{"said": "\ud83d"}', [])

    assert in_words.text == '{"said": "\ufffd"}'
    assert data.data.struct_value["said"] == "\ufffd"
