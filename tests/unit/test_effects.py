"""Interrupts and effects, in processes that interrupt themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

HEAD = """
import os, signal, sys, threading
from karrots import effects
from karrots.effects import deaf, effect
effects.listen()
def say(text):
    print(text, flush=True)
"""


def told(script: str) -> tuple[int, list[str], str]:
    """Exit status, lines said, and what was written to stderr."""
    words = [sys.executable, "-c", HEAD + textwrap.dedent(script)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=os.environ)
    return done.returncode, done.stdout.split("\n")[:-1], done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_waits_for_the_effect_in_flight(name: str) -> None:
    status, lines, _ = told(f"""
        try:
            with effect("outer"):
                with effect("write", "file"):
                    signal.raise_signal(signal.{name})
                    say("written")
                say("still in the outer one")
            say("after")
        except KeyboardInterrupt:
            say("interrupted")
    """)
    assert (status, lines) == (0, ["written", "still in the outer one", "interrupted"])


def test_a_question_is_cut_at_once() -> None:
    status, lines, _ = told("""
        try:
            with effect("run", "git ls-remote", whole=False):
                signal.raise_signal(signal.SIGINT)
                say("answered")
        except KeyboardInterrupt:
            say("interrupted")
    """)
    assert (status, lines) == (0, ["interrupted"])


def test_a_failing_effect_tells_of_its_failure_first() -> None:
    """The interrupt comes with the next effect."""
    status, lines, _ = told("""
        try:
            with effect("write"):
                signal.raise_signal(signal.SIGINT)
                raise OSError("full")
        except OSError as error:
            say(str(error))
        try:
            with effect("write"):
                say("cleaned up")
        except KeyboardInterrupt:
            say("interrupted")
    """)
    assert (status, lines) == (0, ["full", "cleaned up", "interrupted"])


def test_a_second_interrupt_ends_at_once() -> None:
    status, lines, err = told("""
        with effect("write"):
            signal.raise_signal(signal.SIGINT)
            say("pending")
            signal.raise_signal(signal.SIGTERM)
            say("never said")
    """)
    assert (status, lines) == (130, ["pending"])
    assert err.count("\n") == 1
    assert "ended at once" in err


def test_a_hang_up_beside_a_termination_is_no_second_wish() -> None:
    status, lines, _ = told("""
        with effect("write"):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)
            say("goes on")
            os._exit(0)
    """)
    assert (status, lines) == (0, ["goes on"])


def test_effects_of_other_threads_hold_nothing_up() -> None:
    status, lines, _ = told("""
        begun, ended = threading.Event(), threading.Event()
        def work():
            with effect("long"):
                begun.set()
                ended.wait()
        threading.Thread(target=work, daemon=True).start()
        begun.wait()
        try:
            signal.raise_signal(signal.SIGINT)
            say("never said")
        except KeyboardInterrupt:
            say("interrupted")
        ended.set()
    """)
    assert (status, lines) == (0, ["interrupted"])


def test_what_is_ignored_stays_ignored() -> None:
    """As nohup and jobs in the background have it."""
    script = (
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); effects.listen(); signal.raise_signal(signal.SIGHUP); say('on')"
    )
    head = HEAD.replace("effects.listen()", "")
    words = [sys.executable, "-c", head + script]
    assert subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout == "on\n"


def test_while_deaf_interrupts_are_another_programs() -> None:
    status, lines, _ = told("""
        with deaf() as silence:
            signal.raise_signal(signal.SIGTERM)
            silence.hand_to(lambda number: say(signal.Signals(number).name))
            say("begun")
            for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.raise_signal(number)
        say("goes on")
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            say("interrupted")
    """)
    assert (status, lines) == (0, ["SIGTERM", "begun", "SIGTERM", "SIGHUP", "goes on", "interrupted"])


def test_an_interrupt_is_a_signal_the_shell_knows() -> None:
    from karrots.effects import INTERRUPTED

    assert INTERRUPTED == 128 + signal.SIGINT
