from __future__ import annotations

import pytest

from inward.control.attack.tries.keys import keys_in


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"INWARD_SERVICE": "till", "HTTP_PROXY": "http://inward:c@127.0.0.1:1"}, []),
        ({"INWARD_SVID_KEY": "/run/svid.key"}, ["INWARD_SVID_KEY"]),
        ({"INWARD_CA_PASSPHRASE": "x"}, ["INWARD_CA_PASSPHRASE"]),
        ({"INWARD_X": "-----BEGIN EC PRIVATE KEY-----"}, ["INWARD_X"]),
        ({"TLS_KEY": "-----BEGIN PRIVATE KEY-----"}, []),  # its own, for something else
    ],
)
def test_a_key_of_inwards_is_found(given: dict[str, str], found: list[str]) -> None:
    assert list(keys_in(given)) == found
