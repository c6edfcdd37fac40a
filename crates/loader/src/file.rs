//! Reads a file whole, within a limit, and unpacks what is compressed.

use crate::Error;
use std::{fs::File, io::Read, path::Path};

/// RFC 1952, 2.3.1: the identification bytes, and 8 for deflate, the only method.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];
/// RFC 8878, 3.1.1: the magic number of a Zstandard frame.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of the file at `path`, at most `limit` of them.
///
/// # Errors
///
/// [`Error::Host`] with the host's words, or [`Error::TooLarge`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let host = |why: std::io::Error| Error::Host(plain(&why));
    let file = File::open(path).map_err(host)?;
    // Opening a directory works, reading it does not; the size of a device or a pipe is not known beforehand.
    match file.metadata().map_err(host)? {
        about if about.is_dir() => return Err(Error::Host("it is a directory".into())),
        about if about.len() > limit => return Err(Error::TooLarge { limit, unpacked: false }),
        _ => {}
    }
    let mut bytes = vec![];
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(host)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { limit, unpacked: false });
    }
    Ok(bytes)
}

/// Like [`read`], and unpacked if the file is gzip- or zstd-compressed; `limit` is for what comes out.
///
/// # Errors
///
/// As [`read`], and [`Error::Unpack`].
pub fn read_unpacked(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    unpack(read(path, limit)?, limit)
}

/// `bytes` as they are, or unpacked if they are gzip- or zstd-compressed; `limit` is for what comes out.
///
/// # Errors
///
/// [`Error::Unpack`] or [`Error::TooLarge`].
pub fn unpack(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, Error> {
    if bytes.starts_with(GZIP) {
        drain("gzip", flate2::read::MultiGzDecoder::new(&bytes[..]), limit)
    } else if bytes.starts_with(ZSTD) {
        let why = |why: ruzstd::decoding::errors::FrameDecoderError| Error::Unpack {
            format: "zstd",
            why: why.to_string(),
        };
        drain("zstd", ruzstd::decoding::StreamingDecoder::new(&bytes[..]).map_err(why)?, limit)
    } else {
        Ok(bytes)
    }
}

fn drain(format: &'static str, from: impl Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![];
    from.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|why| Error::Unpack { format, why: plain(&why) })?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { limit, unpacked: true });
    }
    Ok(bytes)
}

/// The host's reason without Rust's ` (os error 2)`.
fn plain(why: &std::io::Error) -> String {
    let text = why.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut pack = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        pack.write_all(bytes).unwrap();
        pack.finish().unwrap()
    }

    #[test]
    fn what_is_compressed_comes_out_unpacked() {
        let zstd = ruzstd::encoding::compress_to_vec(
            &b"kernel kernel kernel"[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        for packed in [gzip(b"kernel kernel kernel"), zstd, b"kernel kernel kernel".to_vec()] {
            assert_eq!(unpack(packed, 100).unwrap(), b"kernel kernel kernel");
        }
    }

    #[test]
    fn a_file_that_unpacks_without_end_is_refused_at_the_limit() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert_eq!(
            unpack(bomb, 1 << 16).unwrap_err().to_string(),
            "the file unpacks to more than the 64 KiB that it has to fit in"
        );
        assert_eq!(
            read(Path::new("/dev/zero"), 4096).unwrap_err().to_string(),
            "the file has more than the 4 KiB that it has to fit in"
        );
    }

    #[test]
    fn a_missing_file_and_a_directory_say_so() {
        assert_eq!(read(Path::new("/nonexist"), 1).unwrap_err().to_string(), "No such file or directory");
        assert_eq!(read(Path::new("/"), 1 << 30).unwrap_err().to_string(), "it is a directory");
    }

    #[test]
    fn damaged_archives_are_errors() {
        let packed = gzip(&(0..4000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
        for cut in 4..packed.len() {
            assert!(unpack(packed[..cut].to_vec(), 1 << 20).is_err(), "cut at {cut}");
        }
        for at in 4..64 {
            let mut zstd = ruzstd::encoding::compress_to_vec(
                &[7_u8; 300][..],
                ruzstd::encoding::CompressionLevel::Fastest,
            );
            if let Some(byte) = zstd.get_mut(at) {
                *byte ^= 0xff;
            }
            let _ = unpack(zstd, 1 << 20);
        }
    }
}
