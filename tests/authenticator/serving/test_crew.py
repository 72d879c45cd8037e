"""Who does the work, and when the crew goes home."""

import threading
from queue import SimpleQueue

import pytest

from authenticator.serving.crew import Crew
from dev.waiting import PATIENCE_SECONDS

SIZE = 4


class Job:
    """Work that tells who does it, and goes on until it is let."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()
        self.thread: threading.Thread | None = None

    def do(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.end.wait(PATIENCE_SECONDS)

    def doer(self) -> threading.Thread:
        assert self.begun.wait(PATIENCE_SECONDS)
        assert self.thread is not None
        return self.thread


@pytest.fixture
def crew() -> Crew[Job]:
    crew = Crew(SIZE, Job.do)
    crew.start()
    return crew


def test_all_work_at_once_and_the_rest_waits_its_turn(crew: Crew[Job]) -> None:
    jobs = [Job() for _ in range(SIZE + 2)]
    for job in jobs:
        crew.hand(job)
    first, second = jobs[SIZE:]
    assert crew.waiting == 2
    busy = {job.doer() for job in jobs[:SIZE]}
    assert len(busy) == SIZE
    assert not first.begun.is_set()
    jobs[0].end.set()
    assert first.doer() is jobs[0].doer()
    assert not second.begun.is_set()
    for job in jobs:
        job.end.set()
    assert second.doer() in busy
    assert crew.waiting == 0
    crew.stop()


def test_what_waits_is_done_before_the_crew_ends() -> None:
    done: SimpleQueue[int] = SimpleQueue()
    crew = Crew(SIZE, done.put)
    for number in range(3 * SIZE):
        crew.hand(number)
    crew.stop()
    crew.start()
    assert {done.get(timeout=PATIENCE_SECONDS) for _ in range(3 * SIZE)} == set(range(3 * SIZE))


def test_an_idle_crew_ends(crew: Crew[Job]) -> None:
    job = Job()
    crew.hand(job)
    thread = job.doer()
    job.end.set()
    crew.stop()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
