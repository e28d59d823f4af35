//! The program that the kubelet's unit starts.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use super::Setting;
use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::look::Look;
use crate::source::unread;
use crate::world::{World, visible};

pub(super) fn look(look: &mut Look, host: &Host, world: &World) {
    let Some(path) = world.binary.as_deref().filter(|p| p.is_absolute()) else {
        return unread::world(
            look,
            Kind::KubeletSetting,
            world,
            None,
            "the unit's ExecStart is not known",
        );
    };
    let shown = path.display().to_string();
    let unit = world.unit.as_deref().unwrap_or("the kubelet's unit");
    let bad = |look: &mut Look, problem: &str| {
        Setting::new("binary", "bad", &*shown)
            .problem(problem)
            .say(look, format!("{shown}, which {unit} starts, {problem}"));
    };
    match host.metadata(path) {
        Ok(m) if !m.is_file() => bad(look, "is no file"),
        // execve(2) asks for any of the three even as root.
        Ok(m) if m.permissions().mode() & 0o111 == 0 => bad(look, "is not executable"),
        Ok(m) if m.len() == 0 => bad(look, "is empty"),
        Ok(m) => match head(host, path) {
            Some(head) if head != *b"\x7fELF" && !head.starts_with(b"#!") => {
                bad(look, "is no program (neither ELF nor a script)");
            }
            _ => {
                let size = m.len() >> 20;
                Setting::new("binary", "ok", &*shown).say(look, format!("{shown} is there and executable, {size} MiB"));
            }
        },
        Err(e) if e.is_missing() && visible::is(host, path) => bad(look, "does not exist"),
        Err(e) => unread::file(look, Kind::KubeletSetting, &e),
    }
}

fn head(host: &Host, path: &std::path::Path) -> Option<[u8; 4]> {
    let mut head = [0; 4];
    host.open(path).ok()?.read_exact(&mut head).ok()?;
    Some(head)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test lays out a node")]
mod tests {
    use super::*;

    fn state(content: Option<(&[u8], u32)>) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        if let Some((bytes, mode)) = content {
            let path = dir.path().join("usr/bin/kubelet");
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let world = World {
            binary: Some("/usr/bin/kubelet".into()),
            unit: Some("kubelet.service".into()),
            ..World::default()
        };
        let mut found = Look::default();
        look(&mut found, &Host::at(dir.path()), &world);
        let reading = found.readings.remove(0);
        (reading.facts[0].text("state").unwrap().to_owned(), reading.text)
    }

    #[test]
    fn every_state() {
        assert_eq!(state(Some((b"\x7fELF...", 0o755))).0, "ok");
        assert_eq!(state(Some((b"#!/bin/sh\n", 0o755))).0, "ok");
        for (content, words) in [
            (None, "does not exist"),
            (Some((&b"\x7fELF"[..], 0o644)), "is not executable"),
            (Some((&b""[..], 0o755)), "is empty"),
            (Some((&b"<html>"[..], 0o755)), "is no program"),
        ] {
            let (state, text) = state(content);
            assert_eq!(state, "bad");
            assert!(
                text.starts_with("/usr/bin/kubelet, which kubelet.service starts, ") && text.contains(words),
                "{text}"
            );
        }
    }

    #[test]
    fn no_unit_is_a_gap() {
        let mut found = Look::default();
        look(&mut found, &Host::at("/nonexistent"), &World::default());
        assert_eq!(found.blind[0].kind, Kind::KubeletSetting);
    }
}
