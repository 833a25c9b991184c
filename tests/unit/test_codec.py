"""Objects as JSON: they come back to the last bit, as what they were, and nothing else is made of a text."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from customerlab.codec import from_json, to_json


@dataclass(frozen=True)
class Thing:
    """A class of a module that is loaded."""

    size: float
    inner: object = None


def test_everything_comes_back_as_it_was():
    arrays = [
        np.array([[0.1, 1 / 3, -0.0], [np.nan, np.inf, 5e-324]]), np.empty((0, 3)), np.array([2**62, -1]),
        np.array([True, False]), np.array(7.5),
    ]  # fmt: skip
    for array in arrays:
        back = from_json(to_json(array))
        assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()
    table = pd.DataFrame({"segment": ["Größer", 'a "b", c'], "r_low": [1, 2], "share": [0.1, 0.2]})
    pd.testing.assert_frame_equal(from_json(to_json(table)), table, check_exact=True)
    thing = Thing(np.inf, {"names": ["a", "b"], "of": Thing(np.float64(0.1), (1, None, True, np.int64(3)))})
    back = from_json(to_json(thing))
    assert back == Thing(np.inf, {"names": ("a", "b"), "of": Thing(0.1, (1, None, True, 3))})
    assert to_json(back) == to_json(thing)
    assert json.loads(to_json(thing))["class"] == f"{__name__}:Thing", "and other tools read it"


def test_what_it_has_no_words_for_is_refused():
    for thing in (object(), Thing, {1, 2}, pd.Timestamp("2024-01-01"), [lambda: 0]):
        with pytest.raises(TypeError):
            to_json(thing)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[" * 100_000,
        '{"class": "customerlab.gone:Thing"}',
        '{"class": "customerlab.codec:Gone"}',
        '{"class": "customerlab.codec:to_json", "value": 1}',
        '{"class": "os:system", "command": "true"}',
        '{"class": "subprocess:Popen", "args": "true"}',
        '{"class": "a_module_that_is_not_loaded:Thing"}',
        '{"class": 7}',
        f'{{"class": "{__name__}:Thing", "weight": 1}}',
        '{"array": "float64", "shape": [2], "values": [1.0]}',
        '{"array": "float64", "values": [1.0]}',
    ],
)
def test_what_it_did_not_write_is_refused(text):
    with pytest.raises(ValueError):
        from_json(text)
