"""`/docs`: the OpenAPI document as one page rendered here, without a script and without anything from elsewhere.

The document itself is at `/openapi.json`, for the tools that want it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.web import rendering

router = APIRouter(include_in_schema=False)
_METHODS = ("get", "post", "put", "patch", "delete")

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Mapping[str, Any], ...]
    answers: tuple[tuple[str, str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class Shape:
    """One object of the document: its fields with type and meaning."""

    name: str
    description: str
    fields: tuple[tuple[str, str, str, bool], ...]


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The reference of the API."""
    document: Schema = request.app.openapi()
    return rendering.page(
        request,
        "reference.html",
        info=document["info"],
        groups=_grouped(document),
        shapes=[_shape(name, schema) for name, schema in document.get("components", {}).get("schemas", {}).items()],
    )


def _grouped(document: Schema) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _operations(document):
        groups.setdefault(tag, []).append(operation)
    return groups


def _operations(document: Schema) -> Iterator[tuple[str, Operation]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                described = item[method]
                yield (
                    (described.get("tags") or ["service"])[0],
                    Operation(
                        method=method.upper(),
                        path=path,
                        summary=described.get("summary", ""),
                        description=described.get("description", ""),
                        parameters=tuple(_parameter(one) for one in described.get("parameters", ())),
                        answers=tuple(
                            (status, answer.get("description", ""), _content(answer))
                            for status, answer in described.get("responses", {}).items()
                        ),
                        body=_content(described.get("requestBody", {})),
                    ),
                )


def _parameter(described: Schema) -> Schema:
    return {"required": False, "description": "", **described, "type": type_name(described.get("schema", {}))}


def _content(described: Mapping[str, Any]) -> str:
    for media, content in described.get("content", {}).items():
        return type_name(content.get("schema", {})) or media
    return ""


def _shape(name: str, schema: Schema) -> Shape:
    required = set(cast("list[str]", schema.get("required", [])))
    fields = tuple(
        (field, type_name(described), described.get("description", ""), field in required)
        for field, described in schema.get("properties", {}).items()
    )
    return Shape(name, schema.get("description", ""), fields)


def type_name(schema: Schema) -> str:
    """A JSON schema in a few words: `CardLine[]`, `string or null`, `"lead" or "deal"`."""
    match schema:
        case {"$ref": str() as ref}:
            return ref.rsplit("/", 1)[-1]
        case {"anyOf": choices}:
            return " or ".join(type_name(choice) for choice in choices)
        case {"enum": values}:
            return " or ".join(json.dumps(value, ensure_ascii=False) for value in values)
        case {"const": value}:
            return json.dumps(value, ensure_ascii=False)
        case {"type": "array", "items": items}:
            return f"{type_name(items)}[]"
        case {"type": str() as kind, "format": str() as form}:
            return f"{kind} ({form})"
        case {"type": str() as kind}:
            return kind
        case _:
            return "any"
