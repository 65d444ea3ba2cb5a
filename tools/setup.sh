#!/bin/sh
# Make the virtual environment VENV and install edgert into it, editable. Never asks a question.
# Usage: [PYTHON=python3.12] tools/setup.sh VENV REQUIREMENT      REQUIREMENT: ".[onnx]" or ".[test]"
set -eu

venv=$1
requirement=$2
wanted=${PYTHON:-python3}
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1

fail() {
    echo "setup: $1" >&2
    echo "  hint: $2" >&2
    exit 1
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# The interpreter asked for, else the newest one on PATH that is new enough.
choose_python() {
    for candidate in "$wanted" python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    found=$("$wanted" --version 2>&1 || echo "no $wanted")
    fail "edgert needs Python 3.11 or later, found: $found" \
        "install one (Debian 12: apt-get install python3 python3-venv), or say which: make PYTHON=/path/to/python3.12"
}

# Debian ships Python without ensurepip, unless python3-venv is installed.
make_venv() {
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif "$python" -c 'import venv' 2>/dev/null && "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip "$venv"
        "$python" -m pip --python "$venv/bin/python" install --quiet pip </dev/null
    elif "$python" -m virtualenv --version >/dev/null 2>&1; then
        "$python" -m virtualenv --quiet "$venv"
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        echo "setup: installing $package (this Python has no ensurepip)" >&2
        export DEBIAN_FRONTEND=noninteractive
        apt-get install -y "$package" </dev/null >&2 ||
            { apt-get update </dev/null >&2 && apt-get install -y "$package" </dev/null >&2; } ||
            fail "$package could not be installed" "install it by hand: apt-get install $package"
        "$python" -m venv "$venv"
    else
        fail "$python has neither ensurepip nor pip" \
            "as root: apt-get install python3-venv; then run make again"
    fi
}

if ! new_enough "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(choose_python)
    rm -rf "$venv"
    make_venv
fi
echo "setup: installing edgert$(echo "$requirement" | tr -d .) into $venv (first time: about 400 MB to download)" >&2
"$venv/bin/python" -m pip install --quiet --editable "$requirement" </dev/null ||
    fail "pip could not install the dependencies (its message is above)" \
        "check the network and the package index (pip config list), then run make again"
