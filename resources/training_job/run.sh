#!/bin/sh
# The training run of this folder: begins, or goes on from its last checkpoint. README.md says more.
#   KOTAE_PYTHON  a Python that has the training environment; without it one is made in ./environment
#   KOTAE_TORCH   cuda (as it is), or cpu
set -eu
cd "$(dirname "$0")"
sha256sum --check --quiet SHA256SUMS
sha256sum --check --quiet base.sha256

python=${KOTAE_PYTHON:-environment/bin/python}
if [ -z "${KOTAE_PYTHON:-}" ] && [ ! -f environment/ready ]; then
    python3 -m venv environment
    version=$("$python" -c 'import sys; print("py%d%d" % sys.version_info[:2])')
    lock=locked/${KOTAE_TORCH:-cuda}-linux-$(uname -m)-$version.txt
    if [ "${KOTAE_TORCH:-cuda}" = cpu ]; then
        export PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-https://download.pytorch.org/whl/cpu}"
    fi
    if [ -f "$lock" ]; then
        "$python" -m pip install --require-hashes --no-deps --only-binary :all: --requirement "$lock"
    else
        "$python" -m pip install --only-binary :all: --requirement requirements.txt
    fi
    touch environment/ready
fi

resume=
for checkpoint in run/checkpoints/checkpoint-*; do
    [ -d "$checkpoint" ] && resume=--resume
done
# In place of this shell: signals that ask for a pause reach the training itself.
exec "$python" -I -X utf8 trainer/start.py trainer run.json $resume
