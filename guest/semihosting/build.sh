#!/bin/sh
# Builds the semihosting program: guest/semihosting/build.sh OUTPUT.elf MARCH MABI
set -eu
output=$(realpath "$1") march=$2 mabi=$3
cd "$(dirname "$0")"
"${CROSS_COMPILE:-riscv64-linux-gnu-}gcc" -march="$march" -mabi="$mabi" -O1 -std=gnu11 -Wall -Wextra \
    -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns -mno-relax \
    -mcmodel=medany -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,programs.ld \
    start.S calls.c runtime.c -o "$output"
