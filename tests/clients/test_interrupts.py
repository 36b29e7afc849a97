import os
import signal

import pytest

from aamic.clients.interrupts import Interrupts


def test_the_first_signal_is_answered_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with Interrupts("stopping") as interrupts:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

    assert (interrupts.received, capfd.readouterr().err) == (signal.SIGINT, "stopping\n")


def test_without_a_signal_nothing_happens() -> None:
    with Interrupts() as interrupts:
        interrupts.check()

    assert interrupts.received is None


def test_ctrl_c_is_an_interrupt_and_a_second_one_changes_nothing() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_end_with_their_exit_code(number: int, code: int) -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), number)
        with pytest.raises(SystemExit) as caught:
            interrupts.check()

    assert caught.value.code == code


def test_handlers_are_as_before_after_the_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before

    assert signal.getsignal(signal.SIGINT) == before
