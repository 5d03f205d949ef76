"""The polite client over real HTTP, against a server that does wrong on demand."""

import hashlib
import json
import multiprocessing
import time

import pytest
import stamina
from tests.fakesky import FakeSky

from lostlight.core.errors import BadImage, ConfigError, RemoteDown, RemoteRefused, RemoteTruncated
from lostlight.io import dss, http
from lostlight.science.plate.validate import Asked, accept
from lostlight.sim.faults import Fault, Faults
from lostlight.sim.server import serve

FAST = http.Policy(retries=2, min_interval_s=0, timeout_s=5)
FIELD = Asked(150.0, 20.0, 6.0, 5.0)


def check(content):
    return accept(content, "poss1_red", FIELD)


def fetch(server, policy=FAST, archive="stsci"):
    return dss.cutout(archive, *FIELD, url=server.base_url, policy=policy, check=check)


def asked(server):
    return len(server.requests)


def test_cutout_comes_with_the_pixels_of_the_sky(own_cache):
    sky = FakeSky()
    with serve(sky) as server:
        data, header = check(fetch(server).content)
    assert (data == sky.cutout(*FIELD)[0]).all()
    assert data.shape == (176, 212)
    assert header["REGION"] == "XE309"


@pytest.mark.parametrize("archive", ["stsci", "eso"])
def test_gzip_bodies_are_unpacked(own_cache, archive):
    with serve(FakeSky(), faults=Faults((Fault("gzip"),))) as server:
        assert fetch(server, archive=archive).content.startswith(b"SIMPLE")


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("html200", BadImage, "NON_FITS"),
        ("empty", BadImage, "EMPTY"),
        ("all_blank", BadImage, "EMPTY"),
        ("truncated", BadImage, "TRUNCATED"),
        ("small", BadImage, "TRUNCATED"),
        ("busy429", RemoteDown, None),
        ("busy503", RemoteDown, None),
        ("broken_off", RemoteTruncated, None),
    ],
)
def test_lasting_trouble_is_an_error_after_every_retry(own_cache, kind, error, reason):
    with serve(FakeSky(), faults=Faults((Fault(kind),))) as server:
        with pytest.raises(error) as caught:
            fetch(server)
        assert asked(server) == FAST.retries + 1
    assert caught.value.facts.get("reason") == reason
    assert caught.value.hint
    assert not list(own_cache.glob("queries/*/*")), "a bad answer must not be remembered"


@pytest.mark.parametrize("kind", ["html200", "empty", "truncated", "busy503", "busy429", "broken_off"])
def test_passing_trouble_is_survived(own_cache, kind):
    with serve(FakeSky(), faults=Faults((Fault(kind, last=1),))) as server:
        check(fetch(server).content)
        assert asked(server) == 3


def test_refusals_are_not_asked_again(own_cache):
    with serve(FakeSky(), faults=Faults((Fault("refused404"),))) as server:
        with pytest.raises(RemoteRefused):
            fetch(server)
        assert asked(server) == 1


def test_pauses_grow_and_retry_after_is_honoured():
    stamina.set_testing(False)
    try:
        with serve(FakeSky(), faults=Faults((Fault("busy429", last=0, value=1),))) as server:
            started = time.monotonic()
            http.fetch(server.base_url, "/cgi-bin/dss_search", FAST, params={"r": 150, "d": 20, "w": 1, "h": 1})
            assert 1.0 <= time.monotonic() - started < 10
            policy = http.Policy(retries=3, backoff=3, pause_s=0.05, min_interval_s=0)
            server.faults = Faults((Fault("broken_off"),))
            started = time.monotonic()
            with pytest.raises(RemoteTruncated):
                http.fetch(server.base_url, "/cgi-bin/dss_search", policy, params={"r": 150, "d": 20, "w": 1, "h": 1})
            assert time.monotonic() - started >= 0.05 + 0.15 + 0.45
    finally:
        stamina.set_testing(True, attempts=6, cap=True)


def test_a_dripping_service_is_given_up(own_cache):
    policy = http.Policy(retries=0, min_interval_s=0, timeout_s=0.5)
    with serve(FakeSky(), faults=Faults((Fault("drip"),))) as server:
        started = time.monotonic()
        with pytest.raises(RemoteDown, match="too slowly"):
            fetch(server, policy)
        assert time.monotonic() - started < 5


def test_nobody_there(own_cache):
    with serve(FakeSky()) as server:
        address = server.base_url
    with pytest.raises(RemoteDown, match="refused"):
        http.ask(address, "/", FAST)


def test_the_cache_answers_the_second_time_and_offline(own_cache):
    with serve(FakeSky()) as server:
        first = fetch(server)
        assert fetch(server).content == first.content
        assert asked(server) == 1
    assert fetch(server, http.Policy(offline=True)).content == first.content


def test_offline_without_an_answer_fails(own_cache):
    with serve(FakeSky()) as server:
        with pytest.raises(RemoteRefused, match="offline"):
            fetch(server, http.Policy(offline=True))
        assert asked(server) == 0


def test_every_parameter_is_part_of_the_question(own_cache):
    with serve(FakeSky()) as server:
        fetch(server)
        dss.cutout("stsci", 150.0, 20.0, 6.0, 6.0, url=server.base_url, policy=FAST, check=accept)
        fetch(server, archive="eso")
        assert asked(server) == 3


def test_a_changed_answer_is_noticed(own_cache):
    with serve(FakeSky(), faults=Faults((Fault("changed", first=2),))) as server:
        assert not fetch(server).is_changed
        refresh = http.Policy(min_interval_s=0, refresh=True)
        assert not fetch(server, refresh).is_changed
        assert fetch(server, refresh).is_changed
        assert asked(server) == 3


def test_a_damaged_cache_entry_is_fetched_again(own_cache):
    with serve(FakeSky()) as server:
        content = fetch(server).content
        (body,) = own_cache.glob("objects/*/*")
        body.write_bytes(content[:-1] + b"x")
        again = fetch(server)
        assert asked(server) == 2
    assert again.content == content
    assert not again.is_changed
    assert hashlib.sha256(body.read_bytes()).hexdigest() == body.name


def test_simulated_skies_are_found_by_seed_and_cached_by_name(own_cache, monkeypatch):
    contents = []
    for _ in range(2):  # another port each time
        with serve(FakeSky()) as server:
            monkeypatch.setenv("LOSTLIGHT_SKY", json.dumps({"7": server.base_url}))
            found = dss.cutout("stsci", *FIELD, url="sky:7", policy=FAST, check=check)
            contents.append((found.content, asked(server)))
    assert contents[0][0] == contents[1][0]
    assert [n for _, n in contents] == [1, 0]
    with pytest.raises(ConfigError, match="sky:8"):
        http.resolve("sky:8")


def _ask(address, seen):
    http.fetch(address, "/cgi-bin/dss_search", http.Policy(min_interval_s=0.2, max_connections=2),
               params={"r": 150, "d": 20, "w": 1, "h": 1})  # fmt: skip
    seen.put(time.monotonic())


def test_the_interval_holds_across_processes(own_cache):
    context = multiprocessing.get_context("fork")
    seen = context.Queue()
    with serve(FakeSky()) as server:
        workers = [context.Process(target=_ask, args=(server.base_url, seen)) for _ in range(4)]
        started_s = time.monotonic()
        for worker in workers:
            worker.start()
        last_s = max(seen.get(timeout=20) for _ in workers)
        for worker in workers:
            worker.join()
    assert last_s - started_s >= 0.6, "four requests, 0.2 s apart each"


def test_same_question_in_two_processes_is_asked_once(own_cache):
    context = multiprocessing.get_context("fork")
    with serve(FakeSky()) as server:
        workers = [context.Process(target=fetch, args=(server,)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        assert asked(server) == 1
