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
    ("no-acpi", false),
    ("no-fd-bootchk", false),
    ("no-hpet", false),
    ("one-insn-per-tb", false),
    ("only-migratable", false),
    ("option-rom", true),
    ("overcommit", true),
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
    ("dump-guest-core", &["on"]),
    ("graphics", &["off", "on"]),
    ("mem-merge", &["off"]),
    ("memory", &[]),
    ("memory-encryption", &[]),
    ("phandle-start", &[]),
    ("shim", &[]),
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

/// Devices on PCI (`-device`), and names that mean one of them on this architecture, each without `-transitional`.
pub(crate) const ON_PCI: &str = "AC97 ES1370 VGA acpi-erst ahci am53c974 ati-vga bochs-display cirrus-vga ctucan_pci dc390 e1000 \
    e1000-82540em e1000-82544gc e1000-82545em e1000e edu i6300esb i82550 i82551 i82557a i82557b i82557c \
    i82558a i82558b i82559a i82559b i82559c i82559er i82562 i82801 i82801b11-bridge ich9-ahci ich9-intel-hda \
    ich9-usb-ehci1 ich9-usb-ehci2 ich9-usb-uhci1 ich9-usb-uhci2 ich9-usb-uhci3 ich9-usb-uhci4 ich9-usb-uhci5 \
    ich9-usb-uhci6 igb intel-hda ioh3420 iommu-testdev ivshmem-doorbell ivshmem-plain kvaser_pci lsi \
    lsi53c810 lsi53c895a megasas megasas-gen2 mioe3680_pci mptsas1068 ne2k_pci nec-usb-xhci nvme pci-bridge \
    pci-bridge-seat pci-ohci pci-serial pci-serial-2x pci-serial-4x pci-testdev pcie-pci-bridge \
    pcie-root-port pcm3680_pci pcnet piix3-usb-uhci piix4-usb-uhci pvpanic-pci pvscsi qemu-xhci qxl qxl-vga \
    riscv-iommu-pci rocker rtl8139 sdhci-pci secondary-vga tpci200 tulip ufs usb-ehci vfio-pci \
    vfio-pci-nohotplug vfio-user-pci vhost-scsi-pci vhost-user-blk-pci vhost-user-fs-pci vhost-user-gpio-pci \
    vhost-user-gpu-pci vhost-user-i2c-pci vhost-user-input-pci vhost-user-rng-pci vhost-user-rtc-pci \
    vhost-user-scsi-pci vhost-user-snd-pci vhost-user-spi-pci vhost-user-test-device-pci vhost-user-vga \
    vhost-user-vsock-pci vhost-vdpa-device-pci vhost-vsock-pci virtio-9p virtio-9p-pci virtio-balloon \
    virtio-balloon-pci virtio-blk virtio-blk-pci virtio-crypto virtio-crypto-pci virtio-gpu \
    virtio-gpu-gl-pci virtio-gpu-pci virtio-input-host virtio-input-host-pci virtio-iommu virtio-iommu-pci \
    virtio-keyboard virtio-keyboard-pci virtio-mouse virtio-mouse-pci virtio-multitouch-pci virtio-net \
    virtio-net-pci virtio-rng virtio-rng-pci virtio-rtc-pci virtio-scsi virtio-scsi-pci virtio-serial \
    virtio-serial-pci virtio-sound virtio-sound-pci virtio-tablet virtio-tablet-pci virtio-vga virtio-vga-gl \
    vmware-svga vmxnet3 x-pci-proxy-dev x3130-upstream xio3130-downstream";

/// Devices on other busses, or on none.
pub(crate) const DEVICES: &str = "ds1338 emmc guest-loader hda-duplex hda-micro hda-output i2c-ddc i2c-echo ide-cd ide-cf ide-hd \
    ipoctal232 nvme-ns nvme-subsys ramfb riscv.k230.soc scsi-block scsi-cd scsi-generic scsi-hd sd-card \
    sd-card-spi tmp105 tpm-tis-device u2f-passthru ufs-lu usb-audio usb-bot usb-braille usb-ccid usb-host \
    usb-hub usb-kbd usb-mouse usb-mtp usb-net usb-redir usb-serial usb-storage usb-tablet usb-uas \
    usb-wacom-tablet vhost-scsi vhost-user-blk vhost-user-fs-device vhost-user-gpio-device vhost-user-gpu \
    vhost-user-i2c-device vhost-user-input vhost-user-rng vhost-user-rtc vhost-user-scsi vhost-user-snd \
    vhost-user-spi-device vhost-user-test-device vhost-user-vsock-device vhost-vdpa-device \
    vhost-vsock-device virtio-9p-device virtio-crypto-device virtio-gpu-device virtio-gpu-gl-device \
    virtio-input-host-device virtio-iommu-device virtio-keyboard-device virtio-mouse-device \
    virtio-multitouch-device virtio-net-device virtio-rtc-device virtio-scsi-device virtio-sound-device \
    virtio-tablet-device vmcoreinfo";

/// Which device of ours does what one of those does, where its name does not tell.
pub(crate) const INSTEAD: &[(&str, &str)] = &[
    ("ide-hd", "virtio-blk-device"),
    ("nvme", "virtio-blk-device"),
    ("pci-serial", "virtio-serial-device"),
    ("scsi-hd", "virtio-blk-device"),
    ("usb-storage", "virtio-blk-device"),
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
    fn devices_are_sorted_and_none_is_there_already() {
        for names in [ON_PCI, DEVICES] {
            assert!(names.split(' ').is_sorted_by(|a, b| a < b));
            assert!(names.split(' ').all(|name| !crate::catalogue::is_device(name)));
        }
        assert!(INSTEAD.iter().all(|(_, ours)| crate::catalogue::is_device(ours)));
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
