#!/bin/sh
# Builds the programs of 128 bits: guest/rv128/build.sh [FOLDER] writes NAME.bin here, or into FOLDER.
set -eu
cd "$(dirname "$0")"
folder=${1:-.}
cross=${CROSS_COMPILE:-riscv64-linux-gnu-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The start of narrow.c is for any width; the others save registers of 128 bits.
for program in fibonacci.S table.S copy.S dforms.S narrow.c; do
    name=${program%.*}
    case $program in
    *.S) begin=console.S ;;
    *) begin=narrow_start.S ;;
    esac
    "${cross}gcc" -march=rv64ima_zicsr -mabi=lp64 -mcmodel=medany -O2 -std=gnu11 -Wall -Wextra -Werror \
        -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns \
        -fno-asynchronous-unwind-tables -ffile-prefix-map="$PWD"=guest/rv128 -mno-relax \
        -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments -Wl,-T,rv128.ld \
        "$begin" "$program" -o "$work/$name.elf"
    "${cross}objcopy" -O binary "$work/$name.elf" "$work/$name.bin"
    chmod 644 "$work/$name.bin"
    cp "$work/$name.bin" "$folder/$name.bin"
done
