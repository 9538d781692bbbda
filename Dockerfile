# The trading program with everything it needs. docs/deployment.md says how it is built, run and updated.
#
# Stage 1 makes the Python environment; its tools do not reach the image that runs.
FROM python:3.11-slim-trixie AS build

COPY deploy/requirements.lock /build/
# Every file that is downloaded has to have the hash written down in the lock.
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /build/requirements.lock \
    # Tests of the libraries, an eighth of it all, never run here.
    && find /opt/venv -type d -name tests -prune -exec rm -rf {} +

COPY . /opt/muhurat
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/muhurat


FROM python:3.11-slim-trixie

# LightGBM's wheel expects the OpenMP library of the system.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin muhurat \
    && install -d -o muhurat -g muhurat -m 0700 \
        /data /home/muhurat/.config /home/muhurat/.config/muhurat

COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/muhurat /opt/muhurat

# /data/own is for strategies of your own. The root file system is read-only, so caches go to /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/muhurat:/data/own \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    XDG_CACHE_HOME=/tmp/cache

# Runs, models, bars and the files KILL_SWITCH and PAUSED are kept in the working directory; the Kite token of the
# day apart from them, so that who may read the runs need not be able to trade.
WORKDIR /data
VOLUME ["/data", "/home/muhurat/.config/muhurat"]
USER 10001:10001

# A container's own 127.0.0.1 cannot be reached from outside. On any other address the page asks for STATUS_TOKEN,
# and is not there without one; compose.yaml publishes it on the host's 127.0.0.1 only.
EXPOSE 8000
ENTRYPOINT ["python", "/opt/muhurat/run_live.py", "--set", "status.host=0.0.0.0"]
CMD ["--mode", "paper"]

HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]

# SIGTERM closes what is open, or leaves it with its stop (live.on_stop): give it a minute and a half.
STOPSIGNAL SIGTERM
