# The project with its environment, for a user who is not root.
#
#   docker build --tag mathledger .
#   docker run --rm --volume mathledger:/home/ubuntu/mathledger mathledger make repro
#
# On GPUs, take NVIDIA's image and PyTorch's default wheels, which hold CUDA:
#
#   docker build --tag mathledger:cuda --build-arg TORCH_INDEX= \
#     --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 .
#   docker run --rm --gpus all --ipc host --volume mathledger:/home/ubuntu/mathledger mathledger:cuda make repro
#
# The build context must be a clone, because stages record the commit that they run at.
ARG BASE=ubuntu:24.04

FROM ${BASE} AS base
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates git make python3 python3-venv \
  && rm -rf /var/lib/apt/lists/*
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_EXTRA_INDEX_URL=${TORCH_INDEX} PIP_NO_CACHE_DIR=1
USER 1000
WORKDIR /home/ubuntu/mathledger

FROM base AS project
# The environment comes before the code, so that an edit does not install it again.
COPY --chown=ubuntu:ubuntu Makefile pyproject.toml README.md LICENSE ./
COPY --chown=ubuntu:ubuntu locks locks
COPY --chown=ubuntu:ubuntu mathledger/__init__.py mathledger/__init__.py
RUN make setup
COPY --chown=ubuntu:ubuntu . .
RUN git config --global user.name mathledger \
  && git config --global user.email mathledger@example.org
CMD ["make", "repro"]
