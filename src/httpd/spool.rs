//! Bytes that are kept while a request lasts: in memory, or in a file without a name once they are many.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes that are kept in memory (filters.md section 13.3).
pub const IN_MEMORY: usize = 1 << 20;

/// What is kept. The file ends with it, and with the process at the latest: nobody else can find it.
#[derive(Debug, Default)]
pub struct Spool {
    /// All bytes, or those that the file could not take. After [`Spool::seal`] a NUL stands behind them.
    memory: Vec<u8>,
    /// Bytes of `memory` without that NUL.
    in_memory: usize,
    /// Bytes in the file.
    in_file: usize,
    file: Option<File>,
    map: Option<Map>,
}

impl Spool {
    /// Keeps more. `directory`: where the file is made.
    ///
    /// # Errors
    /// The file cannot be made or written. Nothing is lost all the same: what it could not take stays in memory.
    pub fn push(&mut self, bytes: &[u8], directory: &Path) -> io::Result<()> {
        self.memory.extend_from_slice(bytes);
        self.in_memory = self.memory.len();
        if self.file.is_none() && self.in_memory <= IN_MEMORY {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(unnamed(directory)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut taken = 0;
        let result = loop {
            let rest = self.memory.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => taken += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.in_file += taken;
        self.memory.drain(..taken);
        self.in_memory = self.memory.len();
        result
    }

    /// Makes everything readable; nothing is added any longer.
    ///
    /// # Errors
    /// The file cannot be mapped.
    pub fn seal(&mut self) -> io::Result<()> {
        if let (Some(file), None) = (&self.file, &self.map) {
            self.map = Some(Map::new(file, self.in_file)?);
            // Room for what is written at once.
            self.memory.shrink_to_fit();
        }
        self.memory.push(0);
        Ok(())
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.in_file + self.in_memory
    }

    /// The bytes from a place on, as many as lie together there; empty at the end only.
    pub fn at(&self, place: usize) -> &[u8] {
        match (place.checked_sub(self.in_file), &self.map) {
            (None, Some(map)) => map.bytes().get(place..).unwrap_or_default(),
            (None, None) => &[],
            (Some(place), _) => self.memory.get(place..self.in_memory).unwrap_or_default(),
        }
    }

    /// All of them, where they lie together: always, unless writing the file has failed.
    pub fn whole(&self) -> Option<&[u8]> {
        let first = self.at(0);
        (first.len() == self.len()).then_some(first)
    }
}

/// A file that has no name, readable by this process alone.
fn unnamed(directory: &Path) -> io::Result<File> {
    let open = |flags: i32| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).custom_flags(flags);
        options
    };
    match open(libc::O_TMPFILE | libc::O_EXCL).open(directory) {
        // Not each file system can do that.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
            use std::hash::{BuildHasher, RandomState};
            let path = directory.join(format!("qos-body-{:016x}", RandomState::new().hash_one(std::process::id())));
            let file = open(libc::O_NOFOLLOW).create_new(true).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        }
        other => other,
    }
}

/// A file in memory. Readers in C like to find a NUL behind it.
#[derive(Debug)]
struct Map {
    start: *const u8,
    length: usize,
}

impl Map {
    fn new(file: &File, length: usize) -> io::Result<Map> {
        // Zeros for one byte more than the file has: where that ends with a page, the NUL lies in the next one.
        // SAFETY: no file; the kernel chooses the place.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length + 1, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let map = Map { start: start.cast(), length };
        if length > 0 {
            // SAFETY: an open file in place of pages that were just mapped and that nobody else knows; behind its end its last page is zeros.
            let over = unsafe { libc::mmap(start, length, libc::PROT_READ, libc::MAP_SHARED | libc::MAP_FIXED, file.as_raw_fd(), 0) };
            if over == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(map)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped in `new`, until the value is dropped. Nobody else has the file, so it neither changes nor becomes shorter.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`.
        unsafe { libc::munmap(self.start.cast_mut().cast(), self.length + 1) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fill(pieces: usize, piece: usize) -> (Spool, Vec<u8>) {
        let (mut spool, mut all) = (Spool::default(), Vec::new());
        for n in 0..pieces {
            let bytes = (0..piece).map(|k| (n * 7 + k) as u8).collect::<Vec<_>>();
            spool.push(&bytes, &std::env::temp_dir()).unwrap();
            all.extend(bytes);
        }
        spool.seal().unwrap();
        (spool, all)
    }

    #[test]
    fn few_bytes_stay_in_memory_and_many_go_to_a_file() {
        for (pieces, piece, in_file) in [(0, 1, false), (3, 5, false), (16, 65536, false), (17, 65536, true), (3, 1 << 20, true), (1, (1 << 20) + 4096, true)] {
            let (spool, all) = fill(pieces, piece);
            assert_eq!((spool.len(), spool.file.is_some(), spool.whole() == Some(all.as_slice())), (all.len(), in_file, true), "{pieces} x {piece}");
            assert!(spool.at(all.len()).is_empty());
            if let Some(last) = all.len().checked_sub(1) {
                assert_eq!(spool.at(last), &all[last..]);
            }
            if let Some(map) = &spool.map {
                assert_eq!(spool.in_memory, 0);
                // SAFETY: one byte more than the file has is mapped, also where the file ends with a page.
                assert_eq!(unsafe { *map.start.add(map.length) }, 0, "a NUL behind {pieces} x {piece}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_not_lost() {
        let mut spool = Spool::default();
        let all = vec![b'x'; IN_MEMORY];
        spool.push(&all, Path::new("/nowhere")).unwrap();
        assert!(spool.push(b"y", Path::new("/nowhere")).is_err());
        spool.seal().unwrap();
        assert_eq!((spool.len(), spool.at(IN_MEMORY), spool.whole().map(<[u8]>::len)), (IN_MEMORY + 1, b"y".as_slice(), Some(IN_MEMORY + 1)));
    }
}
