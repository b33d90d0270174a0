"""The portal dictionary as JSON and back, for keeping it over a restart.

Called by the pipeline, which keeps it, and by whoever checks rules against it without reaching the portal.
`from_json(to_json(dictionary)) == dictionary`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from app.domain.snapshot import Entity, PortalDictionary, Stage


def to_json(dictionary: PortalDictionary) -> dict[str, Any]:
    """Plain JSON; `offset` is the zone's distance from UTC in seconds."""
    offset = dictionary.zone.utcoffset(datetime(2000, 1, 1, tzinfo=UTC)) or timedelta()
    return {
        "integration_user_id": dictionary.integration_user_id,
        "offset": int(offset.total_seconds()),
        "stages": [
            [int(s.entity), s.pipeline, s.code, s.name, s.sort, s.semantics, s.apology] for s in dictionary.stages
        ],
        "enumerations": [
            [int(entity), name, dict(codes)] for (entity, name), codes in sorted(dictionary.enumerations.items())
        ],
        "fields": [[int(entity), name] for entity, name in sorted(dictionary.fields)],
        "rates": {code: str(rate) for code, rate in dictionary.rates.items()},
        "heads": {str(user): head for user, head in dictionary.heads.items()},
        "industries": dict(dictionary.industries),
        "sources": dict(dictionary.sources),
        "paper_stages": dict(dictionary.paper_stages),
        "pipelines": {str(number): name for number, name in dictionary.pipelines.items()},
    }


def from_json(stored: Mapping[str, Any]) -> PortalDictionary:
    """Read what `to_json` wrote. Raises KeyError or ValueError on anything else."""
    offset = timedelta(seconds=stored["offset"])
    return PortalDictionary(
        integration_user_id=stored["integration_user_id"],
        zone=timezone(offset) if offset else UTC,
        stages=tuple(Stage(Entity(entity), *rest) for entity, *rest in stored["stages"]),
        enumerations={(Entity(entity), name): dict(codes) for entity, name, codes in stored["enumerations"]},
        fields=frozenset((Entity(entity), name) for entity, name in stored["fields"]),
        rates={code: Decimal(rate) for code, rate in stored["rates"].items()},
        heads={int(user): head for user, head in stored["heads"].items()},
        industries=dict(stored["industries"]),
        # Documents kept by earlier versions have none of these.
        sources=dict(stored.get("sources", {})),
        paper_stages=dict(stored.get("paper_stages", {})),
        pipelines={int(number): name for number, name in stored.get("pipelines", {}).items()},
    )
