//! A brigade that a filter sends piece by piece.

use super::ffi;

/// What a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// So many bytes in memory or in a file.
    Bytes(u64),
    /// Has to be read before its length is known.
    Unknown,
    /// Says something about the stream.
    Meta,
    /// The response ends.
    EndOfResponse,
    /// The request ends: it is logged when the bucket is destroyed.
    EndOfRequest,
}

/// What a brigade that is sent piece by piece holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Bytes in memory.
    pub memory: u64,
    /// Bytes that follow, if that is all of the response.
    pub known: Option<u64>,
    /// Nobody has to wait until it is sent: no flush, and nothing whose length is not known.
    pub can_wait: bool,
    /// The end of the request is among them.
    pub ends_request: bool,
}

/// A brigade of a filter that sends a response piece by piece. Copies name the same brigade.
#[derive(Clone, Copy)]
pub struct Buckets(*mut ffi::apr_bucket_brigade);

impl Buckets {
    /// Wraps a brigade.
    ///
    /// # Safety
    /// `brigade` is live, and only this thread uses it, while the wrapper is used.
    pub unsafe fn new(brigade: *mut ffi::apr_bucket_brigade) -> Buckets {
        Buckets(brigade)
    }

    /// An empty brigade.
    ///
    /// # Safety
    /// Pool and connection are live, and belong to this thread, while the brigade is used.
    pub unsafe fn create(pool: *mut ffi::apr_pool_t, connection: *mut ffi::conn_rec) -> Buckets {
        // SAFETY: the caller's promise.
        Buckets(unsafe { ffi::qos_shim_brigade(pool, connection) })
    }

    /// The raw pointer.
    pub fn as_ptr(self) -> *mut ffi::apr_bucket_brigade {
        self.0
    }

    /// The first bucket.
    pub fn first(self) -> Option<Bucket> {
        let mut length = 0;
        // SAFETY: the promise of the constructors; the shim only reads.
        match unsafe { ffi::qos_shim_first_kind(self.0, &raw mut length) } as u32 {
            ffi::QOS_BUCKET_NONE => None,
            ffi::QOS_BUCKET_DATA | ffi::QOS_BUCKET_FILE => Some(Bucket::Bytes(length as u64)),
            ffi::QOS_BUCKET_UNKNOWN => Some(Bucket::Unknown),
            ffi::QOS_BUCKET_EOS => Some(Bucket::EndOfResponse),
            ffi::QOS_BUCKET_EOR => Some(Bucket::EndOfRequest),
            _ => Some(Bucket::Meta),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.first().is_none()
    }

    /// What all of them hold.
    pub fn rest(self) -> Rest {
        let (mut all, mut kinds) = (0, 0);
        // SAFETY: as for `first`.
        let memory = unsafe { ffi::qos_shim_brigade_content(self.0, &raw mut all, &raw mut kinds) };
        let has = |kind: u32| kinds & (1 << kind) != 0;
        let ends = (has(ffi::QOS_BUCKET_EOS) || has(ffi::QOS_BUCKET_EOR)) && !has(ffi::QOS_BUCKET_UNKNOWN);
        Rest {
            memory: u64::try_from(memory).unwrap_or(0),
            known: ends.then(|| u64::try_from(all).unwrap_or(0)),
            ends_request: has(ffi::QOS_BUCKET_EOR),
            can_wait: !has(ffi::QOS_BUCKET_UNKNOWN) && !has(ffi::QOS_BUCKET_FLUSH),
        }
    }

    /// Reads the first bucket, which there is, so that its length is known. Without waiting, `EAGAIN` says that it is not there yet.
    pub fn read_first(self, wait: bool) -> ffi::apr_status_t {
        // SAFETY: as for `first`.
        unsafe { ffi::qos_shim_read_first(self.0, wait.into()) }
    }

    /// Moves the first bucket, which there is, to the end of another brigade: at most that many bytes of it.
    pub fn move_first(self, to: Buckets, most: u64) -> ffi::apr_status_t {
        // SAFETY: as for `first`; both belong to the same connection.
        unsafe { ffi::qos_shim_move_first(self.0, to.0, usize::try_from(most).unwrap_or(usize::MAX) as _) }
    }

    /// Whoever gets the brigade sends what he has.
    pub fn add_flush(self) {
        // SAFETY: as for `first`.
        unsafe { ffi::qos_shim_add_flush(self.0) };
    }

    /// Adds the buckets of another brigade for the time after this call: what they point to is copied or kept.
    ///
    /// # Safety
    /// The filter is live; the pool lives as long as the buckets will.
    pub unsafe fn save(self, filter: *mut ffi::ap_filter_t, from: Buckets, pool: *mut ffi::apr_pool_t) -> ffi::apr_status_t {
        let (mut to, mut from) = (self.0, from.0);
        // SAFETY: the caller's promise, and that of the constructors.
        unsafe { ffi::ap_save_brigade(filter, &raw mut to, &raw mut from, pool) }
    }

    /// Destroys all buckets. A request that ends with one of them is logged, and gone.
    pub fn clear(self) {
        // SAFETY: as for `first`.
        unsafe { ffi::apr_brigade_cleanup(self.0.cast()) };
    }

    /// Passes all buckets to a filter; the brigade is empty then.
    ///
    /// # Safety
    /// The filter is live and of the same connection.
    pub unsafe fn pass(self, next: *mut ffi::ap_filter_t) -> ffi::apr_status_t {
        // SAFETY: the caller's promise.
        let status = unsafe { ffi::ap_pass_brigade(next, self.0) };
        self.clear();
        status
    }
}
