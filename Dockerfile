# The server's image: how to build, pin, verify and run it is in docs/image.md, why it is made so in
# docs/adr/0012-image.md.
#
# For what is published, give both images by digest: BUILD_IMAGE=...@sha256:..., FINAL_IMAGE likewise.
# Both must have the same minor version of Python and a C library no newer in the first than in the
# second, since what the first compiles and chooses (bytecode, extension modules) the second runs.
ARG BUILD_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG FINAL_IMAGE=gcr.io/distroless/python3-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
# Where the final image has its interpreter.
ARG FINAL_PYTHON=/usr/bin/python3
ENV APP=/opt/aws-iam-authenticator
WORKDIR /source
COPY dev/image dev/image
# Only wheels, and only those whose hashes are committed: nothing of the dependencies runs here.
RUN python3 -m venv --without-pip "$APP" \
 && python3 -m venv --without-pip /builder \
 && install() { python3 -m pip --python "$1/bin/python3" install --no-compile --no-deps \
                  --only-binary :all: --require-hashes --requirement "dev/image/$2"; } \
 && install "$APP" requirements.txt \
 && install /builder build-requirements.txt
COPY . .
RUN python3 -m pip --python /builder/bin/python3 wheel --no-build-isolation --no-deps --no-index \
      --wheel-dir /wheels . \
 && python3 -m pip --python "$APP/bin/python3" install --no-compile --no-deps --no-index /wheels/*.whl \
 && "$APP/bin/python3" -m dev.sbom > /sbom.json \
# The asyncio twin of the Kubernetes client: 68 MB that we do not import.
 && rm -r "$APP"/lib/python3.*/site-packages/kubernetes/aio \
# Nobody can write the bytecode later, so that to look whether it is still that of its source is idle.
 && "$APP/bin/python3" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$APP/lib" \
# The final image's interpreter, our command, and no other.
 && find "$APP/bin" -mindepth 1 ! -name aws-iam-authenticator -delete \
 && ln -s "$FINAL_PYTHON" "$APP/bin/python3" \
 && ln -s python3 "$APP/bin/python" \
 && printf 'home = %s\ninclude-system-site-packages = false\n' "$(dirname "$FINAL_PYTHON")" \
      > "$APP/pyvenv.cfg" \
 && mkdir /empty

FROM ${FINAL_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="kube-iam-authenticator" \
      org.opencontainers.image.description="AWS IAM authentication for Kubernetes: the API server's webhook" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /sbom.json /usr/share/sbom/kube-iam-authenticator.cdx.json
# What the server writes, where no volume of the host's is mounted over it.
COPY --from=build --chown=10000:10000 /empty /var/aws-iam-authenticator
COPY --from=build --chown=10000:10000 /empty /etc/kubernetes/aws-iam-authenticator
COPY --from=build /opt/aws-iam-authenticator /opt/aws-iam-authenticator
ENV PATH=/opt/aws-iam-authenticator/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1
# As numbers: kubelet can only then tell that it is not root. Whose they are: docs/adr/0011-state.md.
USER 10000:10000
# For engines that have no probes of their own. Kubernetes ignores it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD [ \
  "/opt/aws-iam-authenticator/bin/python3", "-Ic", \
  "import http.client, os\nport = os.environ.get('KUBERNETES_AWS_AUTHENTICATOR_HEALTH_PORT', 21363)\nserver = http.client.HTTPConnection('127.0.0.1', port, timeout=4)\nserver.request('GET', '/healthz')\nraise SystemExit(server.getresponse().status != 200)"]
ENTRYPOINT ["/opt/aws-iam-authenticator/bin/aws-iam-authenticator"]
CMD ["server"]
