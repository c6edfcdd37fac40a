//! Files by name: links, directories, owners, attributes, mounts.

use super::{Args, rows};
use crate::{errno::Answer, proc, thread::Thread};
use libc::*;

rows! {
      5 setxattr(Str, Str, Ptr, Long, Hex)          Host(SYS_setxattr);
      6 lsetxattr(Str, Str, Ptr, Long, Hex)         Host(SYS_lsetxattr);
      7 fsetxattr(Int, Str, Ptr, Long, Hex)         Host(SYS_fsetxattr);
      8 getxattr(Str, Str, Ptr, Long)               Host(SYS_getxattr);
      9 lgetxattr(Str, Str, Ptr, Long)              Host(SYS_lgetxattr);
     10 fgetxattr(Int, Str, Ptr, Long)              Host(SYS_fgetxattr);
     11 listxattr(Str, Ptr, Long)                   Host(SYS_listxattr);
     12 llistxattr(Str, Ptr, Long)                  Host(SYS_llistxattr);
     13 flistxattr(Int, Ptr, Long)                  Host(SYS_flistxattr);
     14 removexattr(Str, Str)                       Host(SYS_removexattr);
     15 lremovexattr(Str, Str)                      Host(SYS_lremovexattr);
     16 fremovexattr(Int, Str)                      Host(SYS_fremovexattr);
     17 getcwd(Ptr, Long)                           Host(SYS_getcwd);
     33 mknodat(At, Str, Octal, Hex)                Host(SYS_mknodat);
     34 mkdirat(At, Str, Octal)                     Host(SYS_mkdirat);
     35 unlinkat(At, Str, Hex)                      Host(SYS_unlinkat);
     36 symlinkat(Str, At, Str)                     Host(SYS_symlinkat);
     37 linkat(At, Str, At, Str, Hex)               Host(SYS_linkat);
     39 umount2(Str, Hex)                           Host(SYS_umount2);
     40 mount(Str, Str, Str, Hex, Ptr)              Host(SYS_mount);
     41 pivot_root(Str, Str)                        Host(SYS_pivot_root);
     43 statfs(Str, Ptr)                            Host(SYS_statfs);
     45 truncate(Str, Long)                         Host(SYS_truncate);
     48 faccessat(At, Str, Octal)                   Here(faccessat_);
     49 chdir(Str)                                  Host(SYS_chdir);
     50 fchdir(Int)                                 Host(SYS_fchdir);
     51 chroot(Str)                                 Host(SYS_chroot);
     53 fchmodat(At, Str, Octal)                    Host(SYS_fchmodat);
     54 fchownat(At, Str, Int, Int, Hex)            Host(SYS_fchownat);
     78 readlinkat(At, Str, Addr, Long)             Here(readlinkat_);
     88 utimensat(At, Str, Ptr, Hex)                Host(SYS_utimensat);
    166 umask(Octal)                                Host(SYS_umask);
    264 name_to_handle_at(At, Str, Ptr, Ptr, Hex)   Host(SYS_name_to_handle_at);
    265 open_by_handle_at(Int, Ptr, Hex)            Host(SYS_open_by_handle_at);
    276 renameat2(At, Str, At, Str, Hex)            Host(SYS_renameat2);
    428 open_tree(At, Str, Hex)                     Host(SYS_open_tree);
    429 move_mount(At, Str, At, Str, Hex)           Host(SYS_move_mount);
    430 fsopen(Str, Hex)                            Host(SYS_fsopen);
    431 fsconfig(Int, Int, Str, Ptr, Int)           Host(SYS_fsconfig);
    432 fsmount(Int, Hex, Hex)                      Host(SYS_fsmount);
    433 fspick(At, Str, Hex)                        Host(SYS_fspick);
    439 faccessat2(At, Str, Octal, Hex)             Here(faccessat2_);
    442 mount_setattr(At, Str, Hex, Ptr, Long)      Host(SYS_mount_setattr);
    452 fchmodat2(At, Str, Octal, Hex)              Host(SYS_fchmodat2);
}

fn readlinkat_(thread: &Thread<'_>, [at, path, buf, size, ..]: Args) -> Answer {
    let name = thread.process.memory.read_path(path)?;
    if let Some(target) = proc::link(thread, &name) {
        let len = target.len().min(size as usize);
        thread.process.memory.write(buf, &target[..len])?;
        return Ok(len as u64);
    }
    thread.host(SYS_readlinkat, [at, name.as_ptr() as u64, thread.at(buf), size, 0, 0])
}

fn faccessat_(thread: &Thread<'_>, [at, path, mode, ..]: Args) -> Answer {
    faccessat2_(thread, [at, path, mode, 0, 0, 0])
}

fn faccessat2_(thread: &Thread<'_>, [at, path, mode, flags, ..]: Args) -> Answer {
    let path = proc::under_prefix(thread, thread.process.memory.read_path(path)?);
    let args = [at, path.as_ptr() as u64, mode, flags, 0, 0];
    thread.host(if flags == 0 { SYS_faccessat } else { SYS_faccessat2 }, args)
}
