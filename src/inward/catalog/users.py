"""What `users` in inward.yaml says: whose tokens prove who an end user is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.catalog.folder import InvalidFileError

if TYPE_CHECKING:
    from inward.catalog.document import Value
    from inward.catalog.folder import SystemFolder
    from inward.identity.user_token import UserTokens

_KEYS = ("issuer", "audience", "keys")
MAX_KEY_SET_BYTES = 1 << 20


def load_users(root: Value, folder: SystemFolder, trust_domain: str) -> UserTokens | None:
    """Return whose tokens a system believes; None where it does not say, and where it has mistakes."""
    value = root.get("users")
    if value is None or not value.is_a(dict):
        return None
    value.check_keys(_KEYS)
    # here, and not above: cryptography takes long to import, and most systems name no issuer
    from inward.identity.user_token import UserTokenError, UserTokens  # noqa: PLC0415 - see above

    issuer = value.need("issuer", "the `iss` of its tokens, such as `https://tokens.shop.internal`")
    keys = value.need("keys", "the file with its public keys, a JWK Set such as `keys/users.json`")
    audience = value.get("audience")
    texts = [each.text() if each is not None else None for each in (issuer, keys)]
    aud = trust_domain if audience is None else audience.text()
    if keys is None or aud is None or None in texts:
        return None
    try:
        content = folder.read(str(texts[1]), (".json",), MAX_KEY_SET_BYTES)
        return UserTokens(str(texts[0]), aud, content)
    except (InvalidFileError, UserTokenError) as error:
        keys.mistake(f"`{shown(str(texts[1]))}`: {error.message}", error.hint)
        return None
