"""The checks and measurements of a scenario."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """One row of the table.

    `action` says what the scenario did. `passed`: every check passed. `checks` are sentences, each with the number of
    times that it was checked, or with the first failure. `figures` were measured and are not judged.
    """

    name: str
    action: str
    passed: bool
    checks: tuple[str, ...]
    figures: tuple[str, ...]


@dataclass
class Report:
    """Collects checks and figures while a scenario runs."""

    figures: list[str] = field(default_factory=list)
    _passes: dict[str, int] = field(default_factory=dict)
    _failures: dict[str, list[str]] = field(default_factory=dict)

    def check(self, sentence: str, passed: bool, observed: object = "") -> None:
        """Count one check of `sentence`. `observed` is reported when the check failed."""
        self._passes[sentence] = self._passes.get(sentence, 0) + passed
        if not passed:
            self._failures.setdefault(sentence, []).append(" ".join(str(observed).split())[:300])

    def outcome(self, name: str, action: str) -> Outcome:
        """A scenario without any check has not passed."""
        passed = bool(self._passes) and not self._failures
        return Outcome(name, action, passed, tuple(map(self._summary, self._passes)), tuple(self.figures))

    def _summary(self, sentence: str) -> str:
        failures = self._failures.get(sentence, [])
        total = self._passes[sentence] + len(failures)
        if failures:
            return f"FAILED: {sentence}: {len(failures)} of {total} times, first: {failures[0] or 'no details'}"
        return sentence if total == 1 else f"{sentence} ({total:,}×)"
