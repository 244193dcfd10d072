"""django-post-office, set up as its documentation says, sending ready-made letters: a process of its own, since Django is global.

    python -m tests.bench.django_rival DATABASE PORT LETTERS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command


def main(database: str, port: str, letters: str) -> None:
    """Queue them (not measured: the sink's clock starts with the first mail), then send the queue until it is empty."""
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": {"timeout": 30}}},
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"], EMAIL_BACKEND="post_office.EmailBackend", EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=int(port), POST_OFFICE={"LOG_LEVEL": 2}, USE_TZ=True, SECRET_KEY="of a benchmark",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"},
                   {"BACKEND": "post_office.template.backends.post_office.PostOfficeTemplates", "NAME": "post_office"}],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    django.setup()
    call_command("migrate", verbosity=0)
    from post_office import mail

    mail.send_many([{"sender": x["sender"], "recipients": [x["to"]], "subject": x["subject"], "message": x["text"],
                     "html_message": x["html"]} for x in json.loads(Path(letters).read_text())])
    call_command("send_queued_mail", processes=1, verbosity=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
