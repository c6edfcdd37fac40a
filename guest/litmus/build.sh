#!/bin/sh
# Builds the runner around the threads of litmus tests: guest/litmus/build.sh OUTPUT.elf THREADS.S HARTS ITERATIONS
set -eu
output=$(realpath "$1") threads=$(realpath "$2") harts=$3 iterations=$4
cd "$(dirname "$0")"
"${CROSS_COMPILE:-riscv64-linux-gnu-}gcc" -march=rv64ima_zicsr_zifencei_zihintpause -mabi=lp64 -O2 -std=gnu11 \
    -Wall -Wextra -DHARTS="$harts" -DITERATIONS="$iterations" -ffreestanding -fno-builtin -fno-pic \
    -fno-stack-protector -fno-tree-loop-distribute-patterns -mcmodel=medany -nostdlib -static \
    -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,../programs/programs.ld \
    start.S main.c "$threads" -o "$output"
