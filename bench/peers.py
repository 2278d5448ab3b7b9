"""Other recognisers of personal data, beside which the spotter is measured, where they are installed.

Those of `presidio-analyzer` that go by patterns and check digits, without its language models, which need words around
a value; and the regular expressions of `datafog`. Both look at the value only, since neither knows names of fields.
Neither is a dependency: `pip install presidio-analyzer datafog` into an environment that this one can see.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from typing import TYPE_CHECKING

from inward.spotting.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAST_SCORE = 0.4  # what presidio gives to a telephone number of a valid form
_PRESIDIO = {
    "EmailRecognizer": Kind.EMAIL,
    "PhoneRecognizer": Kind.PHONE,
    "CreditCardRecognizer": Kind.CARD,
    "IbanRecognizer": Kind.IBAN,
    "EsNieRecognizer": Kind.NATIONAL_ID,
    "EsNifRecognizer": Kind.NATIONAL_ID,
    "FiPersonalIdentityCodeRecognizer": Kind.NATIONAL_ID,
    "ItFiscalCodeRecognizer": Kind.NATIONAL_ID,
    "PlPeselRecognizer": Kind.NATIONAL_ID,
    "SePersonnummerRecognizer": Kind.NATIONAL_ID,
}
_DATAFOG = {
    "EMAIL": Kind.EMAIL,
    "PHONE": Kind.PHONE,
    "CREDIT_CARD": Kind.CARD,
    "DE_IBAN": Kind.IBAN,
    "SSN": Kind.NATIONAL_ID,
}


def peers() -> Iterator[tuple[str, Callable[[str], set[Kind]] | None]]:
    """Yield each by its name: a function from a value to the kinds that it is taken for; None if not installed."""
    yield "presidio-analyzer", _presidio() if importlib.util.find_spec("presidio_analyzer") else None
    yield "datafog", _datafog() if importlib.util.find_spec("datafog") else None


def _presidio() -> Callable[[str], set[Kind]]:
    logging.disable(logging.ERROR)  # it fetches a list of top-level domains, and does without where it cannot
    listed = importlib.import_module("presidio_analyzer.predefined_recognizers")
    recognisers = [(getattr(listed, name)(), kind) for name, kind in _PRESIDIO.items() if hasattr(listed, name)]

    def kinds(text: str) -> set[Kind]:
        return {
            kind
            for recogniser, kind in recognisers
            if any(each.score >= LEAST_SCORE for each in recogniser.analyze(text, recogniser.supported_entities, None))
        }

    return kinds


def _datafog() -> Callable[[str], set[Kind]]:
    module = importlib.import_module("datafog.processing.text_processing.regex_annotator")
    annotator = module.RegexAnnotator()

    def kinds(text: str) -> set[Kind]:
        return {_DATAFOG[label] for label, found in annotator.annotate(text).items() if found and label in _DATAFOG}

    return kinds
