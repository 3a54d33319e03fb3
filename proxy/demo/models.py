"""The models that this upstream claims to have.

One rule: a request names an alias, an answer names the snapshot behind it, as the real API does. Every name that
begins with `demo` is a model of its own; three of them misbehave on purpose.
"""

from __future__ import annotations

from typing import Any, Final

from proxy.demo.faults import ApiError, Fault, unknown_model

LIMITED: Final = "demo-429"
LIMITED_ONCE: Final = "demo-429-once"
BROKEN: Final = "demo-500"

_SNAPSHOTS: Final = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o-audio-preview": "gpt-4o-audio-preview-2025-06-03",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5.4": "gpt-5.4",
    "gpt-5.4-mini": "gpt-5.4-mini-2026-03-17",
    "gpt-5.4-nano": "gpt-5.4-nano-2026-03-17",
    "o3": "o3-2025-04-16",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
}
_EMBEDDERS: Final = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
_DEMOS: Final = ("demo", LIMITED, LIMITED_ONCE, BROKEN)
_LISTED: Final = tuple(dict.fromkeys([*_DEMOS, *_SNAPSHOTS, *_SNAPSHOTS.values(), *_EMBEDDERS]))
_BORN: Final = 1_715_367_049


def snapshot(model: str) -> str:
    """Return the chat model that answers under a name, or raise the API's 404."""
    if model.startswith("demo") or model in _SNAPSHOTS.values():
        return model
    try:
        return _SNAPSHOTS[model]
    except KeyError:
        raise unknown_model(model) from None


def check_embedder(model: str) -> None:
    """Raise the API's 404 for a model that makes no embeddings."""
    if model not in _EMBEDDERS and not model.startswith("demo"):
        raise unknown_model(model)


def is_o_series(model: str) -> bool:
    """Whether the model belongs to the family that refuses some older parameters."""
    return model.startswith(("o1", "o3", "o4"))


def listing() -> dict[str, Any]:
    """Render the answer to `GET /models`."""
    return {"object": "list", "data": [_entry(model) for model in _LISTED]}


def entry(model: str) -> dict[str, Any]:
    """Render the answer to `GET /models/ID`, or raise the API's 404, which here names its parameter."""
    if model not in _LISTED and not model.startswith("demo"):
        message = f"The model '{model}' does not exist"
        raise ApiError(Fault(404, message, param="model", code="model_not_found"))
    return _entry(model)


def _entry(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": _BORN, "owned_by": "llmtape-demo"}
