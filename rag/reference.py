"""The reference of the HTTP interface as a plain page: from its OpenAPI schema, without a script.

The usual viewers load their scripts from the internet, which an office's server must not.
"""

from __future__ import annotations

import html
from typing import Any

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color:#1d2b2f;background:#faf8f3}h2{margin-top:2.5rem}article{border-top:1px solid #d9d4c7;
padding:.8rem 0}code{font:14px ui-monospace,monospace}b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse;margin:.4rem 0}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6e1d6;background:#14191b}
article{border-color:#333b3e}}
"""


def reference_page(schema: dict[str, Any]) -> str:
    """Return the interface's description as HTML."""
    groups: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            tag = (call.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_call(method, path, call, schema))
    body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(calls)}" for tag, calls in groups.items())
    info = schema["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(info["title"])}'
        f" API</title><style>{STYLE}</style><h1>{html.escape(info['title'])} API</h1>"
        f"<p>{html.escape(info.get('description', ''))}</p>"
        '<p>For programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"{body}</html>"
    )


def _call(method: str, path: str, call: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = [
        (item["name"], item["in"], _kind(item.get("schema", {})))
        for item in call.get("parameters", [])
    ]
    for media, content in call.get("requestBody", {}).get("content", {}).items():
        body = _resolve(content.get("schema", {}), schema)
        rows += [(name, media, _kind(kind)) for name, kind in body.get("properties", {}).items()]
    cells = "".join(
        "<tr>" + "".join(f"<td><code>{html.escape(cell)}</code></td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f"<article><b>{html.escape(method.upper())}</b><code>/api{html.escape(path)}</code>"
        f"<p>{html.escape(call.get('description', ''))}</p><table>{cells}</table></article>"
    )


def _resolve(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema.get("components", {}).get("schemas", {}).get(name, part)
    return found


def _kind(part: dict[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(_kind(choice) for choice in part["anyOf"])
    if part.get("type") == "array":
        return f"list of {_kind(part.get('items', {}))}"
    return str(part.get("type") or part.get("$ref", "").rpartition("/")[2] or "any")
