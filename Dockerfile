# One image for web, workers, ticker and migrations; what it does is the command: docker run outreach web
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/outreach
WORKDIR /build
# The pinned packages first: they change less often than the code.
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/outreach/bin/pip install -q --prefer-binary --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY templates templates
COPY workers workers
COPY outreach outreach
RUN /opt/outreach/bin/pip install -q --no-deps --no-build-isolation . \
    && /opt/outreach/bin/python -m compileall -q /opt/outreach/lib

FROM python:${PYTHON}-slim
# Only the sandbox's fax machine needs it: docker build --build-arg SANDBOX=1 .
ARG SANDBOX=
RUN if [ -n "$SANDBOX" ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends libspandsp2 \
    && rm -rf /var/lib/apt/lists/*; fi
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin outreach \
    && install -d -o outreach -g outreach -m 700 /data
COPY --from=build /opt/outreach /opt/outreach
ENV PATH=/opt/outreach/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OUTREACH_DATA_DIR=/data OUTREACH_HOST=0.0.0.0 OUTREACH_PORT=8000
USER outreach
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['OUTREACH_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["outreach"]
CMD ["web"]
