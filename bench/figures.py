"""Tables of samples: medians, and ratios between samples of the same round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """`count` operations took `seconds`, and `cpu_seconds` of the server's CPU time."""

    count: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.count * 1e6


Samples = dict[str, list[Sample]]


def interleaved(contenders: Mapping[str, Callable[[], Sample]], *, rounds: int) -> Samples:
    """Measure each contender once a round, so that other load affects all of them. The first round is discarded."""
    for contend in contenders.values():
        contend()
    samples: Samples = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contend in contenders.items():
            samples[name].append(contend())
    return samples


def compare(samples: Samples, ours: str, *, aims: Mapping[str, float]) -> list[str]:
    """Return table rows: the medians of each contender, and the ratio of `ours` to it.

    On an idle machine read the ratio of the rates, on a busy one the ratio of the CPU times. `aims` maps a contender to
    the ratio that we aim at.
    """
    rows = [f"{'':34}{'per second':>11}{'CPU µs each':>13}{'ours, ×':>10}{'by CPU, ×':>11}{'aim, ×':>8}"]
    for name, theirs_all in samples.items():
        rate = median(sample.per_second for sample in theirs_all)
        cpu = median(sample.cpu_microseconds for sample in theirs_all)
        row = f"{name:34}{rate:>11,.0f}{cpu:>13,.0f}"
        if name != ours:
            pairs = list(zip(samples[ours], theirs_all, strict=True))
            by_rate = median(mine.per_second / theirs.per_second for mine, theirs in pairs)
            by_cpu = median(theirs.cpu_microseconds / mine.cpu_microseconds for mine, theirs in pairs)
            row += f"{by_rate:>10.2f}{by_cpu:>11.2f}" + (f"{aims[name]:>8.2f}" if name in aims else "")
        rows.append(row)
    return rows


def show(title: str, rows: list[str]) -> None:
    print(f"\n{title}\n" + "\n".join(f"  {row}" for row in rows), flush=True)
