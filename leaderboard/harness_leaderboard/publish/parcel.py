"""What is sent to the Hugging Face hub: shown first, sent when that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import HarnessError
from harness.files import saving
from harness.text import size
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Kind = Literal["space", "dataset", "model"]
ADDRESS = {"space": "spaces/", "dataset": "datasets/", "model": ""}
"""Of the hub's pages, by the kind of a repository."""

SHOWN = 8000
"""Bytes of a text that is printed in full; a page is opened in a browser instead."""

TEXTS = (".md", ".yaml", ".yml", ".html")
"""Endings of files that a person reads."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Files for one repository.

    Attributes:
        kind: Of the repository.
        files: Their content, by their path in it.
        beside: Texts that are written and shown, and never sent.
    """

    kind: Kind
    files: Mapping[str, bytes]
    beside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, bytes]:
        """Every file, sent or not."""
        return {**self.files, **self.beside}

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the files that a person reads."""
        for name, content in self.all.items():
            if name.endswith(TEXTS):
                yield name, content.decode()

    def shown(self, repository: str) -> Iterator[str]:
        """Yield lines that say what would be sent, and where to."""
        yield f"to    {address(self.kind, repository)}"
        for name, content in self.files.items():
            yield f"file  {name}, {size(len(content))}"
        for name in self.beside:
            yield f"text  {name}, which is not sent"
        for name, text in self.texts():
            if len(text) <= SHOWN:
                yield f"\n──── {name}"
                yield from map(plain, text.rstrip("\n").split("\n"))

    def facts(self, repository: str) -> dict[str, Any]:
        """Return the same for programs: where to, and each file with its text.

        A file that is ``beside`` the others is never sent.
        """
        texts = dict(self.texts())
        return {
            "to": address(self.kind, repository),
            "files": [
                {
                    "path": name,
                    "bytes": len(content),
                    "beside": name in self.beside,
                    "text": texts.get(name, "") if len(content) <= SHOWN else "",
                }
                for name, content in self.all.items()
            ],
        }

    def write(self, folder: Path) -> None:
        """Write every file below a folder.

        Raises:
            StoreError: Where that fails.
        """
        for name, content in self.all.items():
            with saving(folder / name) as beside:
                beside.write_bytes(content)

    def push(self, repository: str, *, private: bool) -> str:
        """Send the files as one commit, to a model's repository as a pull request.

        Args:
            repository: ``OWNER/NAME``; made where it does not exist, but for a model's.
            private: Whether one that is made is private.

        Returns:
            The address of what was made.

        Raises:
            HarnessError: Where the hub does not take it.
        """
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.errors import HfHubHTTPError

        http: Any = HfHubHTTPError.__bases__[0]  # of the library that it uses
        api = HfApi()
        try:
            if self.kind != "model":
                sdk = "static" if self.kind == "space" else None
                api.create_repo(
                    repository,
                    repo_type=self.kind,
                    private=private,
                    exist_ok=True,
                    space_sdk=sdk,
                )
            sent = api.create_commit(
                repository,
                [
                    CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
                    for name, content in self.files.items()
                ],
                commit_message="Results of speech-harness",
                repo_type=self.kind,
                create_pr=self.kind == "model",
            )
        except (OSError, ValueError, http) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise HarnessError(
                f"{repository} was not changed: {reason.rstrip('.')}. Log in by 'hf "
                "auth login' with a token that may write there, and check the name."
            ) from error
        return str(sent.pr_url or address(self.kind, repository))


def address(kind: Kind, repository: str) -> str:
    """Return the web page of a repository."""
    return f"https://huggingface.co/{ADDRESS[kind]}{repository}"
