"""gunicorn's settings, the same for ``make up`` and for a server; sizes come from the environment."""

import os

bind = f"{os.environ.get('WEB_HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS", "2"))
# Pages wait for PostgreSQL, not for the processor; each thread holds at most one connection.
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "4"))
timeout = int(os.environ.get("WEB_TIMEOUT_SECONDS", "60"))
graceful_timeout = 15
keepalive = 5
# Memory that a worker gathered goes back to the system; the jitter keeps workers from leaving together.
max_requests = 5000
max_requests_jitter = 500
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
errorlog = "-"
accesslog = None
# gunicorn's control socket would be made in the user's home directory, outside the program's.
control_socket_disable = True
