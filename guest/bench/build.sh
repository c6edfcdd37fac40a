#!/bin/sh
# Builds CoreMark for the bare machine: guest/bench/build.sh COREMARK_SOURCES OUTPUT.elf
# ITERATIONS (3000), OFFSET (0: bytes that all but the start-up is moved up by), MARCH (rv64gc) and MABI (lp64d) may be set; for 32 bits MARCH=rv32imac_zicsr_zifencei MABI=ilp32. The raw image is written beside the ELF as OUTPUT.elf.bin.
set -eu
sources=$(cd "$1" && pwd)
output=$(realpath "$2")
iterations=${ITERATIONS:-3000}
offset=${OFFSET:-0}
flags="-O2 -march=${MARCH:-rv64gc} -mabi=${MABI:-lp64d}"
cross=${CROSS_COMPILE:-riscv64-linux-gnu-}
cd "$(dirname "$0")/.."

# CoreMark's seeds are initialised data, which the monitor's layout forbids: a benchmark is not started twice.
sed -e "/must not have initialised/d" -e "s/\*(.text.start)/& . += $offset;/" monitor.ld >"$output.ld"
# shellcheck disable=SC2086
"${cross}gcc" $flags -mcmodel=medany -std=gnu11 -I. -Ibench -I"$sources" \
    -DITERATIONS="$iterations" -DFLAGS_STR="\"$flags\"" -DPERFORMANCE_RUN=1 \
    -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns \
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -ffile-prefix-map="$sources"=coremark \
    -nostdlib -static -Wl,--build-id=none -Wl,--gc-sections -Wl,--no-warn-rwx-segments -Wl,-T,"$output.ld" \
    start.S bench/core_portme.c machine.c fdt.c console.c trap.c harts.c text.c wide.c \
    "$sources"/core_list_join.c "$sources"/core_main.c "$sources"/core_matrix.c "$sources"/core_state.c "$sources"/core_util.c \
    -o "$output"
rm -f "$output.ld"
"${cross}objcopy" -O binary "$output" "$output.bin"
