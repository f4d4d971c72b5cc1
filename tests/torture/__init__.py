"""Faults on purpose, by seed: `make torture`, and a slice of each class in `make test` (docs/reliability.md)."""
