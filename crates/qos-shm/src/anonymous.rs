//! Memory that the children share with their parent.

use std::ptr::NonNull;

/// Maps `length` bytes of zeros: shared with the children that are forked later, backed by memory only where they are
/// used. The errno of the system when it refuses.
pub(crate) fn map(length: usize) -> Result<NonNull<u8>, i32> {
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory of ours.
    let base = unsafe {
        libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, -1, 0)
    };
    let failed = || std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    if base == libc::MAP_FAILED {
        return Err(failed());
    }
    NonNull::new(base.cast()).ok_or_else(failed)
}
