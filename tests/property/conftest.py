"""The service's parts as in `tests/services`, for properties that must hold over a real database."""

from tests.services.conftest import database, postgres_url  # noqa: F401  (fixtures)
from tests.services.helpers import desk  # noqa: F401
