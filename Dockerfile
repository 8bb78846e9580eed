# simil in a small image: no PyTorch, the embedded model inside, no root.
#
#   docker build -t simil .
#   docker run --rm -i simil compare Apple Orange
#   docker run --rm -v "$PWD:/work:ro" -v simil-cache:/home/simil/.cache/simil simil search "a query" notes.txt

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY tools/man_pages.py tools/wheel_hook.py tools/
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY constraints.txt requirements-light.txt /tmp/
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir -c /tmp/constraints.txt -r /tmp/requirements-light.txt \
    && pip install --no-cache-dir --no-deps /tmp/wheels/*.whl \
    && rm -r /tmp/constraints.txt /tmp/requirements-light.txt /tmp/wheels \
    && useradd --uid 1000 --create-home simil \
    && install -d -o simil -g simil /home/simil/.cache /home/simil/.cache/simil
USER 1000
WORKDIR /work
ENV SIMIL_MODEL=minilm
ENTRYPOINT ["simil"]
CMD ["--help"]
