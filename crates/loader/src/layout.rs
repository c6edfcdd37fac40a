//! Whether everything that is loaded has a place, and each its own.

use crate::{Image, error::size};
use std::fmt;

/// What a part is for; decides what an error advises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `-bios`.
    Firmware,
    /// `-kernel`.
    Kernel,
    /// `-initrd`.
    Initrd,
    /// The device tree, given or made.
    DeviceTree,
    /// `-device loader`.
    Loader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Firmware => "firmware",
            Role::Kernel => "kernel",
            Role::Initrd => "initrd",
            Role::DeviceTree => "device tree",
            Role::Loader => "loader",
        })
    }
}

/// Memory that can be loaded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name in the machine, for messages.
    pub name: String,
    /// First address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
}

/// Something that is loaded.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is for.
    pub role: Role,
    /// The file's name, or what stands for it.
    pub name: String,
    /// What it is.
    pub image: Image,
}

/// All that is loaded into one machine.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    places: Vec<Place>,
    parts: Vec<Part>,
}

impl Layout {
    /// Nothing yet, for a machine with this memory.
    pub fn new(places: Vec<Place>) -> Self {
        Layout { places, parts: vec![] }
    }

    /// What has been added, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Has the bytes of large files leave the process's memory until they are wanted.
    pub fn put_away(&mut self) {
        let segments = self.parts.iter_mut().flat_map(|part| &mut part.image.segments);
        segments.for_each(|segment| segment.bytes.put_away());
    }

    /// The part with that role, if there is one.
    pub fn part(&self, role: Role) -> Option<&Part> {
        self.parts.iter().find(|part| part.role == role)
    }

    /// Adds a part.
    ///
    /// # Errors
    ///
    /// One sentence when a segment lies outside memory, or on another part.
    pub fn add(&mut self, part: Part) -> Result<(), String> {
        for segment in part.image.segments.iter().filter(|segment| !segment.is_empty()) {
            let (start, end) = (segment.address, segment.end());
            let fits = |place: &Place| place.base <= start && end - place.base <= place.size;
            if !self.places.iter().any(fits) {
                return Err(self.outside(&part, start, end));
            }
            for other in &self.parts {
                let hit = other.image.segments.iter().find(|s| s.address < end && start < s.end());
                if let Some(hit) = hit {
                    let firmware = [part.role, other.role].contains(&Role::Firmware);
                    return Err(format!(
                        "{} '{}' ({start:#x}..{end:#x}) overlaps {} '{}' ({:#x}..{:#x}){}",
                        part.role,
                        part.name,
                        other.role,
                        other.name,
                        hit.address,
                        hit.end(),
                        if firmware { "; to run it without firmware, give -bios none" } else { "" }
                    ));
                }
            }
        }
        self.parts.push(part);
        Ok(())
    }

    fn outside(&self, part: &Part, start: u64, end: u64) -> String {
        let what = format!("{} '{}' needs {start:#x}..{end:#x}", part.role, part.name);
        match self.places.iter().find(|place| place.base <= start && start - place.base < place.size) {
            Some(place) => format!(
                "{what}, but {} ({} at {:#x}) ends at {:#x}; more memory is given by -m",
                place.name,
                size(place.size),
                place.base,
                place.base.saturating_add(place.size)
            ),
            None => {
                let all: Vec<String> = self
                    .places
                    .iter()
                    .map(|p| format!("{} {:#x}..{:#x}", p.name, p.base, p.base.saturating_add(p.size)))
                    .collect();
                format!("{what}, where this machine has no memory; it has {}", all.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(vec![Place { name: "ram".into(), base: 0x8000_0000, size: 128 << 20 }])
    }

    fn part(role: Role, name: &str, address: u64, len: usize) -> Part {
        Part { role, name: name.into(), image: Image::raw(vec![0; len], address) }
    }

    #[test]
    fn a_kernel_on_the_firmware_is_told_of_bios_none() {
        let mut layout = layout();
        layout.add(part(Role::Firmware, "fw.bin", 0x8000_0000, 0x2_0000)).unwrap();
        assert_eq!(
            layout.add(part(Role::Kernel, "k.elf", 0x8000_0000, 0x1000)).unwrap_err(),
            "kernel 'k.elf' (0x80000000..0x80001000) overlaps firmware 'fw.bin' (0x80000000..0x80020000); \
             to run it without firmware, give -bios none"
        );
        layout.add(part(Role::Kernel, "k.elf", 0x8002_0000, 0x1000)).unwrap();
    }

    #[test]
    fn what_does_not_fit_says_how_much_memory_there_is() {
        assert_eq!(
            layout().add(part(Role::Kernel, "big", 0x87ff_f000, 0x2000)).unwrap_err(),
            "kernel 'big' needs 0x87fff000..0x88001000, but ram (128 MiB at 0x80000000) ends at 0x88000000; \
             more memory is given by -m"
        );
        assert_eq!(
            layout().add(part(Role::Loader, "x", 0x1000, 8)).unwrap_err(),
            "loader 'x' needs 0x1000..0x1008, where this machine has no memory; \
             it has ram 0x80000000..0x88000000"
        );
        layout().add(part(Role::Loader, "top", u64::MAX - 3, 4)).unwrap_err();
    }
}
