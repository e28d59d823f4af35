//! What the command line names, made ready for the reader of logs: archives are unpacked, captures become looks beside the
//! record, and of a log that is there several times one is chosen.

use std::io;
use std::path::{Path, PathBuf};

use super::look::{look, of_readings};
use super::root::{self, Capture, Root};
use super::{must_gather, twice};
use crate::host::Host;
use crate::input::{ArchiveError, Options, Unpacked, unpack};

/// What the reader of logs is to be given. Archives stay unpacked as long as this lives.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The paths; an archive's is where it was unpacked to.
    pub paths: Vec<PathBuf>,
    /// What was left out of archives and what they lack, in words.
    pub left: Vec<String>,
    /// The node of a must-gather that is spoken of.
    pub node: Option<String>,
    options: Options,
    unpacked: Vec<Unpacked>,
}

/// Why the paths cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// An archive is broken or refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A capture cannot be looked at: no thread, no runtime.
    #[error("cannot look at what was captured: {0}")]
    Look(#[from] io::Error),
}

/// Makes the paths ready. `node` chooses among the nodes of a must-gather.
pub fn prepare(paths: &[PathBuf], node: Option<&str>) -> Result<Prepared, PrepareError> {
    let mut prepared = Prepared::default();
    for path in paths {
        match unpack(path, &wanted)? {
            Some(mut unpacked) => {
                let directory = unpacked.directory.path().to_owned();
                prepared.options.shown.push((directory.clone(), path.clone()));
                prepared.left.append(&mut unpacked.left);
                prepared.paths.push(directory);
                prepared.unpacked.push(unpacked);
            }
            None => prepared.paths.push(path.clone()),
        }
    }
    let directories: Vec<PathBuf> = prepared.paths.iter().filter(|p| p.is_dir()).cloned().collect();
    for root in root::find(&directories) {
        match root.kind {
            Capture::Files => prepared.options.asides.push(look(&root)?),
            Capture::Sos => {
                prepared.options.asides.push(look(&root)?);
                prepared.options.leave.extend(twice::of_sos(&root.path));
            }
            Capture::MustGather => prepared.of_cluster(&root, node),
        }
    }
    Ok(prepared)
}

impl Prepared {
    /// Chooses one node of a must-gather.
    fn of_cluster(&mut self, root: &Root, asked: Option<&str>) {
        let tree = Host::at(&root.path);
        let shown = self.options.show(&root.path).display().to_string();
        let Some(node) = must_gather::choose(&tree, asked) else {
            let why = "the logs are of several nodes, and none of them is not ready: name one with --node";
            self.left.push(format!("{shown}: {why}"));
            return;
        };
        if !must_gather::has_lines(&tree, &node.name) {
            let how = "gather them with: oc adm must-gather -- gather_service_logs worker";
            self.left
                .push(format!("{shown}: there are no logs of {}; {how}", node.name));
        }
        let wall = must_gather::gathered(&tree);
        self.options
            .asides
            .push(of_readings(root.path.clone(), wall, must_gather::reading(&node)));
        self.options.host = Some(node.name.clone());
        self.node = Some(node.name);
    }

    /// What was found goes into the options of the reader.
    pub fn tell(&self, options: &mut Options) {
        options.asides.clone_from(&self.options.asides);
        options.leave.clone_from(&self.options.leave);
        options.shown.clone_from(&self.options.shown);
        options.host.clone_from(&self.options.host);
    }
}

/// Which members of an archive are of use: not the bulk of /sys and of programs, nor the objects of a cluster's namespaces.
fn wanted(member: &Path) -> bool {
    let parts: Vec<&str> = member.iter().filter_map(|p| p.to_str()).collect();
    let below = |names: &[&str]| parts.windows(names.len()).any(|w| w == names);
    if below(&["sys"]) && !below(&["proc", "sys"]) {
        return below(&["sys", "fs", "cgroup"]) || below(&["sys", "class", "net"]);
    }
    if below(&["usr"]) || parts.get(1) == Some(&"lib") {
        return below(&["systemd", "system"]) || parts.len() == 2;
    }
    !below(&["namespaces"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bulk_is_left() {
        for (path, is) in [
            ("sosreport-x/proc/sys/kernel/pid_max", true),
            ("sosreport-x/sys/fs/cgroup/system.slice/memory.current", true),
            ("sosreport-x/sys/module/loop/refcnt", false),
            ("sosreport-x/lib", true),
            ("sosreport-x/usr/lib/systemd/system/kubelet.service", true),
            ("sosreport-x/usr/share/doc/x", false),
            ("must-gather/quay/host_service_logs/masters/kubelet_service.log", true),
            ("must-gather/quay/namespaces/default/pods/x/x.yaml", false),
        ] {
            assert_eq!(wanted(Path::new(path)), is, "{path}");
        }
    }
}
