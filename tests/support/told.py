"""Someone who is told how a build goes on."""

from __future__ import annotations


class Told:
    def __init__(self) -> None:
        self.lines: list[tuple[int, int, str, float | None]] = []

    def __call__(self, done: int, total: int, what: str, left: float | None) -> None:
        self.lines.append((done, total, what, left))

    @property
    def phases(self) -> list[str]:
        return [what for _, total, what, _ in self.lines if not total]

    @property
    def packages(self) -> list[tuple[int, int, str]]:
        return [(done, total, what) for done, total, what, _ in self.lines if total]
