#!/bin/sh
# Builds one program: guest/bench/programs/build.sh NAME WAY OUTPUT [FLAG...]
# NAME is a source without .c, or micro-MODE or kernel-MODE; WAY is native, linux (a static program) or bare (for M-mode).
# -DTINY makes it as small as a test wants it.
set -eu
name=$1 way=$2 output=$(realpath "$3")
shift 3
cd "$(dirname "$0")"
case $name in *-*) set -- "-DMODE=${name#*-}" "$@" ;; esac
sources="${name%%-*}.c main.c ../../programs/roots.c"
flags="-O2 -std=gnu11 -Wall -Wextra -ffp-contract=off -fno-math-errno -I. -I../../programs"
cross=${CROSS_COMPILE:-riscv64-linux-gnu-}gcc
# shellcheck disable=SC2086
case $way in
native) ${CC:-cc} $flags "$@" $sources -o "$output" -lm ;;
linux) "$cross" $flags -march=rv64gc -mabi=lp64d -static -s "$@" $sources -o "$output" ;;
bare) "$cross" $flags -march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding -fno-pic -fno-stack-protector \
    -fno-tree-loop-distribute-patterns -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
    -Wl,-T,../../programs/programs.ld "$@" \
    ../../programs/start.S $sources ../../programs/runtime.c -o "$output" ;;
*) echo "build.sh: there is no way called $way" >&2 && exit 1 ;;
esac
