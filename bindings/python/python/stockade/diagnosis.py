"""What this host can enforce, how attacks on it go, and what isolation costs."""

from __future__ import annotations

import html
import json
from typing import Any, Dict, List, Optional, Union

from . import _native
from .policy import Policy

__all__ = ["Benchmark", "Doctor", "bench", "doctor"]


class Doctor:
    """What was found out about this host. :attr:`data` has all of it, with the members that the
    manual describes for ``stockade doctor --json``."""

    def __init__(self, data: Dict[str, Any]) -> None:
        self.data = data

    @property
    def ok(self) -> bool:
        """Whether every backend meets the default policy; of attacks, whether none got through."""
        if "breached" in self.data:
            return not self.data["breached"] and not any(b["error"] for b in self.backends)
        return bool(self.data["default_policy"])

    @property
    def backends(self) -> List[Dict[str, Any]]:
        """What each backend can do here, or how it stood."""
        backends: List[Dict[str, Any]] = self.data["backends"]
        return backends

    @property
    def advice(self) -> List[str]:
        """What to do, what helps most first."""
        return [advice["fix"] for advice in self.data.get("advice", ())]

    def __str__(self) -> str:
        lines = []
        for found in self.backends:
            lines.append(f"{found['backend']}: {_state(found)}")
            for control in found.get("controls", ()):
                how = "; ".join(filter(None, (control["mechanism"], control["reason"])))
                lines.append(f"  {control['status']:<13} {control['control']:<13} {how}")
            for attack in found.get("attacks", ()):
                if attack["finding"] == "breached":
                    lines.append(f"  BREACHED      {attack['name']}: it {attack['story']}")
        lines += [f"{number}. {fix}" for number, fix in enumerate(self.advice, 1)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        states = ", ".join(f"{found['backend']}: {_state(found)}" for found in self.backends)
        return f"<Doctor {states}>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _state(found: Dict[str, Any]) -> str:
    if found.get("error"):
        hint = f"; {found['hint']}" if found.get("hint") else ""
        return f"not available: {found['error']}{hint}"
    if "attacks" in found:
        return f"{found['held']} attacks held, {found['breached']} breached"
    if found["default_policy"]:
        return "meets the default policy"
    return f"does not meet the default policy: {', '.join(found['unmet'])}"


def doctor(
    *, attack: bool = False, policy: Optional[Policy] = None, thorough: bool = False
) -> Doctor:
    """Finds out what this host can enforce, per backend and control, with the fix for what it cannot:
    by running a program in each backend.

    With ``attack=True`` the attacks that come with Stockade are tried on this host instead, under
    ``policy`` or the default one; ``thorough`` adds those that take long.

    >>> import stockade
    >>> [found["backend"] for found in stockade.doctor().backends]
    ['namespace', 'wasm']
    """
    if attack:
        native = None if policy is None else policy._native
        return Doctor(json.loads(_native.attack(native, thorough)))
    if policy is not None or thorough:
        raise ValueError("`policy` and `thorough` are for attacks: doctor(attack=True, …)")
    return Doctor(json.loads(_native.examine()))


class Benchmark:
    """Isolation modes side by side. :attr:`data` has everything that was measured."""

    def __init__(self, data: Dict[str, Any], page: str) -> None:
        self.data = data
        #: The results as a page of HTML with plots.
        self.page = page

    @property
    def p50(self) -> Dict[str, Optional[int]]:
        """Median nanoseconds of one run, by mode; ``None`` for a mode that is not to be had here."""
        return {mode["name"]: _median(mode["wall_ns"]) for mode in self.data["modes"]}

    def __str__(self) -> str:
        width = max(map(len, self.p50), default=0)
        lines = [
            f"{name:<{width}}  {'-' if ns is None else f'{ns / 1e6:.3f} ms'}"
            for name, ns in self.p50.items()
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Benchmark of {len(self.data['modes'])} modes>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _median(values: List[int]) -> Optional[int]:
    return sorted(values)[len(values) // 2] if values else None


def bench(*, quick: bool = False, rounds: Optional[int] = None) -> Benchmark:
    """Measures isolation modes side by side on this machine, as ``stockade bench`` does: plain
    processes, each wall added one at a time, WebAssembly, and the other sandboxes that are installed.

    Takes two to six minutes, or less than half of one with ``quick=True``; the machine should have
    nothing else to do. ``rounds`` is how often the fast modes are run.
    """
    text, page = _native.benchmark(quick, rounds)
    data: Union[Dict[str, Any], Any] = json.loads(text)
    return Benchmark(data, page)
