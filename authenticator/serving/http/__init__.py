"""HTTP on the event loop of a worker: connections, requests, responses, and gunicorn's worker."""
