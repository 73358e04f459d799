# The project's images: docker build --target operator|node|p2p|ui .
# They run as 65532 and need neither root nor a shell nor a root file system to write to.

FROM python:3.13-slim-trixie AS python-build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_CACHE_DIR=/cache/pip
# Bytecode for a fast start, trusted unchecked as nobody can write to the image. Not for the 1,500 generated models of
# the Kubernetes client, which nothing loads: that would be 40 MB.
ENV COMPILE="python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x kubernetes/.*/models/"
RUN python -m venv --without-pip /app

FROM python-build AS wheel
COPY requirements/hatchling.txt /requirements/
RUN --mount=type=cache,target=/cache/pip python -m venv /build && \
    /build/bin/pip install --quiet --require-hashes --requirement /requirements/hatchling.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY node_image node_image
COPY ui ui
COPY examples examples
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel .

FROM python-build AS operator-app
COPY requirements/operator.txt /requirements/
RUN --mount=type=cache,target=/cache/pip \
    python -m pip --python /app install --quiet --no-compile --require-hashes --requirement /requirements/operator.txt
COPY --from=wheel /wheel /wheel
RUN python -m pip --python /app install --quiet --no-compile --no-deps --no-index /wheel/*.whl && \
    rm -r /app/bin/isek-node /app/lib/python3*/site-packages/isek_ui && \
    $COMPILE /app/lib

FROM python-build AS node-app
# node-litellm: the same with LiteLLM (160 MB)
ARG NODE_REQUIREMENTS=node
COPY requirements/${NODE_REQUIREMENTS}.txt /requirements/
RUN --mount=type=cache,target=/cache/pip \
    python -m pip --python /app install --quiet --no-compile --require-hashes \
      --requirement /requirements/${NODE_REQUIREMENTS}.txt
COPY --from=wheel /wheel /wheel
RUN python -m pip --python /app install --quiet --no-compile --no-deps --no-index /wheel/*.whl && \
    rm -r /app/bin/isek-operator /app/lib/python3*/site-packages/isek_operator /app/lib/python3*/site-packages/isek_ui && \
    # 70 MB that only the command line uses, on the user's machine
    python -m pip --python /app uninstall --quiet --yes kubernetes && \
    $COMPILE /app/lib

FROM python-build AS ui-app
COPY requirements/ui.txt /requirements/
RUN --mount=type=cache,target=/cache/pip \
    python -m pip --python /app install --quiet --no-compile --require-hashes --requirement /requirements/ui.txt
COPY --from=wheel /wheel /wheel
RUN python -m pip --python /app install --quiet --no-compile --no-deps --no-index /wheel/*.whl && \
    rm -r /app/bin/isek-operator /app/bin/isek-node /app/lib/python3*/site-packages/isek_operator && \
    python -m pip --python /app uninstall --quiet --yes kubernetes && \
    # where Chainlit's page comes from, for those who read its source in a browser's tools: 20 MB
    find /app/lib -path '*/chainlit/*' -name '*.map' -delete && \
    $COMPILE /app/lib

FROM python:3.13-slim-trixie AS python-base
ARG VERSION
LABEL org.opencontainers.image.version=$VERSION org.opencontainers.image.licenses=Apache-2.0
# nothing is to be installed any more
RUN rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/bin/pip* /usr/lib/python3/dist-packages/pip* /usr/bin/pip*
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532

FROM python-base AS operator
LABEL org.opencontainers.image.title=isek-operator
COPY --from=operator-app /app /app
ENTRYPOINT ["isek-operator"]

FROM python-base AS node
LABEL org.opencontainers.image.title=isek-node
COPY --from=node-app /app /app
ENTRYPOINT ["isek-node"]

FROM python-base AS ui
LABEL org.opencontainers.image.title=isek-ui
COPY --from=ui-app /app /app
ENTRYPOINT ["python", "-m", "isek_ui"]

FROM node:24-trixie-slim AS p2p-build
RUN apt-get update -q && apt-get install -q -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /src/p2p
COPY p2p/package.json p2p/package-lock.json ./
RUN --mount=type=cache,target=/cache/npm npm ci --cache /cache/npm --no-audit --no-fund --loglevel=error
COPY p2p ./
RUN npm run build && mkdir -p /image/app && cp dist/p2p.mjs /image/app/
# of the base image only Node.js itself and the libraries that it loads
RUN mkdir -p /image/tmp && chmod 1777 /image/tmp && \
    cp -L --parents /usr/local/bin/node $(ldd /usr/local/bin/node | grep -o '/[^ ]*') /image/ && \
    cp /usr/bin/tini-static /image/usr/local/bin/tini

FROM scratch AS p2p
ARG VERSION
LABEL org.opencontainers.image.title=isek-p2p org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.licenses=Apache-2.0
COPY --from=p2p-build /image /
ENV PATH=/usr/local/bin NODE_ENV=production
USER 65532:65532
# the first process of a container ignores SIGTERM until it has a handler, and a pod would wait for its whole grace period
ENTRYPOINT ["tini", "--", "node", "/app/p2p.mjs"]
