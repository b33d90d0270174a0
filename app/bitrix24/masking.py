"""Takes the secrets of a portal out of any text.

Called wherever text that may carry a webhook URL or a token leaves the client: error messages, log records,
stored bodies. A webhook URL is a password in a path (docs: local-integrations/local-webhooks).
Must not decide what is logged; it only makes it harmless.
"""

import logging
import re

MASK = "***"

_SLASH = r"(?:/|%2[fF]|\\/)"
_WEBHOOK = re.compile(rf"({_SLASH}rest{_SLASH}(?:api{_SLASH})?\d+{_SLASH})(?!\*\*\*)[^/\s\"'?&#<>\\%]+")
_TOKEN = re.compile(
    r"(?i)((?:(?<![A-Za-z])|(?<=%5B))(?:access_token|refresh_token|application_token|event_token|client_secret|AUTH_ID"
    r"|REFRESH_ID|APP_SID|sessid|auth)(?:\]|%5D)?[\"']?\s*(?:=|:)\s*[\"']?)(?!\*\*\*)[^&\s\"',;<>{}\[\]]+"
)


def mask(text: str) -> str:
    """`text` with webhook codes and tokens replaced by three stars; calling it twice changes nothing more."""
    return _TOKEN.sub(rf"\1{MASK}", _WEBHOOK.sub(rf"\1{MASK}", text))


class MaskingFilter(logging.Filter):
    """Masks the finished message of every record of the logger it sits on; never drops one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the record's text by its masked form."""
        record.msg, record.args = mask(record.getMessage()), None
        return True
