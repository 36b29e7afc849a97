"""References to secrets, and how the classes of a union are told apart: what several parts of the model need."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Tag

from aamic.model.types import Line, Model, text

REFERENCE: Final = "reference to a secret"
"""Title of `Secret` in the schema: no value below it may be shown."""
SECRET_KEYS: Final = frozenset(
    {"admin_password", "api_key", "objstore", "password", "routing_key", "tls_key", "token", "webhook_url"}
)
"""The keys whose values are of type `Secret`, for those who read text before its model is known."""


class SecretFile(Model):
    """A secret read from a file on the machine that runs `aamic apply`."""

    file: Line = Field(description="Path of the file that holds the secret, relative to the site.")


class SecretEnv(Model):
    """A secret read from an environment variable of `aamic apply`."""

    env: Annotated[
        str,
        text(
            "^[A-Za-z_][A-Za-z0-9_]*$",
            "name of an environment variable",
            "a name such as `SLACK_URL`: letters, digits and `_`, not beginning with a digit",
            "SLACK_URL",
        ),
    ] = Field(description="Name of the variable.")


class SecretCommand(Model):
    """A secret printed by a command, such as a password store."""

    command: Annotated[list[Line], Field(min_length=1)] = Field(
        description="Program and arguments; its standard output is the secret."
    )


def tag_of(value: Any, *keys: str) -> str | None:
    """Which class of a union a mapping is meant for: told by the first of `keys` that it has.

    Tags stand in the paths of pydantic's errors; round brackets tell them from the keys of the document.
    """
    present = value if isinstance(value, dict) else vars(value) if isinstance(value, Model) else ()
    return next((f"({key})" for key in keys if key in present), None)


def _secret_kind(value: Any) -> str | None:
    return tag_of(value, "file", "env", "command")


Secret = Annotated[
    Annotated[SecretFile, Tag("(file)")]
    | Annotated[SecretEnv, Tag("(env)")]
    | Annotated[SecretCommand, Tag("(command)")],
    Discriminator(_secret_kind),
    Field(title=REFERENCE),
]
"""A reference to a secret, never the secret: `{file: ...}`, `{env: ...}` or `{command: [...]}`."""
