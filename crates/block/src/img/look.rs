//! `img info` and `img check`.

use super::{Done, words::Words};
use crate::{
    chain::{Format, Node, beside, local, open_file},
    check::{self, Report},
    header::Header,
    image::SECTOR,
    lock::{Rights, lock},
};
use hartwright_backend::opts::Refusal;
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
};

/// An image whose metadata is looked at.
struct Look {
    name: String,
    file: File,
    format: Format,
    header: Option<Header>,
}

/// Opens the image called `name`; its tables need not be sound.
fn look(name: &str, format: Option<Format>, share: bool, rights: Rights) -> Result<Look, Refusal> {
    let failed = |why: &dyn std::fmt::Display| Refusal::new(format!("Could not open '{name}': {why}"));
    let io = |error: io::Error| failed(&format!("Could not open '{name}': {}", crate::reason(&error)));
    let file = open_file(local(name)?, true, false).map_err(io)?;
    if !share {
        lock(&file, name, rights)
            .map_err(|refusal| Refusal { message: failed(&refusal.message).message, ..refusal })?;
    }
    let format = match format {
        Some(format) => format,
        None => {
            let mut sector = [0; SECTOR as usize];
            let n = file.read_at(&mut sector, 0).map_err(io)?;
            Format::probe(&sector[..n])
        }
    };
    let header = match format {
        Format::Qcow2 => Some(Header::read(&file).map_err(|why| failed(&why))?),
        Format::Raw => None,
        Format::Foreign(other) => {
            return Err(failed(&format!("format {other} is not yet in hartwright")));
        }
    };
    Ok(Look { name: name.to_owned(), file, format, header })
}

fn one_name(words: &Words) -> Result<&str, Refusal> {
    match &*words.names {
        [name] => Ok(name),
        _ => Err(Refusal::new("Expecting one image file name")),
    }
}

pub(super) fn info(words: &mut Words) -> Result<Done, Refusal> {
    let json = words.json()?;
    let (name, format) = (one_name(words)?.to_owned(), words.format("f")?);
    let share = words.has("U") || words.has("force-share");
    let mut looks = vec![look(&name, format, share, Rights::look())?];
    while let Some(header) =
        looks.last().and_then(|look| look.header.as_ref()).filter(|_| words.has("backing-chain"))
        && let Some(backing) = &header.backing
    {
        if looks.len() > 100 {
            return Err(Refusal::new(format!("'{name}': more than 100 backing files, or a circle of them")));
        }
        let format = header.backing_format.as_deref().map(super::words::format).transpose()?;
        let path = beside(&looks[looks.len() - 1].name, backing);
        looks.push(look(&path, format, share, Rights::look())?);
    }
    let text = if json {
        let mut values: Vec<Value> = looks.iter().map(Look::json).collect::<Result<_, _>>()?;
        let value = if words.has("backing-chain") { Value::Array(values) } else { values.remove(0) };
        pretty(&value)
    } else {
        looks.iter().map(Look::text).collect::<Result<Vec<_>, _>>()?.join("\n")
    };
    Ok(Done { text, ..Done::default() })
}

/// JSON indented by four, as qemu-img has it.
fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, format);
    // A value of maps with text as keys can be written, and memory takes it.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    String::from_utf8_lossy(&bytes).into_owned() + "\n"
}

impl Look {
    /// The disk's bytes, and those that the file takes on the host.
    fn sizes(&self) -> Result<(u64, u64), Refusal> {
        let failed = |error: io::Error| Refusal::new(format!("'{}': {}", self.name, crate::reason(&error)));
        let length = crate::length(&self.file).map_err(failed)?;
        let disk = self.header.as_ref().map_or(length, |header| header.size).next_multiple_of(SECTOR);
        Ok((disk, self.file.metadata().map_err(failed)?.blocks() * SECTOR))
    }

    fn text(&self) -> Result<String, Refusal> {
        let (disk, host) = self.sizes()?;
        let mut text = format!(
            "image: {}\nfile format: {}\nvirtual size: {} ({disk} bytes)\ndisk size: {}\n",
            self.name,
            self.format.name(),
            in_words(disk),
            in_words(host)
        );
        let Some(header) = &self.header else { return Ok(text) };
        let mut say = |line: String| text += &(line + "\n");
        if header.crypt != 0 {
            say("encrypted: yes".into());
        }
        say(format!("cluster_size: {}", header.cluster()));
        if header.dirty() {
            say("cleanly shut down: no".into());
        }
        if let Some(backing) = &header.backing {
            let full = beside(&self.name, backing);
            let actual = if full == *backing { String::new() } else { format!(" (actual path: {full})") };
            say(format!("backing file: {backing}{actual}"));
            if let Some(format) = &header.backing_format {
                say(format!("backing file format: {format}"));
            }
        }
        say("Format specific information:".into());
        for (key, value) in specific(header) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            say(format!("    {}: {value}", key.replace('-', " ")));
        }
        Ok(text)
    }

    fn json(&self) -> Result<Value, Refusal> {
        let (disk, host) = self.sizes()?;
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| drop(map.insert(key.into(), value));
        let header = self.header.as_ref();
        if let Some(format) = header.and_then(|header| header.backing_format.as_ref()) {
            put("backing-filename-format", json!(format));
        }
        put("virtual-size", json!(disk));
        put("filename", json!(self.name));
        if let Some(header) = header {
            put("cluster-size", json!(header.cluster()));
        }
        put("format", json!(self.format.name()));
        put("actual-size", json!(host));
        if let Some(header) = header {
            if header.crypt != 0 {
                put("encrypted", json!(true));
            }
            let data: Map<String, Value> = specific(header).into_iter().map(|(k, v)| (k.into(), v)).collect();
            put("format-specific", json!({ "type": "qcow2", "data": data }));
        }
        if let Some(backing) = header.and_then(|header| header.backing.as_ref()) {
            put("full-backing-filename", json!(beside(&self.name, backing)));
            put("backing-filename", json!(backing));
        }
        put("dirty-flag", json!(header.is_some_and(Header::dirty)));
        Ok(Value::Object(map))
    }
}

/// What only qcow2 images have, under QEMU's names.
fn specific(header: &Header) -> Vec<(&'static str, Value)> {
    let compression = if header.compression == 1 { "zstd" } else { "zlib" };
    let compat = if header.version == 3 { "1.1" } else { "0.10" };
    let mut rows = vec![("compat", json!(compat)), ("compression-type", json!(compression))];
    if header.version == 3 {
        rows.push(("lazy-refcounts", json!(header.compatible & 1 != 0)));
    }
    rows.push(("refcount-bits", json!(1 << header.refcount_order)));
    if header.version == 3 {
        rows.push(("corrupt", json!(header.corrupt())));
        rows.push(("extended-l2", json!(header.extended_l2())));
    }
    rows
}

/// A size with three digits that count, as QEMU writes it: `192 KiB`, `1.5 GiB`.
fn in_words(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    // A unit is left from 1000 of it on.
    let unit = (0..6).find(|unit| (bytes as f64) < 1000.0 * f64::powi(1024.0, *unit)).unwrap_or(6);
    let value = bytes as f64 / f64::powi(1024.0, unit);
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {}B", UNITS[unit as usize])
}

pub(super) fn check(words: &mut Words) -> Result<Done, Refusal> {
    let json = words.json()?;
    let (name, format) = (one_name(words)?.to_owned(), words.format("f")?);
    let share = words.has("U") || words.has("force-share");
    let look = look(&name, format, share, Rights::format(true))?;
    let Some(header) = &look.header else {
        let errors = "This image format does not support checks\n".to_owned();
        return Ok(Done { errors, code: 63, ..Done::default() });
    };
    if header.incompatible & !3 != 0 {
        header
            .usable(true)
            .map_err(|(what, help)| Refusal::new(format!("Could not check '{name}': {what}")).hint(help))?;
    }
    let report = check::check(&look.file, header)
        .map_err(|why| Refusal::new(format!("Could not check '{name}': {why}")))?;
    let code = match (report.corruptions, report.leaks) {
        (1.., _) => 2,
        (0, 1..) => 3,
        (0, 0) => 0,
    };
    let errors = report.messages.iter().map(|message| format!("{message}\n")).collect();
    let text = match (words.has("q"), json) {
        (_, true) => pretty(&report_json(&report, &look)),
        (true, false) => String::new(),
        (false, false) => report_text(&report),
    };
    Ok(Done { text, errors, code })
}

fn report_json(report: &Report, look: &Look) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.into(), value));
    put("image-end-offset", json!(report.end));
    put("total-clusters", json!(report.total));
    put("check-errors", json!(0));
    for (key, value) in [("corruptions", report.corruptions), ("leaks", report.leaks)] {
        if value > 0 {
            put(key, json!(value));
        }
    }
    put("filename", json!(look.name));
    put("format", json!(look.format.name()));
    for (key, value) in [
        ("allocated-clusters", report.allocated),
        ("fragmented-clusters", report.fragmented),
        ("compressed-clusters", report.compressed),
    ] {
        if value > 0 {
            put(key, json!(value));
        }
    }
    Value::Object(map)
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut say = |words: String| text.push_str(&words);
    if report.corruptions == 0 && report.leaks == 0 {
        say("No errors were found on the image.\n".into());
    }
    if report.corruptions > 0 {
        say(format!(
            "\n{} errors were found on the image.\nData may be corrupted, or further writes to the image may \
             corrupt it.\n",
            report.corruptions
        ));
    }
    if report.leaks > 0 {
        say(format!(
            "\n{} leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n",
            report.leaks
        ));
    }
    if report.total > 0 && report.allocated > 0 {
        let percent = |part: u64, of: u64| part as f64 * 100.0 / of as f64;
        say(format!(
            "{}/{} = {:.2}% allocated, {:.2}% fragmented, {:.2}% compressed clusters\n",
            report.allocated,
            report.total,
            percent(report.allocated, report.total),
            percent(report.fragmented, report.allocated),
            percent(report.compressed, report.allocated)
        ));
    }
    if report.end > 0 {
        say(format!("Image end offset: {}\n", report.end));
    }
    text
}

/// What the disk of `node` is, for who is about to change it.
pub(super) fn header_of(node: &Node) -> Result<Option<Header>, Refusal> {
    Ok(look(&node.path, node.format, true, Rights::look())?.header)
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn sizes_have_three_digits() {
        let said: Vec<_> =
            [0, 512, 999, 1000, 1024, 1536, 197_120, 200_704, 1 << 20, 1000 << 20, 3 << 29, 10_485_760]
                .map(in_words)
                .into();
        let expect = [
            "0 B", "512 B", "999 B", "0.98 KiB", "1 KiB", "1.5 KiB", "192 KiB", "196 KiB", "1 MiB",
            "0.98 GiB", "1.5 GiB", "10 MiB",
        ];
        assert_eq!(said, expect);
    }
}
