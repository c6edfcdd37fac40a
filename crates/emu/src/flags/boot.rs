//! What is in memory when the machine starts.

use super::{Complete, FLAG, Flag};

pub(super) const FLAGS: &[Flag] = &[
    Flag {
        names: &["bios"],
        form: "default|builtin|none|FILE",
        brief: "choose the firmware",
        more: "Without it, a machine that is given a kernel gets OpenSBI, and one without gets our own monitor. \
               builtin is \
               no firmware at all: the emulator itself answers the kernel's calls (SBI 2.0), and harts begin in the \
               kernel, in supervisor mode. FILE is looked for as it is, then in the folders of -L.",
        examples: &[
            ("-bios none -kernel a.elf", "bare metal: a.elf runs in machine mode"),
            ("-bios builtin -kernel vmlinux", "Linux without firmware, and faster"),
        ],
        complete: Complete::File,
        parse: |asked, arg| {
            asked.bios = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["none", "default", "builtin", "fw.bin"],
        ..FLAG
    },
    Flag {
        names: &["kernel"],
        form: "FILE",
        brief: "load a kernel: ELF, Linux Image or raw, also compressed with gzip or zstd",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.kernel = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["vmlinux"],
        ..FLAG
    },
    Flag {
        names: &["initrd"],
        form: "FILE",
        brief: "load an initial RAM disk beside the kernel",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.initrd = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["initrd.gz"],
        ..FLAG
    },
    Flag {
        names: &["append"],
        form: "TEXT",
        brief: "give the kernel its command line",
        examples: &[("-kernel vmlinux -append \"console=ttyS0\"", "Linux talks on the first serial port")],
        parse: |asked, arg| {
            asked.append = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["console=ttyS0,115200"],
        ..FLAG
    },
    Flag {
        names: &["dtb"],
        form: "FILE",
        brief: "give the guest this device tree instead of the machine's own",
        complete: Complete::File,
        parse: |asked, arg| {
            asked.dtb = Some(arg.text.clone());
            Ok(())
        },
        accepts: &["board.dtb"],
        ..FLAG
    },
    Flag {
        names: &["L"],
        form: "FOLDER",
        brief: "look for firmware in this folder too",
        complete: Complete::Folder,
        parse: |asked, arg| {
            asked.folders.push((&arg.text).into());
            Ok(())
        },
        accepts: &["/usr/share/qemu"],
        ..FLAG
    },
];
