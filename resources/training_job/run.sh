#!/bin/sh
# The training run of this folder: begins, or goes on from its last checkpoint. README.md says more.
#   --setup-only  makes the training environment, and does not train
#   KOTAE_PYTHON  a Python that has the training environment; without it one is made in ./environment
#   KOTAE_TORCH   cuda (as it is), or cpu
#   KOTAE_CARDS   how many cards of this machine train together; 1 where neither it nor Slurm says otherwise
set -eu
umask 077
CDPATH= cd -- "$(dirname "$0")"
case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in ja*) language=ja ;; *) language=en ;; esac
setup_only=
[ "${1:-}" != --setup-only ] || setup_only=1

stop() { # JAPANESE ENGLISH
    if [ "$language" = ja ]; then echo "$1" >&2; else echo "$2" >&2; fi
    exit 3
}

differing() { # LIST: the first of its files that is missing or another one
    found=$(LC_ALL=C sha256sum --check --quiet "$1" 2>/dev/null) && return 1
    found=${found%%: FAILED*}
    found=${found:-$1}
}

if differing SHA256SUMS; then
    stop "$found が、フォルダを作ったときと違います。元の PC のフォルダから、もう一度コピーしてください。" \
        "$found is not what it was when the folder was made. Copy it once more from the computer where it was made."
fi
if [ -z "$setup_only" ] && differing base.sha256; then
    stop "元のモデルのファイル $found がないか、別のものです。README.md の 2 のファイルを base フォルダに置いてください。" \
        "The base model's file $found is missing, or is another one. Put the files of step 2 in README.md into the folder base."
fi

python=${KOTAE_PYTHON:-environment/bin/python}
if [ -z "${KOTAE_PYTHON:-}" ] && [ ! -f environment/ready ]; then
    from=
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            from=$name
            break
        fi
    done
    [ -n "$from" ] || stop \
        "Python 3.11〜3.13（venv 付き）が見つかりません。入れるか、module load などで使えるようにしてください。" \
        "No Python 3.11 to 3.13 with venv was found. Install one, or make one available (module load)."
    "$from" -m venv environment
    version=$("$python" -c 'import sys; print("py%d%d" % sys.version_info[:2])')
    lock=locked/${KOTAE_TORCH:-cuda}-linux-$(uname -m)-$version.txt
    if [ "${KOTAE_TORCH:-cuda}" = cpu ]; then
        export PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL:-https://download.pytorch.org/whl/cpu}"
    fi
    set -- --requirement requirements.txt
    [ ! -f "$lock" ] || set -- --require-hashes --no-deps --requirement "$lock"
    "$python" -I -X utf8 watch.py "$language" setup \
        "$python" -m pip install --only-binary :all: --no-input --progress-bar off "$@"
    touch environment/ready
fi
if [ -n "$setup_only" ]; then
    if [ "$language" = ja ]; then echo "学習環境の用意ができました。"; else echo "The training environment is ready."; fi
    exit
fi

resume=
for checkpoint in run/checkpoints/checkpoint-*; do
    [ -d "$checkpoint" ] && resume=--resume
done
set -- "$python" -I -X utf8 trainer/start.py trainer run.json --commands $resume
cards=${KOTAE_CARDS:-${SLURM_GPUS_ON_NODE:-1}}
if [ "$cards" -gt 1 ]; then
    set -- "$python" -I -m accelerate.commands.launch --config_file accelerate.yaml --num_processes "$cards" --no_python "$@"
fi
# In place of this shell: signals that ask for a pause reach it, and so the training.
exec "$python" -I -X utf8 watch.py "$language" train "$@"
