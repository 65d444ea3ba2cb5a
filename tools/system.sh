#!/bin/sh
# Install what stands in for boards in the tests: QEMU, Verilator and a C++ compiler. Debian, as root; never asks.
# Without it those tests are skipped, so a machine where this cannot be done is no error.
set -u
missing=""
for pair in qemu-system-arm:qemu-system-arm qemu-system-riscv32:qemu-system-misc qemu-aarch64:qemu-user \
    verilator:verilator g++:g++ make:make gcc:gcc; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "system: missing:$missing - the tests that need them are skipped" >&2
    echo "  hint: as root on Debian: apt-get install$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
echo "system: installing$missing" >&2
apt-get update -qq </dev/null >&2
# shellcheck disable=SC2086  # a list of names
apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null ||
    echo "system: could not install$missing - the tests that need them are skipped" >&2
