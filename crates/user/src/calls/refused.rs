//! Calls of Linux 6.12 that are not here yet. They are refused as by a kernel that was built without them, and each has
//! its row, so that `-strace` and `-d unimp` can name them.

use super::rows;
use libc::ENOSYS;

rows! {
      0 io_setup()                                    Refused(ENOSYS);
      1 io_destroy()                                  Refused(ENOSYS);
      2 io_submit()                                   Refused(ENOSYS);
      3 io_cancel()                                   Refused(ENOSYS);
      4 io_getevents()                                Refused(ENOSYS);
     18 lookup_dcookie()                              Refused(ENOSYS);
     42 nfsservctl()                                  Refused(ENOSYS);
     58 vhangup()                                     Refused(ENOSYS);
     60 quotactl()                                    Refused(ENOSYS);
     89 acct()                                        Refused(ENOSYS);
    104 kexec_load()                                  Refused(ENOSYS);
    105 init_module()                                 Refused(ENOSYS);
    106 delete_module()                               Refused(ENOSYS);
    128 restart_syscall()                             Refused(ENOSYS);
    142 reboot()                                      Refused(ENOSYS);
    217 add_key()                                     Refused(ENOSYS);
    218 request_key()                                 Refused(ENOSYS);
    219 keyctl()                                      Refused(ENOSYS);
    224 swapon()                                      Refused(ENOSYS);
    225 swapoff()                                     Refused(ENOSYS);
    234 remap_file_pages()                            Refused(ENOSYS);
    235 mbind()                                       Refused(ENOSYS);
    236 get_mempolicy()                               Refused(ENOSYS);
    237 set_mempolicy()                               Refused(ENOSYS);
    238 migrate_pages()                               Refused(ENOSYS);
    239 move_pages()                                  Refused(ENOSYS);
    241 perf_event_open()                             Refused(ENOSYS);
    262 fanotify_init()                               Refused(ENOSYS);
    263 fanotify_mark()                               Refused(ENOSYS);
    273 finit_module()                                Refused(ENOSYS);
    280 bpf()                                         Refused(ENOSYS);
    282 userfaultfd()                                 Refused(ENOSYS);
    288 pkey_mprotect()                               Refused(ENOSYS);
    289 pkey_alloc()                                  Refused(ENOSYS);
    290 pkey_free()                                   Refused(ENOSYS);
    292 io_pgetevents()                               Refused(ENOSYS);
    294 kexec_file_load()                             Refused(ENOSYS);
    426 io_uring_enter()                              Refused(ENOSYS);
    427 io_uring_register()                           Refused(ENOSYS);
    440 process_madvise()                             Refused(ENOSYS);
    443 quotactl_fd()                                 Refused(ENOSYS);
    444 landlock_create_ruleset()                     Refused(ENOSYS);
    445 landlock_add_rule()                           Refused(ENOSYS);
    446 landlock_restrict_self()                      Refused(ENOSYS);
    447 memfd_secret()                                Refused(ENOSYS);
    448 process_mrelease()                            Refused(ENOSYS);
    449 futex_waitv()                                 Refused(ENOSYS);
    450 set_mempolicy_home_node()                     Refused(ENOSYS);
    451 cachestat()                                   Refused(ENOSYS);
    453 map_shadow_stack()                            Refused(ENOSYS);
    454 futex_wake()                                  Refused(ENOSYS);
    455 futex_wait()                                  Refused(ENOSYS);
    456 futex_requeue()                               Refused(ENOSYS);
    457 statmount()                                   Refused(ENOSYS);
    458 listmount()                                   Refused(ENOSYS);
    459 lsm_get_self_attr()                           Refused(ENOSYS);
    460 lsm_set_self_attr()                           Refused(ENOSYS);
    461 lsm_list_modules()                            Refused(ENOSYS);
    462 mseal()                                       Refused(ENOSYS);
}
