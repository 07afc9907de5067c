"""Plugins of one hook, made on the spot."""

from __future__ import annotations

from harness import hookimpl


def offering(*upstreams):
    """Make a plugin that offers upstreams."""

    class Offer:
        @hookimpl
        def harness_upstreams(self):
            return upstreams

    return Offer()


def plugin(function):
    """Make a plugin of one hook out of a function."""
    return type("Made", (), {function.__name__: hookimpl(function)})()
