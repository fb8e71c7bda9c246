//! Parts of files, read without keeping them.

/// Bytes that are read at a time.
const PIECE: usize = 16 * 1024;

/// Reads a part of an open file, without moving its position, until `take` has enough: whether it ever had. A file that became shorter
/// ends early.
pub fn any_piece(fd: i32, start: i64, length: usize, mut take: impl FnMut(&[u8]) -> bool) -> bool {
    let (mut buffer, mut at, mut left) = ([0u8; PIECE], start, length);
    while left > 0 {
        let wanted = left.min(PIECE);
        // SAFETY: the kernel writes at most `wanted` bytes into a buffer of that size.
        let read = unsafe { libc::pread(fd, buffer.as_mut_ptr().cast(), wanted, at) };
        let Ok(read) = usize::try_from(read) else { return false };
        if read == 0 {
            return false;
        }
        if take(buffer.get(..read).unwrap_or_default()) {
            return true;
        }
        at += read as i64;
        left = left.saturating_sub(read);
    }
    false
}
