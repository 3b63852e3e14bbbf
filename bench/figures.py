"""From samples to a table: medians, and ratios of what was measured in the same round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """`count` things were done in `seconds`, for `cpu_seconds` of the server's time."""

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
    """Each contender once a round, so that a busy minute of the machine falls on all; a first round is not counted."""
    for contend in contenders.values():
        contend()
    samples: Samples = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contend in contenders.items():
            samples[name].append(contend())
    return samples


def compare(samples: Samples, ours: str, *, aims: Mapping[str, float]) -> list[str]:
    """Table rows: what each contender did, and how many times that `ours` did beside it.

    The ratio of rates is the one that counts on a machine with nothing else to do; the ratio of CPU times holds on
    a busy one, too. `aims` maps a contender to the ratio hoped for.
    """
    rows = [f"{'':34}{'per second':>11}{'CPU µs each':>13}{'ours, ×':>10}{'by CPU, ×':>11}{'aim, ×':>8}"]
    for name, of_name in samples.items():
        rate = median(sample.per_second for sample in of_name)
        cpu = median(sample.cpu_microseconds for sample in of_name)
        row = f"{name:34}{rate:>11,.0f}{cpu:>13,.0f}"
        if name != ours:
            pairs = list(zip(samples[ours], of_name, strict=True))
            by_rate = median(mine.per_second / theirs.per_second for mine, theirs in pairs)
            by_cpu = median(theirs.cpu_microseconds / mine.cpu_microseconds for mine, theirs in pairs)
            row += f"{by_rate:>10.2f}{by_cpu:>11.2f}{aims[name]:>8.2f}"
        rows.append(row)
    return rows


def show(title: str, rows: list[str]) -> None:
    print(f"\n{title}\n" + "\n".join(f"  {row}" for row in rows), flush=True)
