# A worker: `docker build -t ledgerflow .`; docker-compose.yml runs it.
FROM python:3.13-slim
WORKDIR /opt/ledgerflow
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY tests/constraints.txt tests/constraints.txt
COPY schemas schemas
COPY topologies topologies
COPY pipeline pipeline
RUN pip install --no-cache-dir . \
    && useradd --system --create-home ledgerflow \
    && install --directory --mode=0700 --owner=ledgerflow /var/lib/ledgerflow
USER ledgerflow
ENV LEDGERFLOW_DATA_DIR=/var/lib/ledgerflow
VOLUME /var/lib/ledgerflow
ENTRYPOINT ["ledgerflow"]
CMD ["worker"]
