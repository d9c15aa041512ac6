from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mouthpiece.cluster.base import WorkerStatus
from mouthpiece.cluster.book import Book, Placement
from mouthpiece.errors import Draining, NoCapacity


def _book(count: int, rules: Placement | None = None) -> Book:
    book = Book(rules or Placement())
    for number in range(count):
        book.up(f"w{number}", Path(f"/run/w{number}"), 100 + number)
        book.report(f"w{number}", WorkerStatus(0.0))
    return book


def test_a_worker_gets_nothing_before_its_first_report() -> None:
    book = Book(Placement())
    book.up("w0", None, 1)
    assert book.restarting()
    with pytest.raises(NoCapacity):
        book.place("s", None, 0.0)
    book.report("w0", WorkerStatus(0.0))
    assert not book.restarting()
    assert book.place("s", None, 0.0).worker_id == "w0"


def test_a_place_runs_once_its_worker_has_told_so_and_until_it_tells_otherwise() -> None:
    book = _book(1)
    book.place("s", None, 0.0)
    assert not book.runs("s")
    book.report("w0", WorkerStatus(0.0, frozenset({"s"})))
    assert book.runs("s")
    book.report("w0", WorkerStatus(0.0))
    assert not book.runs("s")
    assert book.find("s") is None


def test_the_less_loaded_worker_is_chosen_and_small_differences_count_as_none() -> None:
    book = _book(2)
    book.report("w0", WorkerStatus(0.6))
    assert [book.place(f"s{n}", None, 0.0).worker_id for n in range(4)] == ["w1"] * 4
    later = 100.0  # the four are in the measured load by now
    book.report("w1", WorkerStatus(0.62))
    book.report("w0", WorkerStatus(0.68))
    assert book.place("by count", None, later).worker_id == "w0"


def test_a_fresh_place_weighs_less_and_less_until_it_is_measured() -> None:
    book = _book(1, Placement(session_load=0.4, settle_s=4.0))
    book.report("w0", WorkerStatus(0.7))
    book.place("s1", None, 0.0)
    with pytest.raises(NoCapacity):
        book.place("s2", None, 0.5)  # 0.7 + 0.35
    book.place("s2", None, 1.5)  # 0.7 + 0.25


def test_a_takeover_on_a_draining_worker_goes_elsewhere_and_leaves_the_older_to_end() -> None:
    book = _book(2)
    first = book.place("s1", "t", 0.0)
    book.drain(first.worker_id)
    second = book.place("s2", "t", 0.0)
    assert second.worker_id != first.worker_id
    assert book.find("s1") == first
    assert book.left(first.worker_id) == 1
    book.release("s1")
    assert book.place("s3", "t", 0.0).worker_id == second.worker_id


def test_a_place_that_waits_for_its_token_takes_no_slot_before_it_is_known() -> None:
    book = _book(2, Placement(max_sessions=1))
    first = book.place("s1", None, 0.0, waiting=True)
    second = book.place("s2", None, 0.0, waiting=True)
    assert first.worker_id != second.worker_id
    assert book.bind("s1", "t") is None
    with pytest.raises(NoCapacity):
        book.bind("s2", "another")
    assert book.bind("s2", "t") == "s1", "the slot that its own token has"
    book.release("s1")
    with pytest.raises(NoCapacity):
        book.place("s3", None, 0.0)


def test_a_place_whose_token_is_known_waits_for_nothing() -> None:
    book = _book(2, Placement(max_sessions=1))
    book.place("s1", "t", 0.0)
    with pytest.raises(NoCapacity):
        book.place("s2", "another", 0.0, waiting=True)
    assert book.find("s2") is None, "who was refused has no place"


def test_a_successor_is_not_draining() -> None:
    book = _book(1)
    book.drain("w0")
    book.lose("w0")
    book.up("w0", None, 7)
    book.report("w0", WorkerStatus(0.0))
    assert book.infos(0.0)[0].ready
    book.drain(None)
    with pytest.raises(Draining):
        book.place("s", None, 0.0)


@given(st.lists(st.floats(0, 0.95), min_size=1, max_size=5), st.integers(1, 40))
def test_a_burst_stays_below_the_limit_and_levels_out(loads: list[float], burst: int) -> None:
    book = _book(len(loads))
    for number, load in enumerate(loads):
        book.report(f"w{number}", WorkerStatus(load))
    expected = dict(enumerate(loads))
    for number in range(burst):
        try:
            chosen = int(book.place(f"s{number}", None, 0.0).worker_id[1:])
        except NoCapacity:
            assert min(expected.values()) >= 1.0 - 1e-9
            return
        assert expected[chosen] < min(expected.values()) + 0.1 + 1e-9
        expected[chosen] += 0.1


class Books(RuleBasedStateMachine):
    """Whatever happens in whatever order, nobody is counted twice or forgotten."""

    ids = st.sampled_from([f"s{n}" for n in range(6)])
    tokens = st.none() | st.sampled_from(["t1", "t2", "t3"])
    workers = st.sampled_from(["w0", "w1"])

    def __init__(self) -> None:
        super().__init__()
        self.book = _book(2, Placement(max_sessions=4))
        self.placed: dict[str, str] = {}
        self.waiting: set[str] = set()
        self.draining = False

    @rule(session=ids, token=tokens, waiting=st.booleans())
    def place(self, session: str, token: str | None, waiting: bool) -> None:
        new = session not in self.placed
        try:
            lease = self.book.place(session, token, 0.0, waiting=waiting)
        except NoCapacity:
            assert self._counted() >= 4 or not any(info.ready for info in self.book.infos(0.0))
            return
        except Draining:
            assert self.draining
            return
        assert self.placed.get(session, lease.worker_id) == lease.worker_id
        if new and waiting and token is None:
            self.waiting.add(session)
        self._sync()

    @rule(session=ids, token=st.sampled_from(["t1", "t2", "t3"]))
    def bind(self, session: str, token: str) -> None:
        try:
            older = self.book.bind(session, token)
        except NoCapacity:
            assert session in self.waiting
            assert self._counted() >= 4
            return
        assert older is None or older in self.placed
        self.waiting.discard(session)
        self._sync()

    def _counted(self) -> int:
        return len(self.placed.keys() - self.waiting)

    @rule(session=ids)
    def release(self, session: str) -> None:
        self.book.release(session)
        assert self.book.find(session) is None
        self._sync()

    @rule(worker=workers)
    def lose(self, worker: str) -> None:
        lost = self.book.lose(worker)
        assert set(lost) == {session for session, at in self.placed.items() if at == worker}
        self._sync()

    @rule(worker=workers, load=st.floats(0, 1.2), running=st.sets(ids), accepting=st.booleans())
    def report(self, worker: str, load: float, running: set[str], accepting: bool) -> None:
        self.book.report(worker, WorkerStatus(load, frozenset(running), accepting))
        self._sync()

    @precondition(lambda self: not self.draining)
    @rule()
    def drain(self) -> None:
        self.book.drain(None)
        self.draining = True

    def _sync(self) -> None:
        found = {f"s{n}": self.book.find(f"s{n}") for n in range(6)}
        self.placed = {session: lease.worker_id for session, lease in found.items() if lease}
        self.waiting &= self.placed.keys()

    @invariant()
    def counts_agree(self) -> None:
        infos = {info.worker_id: info.sessions for info in self.book.infos(0.0)}
        assert sum(infos.values()) == len(self.placed)
        assert self._counted() <= 4 + 3  # more: their tokens, of which there are three, are used on another worker now
        for worker, count in infos.items():
            assert count == sum(at == worker for at in self.placed.values())
            assert self.book.left(worker) >= count


TestBooks = Books.TestCase
