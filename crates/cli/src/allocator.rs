//! How the C library keeps memory that was freed.

/// From this size on a block is a mapping of its own, which goes back to the system when it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_MAPPING_BYTES: std::ffi::c_int = 256 << 10;

/// Makes big blocks go back to the system when they are freed. To be called before there are other threads.
///
/// glibc does so too, until the first big block is freed: it then takes blocks of that size from the heap of the thread that
/// asks (mallopt(3), "dynamic mmap threshold"). A password hash takes 19 MiB for a moment, on one of many threads; after a
/// hundred of them the heaps of all these threads held 1.4 GiB. Naming a threshold switches that off.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call into the C library")]
pub(crate) fn return_big_blocks() {
    // SAFETY: mallopt takes two numbers and changes a setting of malloc under malloc's own lock. A number that it does not
    // take changes nothing.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn return_big_blocks() {}
