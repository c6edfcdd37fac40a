//! `-drive` and `-blockdev`: QEMU's options for disks, and what of them can be opened.
//!
//! Both are flat lists of keys with dots in them, in which a node's file and backing file are nodes too:
//! `driver=qcow2,file.driver=file,file.filename=a.qcow2`.

mod drive;
mod node;

pub use drive::{Drive, Interface, Media};
pub use node::{Named, Nodes, Style, from_json};

/// The keys of `-drive` and of nodes that QEMU has and we do not have yet.
const NOT_YET: &[&str] = &[
    "cache-clean-interval",
    "cache-size",
    "copy-on-read",
    "data-file",
    "discard-no-unref",
    "drop-cache",
    "encrypt",
    "force-share",
    "l2-cache-entry-size",
    "l2-cache-size",
    "lazy-refcounts",
    "offset",
    "overlap-check",
    "pass-discard-other",
    "pass-discard-request",
    "pass-discard-snapshot",
    "pr-manager",
    "refcount-cache-size",
    "size",
    "stats-account-failed",
    "stats-account-invalid",
    "stats-intervals",
    "throttling",
    "x-check-cache-dropped",
    "bps",
    "bps_rd",
    "bps_wr",
    "bps_max",
    "bps_rd_max",
    "bps_wr_max",
    "iops",
    "iops_rd",
    "iops_wr",
    "iops_max",
    "iops_rd_max",
    "iops_wr_max",
    "iops_size",
    "group",
];

/// Drivers that QEMU has and we do not have yet.
const DRIVERS_NOT_YET: &[&str] = &[
    "blkdebug",
    "blklogwrites",
    "blkreplay",
    "blkverify",
    "bochs",
    "cloop",
    "compress",
    "copy-before-write",
    "copy-on-read",
    "dmg",
    "ftp",
    "ftps",
    "gluster",
    "host_cdrom",
    "http",
    "https",
    "io_uring",
    "iscsi",
    "luks",
    "nbd",
    "nfs",
    "null-aio",
    "null-co",
    "nvme",
    "nvme-io_uring",
    "parallels",
    "preallocate",
    "qcow",
    "qed",
    "quorum",
    "rbd",
    "replication",
    "snapshot-access",
    "ssh",
    "throttle",
    "vdi",
    "vhdx",
    "virtio-blk-vfio-pci",
    "virtio-blk-vhost-user",
    "virtio-blk-vhost-vdpa",
    "vmdk",
    "vpc",
    "vvfat",
];

fn not_yet(key: &str) -> bool {
    NOT_YET.contains(&key.split('.').next().unwrap_or(key))
}
