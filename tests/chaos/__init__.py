"""Chaos: the whole service in real processes, shot at while it works; then every letter is accounted for (docs/chaos.md)."""
