# Tunesmith in a container.
#
#   docker build -t tunesmith .                                 CPU
#   docker build -t tunesmith --build-arg TORCH_BACKEND=cu130 . NVIDIA GPUs
#
# The studio listens on loopback only until it has accounts (see "More than one person" in the README), so the
# container shares the host's network:
#
#   docker run --network host -v tunesmith:/data tunesmith              then open the address that it prints
#   docker run --network host --gpus all -v tunesmith:/data tunesmith   with GPUs

FROM python:3.12-slim-bookworm

# uv knows where PyTorch keeps its builds: "cpu", or a CUDA version such as "cu130".
ARG TORCH_BACKEND=cpu

RUN useradd --create-home --uid 1000 studio && mkdir /data && chown studio:studio /data
WORKDIR /opt/tunesmith

COPY requirements.txt .
RUN pip install --no-cache-dir uv==0.9.* && uv pip install --system --no-cache --torch-backend=${TORCH_BACKEND} -r requirements.txt \
    && pip uninstall --yes uv

COPY app app
COPY studio_core studio_core
COPY jobs jobs
COPY static static
RUN python -m compileall -q app studio_core jobs

USER studio
ENV TUNESMITH_HOME=/data HF_HOME=/data/huggingface PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
CMD ["python", "-m", "app"]
