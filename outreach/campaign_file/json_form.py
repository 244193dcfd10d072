"""A campaign as JSON, the form that `campaign_versions.definition` keeps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from outreach.domain.campaign import CampaignSpec, LetterText, TargetSpec


def spec_to_json(spec: CampaignSpec) -> dict[str, Any]:
    """The campaign as plain dictionaries, lists and texts."""
    plain = asdict(spec) | {"deadline": spec.deadline.isoformat() if spec.deadline else None}
    return dict(json.loads(json.dumps(plain)))


def spec_from_json(data: dict[str, Any]) -> CampaignSpec:
    """The inverse. Keys that an older version did not write get their defaults; keys of a newer one are left out."""
    known = _known(CampaignSpec, data)
    known["letter"] = LetterText(**_known(LetterText, data["letter"]))
    known["targets"] = tuple(_target(t) for t in data["targets"])
    known["deadline"] = datetime.fromisoformat(data["deadline"]) if data.get("deadline") else None
    known["translations"] = {k: LetterText(**_known(LetterText, v)) for k, v in data.get("translations", {}).items()}
    for name in ("languages", "endorsers", "banned_words"):
        if name in known:
            known[name] = tuple(known[name])
    return CampaignSpec(**known)


def spec_digest(spec: CampaignSpec) -> str:
    """SHA-256 of the campaign's content: equal for equal campaigns, however their files are written."""
    text = json.dumps(spec_to_json(spec), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _target(data: dict[str, Any]) -> TargetSpec:
    known = _known(TargetSpec, data)
    for name in ("email", "fax", "phone"):
        if name in known:
            known[name] = tuple(known[name])
    return TargetSpec(**known)


def _known(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {k: v for k, v in data.items() if k in names}
