"""Outreach: personal letters to decision makers by e-mail and fax, paced, sent once, with truthful receipts."""

__version__ = "0.1.0"
