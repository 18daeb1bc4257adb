"""Requests open at a time: more where the gateway is far and well, fewer where it is strained."""

from __future__ import annotations

import asyncio
import time

from reframe_firecrest.gateway.http.throttle import AT_FIRST, Throttle
from tests.gateway.helpers import run


async def requests(throttle: Throttle, number: int, seconds: float) -> None:
    """Make requests all at once, each of which is answered after so many seconds by its own account."""

    async def request() -> None:
        async with throttle.slot():
            await asyncio.sleep(0)
            throttle.answered(seconds)

    await asyncio.gather(*(request() for _ in range(number)))


def test_a_far_gateway_is_asked_more_at_a_time_up_to_the_setting() -> None:
    throttle = Throttle(32)
    assert throttle.limit == AT_FIRST
    throttle.answered(0.205)
    run(requests(throttle, 400, 0.23))
    assert throttle.limit == 32


def test_the_limit_rises_with_each_of_the_first_answers() -> None:
    throttle = Throttle(32)
    throttle.answered(0.205)
    run(requests(throttle, 4 * AT_FIRST, 0.21))
    assert throttle.limit >= AT_FIRST + 6


def test_the_limit_no_longer_doubles_once_the_gateway_has_more_to_do() -> None:
    throttle = Throttle(32)
    throttle.answered(0.2)
    run(requests(throttle, AT_FIRST, 0.6))
    before = throttle.limit
    run(requests(throttle, 3 * AT_FIRST, 0.2))
    assert before <= throttle.limit < before + AT_FIRST


def test_a_near_gateway_is_not() -> None:
    throttle = Throttle(32)
    throttle.answered(0.01)
    run(requests(throttle, 400, 0.1))
    assert AT_FIRST <= throttle.limit <= AT_FIRST + 1


def test_answers_that_become_slow_bring_the_number_back() -> None:
    throttle = Throttle(32)
    throttle.answered(0.2)
    run(requests(throttle, 400, 0.21))
    before = throttle.limit
    run(requests(throttle, 1000, 0.8))
    assert throttle.limit < AT_FIRST + 6 < before


def test_places_that_nobody_needs_are_not_added() -> None:
    async def one_at_a_time() -> int:
        throttle = Throttle(32)
        for _ in range(50):
            async with throttle.slot():
                throttle.answered(0.2)
        return throttle.limit

    assert run(one_at_a_time()) == AT_FIRST


def test_strain_halves_the_number_once_for_all_that_were_open_and_the_way_back_is_slow() -> None:
    throttle = Throttle(32)
    throttle.answered(0.205)
    run(requests(throttle, 400, 0.23))
    for _ in range(16):
        throttle.strained(None)
    assert throttle.limit == 16
    run(requests(throttle, 24, 0.23))
    assert throttle.limit == 16
    run(requests(throttle, 400, 0.23))
    assert 16 < throttle.limit <= 24


def test_one_place_always_remains() -> None:
    throttle = Throttle(1)
    throttle.strained(None)
    assert throttle.limit == 1


def test_nothing_is_sent_before_the_gateway_wants_to_be_asked_again() -> None:
    async def wait() -> float:
        throttle = Throttle(8)
        throttle.strained(0.1)
        begun = time.monotonic()
        async with throttle.slot():
            return time.monotonic() - begun

    assert run(wait()) >= 0.1


def test_who_gives_up_waiting_passes_the_turn_on() -> None:
    async def give_up() -> bool:
        throttle = Throttle(1)
        reached = asyncio.Event()

        async def wait() -> None:
            async with throttle.slot():
                reached.set()

        async with throttle.slot():
            impatient = asyncio.create_task(wait())
            patient = asyncio.create_task(wait())
            await asyncio.sleep(0)
        # The place is the first one's by now, who is not there any more.
        impatient.cancel()
        await asyncio.wait_for(patient, 1)
        return reached.is_set() and impatient.cancelled()

    assert run(give_up())


def test_a_rest_holds_all_requests_but_the_urgent_ones() -> None:
    async def after_a_rest(*, urgent: bool) -> float:
        throttle = Throttle(32)
        assert throttle.rest(0.2)
        assert not throttle.rest(60.0)
        begun = time.monotonic()
        async with throttle.slot(urgent=urgent):
            return time.monotonic() - begun

    assert run(after_a_rest(urgent=False)) >= 0.2
    assert run(after_a_rest(urgent=True)) < 0.2


def test_a_gateway_that_is_known_to_bear_less_is_asked_less_from_the_beginning() -> None:
    throttle = Throttle(32)
    throttle.bound(3, 2.0)
    assert throttle.limit == 3
    throttle.bound(50, 2.0)
    assert throttle.limit == 32
