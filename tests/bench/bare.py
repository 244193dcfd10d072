"""The floor for the web: what FastAPI and SQLAlchemy do when they do nothing but insert or read one row."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Form, Response
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from outreach.db import engine


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "bare_rows"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    email: Mapped[str] = mapped_column(String(320))
    city: Mapped[str] = mapped_column(String(120))


def create_app() -> FastAPI:
    """POST / inserts a row, GET / reads one."""
    made = engine()
    Base.metadata.create_all(made)
    app = FastAPI()

    @app.post("/")
    def insert(name: Annotated[str, Form()], email: Annotated[str, Form()], city: Annotated[str, Form()] = "") -> Response:
        with Session(made) as session:
            session.add(Row(name=name, email=email, city=city))
            session.commit()
        return Response(status_code=303, headers={"location": "/"})

    @app.get("/")
    def read() -> dict[str, str]:
        with Session(made) as session:
            row = session.scalars(select(Row).limit(1)).first()
            return {"name": row.name, "email": row.email} if row else {}

    return app
