//! What the system is and how much there is of it.

use super::{Args, rows};
use crate::{
    errno::{Answer, refuse},
    memory::SIZE,
    thread::Thread,
};
use hartwright_isa::{Ext, cpu::CACHE_BLOCK};
use libc::*;

rows! {
     92 personality(Hex)                            Host(SYS_personality);
    116 syslog(Int, Ptr, Int)                       Host(SYS_syslog);
    160 uname(Addr)                                 Here(uname_);
    161 sethostname(Str, Int)                       Host(SYS_sethostname);
    162 setdomainname(Str, Int)                     Host(SYS_setdomainname);
    163 getrlimit(Int, Ptr)                         Host(SYS_getrlimit);
    164 setrlimit(Int, Addr)                        Here(setrlimit_);
    165 getrusage(Int, Ptr)                         Host(SYS_getrusage);
    167 prctl(Int, Addr, Addr, Addr, Addr)          Here(prctl_);
    168 getcpu(Ptr, Ptr, Ptr)                       Host(SYS_getcpu);
    179 sysinfo(Ptr)                                Host(SYS_sysinfo);
    258 riscv_hwprobe(Addr, Long, Long, Ptr, Hex)   Here(riscv_hwprobe);
    261 prlimit64(Int, Int, Addr, Ptr)              Here(prlimit64_);
    277 seccomp(Int, Hex, Ptr)                      Refused(ENOSYS);
    278 getrandom(Ptr, Long, Hex)                   Host(SYS_getrandom);
}

fn uname_(thread: &Thread<'_>, [to, ..]: Args) -> Answer {
    /// Six fields of 65 bytes; the fifth is the machine, the third the release.
    const FIELD: usize = 65;
    let mut names = [0u8; 6 * FIELD];
    thread.host(SYS_uname, [names.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    let mut field = |at: usize, text: &[u8]| {
        names[at * FIELD..(at + 1) * FIELD].fill(0);
        let len = text.len().min(FIELD - 1);
        names[at * FIELD..][..len].copy_from_slice(&text[..len]);
    };
    field(4, b"riscv64");
    if let Some(release) = &thread.process.options.release {
        field(2, release.as_bytes());
    }
    thread.process.memory.write(to, &names).map(|()| 0)
}

/// Whether setting a limit would hit the emulator, which needs more of these than its guest.
fn is_ours(resource: u64) -> bool {
    [RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK].map(u64::from).contains(&resource)
}

fn setrlimit_(thread: &Thread<'_>, [resource, new, ..]: Args) -> Answer {
    if is_ours(resource) {
        return thread.process.memory.read_array::<16>(new).map(|_| 0);
    }
    thread.host(SYS_setrlimit, [resource, thread.at(new), 0, 0, 0, 0])
}

fn prlimit64_(thread: &Thread<'_>, [pid, resource, new, old, ..]: Args) -> Answer {
    let new = if is_ours(resource) { 0 } else { thread.at(new) };
    thread.host(SYS_prlimit64, [pid, resource, new, thread.at(old), 0, 0])
}

/// `prctl`: those that mean the same on the host.
fn prctl_(thread: &Thread<'_>, [option, a, b, c, d, _]: Args) -> Answer {
    let addresses = match option as i32 {
        PR_GET_PDEATHSIG | PR_SET_NAME | PR_GET_NAME | PR_GET_CHILD_SUBREAPER => true,
        PR_SET_PDEATHSIG
        | PR_GET_DUMPABLE
        | PR_SET_DUMPABLE
        | PR_GET_KEEPCAPS
        | PR_SET_KEEPCAPS
        | PR_GET_SECUREBITS
        | PR_SET_SECUREBITS
        | PR_CAPBSET_READ
        | PR_CAPBSET_DROP
        | PR_CAP_AMBIENT
        | PR_GET_TIMERSLACK
        | PR_SET_TIMERSLACK
        | PR_GET_NO_NEW_PRIVS
        | PR_SET_NO_NEW_PRIVS
        | PR_SET_CHILD_SUBREAPER => false,
        _ => return refuse(EINVAL),
    };
    let a = if addresses { thread.at(a) } else { a };
    thread.host(SYS_prctl, [option, a, b, c, d, 0])
}

/// Bits of `RISCV_HWPROBE_KEY_IMA_EXT_0`, and what they tell is there.
const PROBED: &[(u32, &[Ext])] = &[
    (0, &[Ext::F, Ext::D]),
    (1, &[Ext::C]),
    (3, &[Ext::Zba]),
    (4, &[Ext::Zbb]),
    (5, &[Ext::Zbs]),
    (6, &[Ext::Zicboz]),
    (7, &[Ext::Zbc]),
    (8, &[Ext::Zbkb]),
    (9, &[Ext::Zbkc]),
    (10, &[Ext::Zbkx]),
    (11, &[Ext::Zknd]),
    (12, &[Ext::Zkne]),
    (13, &[Ext::Zknh]),
    (14, &[Ext::Zksed]),
    (15, &[Ext::Zksh]),
    (16, &[Ext::Zkt]),
    (27, &[Ext::Zfh]),
    (28, &[Ext::Zfhmin]),
    (29, &[Ext::Zihintntl]),
    (32, &[Ext::Zfa]),
    (34, &[Ext::Zacas]),
    (35, &[Ext::Zicond]),
    (36, &[Ext::Zihintpause]),
    (42, &[Ext::Zimop]),
    (43, &[Ext::Zca]),
    (44, &[Ext::Zcb]),
    (45, &[Ext::Zcd]),
    (47, &[Ext::Zcmop]),
    (48, &[Ext::Zawrs]),
    (50, &[Ext::Zicntr]),
    (51, &[Ext::Zihpm]),
    (55, &[Ext::Zicbom]),
    (56, &[Ext::Zaamo]),
    (57, &[Ext::Zalrsc]),
    (58, &[Ext::Zabha]),
];

/// `riscv_hwprobe`: what the processor has, by pairs of key and value.
fn riscv_hwprobe(thread: &Thread<'_>, [pairs, count, size, _, flags, _]: Args) -> Answer {
    if flags != 0 || size > CPUSET {
        return refuse(EINVAL);
    }
    let has = |ext: &Ext| thread.hart().has(*ext);
    let extensions = PROBED.iter().filter(|(_, needs)| needs.iter().all(has));
    for pair in 0..count {
        let at = pairs.wrapping_add(16 * pair);
        let key = thread.process.memory.read_u64(at)?;
        let (key, value) = match key {
            // Vendor, architecture and implementation.
            0..=2 => (key, 0),
            // The base behaviour: I, M and A.
            3 => (key, 1),
            4 => (key, extensions.clone().map(|(bit, _)| 1 << bit).sum()),
            // Misaligned accesses are emulated (5: in two bits; 9: as one number).
            5 => (key, 1),
            6 if has(&Ext::Zicboz) => (key, CACHE_BLOCK),
            7 => (key, SIZE - 1),
            8 => (key, thread.hart().config().mtime.hz()),
            9 => (key, 1),
            _ => (u64::MAX, 0),
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&key.to_le_bytes());
        bytes[8..].copy_from_slice(&value.to_le_bytes());
        thread.process.memory.write(at, &bytes)?;
    }
    Ok(0)
}

/// The most bytes a set of processors has.
const CPUSET: u64 = 1024;
