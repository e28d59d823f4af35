//! A router in a network name space of its own, behind a veth pair: `10.213.N.1` is this side, `10.213.N.2` the router,
//! and what lies behind it is what its packet filter makes of it. Needs root, iproute2 and nftables.

use std::io::Write;
use std::process::{Command, Stdio};

/// The router; it is taken down when it is dropped.
pub(crate) struct Router {
    number: u8,
    name: String,
}

impl Router {
    /// `rules` are nft's, in a table `t`; `HERE` stands for this side's address.
    pub(crate) fn new(number: u8, rules: &str) -> Self {
        let router = Self {
            number,
            name: format!("wnr{number}"),
        };
        router.take_down();
        let (here, there) = (router.here(), router.there());
        let (name, outer, inner) = (&router.name, format!("wnr{number}o"), format!("wnr{number}i"));
        for command in [
            format!("netns add {name}"),
            format!("link add {outer} type veth peer name {inner} netns {name}"),
            format!("addr add {here}/24 dev {outer}"),
            format!("link set {outer} up"),
            format!("-n {name} addr add {there}/24 dev {inner}"),
            format!("-n {name} link set {inner} up"),
            format!("-n {name} link set lo up"),
        ] {
            assert!(run("ip", &command, ""), "ip {command}: root and iproute2 are needed");
        }
        let inside = format!("netns exec {name}");
        assert!(run("ip", &format!("{inside} sysctl -qw net.ipv4.ip_forward=1"), ""));
        let rules = format!("table ip t {{\n{}\n}}\n", rules.replace("HERE", &here));
        assert!(run("ip", &format!("{inside} nft -f -"), &rules), "nftables is needed");
        router
    }

    pub(crate) fn here(&self) -> String {
        format!("10.213.{}.1", self.number)
    }

    pub(crate) fn there(&self) -> String {
        format!("10.213.{}.2", self.number)
    }

    fn take_down(&self) {
        run("ip", &format!("link del wnr{}o", self.number), "");
        run("ip", &format!("netns del {}", self.name), "");
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.take_down();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may run ip(8)")]
fn run(program: &str, arguments: &str, input: &str) -> bool {
    let mut child = Command::new(program)
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("installed");
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    child.wait().is_ok_and(|status| status.success())
}
