//! Clocks, timers, sleeping, scheduling.

use super::rows;
use libc::*;

rows! {
     30 ioprio_set(Int, Int, Int)                   Host(SYS_ioprio_set);
     31 ioprio_get(Int, Int)                        Host(SYS_ioprio_get);
    101 nanosleep(Ptr, Ptr)                         HostOnce(SYS_nanosleep);
    102 getitimer(Int, Ptr)                         Host(SYS_getitimer);
    103 setitimer(Int, Ptr, Ptr)                    Host(SYS_setitimer);
    107 timer_create(Int, Ptr, Ptr)                 Host(SYS_timer_create);
    108 timer_gettime(Int, Ptr)                     Host(SYS_timer_gettime);
    109 timer_getoverrun(Int)                       Host(SYS_timer_getoverrun);
    110 timer_settime(Int, Hex, Ptr, Ptr)           Host(SYS_timer_settime);
    111 timer_delete(Int)                           Host(SYS_timer_delete);
    112 clock_settime(Int, Ptr)                     Host(SYS_clock_settime);
    113 clock_gettime(Int, Ptr)                     Host(SYS_clock_gettime);
    114 clock_getres(Int, Ptr)                      Host(SYS_clock_getres);
    115 clock_nanosleep(Int, Hex, Ptr, Ptr)         HostOnce(SYS_clock_nanosleep);
    118 sched_setparam(Int, Ptr)                    Host(SYS_sched_setparam);
    119 sched_setscheduler(Int, Int, Ptr)           Host(SYS_sched_setscheduler);
    120 sched_getscheduler(Int)                     Host(SYS_sched_getscheduler);
    121 sched_getparam(Int, Ptr)                    Host(SYS_sched_getparam);
    122 sched_setaffinity(Int, Long, Ptr)           Host(SYS_sched_setaffinity);
    123 sched_getaffinity(Int, Long, Ptr)           Host(SYS_sched_getaffinity);
    124 sched_yield()                               Host(SYS_sched_yield);
    125 sched_get_priority_max(Int)                 Host(SYS_sched_get_priority_max);
    126 sched_get_priority_min(Int)                 Host(SYS_sched_get_priority_min);
    127 sched_rr_get_interval(Int, Ptr)             Host(SYS_sched_rr_get_interval);
    140 setpriority(Int, Int, Int)                  Host(SYS_setpriority);
    141 getpriority(Int, Int)                       Host(SYS_getpriority);
    153 times(Ptr)                                  Host(SYS_times);
    169 gettimeofday(Ptr, Ptr)                      Host(SYS_gettimeofday);
    170 settimeofday(Ptr, Ptr)                      Host(SYS_settimeofday);
    171 adjtimex(Ptr)                               Host(SYS_adjtimex);
    266 clock_adjtime(Int, Ptr)                     Host(SYS_clock_adjtime);
    274 sched_setattr(Int, Ptr, Hex)                Host(SYS_sched_setattr);
    275 sched_getattr(Int, Ptr, Int, Hex)           Host(SYS_sched_getattr);
}
