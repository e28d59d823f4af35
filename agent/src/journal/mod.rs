//! Reads systemd's `.journal` files: safe Rust, pread, no mmap, every step bounded by the file's size. Knows nothing of
//! Kubernetes and imports nothing of ours.
