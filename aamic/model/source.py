"""Where a program comes from: a package of the distribution, or a pinned tarball."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from aamic.model.secret import tag_of
from aamic.model.types import AbsolutePath, InnerPath, Model, Sha256, UrlOrPath, text


class PackageSource(Model):
    """A binary from the distribution's packages."""

    package: Annotated[
        str,
        text(
            r"^[a-z0-9][a-z0-9+.-]+$",
            "package name",
            "at least two of lower-case letters, digits, `+`, `.` and `-`",
        ),
    ] = Field(description="Package name.")
    version: (
        Annotated[str, text(r"^[A-Za-z0-9.+:~-]+$", "package version", "a version such as `2.42.0+ds-5+b5`")] | None
    ) = Field(default=None, description="Exact version; the newest of the configured sources if absent.")
    binary: AbsolutePath | None = Field(default=None, description="Path of the program the package installs.")


class TarballSource(Model):
    """A binary from a pinned tarball."""

    tarball: UrlOrPath = Field(description="URL, or path relative to the site, of the tarball.")
    sha256: Sha256 = Field(description="Digest of the tarball.")
    binary: InnerPath = Field(description="Path of the program inside the tarball.")


def _source_kind(value: Any) -> str | None:
    return tag_of(value, "package", "tarball")


Source = Annotated[
    Annotated[PackageSource, Tag("(package)")] | Annotated[TarballSource, Tag("(tarball)")],
    Discriminator(_source_kind),
    Field(title="source"),
]
