//! What QEMU 7.2 and 11.1 have and we do not have yet: named, so that none is taken for granted.

/// Options, each with whether it takes an argument.
pub(crate) const OPTIONS: &[(&str, bool)] = &[
    ("acpitable", true),
    ("action", true),
    ("add-fd", true),
    ("async-teardown", false),
    ("audio", true),
    ("audio-help", false),
    ("audiodev", true),
    ("boot", true),
    ("bt", true),
    ("chroot", true),
    ("compat", true),
    ("daemonize", false),
    ("debugcon", true),
    ("dump-vmstate", true),
    ("enable-fips", false),
    ("enable-kvm", false),
    ("enable-sync-profile", false),
    ("fsdev", true),
    ("full-screen", false),
    ("g", true),
    ("igd-passthru", false),
    ("incoming", true),
    ("iscsi", true),
    ("jitdump", false),
    ("k", true),
    ("loadvm", true),
    ("mem-path", true),
    ("mem-prealloc", false),
    ("netdev", true),
    ("nic", true),
    ("no-acpi", false),
    ("no-fd-bootchk", false),
    ("no-hpet", false),
    ("one-insn-per-tb", false),
    ("only-migratable", false),
    ("option-rom", true),
    ("overcommit", true),
    ("perfmap", false),
    ("plugin", true),
    ("portrait", false),
    ("preconfig", false),
    ("prom-env", true),
    ("qmp", true),
    ("qmp-pretty", true),
    ("qtest", true),
    ("qtest-log", true),
    ("readconfig", true),
    ("rotate", true),
    ("run-with", true),
    ("runas", true),
    ("sandbox", true),
    ("set", true),
    ("shim", true),
    ("singlestep", false),
    ("smbios", true),
    ("spice", true),
    ("tb-size", true),
    ("tpmdev", true),
    ("usb", false),
    ("usbdevice", true),
    ("uuid", true),
    ("virtfs", true),
    ("vnc", true),
    ("watchdog", true),
    ("watchdog-action", true),
    ("win2k-hack", false),
    ("writeconfig", true),
    ("xen-attach", false),
    ("xen-domid", true),
    ("xen-domid-restrict", false),
];

/// Properties of every machine of QEMU's (`-machine`), each with the values that say what is so anyway.
pub(crate) const MACHINE: &[(&str, &[&str])] = &[
    ("aux-ram-share", &["off"]),
    ("boot", &[]),
    ("confidential-guest-support", &[]),
    ("dt-compatible", &[]),
    ("dump-guest-core", &["off"]),
    ("graphics", &["off"]),
    ("mem-merge", &["off"]),
    ("memory", &[]),
    ("memory-encryption", &[]),
    ("phandle-start", &[]),
    ("shim", &[]),
    ("smp", &[]),
    ("smp-cache", &[]),
    ("suppress-vmdesc", &["on", "off"]),
    ("usb", &["off"]),
    ("x-change-vmfd-on-reset", &["off"]),
];

/// Kinds of displays (`-display`).
pub(crate) const DISPLAYS: &[&str] =
    &["cocoa", "curses", "dbus", "default", "egl-headless", "gtk", "sdl", "spice-app", "vnc"];

/// Graphics cards (`-vga`).
pub(crate) const VGAS: &[&str] = &["cg3", "cirrus", "qxl", "std", "tcx", "virtio", "vmware", "xenfb"];

/// Kinds of networks (`-net`).
pub(crate) const NETS: &[&str] = &[
    "af-xdp",
    "bridge",
    "dgram",
    "hubport",
    "l2tpv3",
    "netmap",
    "nic",
    "passt",
    "socket",
    "stream",
    "tap",
    "user",
    "vde",
    "vhost-user",
    "vhost-vdpa",
    "vmnet-bridged",
    "vmnet-host",
    "vmnet-shared",
];

/// Objects (`-object`).
pub(crate) const OBJECTS: &[&str] = &[
    "acpi-generic-initiator",
    "authz-list",
    "authz-list-file",
    "authz-pam",
    "authz-simple",
    "can-bus",
    "can-host-socketcan",
    "colo-compare",
    "cryptodev-backend",
    "cryptodev-backend-builtin",
    "cryptodev-backend-lkcf",
    "cryptodev-vhost-user",
    "dbus-vmstate",
    "filter-buffer",
    "filter-dump",
    "filter-mirror",
    "filter-redirector",
    "filter-replay",
    "filter-rewriter",
    "input-barrier",
    "input-linux",
    "iommufd",
    "iothread",
    "main-loop",
    "memory-backend-epc",
    "memory-backend-shm",
    "pr-manager-helper",
    "qtest",
    "rng-egd",
    "secret",
    "secret_keyring",
    "thread-context",
    "throttle-group",
    "tls-cipher-suites",
    "tls-creds-anon",
    "tls-creds-psk",
    "tls-creds-x509",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_say_nothing_twice() {
        assert!(OPTIONS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(MACHINE.is_sorted_by(|a, b| a.0 < b.0));
        for names in [DISPLAYS, VGAS, NETS, OBJECTS] {
            assert!(names.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn what_we_have_is_not_said_to_be_missing() {
        for flag in crate::all_flags() {
            for name in flag.names {
                assert!(OPTIONS.iter().all(|(missing, _)| missing != name), "-{name}");
            }
        }
    }
}
