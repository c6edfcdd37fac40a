#!/bin/sh
# Builds the monitor: guest/build.sh [OUTPUT] writes guest/monitor.bin, or OUTPUT; the same compiler writes the same bytes.
# XLEN=32 builds it for 32 bits, as guest/monitor32.bin unless told otherwise.
set -eu
cd "$(dirname "$0")"
case ${XLEN:-64} in
32) target="-march=rv32imac_zicsr_zifencei -mabi=ilp32" output=${1:-monitor32.bin} ;;
*) target="-march=rv64imac_zicsr_zifencei -mabi=lp64" output=${1:-monitor.bin} ;;
esac
cross=${CROSS_COMPILE:-riscv64-linux-gnu-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2086
"${cross}gcc" $target -mcmodel=medany -Os -std=gnu11 \
    -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror \
    -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns \
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -ffile-prefix-map="$PWD"=guest \
    -nostdlib -static -Wl,--build-id=none -Wl,--gc-sections -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments -Wl,-T,monitor.ld \
    start.S main.c machine.c fdt.c console.c trap.c command.c registers.c harts.c tree.c bench.c text.c wide.c -o "$work/monitor.elf"
"${cross}objcopy" -O binary "$work/monitor.elf" "$work/monitor.bin"
"${cross}size" "$work/monitor.elf"
mv "$work/monitor.bin" "$output"
if [ -n "${KEEP_ELF:-}" ]; then mv "$work/monitor.elf" "$KEEP_ELF"; fi
