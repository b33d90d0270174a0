"""The read side: one file, one report. A report is asked with a session and answers with plain data.

Reports import the store and the domain, never each other and never HTTP. A new one is a file with a TITLE, and a line
in REPORTS.
"""

from collections.abc import Mapping
from typing import Final

from app.domain.messages import Message
from app.reports import exceptions, past_deals, regular_clients

REPORTS: Final[Mapping[str, Message]] = {
    "past-deals": past_deals.TITLE,
    "regular-clients": regular_clients.TITLE,
    "exceptions": exceptions.TITLE,
}
"""What each report is called, by its name."""
