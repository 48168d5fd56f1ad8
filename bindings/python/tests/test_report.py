"""Reports: the fields that all languages share, and nothing hostile in what is shown."""

from __future__ import annotations

import html.parser
import json
import pickle
from typing import Any, Dict, List

import pytest
from modules import binary

import stockade

#: Every field of a report, by its place.
FIELDS = {
    "": "backend backend_reason verdict usage output enforcement timings policy_hash version",
    "usage": "wall_ns cpu_user_ns cpu_system_ns peak_memory peak_processes stdout_bytes stderr_bytes fuel",
    "output": "stdout_truncated stderr_truncated",
}


@pytest.fixture(params=["namespace", "wasm"])
def report(request: Any, run: Any) -> stockade.Report:
    if request.param == "namespace":
        return run(["sh", "-c", "echo x"]).report
    module = stockade.Module(
        binary('(module (memory (export "memory") 1) (func (export "_start")))')
    )
    return module.run().report


def test_its_data_is_that_of_every_language(report: stockade.Report) -> None:
    data = report.to_dict()
    for place, names in FIELDS.items():
        assert set(data[place] if place else data) == set(names.split())
    assert data["verdict"] == {"kind": "exited", "code": 0}
    assert {"prepare_ns", "start_ns", "teardown_ns"} <= set(data["timings"])
    for entry in data["enforcement"]:
        assert set(entry) == {"control", "status", "mechanism", "reason"}
        assert entry["status"] in ("enforced", "approximated", "not_enforced")
    assert len(data["policy_hash"]) == 64
    assert data["version"] == stockade.__version__
    assert json.loads(report.to_json()) == data


def test_its_attributes_are_its_data(report: stockade.Report) -> None:
    data = report.to_dict()
    assert report.backend == data["backend"]
    assert report.backend_reason == data["backend_reason"]
    assert report.verdict == stockade.Verdict(**data["verdict"])
    assert report.usage == stockade.Usage(**data["usage"])
    assert report.usage.cpu_ns == data["usage"]["cpu_user_ns"] + data["usage"]["cpu_system_ns"]
    assert report.enforcement == tuple(stockade.Enforcement(**one) for one in data["enforcement"])
    assert (report.timings, report.output) == (data["timings"], data["output"])
    assert report.policy_hash == data["policy_hash"]
    data["usage"]["wall_ns"] = "changed"
    assert report.to_dict() != data


def test_it_is_equal_to_its_copies_alone(report: stockade.Report, run: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(report, protocol))
        assert copy == report
        assert hash(copy) == hash(report)
        assert (copy.returncode, copy.verdict) == (report.returncode, report.verdict)
        assert copy.to_dict() == report.to_dict()
        assert pickle.loads(pickle.dumps(copy, protocol)) == report
    assert report != run(["true"]).report
    assert report != report.to_dict()


def test_it_cannot_be_changed_by_accident(report: stockade.Report) -> None:
    with pytest.raises(AttributeError):
        report.verdict = None  # type: ignore[misc, assignment]
    with pytest.raises(AttributeError):
        report.usage.wall_ns = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        report.verdict.code = 1  # type: ignore[misc]


def test_its_representation_says_why_and_how_much(report: stockade.Report) -> None:
    assert repr(report).startswith("<Report exited with status 0; ")
    assert report.backend in repr(report)


class Tags(html.parser.HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: List[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert attrs == []
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


OWN = {"table", "tr", "th", "td", "details", "summary", "p", "pre"}
HOSTILE = '<script>alert(1)</script>&lt;<img src=x onerror="x"></pre></td>\''


def test_it_is_shown_in_notebooks(report: stockade.Report) -> None:
    page = Tags(report._repr_html_())
    assert set(page.tags) <= OWN
    assert "exited with status 0" in page.text
    for entry in report.enforcement:
        assert entry.control in page.text


@pytest.mark.parametrize("text", [True, False])
def test_hostile_output_is_shown_as_text(run: Any, text: bool) -> None:
    script = 'printf "%s" "$1"; printf "%s\\377" "$1" >&2'
    done = run(["sh", "-c", script, "sh", HOSTILE], text=text, errors="replace" if text else None)
    page = Tags(done._repr_html_())
    assert set(page.tags) <= OWN
    assert page.text.count(HOSTILE) == 2


def test_hostile_words_in_a_report_are_shown_as_text(report: stockade.Report) -> None:
    data: Dict[str, Any] = report.to_dict()
    data["verdict"] = {"kind": "trapped", "trap": HOSTILE, "backtrace": HOSTILE}
    data["backend"] = HOSTILE
    for name in ("control", "status", "mechanism", "reason"):
        data["enforcement"][0][name] = HOSTILE
    rebuilt, arguments = report.__reduce__()
    page = Tags(rebuilt(arguments[0], json.dumps(data))._repr_html_())
    assert set(page.tags) <= OWN
    assert page.text.count(HOSTILE) >= 6


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"kind": "exited", "code": 3}, "exited with status 3"),
        ({"kind": "signaled", "signal": "SIGSEGV", "number": 11}, "killed by SIGSEGV"),
        (
            {"kind": "limit", "control": "memory", "limit": 1 << 26, "observed": 3 << 25},
            "stopped: memory limit 64 MiB reached (96 MiB observed)",
        ),
        (
            {"kind": "limit", "control": "cpu_time", "limit": 10**9, "observed": 1_500_000_000},
            "stopped: cpu_time limit 1 s reached (1.5 s observed)",
        ),
        (
            {"kind": "limit", "control": "processes", "limit": 8, "observed": 9},
            "stopped: processes limit 8 reached (9 observed)",
        ),
        (
            {"kind": "limit", "control": "output", "limit": 5},
            "stopped: output limit 5 bytes reached (unknown observed)",
        ),
        ({"kind": "denied", "control": "syscalls", "detail": "x"}, "stopped: syscalls denied: x"),
        ({"kind": "trapped", "trap": "unreachable"}, "trapped: unreachable"),
        ({"kind": "cancelled"}, "cancelled"),
    ],
    ids=lambda value: "",
)
def test_a_verdict_is_said_in_words(fields: Dict[str, Any], shown: str) -> None:
    verdict = stockade.Verdict(**fields)
    assert str(verdict) == shown
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    assert verdict.success is (fields == {"kind": "exited", "code": 0})
