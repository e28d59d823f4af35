//! What the kernel tells of TCP connections beyond `/proc/net/tcp`, over a `sock_diag` netlink socket (`sock_diag(7)`,
//! kernel `include/uapi/linux/inet_diag.h` and `tcp.h`). Needs no capability; sees the network name space of this process.
//!
//! Written by hand on `rustix`: one request of 72 bytes and a table of fixed offsets.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// Bytes of one batch of answers; the kernel's batches are 32 KiB at most.
const BATCH: usize = 64 << 10;
/// Batches that are read at most: some tens of thousands of connections to one port.
const BATCHES: usize = 1024;
/// The kernel answers at once; this is for where it does not.
const PATIENCE: Duration = Duration::from_secs(1);

/// `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST | NLM_F_DUMP`, `NLMSG_ERROR`, `NLMSG_DONE`.
const BY_FAMILY: u16 = 20;
const DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `AF_INET`, `AF_INET6`, `IPPROTO_TCP`.
const FAMILIES: [u8; 2] = [2, 10];
const TCP: u8 = 6;
/// Attributes: `INET_DIAG_INFO`, `INET_DIAG_CGROUP_ID` (from 5.9).
const INFO: u16 = 2;
const CGROUP_ID: u16 = 21;
/// Lengths of `nlmsghdr` and `inet_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 72;

/// What the kernel knows of a connection. Times are milliseconds ago.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// Of the present segment, unanswered (`icsk_retransmits`).
    pub retransmits: u32,
    /// Probes (keep-alive, zero window) that were not answered.
    pub probes: u32,
    /// Segments that are sent and not acknowledged.
    pub unacked: u32,
    /// Data last came.
    pub last_data_ms: u32,
    /// An acknowledgement last came.
    pub last_ack_ms: u32,
    /// Segments sent again in the connection's life.
    pub total_retransmits: u32,
    /// Segments sent in the connection's life; 0 before Linux 4.2.
    pub segments_out: u32,
    /// Id of the cgroup v2 in which the socket was made: its directory's inode.
    pub cgroup: Option<u64>,
}

/// Details of the connections to a remote port, by the socket's inode. Blocks shortly.
pub fn connections(port: u16) -> io::Result<HashMap<u64, Detail>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let mut found = HashMap::new();
    let mut batch = vec![0u8; BATCH];
    for family in FAMILIES {
        rustix::net::send(&socket, &request(family, port), SendFlags::empty())?;
        for _ in 0..BATCHES {
            let (_, length) = rustix::net::recv(&socket, batch.as_mut_slice(), RecvFlags::empty())?;
            if take(batch.get(..length).unwrap_or_default(), &mut found)? {
                break;
            }
        }
    }
    Ok(found)
}

fn request(family: u8, port: u16) -> [u8; MESSAGE] {
    let mut bytes = [0u8; MESSAGE];
    bytes[0..4].copy_from_slice(&(MESSAGE as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    bytes[16] = family;
    bytes[17] = TCP;
    bytes[18] = 1 << (INFO - 1);
    // every state but LISTEN and TIME_WAIT
    bytes[20..24].copy_from_slice(&(0xfff_u32 & !(1 << 10) & !(1 << 6)).to_ne_bytes());
    bytes[26..28].copy_from_slice(&port.to_be_bytes());
    bytes
}

/// Takes one batch; true where it is the last.
fn take(mut batch: &[u8], found: &mut HashMap<u64, Detail>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(batch, 0), u16_at(batch, 4)) {
        let length = length as usize;
        let Some(message) = batch.get(HEADER..length) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let code = u32_at(message, 0).unwrap_or_default() as i32;
                return Err(io::Error::from_raw_os_error(code.wrapping_neg()));
            }
            BY_FAMILY => {
                if let Some((inode, detail)) = detail(message) {
                    found.insert(inode, detail);
                }
            }
            _ => {}
        }
        batch = batch.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn detail(message: &[u8]) -> Option<(u64, Detail)> {
    let mut detail = Detail {
        retransmits: u32::from(*message.get(3)?),
        ..Detail::default()
    };
    let inode = u64::from(u32_at(message, 68)?);
    let mut rest = message.get(MESSAGE..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else { break };
        match kind & 0x3fff {
            INFO => detail.take(value),
            CGROUP_ID => detail.cgroup = value.get(..8).and_then(|b| b.try_into().ok()).map(u64::from_ne_bytes),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((inode, detail))
}

impl Detail {
    /// `struct tcp_info`; what an older kernel does not have is beyond its end.
    fn take(&mut self, info: &[u8]) {
        self.probes = info.get(3).copied().map_or(0, u32::from);
        let field = |at| u32_at(info, at).unwrap_or_default();
        self.unacked = field(24);
        self.last_data_ms = field(52);
        self.last_ack_ms = field(56);
        self.total_retransmits = field(100);
        self.segments_out = field(136);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn the_kernel_tells_of_a_connection_of_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let inode = rustix::fs::fstat(stream.as_fd()).unwrap().st_ino;
        let found = connections(address.port()).unwrap();
        let detail = found.get(&inode).unwrap();
        assert_eq!((detail.unacked, detail.probes, detail.retransmits), (0, 0, 0));
        assert!(detail.segments_out > 0, "{detail:?}");
    }

    #[test]
    fn cut_messages_end_the_batch() {
        let mut found = HashMap::new();
        assert!(!take(&[], &mut found).unwrap());
        assert!(!take(&[1, 2, 3], &mut found).unwrap());
        let mut long = [0u8; 20];
        long[0] = 200;
        assert!(take(&long, &mut found).is_err());
        // a length of 0 must not go round for ever
        assert!(take(&[0u8; 32], &mut found).is_err());
    }
}
