"""Where each page of the site lies, relative to its root; names from records become safe file names."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from ssl_motion.identity import digest

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def file_name(name: str) -> str:
    """Turn any name into one that every file system and address takes; names that differ stay different."""
    if _SAFE.fullmatch(name) and name != "index":
        # Some file systems take no notice of capitals.
        return name if name == name.lower() else f"{name.lower()}-{digest(name)[:6]}"
    readable = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:60]
    return f"{readable or 'x'}-{digest(name)[:6]}"


def base_method(name: str) -> str:
    """The method that a record's name is of: cmp of its control "cmp, shuffled flow", random of "random (xavier)"."""
    return name.partition(", ")[0].partition(" (")[0]


@dataclass
class Addresses:
    """Addresses of pages, relative to the site's root; empty for what has no page.

    Attributes:
        boards: protocol fingerprint -> page of its leaderboard.
        methods: names of the methods that have a page.
        runs: identity of a run -> page of the line of a leaderboard that it stands in.
        pretrainings: identity of a pretraining run -> its page.
    """

    boards: dict[str, str] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    runs: dict[str, str] = field(default_factory=dict)
    pretrainings: dict[str, str] = field(default_factory=dict)

    def board(self, fingerprint: str) -> str:
        """Table of a protocol, on the page of its task."""
        return f"{self.boards[fingerprint]}#{quote(fingerprint)}"

    def method(self, name: str) -> str:
        """Page of a record's method."""
        base = base_method(name)
        return f"methods/{file_name(base)}.html" if base in self.methods else ""

    def run(self, identity: str) -> str:
        """Place of a run on the page that holds it and its other seeds."""
        return f"{self.runs[identity]}#{quote(identity)}"

    def pretraining(self, identity: str | None) -> str:
        """Place of a pretraining run, likewise."""
        return f"{self.pretrainings[identity]}#{quote(identity)}" if identity in self.pretrainings else ""
