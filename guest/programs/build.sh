#!/bin/sh
# Builds the programs for a bare machine of 32 bits: guest/programs/build.sh OUTPUT.elf MARCH MABI [FLAG...]
set -eu
output=$(realpath "$1") march=$2 mabi=$3
shift 3
cd "$(dirname "$0")"
"${CROSS_COMPILE:-riscv64-linux-gnu-}gcc" -march="$march" -mabi="$mabi" "$@" -std=gnu11 -I.. -Wall -Wextra \
    -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns -ffp-contract=off \
    -mcmodel=medany -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,programs.ld \
    start.S main.c roots.c floats.c atomics.c runtime.c ../wide.c -o "$output"
