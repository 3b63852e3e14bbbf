# One image for both services. The first argument selects the service:
#     docker run … tallystick auth_service serve --config /etc/tallystick/auth.toml --host 0.0.0.0
# The base image is similar to Debian, with Python ≥ 3.11 and venv.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python3 -m venv pip && python3 -m venv --without-pip /opt/tallystick
# Every locked package is downloaded and checked against its hash. Then pip installs from these files only, and only what
# the services need. The development tools remain in this stage.
COPY requirements.lock ./
RUN pip/bin/pip download --require-hashes --only-binary :all: -r requirements.lock --dest wheels
COPY pyproject.toml README.md ./
COPY shared shared
COPY auth_service auth_service
COPY resource_service resource_service
RUN pip/bin/pip --python /opt/tallystick install --no-index --find-links wheels ./shared '.[postgres]'

FROM ${BASE_IMAGE}
ENV PATH=/opt/tallystick/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/tallystick /opt/tallystick
# For SQLite files and the API's last known keys. Mount a volume there.
RUN install -d -o 10001 -g 10001 -m 0700 /srv/var
WORKDIR /srv
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as http; http.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["python3", "-m"]
CMD ["auth_service", "--help"]
