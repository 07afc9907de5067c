# The harness in a container, with torch for CPUs or with CUDA.
#   docker build --target cpu --tag speech-harness .
#   docker build --target cuda --tag speech-harness:cuda .
#   docker run --rm -v "$PWD/data:/data:ro" -v "$PWD/runs:/runs" -v harness-cache:/cache \
#     speech-harness run --upstream fbank --downstream linear --corpus demo
# Versions are those of constraints.txt; a folder of checkpoints is mounted at /checkpoints.

FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 MPLCONFIGDIR=/tmp/matplotlib \
    HARNESS_DATA=/data HARNESS_CHECKPOINTS=/checkpoints HARNESS_RUNS=/runs \
    HARNESS_CACHE=/cache HF_HOME=/cache/huggingface
RUN useradd --create-home harness && \
    mkdir /data /checkpoints /runs /cache && chown harness /runs /cache
WORKDIR /source

# Give the index of torch's wheels for CPUs, which pytorch.org names under "Get started", by
# --build-arg TORCH_INDEX=…: they are a tenth of the size of those with CUDA.
FROM base AS cpu
ARG TORCH_INDEX=
COPY . .
RUN grep -vE '^(nvidia|cuda|triton)' constraints.txt > cpu.txt && \
    pip install ${TORCH_INDEX:+--index-url $TORCH_INDEX} torch==2.11.0 torchaudio==2.11.0 && \
    pip install --constraint cpu.txt . && rm -rf /source/*
USER harness
WORKDIR /runs
ENTRYPOINT ["harness"]
CMD ["--help"]

FROM base AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY . .
RUN pip install --constraint constraints.txt . && rm -rf /source/*
USER harness
WORKDIR /runs
ENTRYPOINT ["harness"]
CMD ["--help"]
