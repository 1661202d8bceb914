# One image for the worker and the MLflow server: the project with its exact pins.
FROM python:3.11-slim
COPY --from=ghcr.io/astral-sh/uv:0.13.8 /uv /usr/local/bin/uv
WORKDIR /hardcase
COPY requirements.txt .
RUN uv pip install --system --no-cache --require-hashes -r requirements.txt
COPY . .
ENV PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=PASSIVE
CMD ["python", "-m", "flows", "--help"]
