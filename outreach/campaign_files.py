"""A campaign is a folder or one TOML file; `docs/campaign-file.md` has every key. Reading lists all mistakes, not the first."""

from outreach.campaign_file.json_form import spec_digest, spec_from_json, spec_to_json
from outreach.campaign_file.keys import KEYS, Key
from outreach.campaign_file.read import read_campaign, read_text
from outreach.campaign_file.write import write_campaign

__all__ = ["KEYS", "Key", "read_campaign", "read_text", "spec_digest", "spec_from_json", "spec_to_json", "write_campaign"]
