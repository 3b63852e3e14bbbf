"""What a scenario did, which promises held, and what was measured meanwhile."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """One row of the table. `held` is whether every promise was kept, `words` each of them and how often it was put to
    the test, or how it was broken; `figures` are measured, and nothing is judged by them."""

    name: str
    done: str
    held: bool
    words: tuple[str, ...]
    figures: tuple[str, ...]


@dataclass
class Findings:
    """Filled while a scenario runs."""

    figures: list[str] = field(default_factory=list)
    _kept: dict[str, int] = field(default_factory=dict)
    _broken: dict[str, list[str]] = field(default_factory=dict)

    def promise(self, words: str, kept: bool, otherwise: object = "") -> None:
        """`words` say what must be so each time; `otherwise` is what was seen, for when it is not."""
        self._kept[words] = self._kept.get(words, 0) + kept
        if not kept:
            self._broken.setdefault(words, []).append(" ".join(str(otherwise).split())[:300])

    def outcome(self, name: str, done: str) -> Outcome:
        return Outcome(
            name, done, bool(self._kept) and not self._broken, tuple(map(self._told, self._kept)), tuple(self.figures)
        )

    def _told(self, words: str) -> str:
        broken = self._broken.get(words, [])
        tested = self._kept[words] + len(broken)
        times = "" if tested == 1 else f" ({tested:,}×)"
        if not broken:
            return words + times
        return f"NOT HELD: {words}: broken {len(broken)} of {tested} times, first by {broken[0] or 'itself'}"
