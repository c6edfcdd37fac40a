//! Memory as the monitor shows and saves it, and values as it prints them.

use crate::{Args, Failed, Format, Session, read_physical};
use std::{
    fs::File,
    io::{BufWriter, Write},
};

/// So many values are shown at most at once; a slip of the finger is not to fill the terminal for hours.
const MOST: u64 = 1 << 16;
/// Bytes that are read at once.
const CHUNK: u64 = 4 << 10;

/// Where bytes lie that are asked for, and how they are read if a device has them.
#[derive(Clone, Copy)]
struct Way {
    /// Addresses are physical, not the current hart's virtual ones.
    physical: bool,
    /// Bytes of an access.
    unit: usize,
}

/// Reads memory; how many bytes could be read.
fn read(session: &Session, addr: u64, bytes: &mut [u8], way: Way) -> Result<usize, Failed> {
    if way.physical {
        return Ok(read_physical(&session.control.space, addr, bytes, way.unit));
    }
    let (len, space) = (bytes.len(), session.control.space.clone());
    let (read, got) = session.hart(session.cpu, move |hart| {
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            let here = addr.wrapping_add(done as u64);
            let n = (hartwright_mem::PAGE - here % hartwright_mem::PAGE).min((len - done) as u64) as usize;
            let Some(at) = hart.translate(here) else { break };
            let read = read_physical(&space, at, &mut bytes[done..done + n], way.unit);
            done += read;
            if read < n {
                break;
            }
        }
        (done, bytes)
    })?;
    bytes.copy_from_slice(&got);
    Ok(read)
}

/// `x` and `xp`.
pub(crate) fn dump(session: &mut Session, args: &Args, physical: bool) -> Result<(), Failed> {
    let (Some(format), [addr]) = (args.format, &args.exprs[..]) else { return Ok(()) };
    if format.count > MOST {
        return Err(Failed::new(format!(
            "{} values are too many: at most {MOST} are shown at once",
            format.count
        )));
    }
    match format.letter {
        'i' => instructions(session, *addr, format.count, physical),
        _ => values(session, *addr, format, physical),
    }
}

fn values(session: &mut Session, mut addr: u64, format: Format, physical: bool) -> Result<(), Failed> {
    let mut left = format.count * u64::from(format.size);
    let size = if format.letter == 'c' { 1 } else { usize::from(format.size) };
    let row = if size == 1 { 8 } else { 16 };
    let digits = if physical || session.hart(session.cpu, |hart| hart.xlen())? == 32 { 8 } else { 16 };
    while left > 0 {
        let mut line = format!("{addr:0digits$x}:");
        let mut bytes = vec![0; left.min(row) as usize];
        if read(session, addr, &mut bytes, Way { physical, unit: size })? < bytes.len() {
            session.say(format_args!("{line} Cannot access memory"));
            return Ok(());
        }
        for item in bytes.chunks(size) {
            let mut word = [0; 8];
            word[..item.len()].copy_from_slice(item);
            line += " ";
            line += &column(u64::from_le_bytes(word), format.letter, size);
        }
        session.say(line);
        left -= bytes.len() as u64;
        addr = addr.wrapping_add(bytes.len() as u64);
    }
    Ok(())
}

/// A value of `size` bytes as wide as the widest of its kind.
fn column(value: u64, letter: char, size: usize) -> String {
    let bits = size * 8;
    match letter {
        'o' => format!("{:>1$}", octal(value), bits.div_ceil(3)),
        'd' => format!("{:>1$}", value as i64, (bits * 10).div_ceil(33)),
        'u' => format!("{:>1$}", value, (bits * 10).div_ceil(33)),
        'c' => character(value as u8),
        _ => format!("0x{value:0digits$x}", digits = size * 2),
    }
}

fn octal(value: u64) -> String {
    if value == 0 { "0".into() } else { format!("0{value:o}") }
}

fn character(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'\\' => r"'\\'".into(),
        b'\n' => r"'\n'".into(),
        b'\r' => r"'\r'".into(),
        b' '..=b'~' => format!("'{}'", char::from(byte)),
        _ => format!("'\\x{byte:02x}'"),
    }
}

fn instructions(session: &mut Session, mut addr: u64, count: u64, physical: bool) -> Result<(), Failed> {
    let way = Way { physical, unit: 2 };
    for _ in 0..count {
        let mut low = [0; 2];
        if read(session, addr, &mut low, way)? < 2 {
            session.say(format_args!("0x{addr:08x}:  Address {addr:#x} is out of bounds."));
            return Ok(());
        }
        let mut raw = u32::from(u16::from_le_bytes(low));
        let mut len = 2;
        // The length is in the low bits (unprivileged spec, "Base Instruction-Length Encoding").
        if raw & 3 == 3 && read(session, addr.wrapping_add(2), &mut low, way)? == 2 {
            raw |= u32::from(u16::from_le_bytes(low)) << 16;
            len = 4;
        }
        let decoded = session.hart(session.cpu, move |hart| hart.decode(raw, addr))?;
        let text = decoded.map_or("illegal".into(), |decoded| decoded.to_string());
        let bits = format!("{raw:0digits$x}", digits = len * 2);
        let line = format!("0x{addr:08x}:  {bits:<16}  {text}");
        session.say(line);
        addr = addr.wrapping_add(len as u64);
    }
    Ok(())
}

/// `print`.
pub(crate) fn print(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let (Some(format), [value]) = (args.format, &args.exprs[..]) else { return Ok(()) };
    let text = match format.letter {
        'c' => character(*value as u8),
        'd' => (*value as i64).to_string(),
        'u' => value.to_string(),
        'o' => octal(*value),
        // As C's `%#x` has it.
        _ if *value == 0 => "0".into(),
        _ => format!("{value:#x}"),
    };
    session.say(text);
    Ok(())
}

/// `sum`: what the `sum` command of BSD computes.
pub(crate) fn sum(session: &mut Session, args: &Args) -> Result<(), Failed> {
    let [addr, size] = args.exprs[..] else { return Ok(()) };
    let mut sum = 0_u16;
    chunks(session, addr, size, true, &mut |bytes| {
        sum = bytes.iter().fold(sum, |sum, byte| sum.rotate_right(1).wrapping_add((*byte).into()));
        Ok(())
    })?;
    session.say(format_args!("{sum:05}"));
    Ok(())
}

/// `memsave` and `pmemsave`.
pub(crate) fn save(session: &mut Session, args: &Args, physical: bool) -> Result<(), Failed> {
    let ([addr, size], [path]) = (&args.exprs[..], &args.words[..]) else { return Ok(()) };
    let refused = |why: std::io::Error| Failed::new(format!("could not write '{path}': {why}"));
    let mut file = BufWriter::new(File::create(path).map_err(refused)?);
    chunks(session, *addr, *size, physical, &mut |bytes| file.write_all(bytes).map_err(refused))?;
    file.flush().map_err(refused)
}

/// Hands out a piece of memory bit by bit.
fn chunks(
    session: &Session,
    mut addr: u64,
    mut size: u64,
    physical: bool,
    each: &mut dyn FnMut(&[u8]) -> Result<(), Failed>,
) -> Result<(), Failed> {
    while size > 0 {
        let mut bytes = vec![0; size.min(CHUNK) as usize];
        let read = read(session, addr, &mut bytes, Way { physical, unit: 1 })?;
        each(&bytes[..read])?;
        if read < bytes.len() {
            let at = addr.wrapping_add(read as u64);
            return Err(Failed::new(format!("Invalid addr 0x{at:016x}: there is no memory")));
        }
        size -= bytes.len() as u64;
        addr = addr.wrapping_add(bytes.len() as u64);
    }
    Ok(())
}
