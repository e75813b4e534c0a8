"""The SPF throttles: RFC 8405 against its transition table, FRR's against what ospfd says it does.

Numbers of the RFC are its defaults: INITIAL 50 ms, SHORT 200 ms, LONG 5 s, TIME_TO_LEARN 500 ms,
HOLDDOWN 10 s. The SPF itself takes no time here unless a test says so.
"""

from __future__ import annotations

import pytest

from mcastplan.converge.throttle import Rfc8405, spf_runs
from mcastplan.model.timers import Timers

RFC = Timers.of("tuned", spf_run_s=0.0)
FRR = Timers.of("frr-defaults", spf_run_s=0.0)  # timers throttle spf 0 50 5000


def test_the_defaults_are_those_of_the_rfc() -> None:
    """RFC 8405 section 6 and FRR's documentation (`timers throttle spf`, default 0 50 5000)."""
    assert (RFC.spf_initial_s, RFC.spf_short_s, RFC.spf_long_s) == (0.050, 0.200, 5.0)
    assert (RFC.spf_learn_s, RFC.spf_holddown_s) == (0.5, 10.0)
    assert (FRR.spf_delay_s, FRR.spf_hold_s, FRR.spf_max_hold_s) == (0.0, 0.050, 5.0)
    lab = Timers.of("lab")
    assert (lab.spf_delay_s, lab.spf_hold_s, lab.spf_max_hold_s) == (0.050, 0.200, 5.0)


def test_nothing_happens_without_an_event() -> None:
    assert spf_runs([], RFC) == spf_runs([], FRR) == []


# RFC 8405 section 5.1: (transition, state before, what happens, state after, SPF delay it starts).
# In each row the machine is brought into its state by events only.


def state(machine: Rfc8405) -> str:
    return machine.state


def test_transition_1_event_in_quiet() -> None:
    machine = Rfc8405(RFC)
    assert state(machine) == "QUIET"
    machine.event(100.0)
    assert state(machine) == "SHORT_WAIT"
    assert machine.runs() == [100.05]


def test_transition_2_event_in_short_wait() -> None:
    """SHORT_SPF_DELAY if no SPF waits; HOLDDOWN_TIMER starts afresh; the state stays."""
    machine = Rfc8405(RFC)
    machine.event(0.0)
    machine.event(0.1)  # the SPF of 50 ms is over
    assert state(machine) == "SHORT_WAIT"
    machine.expire(0.2)
    assert state(machine) == "SHORT_WAIT"
    assert machine.runs() == pytest.approx([0.05, 0.3])


def test_transition_2_an_event_does_not_restart_a_waiting_spf() -> None:
    assert spf_runs([0.0, 0.02, 0.049], RFC) == [0.05]
    # 0.1 starts 200 ms; 0.29 finds them running.
    assert spf_runs([0.0, 0.1, 0.29], RFC) == pytest.approx([0.05, 0.3])


def test_transition_3_learn_timer_expires() -> None:
    """LEARN_TIMER runs from the first event and is not restarted by the second."""
    machine = Rfc8405(RFC)
    machine.event(0.0)
    machine.event(0.4)
    machine.expire(0.499)
    assert state(machine) == "SHORT_WAIT"
    machine.expire(0.5)
    assert state(machine) == "LONG_WAIT"


def test_transition_4_event_in_long_wait() -> None:
    machine = Rfc8405(RFC)
    machine.event(0.0)
    machine.event(1.0)
    assert state(machine) == "LONG_WAIT"
    assert machine.runs() == pytest.approx([0.05, 6.0])  # LONG_SPF_DELAY
    # Its HOLDDOWN_TIMER started afresh: 10 s from 1.0, not from 0.
    machine.expire(10.999)
    assert state(machine) == "LONG_WAIT"
    machine.expire(11.0)
    assert state(machine) == "QUIET"


def test_transition_5_holddown_expires_in_long_wait() -> None:
    machine = Rfc8405(RFC)
    machine.event(0.0)
    machine.expire(9.999)
    assert state(machine) == "LONG_WAIT"
    machine.expire(10.0)
    assert state(machine) == "QUIET"
    # And QUIET means INITIAL_SPF_DELAY again.
    assert spf_runs([0.0, 10.0], RFC) == [0.05, 10.05]
    assert spf_runs([0.0, 9.9], RFC) == pytest.approx([0.05, 14.9])


def test_transition_6_holddown_expires_in_short_wait() -> None:
    """Only where HOLDDOWN is shorter than TIME_TO_LEARN; LEARN_TIMER stops with it."""
    odd = Timers.of("tuned", spf_run_s=0.0, spf_holddown_s=0.3, spf_learn_s=0.5)
    machine = Rfc8405(odd)
    machine.event(0.0)
    machine.expire(0.3)
    assert state(machine) == "QUIET"
    machine.event(0.4)  # transition 1: LEARN_TIMER until 0.9, the old one would be over at 0.5
    machine.expire(0.6)
    assert state(machine) == "SHORT_WAIT"
    assert machine.runs() == pytest.approx([0.05, 0.45])


def test_rfc_8405_a_busy_minute() -> None:
    """An event each second: 50 ms once, then LONG_WAIT for good: an SPF 5 s after the first event
    that finds none waiting (1, 7, 13, ...; the one at 6 finds the SPF of that very instant)."""
    runs = spf_runs([float(at) for at in range(20)], RFC)
    assert runs == pytest.approx([0.05, 6.0, 12.0, 18.0, 24.0])


def test_rfc_8405_spfs_do_not_overlap() -> None:
    """An SPF of 1 s: the second timer expires at 0.3, the router is busy until 1.05."""
    slow = Timers.of("tuned", spf_run_s=1.0)
    assert spf_runs([0.0, 0.1], slow) == pytest.approx([0.05, 1.05])


def test_frr_first_event_waits_for_delay_only() -> None:
    assert spf_runs([7.0], FRR) == [7.0]
    assert spf_runs([7.0], Timers.of("lab", spf_run_s=0.0)) == [7.05]


def test_frr_an_event_in_the_hold_time_waits_for_its_end() -> None:
    """SPF at 0, hold 50 ms: an event at 10 ms leads to an SPF at 50 ms, and so do others before."""
    assert spf_runs([0.0, 0.01], FRR) == pytest.approx([0.0, 0.05])
    assert spf_runs([0.0, 0.01, 0.02, 0.04], FRR) == pytest.approx([0.0, 0.05])


def test_frr_the_hold_time_grows_by_the_initial_hold() -> None:
    """FRR: events within the hold time "cause the holdtime to be increased by initial-holdtime".

    Holds of 50, 100, 150 ms: SPFs at 0, 50, then 50 + 100 = 150, then 150 + 150 = 300 ms (doubling
    would give 350).
    """
    events = [0.0, 0.01, 0.06, 0.16]
    assert spf_runs(events, FRR) == pytest.approx([0.0, 0.05, 0.15, 0.30])


def test_frr_the_hold_time_is_bounded() -> None:
    """Holds of 50, 100, 120, 120 ms with a maximum of 120 ms."""
    timers = Timers.of("frr-defaults", spf_run_s=0.0, spf_max_hold_s=0.12)
    events = [0.0, 0.01, 0.06, 0.16, 0.28]
    assert spf_runs(events, timers) == pytest.approx([0.0, 0.05, 0.15, 0.27, 0.39])


def test_frr_the_hold_time_is_reset_after_a_quiet_one() -> None:
    """At 50 ms the hold is 100 ms; an event at 160 ms is past it: an SPF at once, hold 50 ms again,
    so that an event at 170 ms waits until 210."""
    assert spf_runs([0.0, 0.01, 0.16, 0.17], FRR) == pytest.approx([0.0, 0.05, 0.16, 0.21])


def test_frr_delay_is_a_minimum() -> None:
    """lab: 50 200 5000. SPF at 50 ms; an event at 240 ms: the hold ends in 10 ms, the delay is 50:
    at 290 ms."""
    timers = Timers.of("lab", spf_run_s=0.0)
    assert spf_runs([0.0, 0.24], timers) == pytest.approx([0.05, 0.29])
    assert spf_runs([0.0, 0.1], timers) == pytest.approx([0.05, 0.25])


def test_frr_hold_counts_from_the_end_of_the_spf() -> None:
    """ospfd notes the time when its SPF is done, and reads its sockets after that. SPF of 20 ms at
    0: done at 20; an event at 10 ms is read at 20 and waits for 50 ms: 70 ms."""
    timers = Timers.of("frr-defaults", spf_run_s=0.020)
    assert spf_runs([0.0, 0.01], timers) == pytest.approx([0.0, 0.07])
    assert spf_runs([0.0, 0.03], timers) == pytest.approx([0.0, 0.07])


@pytest.mark.parametrize("timers", [RFC, FRR])
def test_an_spf_sees_the_event_of_its_instant(timers: Timers) -> None:
    """One that arrives at the instant of the SPF needs no other."""
    first = spf_runs([1.0], timers)
    assert spf_runs([1.0, first[0]], timers) == first
