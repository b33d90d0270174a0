# One image for web and worker. `docker run` with the two BITRIX24_* secrets is enough: without DATABASE_URL it keeps
# its own PostgreSQL under /data, so mount a volume there.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    HOST=0.0.0.0 PORT=8000 DATA_DIR=/data LOG_FORMAT=json

RUN useradd --system --uid 10001 --home-dir /srv/ogon ogon && install -d -o ogon /srv/ogon /data
WORKDIR /srv/ogon

# Dependencies first: they change seldom, so their layer is built seldom.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY pyproject.toml README.md alembic.ini ./
COPY app ./app
COPY migrations ./migrations
RUN pip install --no-deps --no-build-isolation --editable .

USER ogon
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
CMD ["ogon", "serve"]
