//! The bytes of a segment, which are wanted at the start and at each reset, and not between.

use std::{
    fmt,
    fs::File,
    io::{Error, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// Fewer bytes are kept where they are.
const MANY: usize = 1 << 20;
/// So many are handed out at once.
const PIECE: usize = 1 << 16;

/// Bytes in memory or, if they are many and were [put away](Self::put_away), in a file without a name.
#[derive(Clone)]
pub struct Content(Kept);

#[derive(Clone)]
enum Kept {
    Here(Vec<u8>),
    Away { file: Arc<File>, len: u64 },
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content(Kept::Here(bytes))
    }
}

impl Content {
    /// How many there are.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kept::Here(bytes) => bytes.len() as u64,
            Kept::Away { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Has many bytes leave the process's memory, if the host has another place for them.
    pub fn put_away(&mut self) {
        if let Kept::Here(bytes) = &self.0
            && bytes.len() >= MANY
            && let Ok(file) = away(bytes)
        {
            self.0 = Kept::Away { file: Arc::new(file), len: self.len() };
        }
    }

    /// Hands out the bytes in order, in pieces, each with its place among them.
    ///
    /// # Errors
    /// What `take` says, or why the host does not give back what was put away.
    pub fn pieces<E: From<Error>>(&self, mut take: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        match &self.0 {
            Kept::Here(bytes) => take(0, bytes),
            Kept::Away { file, len } => {
                let mut piece = vec![0; PIECE];
                for at in (0..*len).step_by(PIECE) {
                    let some = &mut piece[..(*len - at).min(PIECE as u64) as usize];
                    file.read_exact_at(some, at)?;
                    take(at, some)?;
                }
                Ok(())
            }
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// The host does not give back what was put away.
    pub fn to_vec(&self) -> Result<Vec<u8>, Error> {
        let mut all = vec![];
        self.pieces(|_, piece| {
            all.extend_from_slice(piece);
            Ok::<(), Error>(())
        })?;
        Ok(all)
    }
}

fn away(bytes: &[u8]) -> Result<File, Error> {
    let file = rustix::fs::memfd_create("file to load", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(bytes)?;
    Ok(file)
}

impl PartialEq for Content {
    /// Bytes that the host does not give back are like no others.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && matches!((self.to_vec(), other.to_vec()), (Ok(a), Ok(b)) if a == b)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Here(bytes) if bytes.len() <= 32 => bytes.fmt(f),
            _ => write!(f, "{} bytes", self.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_away_comes_back() {
        for len in [0, 5, MANY - 1, MANY, MANY + 1, 3 * MANY + 17] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 >> 3) as u8).collect();
            let kept = Content::from(bytes.clone());
            let mut content = kept.clone();
            content.put_away();
            assert_eq!(matches!(content.0, Kept::Away { .. }), len >= MANY);
            assert_eq!((content.len(), content.is_empty()), (len as u64, len == 0));
            assert_eq!(content.to_vec().unwrap(), bytes);
            assert_eq!(content, kept);
            let mut next = 0;
            content
                .pieces(|at, piece| {
                    assert_eq!(at, next);
                    next += piece.len() as u64;
                    Ok::<(), Error>(())
                })
                .unwrap();
            assert_eq!(next, len as u64);
        }
    }
}
