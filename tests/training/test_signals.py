"""The first signal asks to stop, the second stops at once, and nothing is changed for good."""

from __future__ import annotations

import signal
import threading

import pytest

from homeground.training.signals import WATCHED, Signals


@pytest.mark.parametrize("number", WATCHED)
def test_the_first_signal_is_held_back_and_its_number_returned(number: int, request: pytest.FixtureRequest) -> None:
    earlier = signal.signal(number, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(number, earlier))
    with Signals() as stop:
        assert stop() is None
        signal.raise_signal(number)
        assert stop() == number
        assert stop() == number


def test_a_second_signal_does_what_it_did_before(request: pytest.FixtureRequest) -> None:
    # A process that a shell started in the background ignores Ctrl-C, and its children do.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, earlier))
    with Signals() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop() == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a terminal hangs up on Unix only")
def test_what_outlives_its_terminal_goes_on_when_that_is_closed(request: pytest.FixtureRequest) -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, earlier))
    with Signals() as stop:
        signal.raise_signal(signal.SIGHUP)
        assert stop() is None


def test_the_handlers_of_before_come_back(request: pytest.FixtureRequest) -> None:
    for number in WATCHED:
        earlier = signal.signal(number, signal.SIG_DFL)
        request.addfinalizer(lambda number=number, earlier=earlier: signal.signal(number, earlier))
    before = [signal.getsignal(number) for number in WATCHED]
    with Signals():
        assert [signal.getsignal(number) for number in WATCHED] != before
    assert [signal.getsignal(number) for number in WATCHED] == before


def test_outside_the_main_thread_signals_stay_the_callers_business() -> None:
    numbers: list[int | None] = []

    def work() -> None:
        with Signals() as stop:
            numbers.append(stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert numbers == [None]
