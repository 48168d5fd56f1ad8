"""Policies: every keyword and format says the same, and equal ones are one."""

from __future__ import annotations

import datetime
import json
import pickle
from pathlib import Path
from typing import Any, Dict

import pytest

import stockade
from stockade import Policy
from stockade.policy import policy_of

#: Every keyword with a value of its own, and where a policy file has it and how.
EVERY = {
    "memory": ("64MiB", "limits", 67108864),
    "cpu_time": (1.5, "limits", "1.5s"),
    "wall_time": ("2m", "limits", "2m"),
    "cpus": (0.5, "limits", 0.5),
    "processes": (7, "limits", 7),
    "open_files": (99, "limits", 99),
    "file_size": ("1MiB", "limits", 1048576),
    "disk": (2 << 20, "limits", 2097152),
    "output": ("unlimited", "limits", "unlimited"),
    "fuel": (1000, "limits", 1000),
    "output_overflow": ("truncate", "limits", "truncate"),
    "base": ("empty", "filesystem", "empty"),
    "mounts": ([{"tmpfs": "/x", "size": "1MiB"}], "filesystem", None),
    "network": ("loopback", "network", None),
    "cwd": (Path("/usr"), "process", "/usr"),
    "hostname": ("box", "process", "box"),
    "env": ({"A": "1"}, "process", None),
    "syscalls": ("strict", "syscalls", None),
    "best_effort": (["memory", "cpus"], None, ["memory", "cpus"]),
    "warm": (3, None, 3),
}


def test_every_keyword_is_known_here() -> None:
    from stockade.policy import KEYWORDS

    assert set(EVERY) | {"rootfs", "writable"} == set(KEYWORDS)


@pytest.mark.parametrize("keyword", EVERY)
def test_a_keyword_changes_the_policy_and_shows(keyword: str) -> None:
    value, part, written = EVERY[keyword]
    policy = Policy(**{keyword: value})
    assert policy != Policy()
    # How many wait says nothing of what a run may do.
    assert (policy.policy_hash != Policy().policy_hash) == (keyword != "warm")
    assert policy == Policy().replace(**{keyword: value})
    assert f"{keyword}=" in repr(policy)
    data = policy.to_dict()
    if written is not None:
        found = data[part][keyword] if part else data[keyword]
        assert Policy(**{keyword: found}) == policy
        assert Policy(**{keyword: written}) == policy


def test_every_keyword_at_once_survives_every_format(tmp_path: Path) -> None:
    policy = Policy(**{keyword: value for keyword, (value, _, _) in EVERY.items()})
    copies = [
        Policy(policy.to_dict()),
        Policy.from_json(policy.to_json()),
        Policy.from_toml(policy.to_toml()),
        pickle.loads(pickle.dumps(policy)),
        policy.replace(),
        eval(repr(policy), {"Policy": Policy}),
    ]
    for name, text in (("p.json", policy.to_json()), ("p.toml", policy.to_toml())):
        (tmp_path / name).write_text(text)
        copies.append(Policy.from_file(tmp_path / name))
        copies.append(Policy.from_file(str(tmp_path / name)))
    for copy in copies:
        assert copy == policy
        assert hash(copy) == hash(policy)
        assert copy.policy_hash == policy.policy_hash
    assert len({policy, *copies}) == 1


def test_the_default_policy_is_closed() -> None:
    data = Policy().to_dict()
    assert data["network"] == {"mode": "none"}
    assert data["filesystem"] == {"base": "system", "mounts": []}
    assert set(data["process"]["env"]) == {"HOME", "LANG", "PATH"}
    assert data["best_effort"] == []
    for limit in "memory cpu_time wall_time processes open_files file_size disk output".split():
        assert data["limits"][limit] not in (None, "unlimited"), limit


def test_sizes_and_times_may_be_written_in_many_ways() -> None:
    for size in ("64MiB", "65536KiB", 67108864, "67108864", "0.0625GiB"):
        assert Policy(memory=size) == Policy(memory="64MiB")
    for time in (1.5, "1.5s", "1500ms", "1s 500ms", datetime.timedelta(seconds=1.5)):
        assert Policy(cpu_time=time) == Policy(cpu_time="1.5s")
    for one in (60, 60.0, "1m", "60s", datetime.timedelta(minutes=1)):
        assert Policy(wall_time=one) == Policy(wall_time="1m")


def test_unlimited_lifts_a_limit() -> None:
    for keyword in "memory cpu_time wall_time processes open_files file_size disk output".split():
        assert f"{keyword}='unlimited'" in repr(Policy(**{keyword: "unlimited"}))


def test_none_is_as_good_as_nothing() -> None:
    assert Policy(**{keyword: None for keyword in EVERY}) == Policy()
    assert Policy().replace(memory=None) == Policy()


def test_variables_are_added_to_those_that_are_there() -> None:
    policy = Policy(env={"A": "1"}).replace(env={"B": "2", "LANG": "C"})
    env = policy.to_dict()["process"]["env"]
    assert env == {**Policy().to_dict()["process"]["env"], "A": "1", "B": "2", "LANG": "C"}
    only = Policy({"process": {"env": {"A": "1"}}})
    assert only.to_dict()["process"]["env"] == {"A": "1"}


def test_keywords_are_put_on_top_of_a_mapping() -> None:
    start = {"limits": {"memory": "1GiB", "processes": 3}}
    policy = Policy(start, memory="64MiB")
    assert policy == Policy(memory="64MiB", processes=3)
    # What was given is as it was.
    assert start == {"limits": {"memory": "1GiB", "processes": 3}}
    with pytest.raises(stockade.InvalidPolicy, match="nothing"):
        Policy({"nothing": 1})
    with pytest.raises(stockade.InvalidPolicy):
        Policy({"limits": 7}, memory="1MiB")


def test_a_root_is_written_in_two_ways() -> None:
    policy = Policy(rootfs="/srv/root")
    assert policy == Policy(base={"rootfs": Path("/srv/root")})
    assert policy.to_dict()["filesystem"]["base"] == {"rootfs": "/srv/root"}
    with pytest.raises(stockade.InvalidPolicy, match="rootfs"):
        Policy(rootfs="/srv/root", base="system")


def test_a_root_is_written_to_where_that_is_said() -> None:
    written = {"rootfs": "/srv/root", "writable": True}
    policy = Policy(rootfs="/srv/root", writable=True)
    assert policy == Policy(base=written)
    assert policy.to_dict()["filesystem"]["base"] == written
    assert policy.policy_hash != Policy(rootfs="/srv/root").policy_hash
    assert Policy(rootfs="/srv/root", writable=False) == Policy(rootfs="/srv/root")
    for keywords in ({"writable": True}, {"writable": True, "base": "system"}):
        with pytest.raises(stockade.InvalidPolicy, match="writable"):
            Policy(**keywords)
    with pytest.raises(stockade.InvalidPolicy, match="writable"):
        Policy(rootfs="/srv/root", writable="yes")


def test_names_of_files_and_contents_need_not_be_utf_8() -> None:
    name = b"/srv/\xff"
    policy = Policy(mounts=[{"file": "/etc/x", "contents": b"\xff\0"}])
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert Policy.from_toml(policy.to_toml()) == policy
    for source in (name, name.decode("utf-8", "surrogateescape")):
        policy = Policy(mounts=[{"bind": source, "target": "/x"}])
        assert Policy.from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    "text", ["", "{", "null", "7", '{"limits": {"memory": "x"}}', "{}{}", '{"limits":' * 5000, "\0"]
)
def test_json_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(stockade.InvalidPolicy):
        Policy.from_json(text)


@pytest.mark.parametrize("text", ["{", "memory = 1", "[limits]\nmemory = 'x'", "a" * 100_000, "\0"])
def test_toml_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(stockade.InvalidPolicy):
        Policy.from_toml(text)
    assert Policy.from_toml("") == Policy()


def test_data_that_is_no_policy_is_refused() -> None:
    deep: Dict[str, Any] = {}
    deep["limits"] = deep
    for wrong in (deep, {"limits": object()}, {"limits": {"memory": float("nan")}}):
        with pytest.raises(stockade.InvalidPolicy):
            Policy(wrong)
    for wrong in (7, "text"):
        with pytest.raises((TypeError, ValueError)):
            Policy(wrong)


def test_a_policy_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Policy.from_file(tmp_path / "none.toml")


def test_a_policy_is_equal_to_policies_alone() -> None:
    assert Policy() != Policy().to_dict()
    assert Policy() != None  # noqa: E711
    assert Policy().__eq__(7) is False


def test_a_policy_cannot_be_changed() -> None:
    policy = Policy()
    with pytest.raises(AttributeError):
        policy.memory = 1  # type: ignore[attr-defined]
    data = policy.to_dict()
    data["limits"]["memory"] = 1
    assert policy == Policy()


def test_values_that_are_equal_in_python_are_not_confused(run: Any) -> None:
    # In this order the cache of policies holds what is right when it is asked for what is wrong.
    for keyword in ("warm", "processes"):
        assert policy_of(None, {keyword: 1}) == Policy(**{keyword: 1})
        for wrong in (True, 1.0):
            with pytest.raises(stockade.InvalidPolicy):
                policy_of(None, {keyword: wrong})
    assert policy_of(None, {"wall_time": 1}) == policy_of(None, {"wall_time": 1.0})
    with pytest.raises(stockade.InvalidPolicy):
        policy_of(None, {"wall_time": True})
    with pytest.raises(stockade.InvalidPolicy):
        run(["true"], processes=True)


def test_the_order_of_keywords_does_not_matter() -> None:
    assert Policy(memory="1GiB", processes=5) == Policy(processes=5, memory="1GiB")
    one = Policy(env={"A": "1", "B": "2"})
    assert one == Policy(env={"B": "2", "A": "1"})
    assert one.policy_hash == Policy(env={"B": "2", "A": "1"}).policy_hash


def test_the_representation_shows_the_limits_that_matter() -> None:
    shown = repr(Policy(memory="64MiB"))
    for part in ("memory=", "cpu_time=", "wall_time=", "processes=", "network='none'"):
        assert part in shown
    assert "warm" not in shown


def test_the_signatures_show_every_keyword() -> None:
    import inspect

    for function in (stockade.run, stockade.arun):
        parameters = inspect.signature(function).parameters
        wanted = {"rootfs", "writable", "timeout", "policy", "backend"}
        assert set(EVERY) | wanted <= set(parameters)
        assert function.__doc__


def test_the_json_of_a_policy_is_json() -> None:
    assert json.loads(Policy().to_json()) == Policy().to_dict()
