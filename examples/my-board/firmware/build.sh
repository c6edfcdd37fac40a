#!/bin/sh
# Builds the firmware: firmware/build.sh [OUTPUT] writes firmware/firmware.bin, or OUTPUT. It needs a C compiler for
# RISC-V, Debian's gcc-riscv64-linux-gnu for example; the committed firmware.bin is what that one makes of firmware.c.
set -eu
cd "$(dirname "$0")"
output=${1:-firmware.bin}
cross=${CROSS_COMPILE:-riscv64-linux-gnu-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${cross}gcc" -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -Os -std=gnu11 -Wall -Wextra -Werror \
    -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fno-builtin \
    -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,firmware.ld \
    firmware.c -o "$work/firmware.elf"
"${cross}objcopy" -O binary "$work/firmware.elf" "$work/firmware.bin"
mv "$work/firmware.bin" "$output"
