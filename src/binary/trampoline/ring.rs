//! The memory between traced programs and their recorder: a file in memory that all of them map.
//!
//! ```text
//! header     0 magic "gtracer1"   8 u64 bytes in all
//!           16 u32 mask of the queue   20 u32 chunks
//!           24 u32 patience: how often a program that finds no chunk sleeps for some 100 us before it drops records, and
//!              has nobody wait any more until the recorder writes it anew
//!           28 u32 closed: nobody reads any more
//!           32 u32 insists: whoever waits begins to count anew when chunks have been given back
//!           64 u64 head: chunks that were taken         128 u64 tail: chunks that were free
//!          192 u64 records that were dropped, at most    256 u64 programs that have mapped it, but on macOS
//! queue   4096 u32 for each chunk: numbers of free ones, from head to tail, each at its count less the mask
//! chunks 10000 64 KiB each
//!
//! chunk      0 u32 process  4 u32 thread  8 u64 copy  16 u64 head when it was taken, plus 1: 0 if it is not taken yet
//!           32 records
//! record     0 u64 time stamp counter (arm64: CNTVCT_EL0), written last: 0 if it is not there yet
//!            8 u64 goroutine  16 u32 depth of the stack  20 u32 number of the function, edge
//!           24 u64 RAX (arm64: X0) at an entry; at one that spans, the counter at a return of that function from that
//!              depth on that goroutine, if the thread has written nothing between: 0 if there was none
//! ```
//!
//! Half of all calls and more call nothing that is recorded: an entry that spans is the one record of such a call. The
//! return may be written after the record was read, until the thread's next record is there; into the last record of a
//! chunk it never is. Where a goroutine was on another thread between, it may be that of a later call of the function.
//!
//! The thread is the system's number of it; on macOS the lower half of `pthread_self`, for the runtime knows no other.
//!
//! A chunk lies at a multiple of its size, in the file and in memory: of it Linux maps what is there already at once, where a
//! program reads from it first.
//!
//! A chunk belongs to one thread of one program from when it is taken until the recorder puts it back, its count and the
//! times of all records zero: when it has read the last record, or when the program has ended. So records need no lock,
//! and those of a chunk are in the order of their time. All numbers are those of the processor; the same are in
//! `probes/trampoline/`.

/// `gtracer1`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"gtracer1");
/// Where the size in bytes stands.
pub const BYTES: usize = 8;
/// Where the mask of the queue stands.
pub const MASK: usize = 16;
/// Where the number of chunks stands.
pub const CHUNKS: usize = 20;
/// Where the patience of programs stands.
pub const PATIENCE: usize = 24;
/// Where it stands that nobody reads.
pub const CLOSED: usize = 28;
/// Where it stands that nothing is to be dropped while somebody reads.
pub const INSISTS: usize = 32;
/// Where the number of chunks that were taken stands.
pub const HEAD: usize = 64;
/// Where the number of chunks that were free stands.
pub const TAIL: usize = 128;
/// Where the number of records stands that were dropped.
pub const DROPPED: usize = 192;
/// Where the number of programs stands that have mapped the ring, on Linux.
pub const MAPPED: usize = 256;
/// Where the queue begins.
pub const QUEUE: usize = 4096;
/// Where the chunks begin.
pub const FIRST_CHUNK: usize = 0x10000;
/// Bytes of a chunk.
pub const CHUNK: usize = 0x10000;
/// Bytes of a record, and of what stands before the first one of a chunk.
pub const RECORD: usize = 32;
/// Chunks at most, a power of two for which the queue has room.
pub const MOST_CHUNKS: usize = 8192;

/// Where a chunk's process, thread, copy and count stand.
pub const CHUNK_PROCESS: usize = 0;
/// See [`CHUNK_PROCESS`].
pub const CHUNK_THREAD: usize = 4;
/// See [`CHUNK_PROCESS`].
pub const CHUNK_COPY: usize = 8;
/// See [`CHUNK_PROCESS`].
pub const CHUNK_COUNT: usize = 16;

/// Bits of a record's number: the function returns.
pub const RETURN: u32 = 1 << 30;
/// Bits of a record's number: it jumps to another function.
pub const TAIL_JUMP: u32 = 2 << 30;
/// Bit of a record's number: its function spans, so that its return may stand in the record of its entry.
pub const SPANS: u32 = 1 << 29;
/// The bits that number functions.
pub const FUNCTION: u32 = (1 << 29) - 1;
