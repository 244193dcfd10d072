"""Campaign files: reading with positions, checking everything at once, writing. Use it through `outreach.campaign_files`."""
