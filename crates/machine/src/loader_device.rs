//! `-device loader,...`: a file or a number in memory, and perhaps a hart that begins there.

use hartwright_loader::{Class, Image, Part, Role, read, read_unpacked};
use hartwright_objects::{Kind, Value, nearest};
use std::path::Path;

/// One `-device loader`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoaderDevice {
    file: Option<String>,
    addr: Option<u64>,
    data: Option<u64>,
    data_len: Option<u64>,
    big_endian: bool,
    cpu_num: Option<u32>,
    force_raw: bool,
}

/// What a loader puts into memory, and which hart begins where.
type Loaded = (Option<Part>, Option<(u32, u64)>);

/// Its properties: name, kind, what for.
pub const LOADER_PROPERTIES: &[(&str, Kind, &str)] = &[
    (
        "addr",
        Kind::UInt { bits: 64 },
        "where the file or the data goes; for cpu-num alone, where the hart begins",
    ),
    ("cpu-num", Kind::UInt { bits: 32 }, "the hart that begins at the file's entry"),
    ("data", Kind::UInt { bits: 64 }, "a number to put at addr"),
    ("data-be", Kind::Bool, "whether data is big-endian"),
    ("data-len", Kind::UInt { bits: 8 }, "how many bytes of data, 1 to 8"),
    ("file", Kind::Str, "a file to load: an ELF where it says, anything else at addr"),
    ("force-raw", Kind::Bool, "whether the file is loaded at addr as it is, whatever it looks like"),
];

impl LoaderDevice {
    /// From the option's pairs, without `loader` itself; `id` is ignored.
    ///
    /// # Errors
    ///
    /// One sentence, in QEMU's words where it has some.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut loader = LoaderDevice::default();
        for (name, given) in pairs {
            if matches!(name, "id" | "driver") {
                continue;
            }
            let kind = LOADER_PROPERTIES.iter().find(|row| row.0 == name).map(|row| row.1);
            let kind = kind.ok_or_else(|| {
                let near = nearest(name, LOADER_PROPERTIES.iter().map(|row| row.0));
                let near = near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
                format!("Property 'loader.{name}' not found{near}")
            })?;
            let value = kind.accept("loader", name, &given.into()).map_err(|why| why.to_string())?;
            match (name, value) {
                ("file", Value::Str(file)) => loader.file = Some(file),
                ("addr", Value::UInt(n)) => loader.addr = Some(n),
                ("data", Value::UInt(n)) => loader.data = Some(n),
                ("data-len", Value::UInt(n)) => loader.data_len = Some(n),
                ("cpu-num", Value::UInt(n)) => loader.cpu_num = Some(n as u32),
                ("data-be", Value::Bool(on)) => loader.big_endian = on,
                ("force-raw", Value::Bool(on)) => loader.force_raw = on,
                _ => return Err(format!("Parameter '{name}' expects {kind}")),
            }
        }
        loader.check()?;
        Ok(loader)
    }

    fn check(&self) -> Result<(), String> {
        let say = |text: &str| Err(text.to_owned());
        match (&self.file, self.data) {
            (Some(_), Some(_)) => say("loader: file and data exclude each other"),
            (None, Some(_)) => match (self.addr, self.data_len) {
                (None, _) => say("loader: data needs addr, where it goes"),
                (_, Some(1..=8)) => Ok(()),
                _ => say("loader: data needs data-len, from 1 to 8 bytes"),
            },
            (Some(_), None) if self.force_raw && self.addr.is_none() => {
                say("loader: force-raw needs addr, where the file goes")
            }
            (None, None) if self.cpu_num.is_none() || self.addr.is_none() => {
                say("loader: needs file, or data with addr and data-len, or addr with cpu-num")
            }
            _ if self.data.is_none() && (self.data_len.is_some() || self.big_endian) => {
                say("loader: data-len and data-be say how data is written, and there is no data")
            }
            _ => Ok(()),
        }
    }

    /// What it puts into memory, and which hart begins where.
    pub(crate) fn load(&self, limit: u64, class: Class) -> Result<Loaded, String> {
        let start = |at: u64| self.cpu_num.map(|hart| (hart, at));
        let at = self.addr.unwrap_or(0);
        let part = |name: &str, image| Part { role: Role::Loader, name: name.to_owned(), image };
        if let (Some(data), Some(len)) = (self.data, self.data_len) {
            let mut bytes = data.to_le_bytes()[..len as usize].to_vec();
            if self.big_endian {
                bytes.reverse();
            }
            return Ok((Some(part(&format!("data={data:#x}"), Image::raw(bytes, at))), start(at)));
        }
        let Some(file) = &self.file else { return Ok((None, start(at))) };
        let path = Path::new(file);
        let image = match self.force_raw {
            true => read(path, limit).map(|bytes| Image::raw(bytes, at)),
            false => read_unpacked(path, limit).and_then(|bytes| Image::new(bytes, at, class)),
        };
        let image = image.map_err(|why| format!("-device loader: could not load '{file}': {why}"))?;
        let start = start(image.entry);
        Ok((Some(part(file, image)), start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loader(text: &str) -> Result<LoaderDevice, String> {
        LoaderDevice::new(text.split(',').filter_map(|pair| pair.split_once('=')))
    }

    #[test]
    fn data_is_written_in_the_order_asked_for() {
        let bytes = |text: &str| {
            let (part, start) = loader(text).unwrap().load(0, Class::Bits64).unwrap();
            (part.unwrap().image.segments[0].bytes.to_vec().unwrap(), start)
        };
        assert_eq!(bytes("addr=0x80000000,data=0x12345678,data-len=4"), (vec![0x78, 0x56, 0x34, 0x12], None));
        assert_eq!(
            bytes("addr=16,data=0x1234,data-len=2,data-be=on,cpu-num=1"),
            (vec![0x12, 0x34], Some((1, 16)))
        );
    }

    #[test]
    fn half_a_loader_says_what_is_missing() {
        assert_eq!(loader("data=1").unwrap_err(), "loader: data needs addr, where it goes");
        assert_eq!(loader("data=1,addr=0").unwrap_err(), "loader: data needs data-len, from 1 to 8 bytes");
        assert_eq!(
            loader("addr=0").unwrap_err(),
            "loader: needs file, or data with addr and data-len, or addr with cpu-num"
        );
        assert_eq!(loader("fiel=x").unwrap_err(), "Property 'loader.fiel' not found; did you mean 'file'?");
        assert_eq!(loader("addr=x").unwrap_err(), "Parameter 'addr' expects uint64");
        assert_eq!(
            loader("file=/nonexist").unwrap().load(1, Class::Bits64).unwrap_err(),
            "-device loader: could not load '/nonexist': No such file or directory"
        );
    }
}
