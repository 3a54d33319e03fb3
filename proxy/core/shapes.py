r"""Texts in the shape of a secret, as those who issue them make them.

Rule: a shape is precise, or it is not here: what is no secret and looks like one would be taken out of prompts for
nothing. Each begins with letters that are looked for first, because that is fast, and takes linear time for any text:
it is tried once a word, and what a repetition has taken is never tried again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.runs import long_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD: Final = rb"[A-Za-z0-9_\-]"
# At the beginning of a word; the letter of a JSON escape such as \n is no part of one.
_BEGINS_WORD: Final = rb"(?:(?<!%(word)b%(start)b)|(?<=\\[bfnrt]%(start)b)|(?<=\\u[0-9A-Fa-f]{4}%(start)b))"
_ENDS_WORD: Final = rb"(?![A-Za-z0-9_\-])"
# What may stand between a name and its value, in JSON, in JSON within it, in YAML, in a shell.
_IS: Final = rb"[\"'\\ \t]{0,9}[=:]>?[\"'\\ \t]{0,9}"
_LINE_END: Final = rb"(?:[\r\n]|\\+[nr])[ \t]*"

_GITLEAKS: Final = "github.com/gitleaks/gitleaks, config/gitleaks.toml"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of secret looks like: how it begins, what goes on from there, and who says so.

    Where `rest` has a group, that alone is the secret: what is before it only tells that it is one.
    """

    start: bytes
    rest: bytes
    source: str
    is_word: bool = True
    """Whether it is one only at the beginning of a word."""

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """What matches it. It begins with plain letters, which are found fast; only then it looks behind."""
        start = re.escape(self.start)
        begins = _BEGINS_WORD % {b"word": _WORD, b"start": start} if self.is_word else b""
        return re.compile(start + begins + self.rest)


SHAPES: Final = (
    Shape(b"sk-", rb"(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{16,}+", "platform.openai.com, API keys"),
    Shape(b"sk-", rb"[A-Za-z0-9]{32,}+", "platform.openai.com, API keys of old; api-docs.deepseek.com"),
    Shape(b"sk-ant-", rb"[A-Za-z0-9_\-]{16,}+", "docs.anthropic.com, API keys"),
    Shape(b"sk-or-", rb"[A-Za-z0-9_\-]{16,}+", "openrouter.ai/docs, authentication"),
    Shape(b"sk-lf-", rb"[0-9a-f]{8}-[0-9a-f\-]{27}", "langfuse.com/docs, API keys"),
    Shape(b"gsk_", rb"[A-Za-z0-9]{32,}+", "console.groq.com/docs"),
    Shape(b"xai-", rb"[A-Za-z0-9]{32,}+", "docs.x.ai"),
    Shape(b"pplx-", rb"[A-Za-z0-9]{32,}+", _GITLEAKS),
    Shape(b"nvapi-", rb"[A-Za-z0-9_\-]{40,}+", "docs.nvidia.com/nim, API keys"),
    Shape(b"csk-", rb"[a-z0-9]{40,}+", "inference-docs.cerebras.ai"),
    Shape(b"fw_", rb"[A-Za-z0-9]{22,}+" + _ENDS_WORD, "docs.fireworks.ai"),
    Shape(b"hf_", rb"[A-Za-z0-9]{30,}+", "huggingface.co/docs/hub/security-tokens"),
    Shape(b"r8_", rb"[A-Za-z0-9]{37,}+", "replicate.com/docs/topics/security/api-tokens"),
    Shape(b"tvly-", rb"[A-Za-z0-9_\-]{28,}+", "docs.tavily.com"),
    Shape(b"pcsk_", rb"[A-Za-z0-9_]{40,}+", "docs.pinecone.io/guides/projects/manage-api-keys"),
    Shape(b"lsv2_", rb"(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", "docs.smith.langchain.com, API keys"),
    Shape(b"dapi", rb"[0-9a-f]{32}" + _ENDS_WORD, _GITLEAKS),
    Shape(b"AIza", rb"[A-Za-z0-9_\-]{35}" + _ENDS_WORD, "cloud.google.com/docs/authentication/api-keys"),
    Shape(b"ya29.", rb"[A-Za-z0-9_\-]{20,}+", "developers.google.com/identity/protocols/oauth2"),
    Shape(b"GOCSPX-", rb"[A-Za-z0-9_\-]{28}" + _ENDS_WORD, _GITLEAKS),
    Shape(b"AKIA", rb"[A-Z0-9]{16}" + _ENDS_WORD, "docs.aws.amazon.com/IAM, unique identifiers"),
    Shape(b"ASIA", rb"[A-Z0-9]{16}" + _ENDS_WORD, "docs.aws.amazon.com/IAM, unique identifiers"),
    Shape(b"ABSK", rb"[A-Za-z0-9+/]{100,}+={0,2}", _GITLEAKS),
    *(
        Shape(name, _IS + rb"([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])", "docs.aws.amazon.com/cli, config", is_word=False)
        for name in (b"secret_access_key", b"SECRET_ACCESS_KEY", b"SecretAccessKey", b"secretAccessKey")
    ),
    *(
        Shape(name, rb"=([A-Za-z0-9+/]{43,86}==?)", "learn.microsoft.com/azure/storage, connection strings")
        for name in (b"AccountKey", b"SharedAccessKey")
    ),
    *(
        Shape(start, rb"[A-Za-z0-9]{36,}+", "docs.github.com, GitHub's token formats")
        for start in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    Shape(b"github_pat_", rb"[A-Za-z0-9_]{22,}+", "docs.github.com, GitHub's token formats"),
    *(
        Shape(start, rb"[A-Za-z0-9_\-]{20,}+", "docs.gitlab.com/security/tokens, token prefixes")
        for start in (b"glpat-", b"gldt-", b"glrt-", b"glcbt-", b"glptt-", b"gloas-")
    ),
    Shape(b"xox", rb"[abeoprs]-[A-Za-z0-9\-]{10,}+", "api.slack.com/concepts/token-types"),
    Shape(b"xapp-", rb"[0-9]-[A-Za-z0-9\-]{20,}+", "api.slack.com/concepts/token-types"),
    *(Shape(start, rb"(?:live|test)_[A-Za-z0-9]{16,}+", "docs.stripe.com/keys") for start in (b"sk_", b"rk_")),
    Shape(b"whsec_", rb"[A-Za-z0-9+/]{32,}+={0,2}", "docs.stripe.com/webhooks/signature"),
    Shape(b"SG.", rb"[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}" + _ENDS_WORD, _GITLEAKS),
    Shape(b"key-", rb"[0-9a-f]{32}" + _ENDS_WORD, "documentation.mailgun.com; " + _GITLEAKS),
    Shape(b"npm_", rb"[A-Za-z0-9]{36}" + _ENDS_WORD, "the docs of npm, About access tokens"),
    Shape(b"pypi-", rb"AgE[A-Za-z0-9_\-]{50,}+", "the help of PyPI, API tokens"),
    *(
        Shape(start, rb"[0-9a-f]{64}" + _ENDS_WORD, "docs.digitalocean.com/reference/api, tokens")
        for start in (b"dop_v1_", b"doo_v1_", b"dor_v1_")
    ),
    Shape(b"dckr_", rb"(?:pat|oat)_[A-Za-z0-9_\-]{27,}+", "docs.docker.com/security, access tokens"),
    Shape(b"hvs.", rb"[A-Za-z0-9_\-]{24,}+", "developer.hashicorp.com/vault/docs/concepts/tokens"),
    Shape(b"AGE-SECRET-KEY-1", rb"[0-9A-Z]{58}", "age-encryption.org"),
    Shape(
        b"eyJ",  # `{"` in base64url: a header, claims, and a signature
        rb"[A-Za-z0-9_\-]{10,}+\.eyJ[A-Za-z0-9_\-]{10,}+\.[A-Za-z0-9_\-]{16,}+",
        "RFC 7519",
    ),
    *(
        # Words alone are prose, or what stands in for a token in an example.
        Shape(start, rb" ((?=[A-Za-z._~+/\-]*+[0-9])[A-Za-z0-9._~+/\-]{20,}+={0,2})", "RFC 6750", is_word=False)
        for start in (b"Bearer", b"bearer")
    ),
    Shape(
        b"PRIVATE KEY",
        rb"(?: BLOCK)?-----(?:" + _LINE_END + rb"(?:[A-Z][A-Za-z\-]{2,20}: [^\r\n\\\"]{0,100})?+)++"
        rb"([A-Za-z0-9+/=]{40,}+(?:(?:" + _LINE_END + rb")++[A-Za-z0-9+/=]{40,}+)*+"
        rb"(?:(?:" + _LINE_END + rb")++[A-Za-z0-9+/=]{1,80}+(?=(?:" + _LINE_END + rb")++-----END))?+)",
        "RFC 7468; RFC 4880, section 6.2",
        is_word=False,
    ),
)

_MARKS: Final = frozenset(b"-_.")
"""What most secrets begin with one of, and base64 has none of: 10 MB of it are looked through once, not 50 times."""

_KNOWN: Final = tuple((shape, shape.pattern, _MARKS.intersection(shape.start)) for shape in SHAPES)


def spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where secrets of known shapes stand, kind by kind; those of two kinds may overlap."""
    words = long_words(data)
    if not words:
        return
    absent = frozenset(mark for mark in _MARKS if mark not in words)
    for shape, pattern, marks in _KNOWN:
        if shape.is_word and not absent.isdisjoint(marks):
            continue
        if shape.start in (words if shape.is_word else data):
            yield from (match.span(pattern.groups and 1) for match in pattern.finditer(data))
