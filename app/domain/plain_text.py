"""Comments as a person reads them: BB-code, HTML and control characters taken out.

Called by `reading.py`. Comments of new cards are BB-code, of old ones HTML (api-reference/crm/deals/crm-deal-update),
and all of it comes from the public web. Must not be used to make text safe for output: it only makes it readable.
"""

import html
import re

from app.domain.raw_values import one_line

LONGEST = 20_000
"""Characters of a card's text that are looked at."""

_UNSEEN = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<(?:br|/?(?:p|div|li|tr|td|th|h[1-6]))\b[^<>]*>|\[(?:br|/?(?:p|tr|td|th)|\*)\]", re.IGNORECASE)
_HTML_TAG = re.compile(r"<[/!]?[a-z][^<>]*>", re.IGNORECASE)
_BB_TAG = re.compile(
    r"\[/?(?:b|i|u|s|p|url|img|size|color|font|quote|code|list|table|tr|td|th|left|center|right|justify|user|disk"
    r"|video|spoiler|email|tel|project|department)(?:[ =][^\[\]]*)?\]",
    re.IGNORECASE,
)


def plain_text(raw: str) -> str:
    """One line of readable text, at most `LONGEST` characters."""
    text = _BREAK.sub(" ", _UNSEEN.sub(" ", raw[: 4 * LONGEST]))
    text = html.unescape(_BB_TAG.sub("", _HTML_TAG.sub("", text)))
    return one_line(text)[:LONGEST]
