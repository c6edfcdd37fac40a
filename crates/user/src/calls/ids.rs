//! Who a process is: users, groups, sessions, capabilities.

use super::rows;
use libc::*;

rows! {
     90 capget(Ptr, Ptr)                            Host(SYS_capget);
     91 capset(Ptr, Ptr)                            Host(SYS_capset);
    143 setregid(Int, Int)                          Host(SYS_setregid);
    144 setgid(Int)                                 Host(SYS_setgid);
    145 setreuid(Int, Int)                          Host(SYS_setreuid);
    146 setuid(Int)                                 Host(SYS_setuid);
    147 setresuid(Int, Int, Int)                    Host(SYS_setresuid);
    148 getresuid(Ptr, Ptr, Ptr)                    Host(SYS_getresuid);
    149 setresgid(Int, Int, Int)                    Host(SYS_setresgid);
    150 getresgid(Ptr, Ptr, Ptr)                    Host(SYS_getresgid);
    151 setfsuid(Int)                               Host(SYS_setfsuid);
    152 setfsgid(Int)                               Host(SYS_setfsgid);
    154 setpgid(Int, Int)                           Host(SYS_setpgid);
    155 getpgid(Int)                                Host(SYS_getpgid);
    156 getsid(Int)                                 Host(SYS_getsid);
    157 setsid()                                    Host(SYS_setsid);
    158 getgroups(Int, Ptr)                         Host(SYS_getgroups);
    159 setgroups(Int, Ptr)                         Host(SYS_setgroups);
    172 getpid()                                    Host(SYS_getpid);
    173 getppid()                                   Host(SYS_getppid);
    174 getuid()                                    Host(SYS_getuid);
    175 geteuid()                                   Host(SYS_geteuid);
    176 getgid()                                    Host(SYS_getgid);
    177 getegid()                                   Host(SYS_getegid);
    178 gettid()                                    Host(SYS_gettid);
    434 pidfd_open(Int, Hex)                        Host(SYS_pidfd_open);
    438 pidfd_getfd(Int, Int, Hex)                  Host(SYS_pidfd_getfd);
}
