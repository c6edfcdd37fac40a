//! Files by descriptor: opening, reading, writing, and what a descriptor itself can do.

use super::{Args, ioctl::ioctl, rows, stat, vectors};
use crate::{
    errno::{Answer, refuse},
    proc,
    spawn::Pipe,
    thread::Thread,
};
use libc::*;

rows! {
     23 dup(Int)                                    Host(SYS_dup);
     24 dup3(Int, Int, Hex)                         Host(SYS_dup3);
     25 fcntl(Int, Int, Addr)                       Here(fcntl_);
     29 ioctl(Int, Hex, Addr)                       Here(ioctl);
     32 flock(Int, Hex)                             Host(SYS_flock);
     44 fstatfs(Int, Ptr)                           Host(SYS_fstatfs);
     46 ftruncate(Int, Long)                        Host(SYS_ftruncate);
     47 fallocate(Int, Hex, Long, Long)             Host(SYS_fallocate);
     52 fchmod(Int, Octal)                          Host(SYS_fchmod);
     55 fchown(Int, Int, Int)                       Host(SYS_fchown);
     56 openat(At, Str, Hex, Octal)                 Here(openat_);
     57 close(Int)                                  Here(close_);
     59 pipe2(Ptr, Hex)                             Host(SYS_pipe2);
     61 getdents64(Int, Ptr, Long)                  Host(SYS_getdents64);
     62 lseek(Int, Long, Int)                       Host(SYS_lseek);
     63 read(Int, Ptr, Long)                        Host(SYS_read);
     64 write(Int, Ptr, Long)                       Host(SYS_write);
     65 readv(Int, Addr, Int)                       Here(vectors::readv);
     66 writev(Int, Addr, Int)                      Here(vectors::writev);
     67 pread64(Int, Ptr, Long, Long)               Host(SYS_pread64);
     68 pwrite64(Int, Ptr, Long, Long)              Host(SYS_pwrite64);
     69 preadv(Int, Addr, Int, Long, Long)          Here(vectors::preadv);
     70 pwritev(Int, Addr, Int, Long, Long)         Here(vectors::pwritev);
     71 sendfile(Int, Int, Ptr, Long)               Host(SYS_sendfile);
     75 vmsplice(Int, Addr, Long, Hex)              Here(vectors::vmsplice);
     76 splice(Int, Ptr, Int, Ptr, Long, Hex)       Host(SYS_splice);
     77 tee(Int, Int, Long, Hex)                    Host(SYS_tee);
     79 newfstatat(At, Str, Addr, Hex)              Here(stat::newfstatat);
     80 fstat(Int, Addr)                            Here(stat::fstat);
     81 sync()                                      Host(SYS_sync);
     82 fsync(Int)                                  Host(SYS_fsync);
     83 fdatasync(Int)                              Host(SYS_fdatasync);
     84 sync_file_range(Int, Long, Long, Hex)       Host(SYS_sync_file_range);
    213 readahead(Int, Long, Long)                  Host(SYS_readahead);
    223 fadvise64(Int, Long, Long, Int)             Host(SYS_fadvise64);
    267 syncfs(Int)                                 Host(SYS_syncfs);
    279 memfd_create(Str, Hex)                      Host(SYS_memfd_create);
    285 copy_file_range(Int, Ptr, Int, Ptr, Long, Hex) Host(SYS_copy_file_range);
    286 preadv2(Int, Addr, Int, Long, Long, Hex)    Here(vectors::preadv2);
    287 pwritev2(Int, Addr, Int, Long, Long, Hex)   Here(vectors::pwritev2);
    291 statx(At, Str, Hex, Hex, Ptr)               Here(stat::statx);
    436 close_range(Int, Int, Hex)                  Here(close_range_);
    437 openat2(At, Str, Ptr, Long)                 Host(SYS_openat2);
    425 io_uring_setup(Int, Ptr)                    Refused(ENOSYS);
}

fn openat_(thread: &Thread<'_>, [at, path, flags, mode, ..]: Args) -> Answer {
    let name = thread.process.memory.read_path(path)?;
    if let Some(opened) = proc::open(thread, &name, flags) {
        return opened;
    }
    let name = proc::under_prefix(thread, name);
    thread.host(SYS_openat, [at, name.as_ptr() as u64, flags, mode, 0, 0])
}

/// Descriptors of our own that the guest knows nothing of, in order.
fn ours(thread: &Thread<'_>) -> Vec<u64> {
    let log = Some(thread.process.log.fd).filter(|fd| *fd > STDERR_FILENO);
    let vfork = thread.vfork.borrow().as_ref().map(Pipe::writing);
    let mut ours: Vec<u64> = log.into_iter().chain(vfork).map(|fd| fd as u64).collect();
    ours.sort_unstable();
    ours
}

fn close_(thread: &Thread<'_>, [fd, ..]: Args) -> Answer {
    if ours(thread).contains(&fd) {
        return refuse(EBADF);
    }
    thread.host(SYS_close, [fd, 0, 0, 0, 0, 0])
}

/// `close_range`, in parts between descriptors of ours.
fn close_range_(thread: &Thread<'_>, [first, last, flags, ..]: Args) -> Answer {
    let (mut from, last) = (first & 0xffff_ffff, last & 0xffff_ffff);
    if from > last {
        return refuse(EINVAL);
    }
    for own in ours(thread).into_iter().filter(|own| (first & 0xffff_ffff..=last).contains(own)) {
        if own > from {
            thread.host(SYS_close_range, [from, own - 1, flags, 0, 0, 0])?;
        }
        from = own + 1;
    }
    if from > last { Ok(0) } else { thread.host(SYS_close_range, [from, last, flags, 0, 0, 0]) }
}

/// `fcntl`: which of its commands take an address.
fn fcntl_(thread: &Thread<'_>, [fd, command, arg, ..]: Args) -> Answer {
    const ADDRESSES: [i32; 12] = [
        F_GETLK,
        F_SETLK,
        F_SETLKW,
        F_OFD_GETLK,
        F_OFD_SETLK,
        F_OFD_SETLKW,
        15,   // F_SETOWN_EX
        16,   // F_GETOWN_EX
        1035, // F_GET_RW_HINT
        1036, // F_SET_RW_HINT
        1037, // F_GET_FILE_RW_HINT
        1038, // F_SET_FILE_RW_HINT
    ];
    let arg = if ADDRESSES.contains(&(command as i32)) { thread.at(arg) } else { arg };
    thread.host(SYS_fcntl, [fd, command, arg, 0, 0, 0])
}
