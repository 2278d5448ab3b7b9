"""The answers of a service without a guard, viewed by its Envoy: what the adapters' tests ask, and the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.behind import Behind
from tests.contract.guard.test_adapters import (  # noqa: F401 - tests, which are run here for another service
    test_a_caller_sees_what_is_disclosed_to_it,
    test_a_method_that_changes_something_is_viewed_too,
    test_an_allowed_call_reaches_the_handler_which_knows_who_calls,
    test_an_answer_without_a_body_has_nothing_to_view,
    test_an_answer_without_an_end_is_refused_and_not_waited_for,
    test_an_error_stays_an_error_without_its_page,
    test_an_operation_without_declared_data_is_handed_on_as_it_is,
    test_json_is_viewed_whatever_it_is_called,
    test_pieces_of_an_answer_are_viewed_as_one,
    test_the_application_is_not_asked_for_what_cannot_be_viewed,
    test_the_length_of_what_is_withheld_is_not_told,
    test_what_cannot_be_viewed_is_refused,
    test_what_the_application_says_in_the_guards_name_is_not_passed_on,
)
from tests.contract.guard.test_requests import (  # noqa: F401 - likewise
    test_a_body_in_which_nothing_is_declared_is_not_looked_at,
    test_a_class_that_the_service_may_not_receive_is_not_sent_to_it,
    test_a_parameter_counts_too,
    test_both_what_is_sent_and_what_is_shown_are_observed,
    test_pieces_reach_the_handler_as_one_body,
    test_what_cannot_be_read_is_refused,
    test_what_is_observed_reaches_the_handler_and_is_said,
    test_what_may_be_sent_reaches_the_handler_as_it_is,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 100_000  # bytes, as the adapters' tests have it


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inward.envoy.views.source.MOST_BYTES", MOST)
        behind = Behind(tmp_path_factory.mktemp("people"))
    try:
        yield behind
    finally:
        behind.close()
