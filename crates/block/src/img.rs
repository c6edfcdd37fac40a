//! `hartwright img`: makes, looks at and changes images, with the options and the output of `qemu-img`.
