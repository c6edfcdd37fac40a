//! What is loaded into a machine: ELF, Linux `Image`, archives, device trees.

use hartwright_fdt as fdt;
use hartwright_loader::{Class, Image, Layout, Part, Place, Role, unpack};

/// Where a machine's RAM is.
const RAM: u64 = 0x8000_0000;
/// What may come out of an archive; as large as a machine's RAM otherwise.
const UNPACKED: u64 = 1 << 20;

pub(crate) fn elf(data: &[u8]) {
    for class in [Class::Bits32, Class::Bits64] {
        load(data, class);
    }
}

pub(crate) fn packed(data: &[u8]) {
    match unpack(data.to_vec(), UNPACKED) {
        Ok(bytes) => {
            assert!(
                bytes.len() as u64 <= UNPACKED.max(data.len() as u64),
                "no more comes out than is allowed"
            );
            load(&bytes, Class::Bits64);
        }
        Err(why) => drop(why.to_string()),
    }
}

/// Finds a place for `bytes` as firmware, and for the same as an initrd.
fn load(bytes: &[u8], class: Class) {
    let mut layout = Layout::new(vec![Place { name: "ram".into(), base: RAM, size: 128 << 20 }]);
    for (role, address) in [(Role::Firmware, RAM), (Role::Initrd, u64::MAX)] {
        let image = match Image::new(bytes.to_vec(), address, class) {
            Ok(image) => image,
            Err(why) => return drop(why.to_string()),
        };
        for symbol in image.symbols.iter() {
            assert!(image.symbols.address(&symbol.name).is_some(), "a symbol is found by its name");
            let _ = image.symbols.name(symbol.address.wrapping_add(symbol.size));
        }
        // A refusal is an answer too.
        let _ = layout.add(Part { role, name: "FILE".into(), image });
    }
}

pub(crate) fn device_tree(data: &[u8]) {
    match fdt::parse(data) {
        Ok(tree) => {
            let _ = tree.to_string();
            let again = fdt::parse(&tree.to_dtb());
            assert_eq!(again.as_ref(), Ok(&tree), "what is written reads back");
        }
        Err(why) => drop(why.to_string()),
    }
}
