//! Files and directories that settings name: resolver configuration, static pods, client CA, the kubelet's directory.

use std::path::Path;

use super::Setting;
use crate::grammar::fact::Kind;
use crate::host::{Host, Unreadable};
use crate::source::look::Look;
use crate::source::unread;
use crate::world::{ConfigState, World, pem, visible};

pub(super) fn look(look: &mut Look, host: &Host, world: &World) {
    // Defaults of settings that could not be read are no settings.
    let known = world.flags_known && (world.config_path.is_none() || world.config.state != ConfigState::Unknown);
    if !known {
        let why = "the kubelet's settings are not known";
        return unread::world(look, Kind::KubeletSetting, world, world.config_path.as_deref(), why);
    }
    let settings = &world.settings;
    if settings.resolv_conf.is_empty() {
        Setting::new("resolv-conf", "ok", "").say(look, "resolvConf is empty: pods get no resolver of the node");
    } else {
        let path = Path::new(&settings.resolv_conf);
        let consequence = "the kubelet cannot set up pods";
        path_setting(look, host, "resolv-conf", path, Want::File, ("resolvConf", consequence));
    }
    if let Some(path) = &settings.static_pod_path {
        let consequence = "the kubelet passes over it";
        path_setting(
            look,
            host,
            "static-pod-path",
            Path::new(path),
            Want::Any,
            ("staticPodPath", consequence),
        );
    }
    path_setting(
        look,
        host,
        "volume-dir",
        &world.root_dir,
        Want::Directory,
        ("the kubelet's directory", "it makes one at its start"),
    );
    if let Some(path) = &settings.client_ca_file {
        client_ca(look, host, Path::new(path));
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Want {
    File,
    Directory,
    Any,
}

#[expect(clippy::too_many_arguments, reason = "a path, what it is for, and the words for it")]
fn path_setting(look: &mut Look, host: &Host, what: &'static str, path: &Path, want: Want, words: (&str, &str)) {
    let shown = path.display().to_string();
    let (name, consequence) = words;
    match host.metadata(path) {
        Ok(m) if want == Want::File && m.is_dir() => Setting::new(what, "bad", &*shown)
            .problem("it is a directory")
            .say(look, format!("{name} {shown}: it is a directory")),
        Ok(m) if want == Want::Directory && !m.is_dir() => Setting::new(what, "bad", &*shown)
            .problem("it is no directory")
            .say(look, format!("{name} {shown}: it is no directory")),
        Ok(_) => Setting::new(what, "ok", &*shown).say(look, format!("{name} {shown} is there")),
        Err(e) => absent(look, host, path, &e, || {
            Setting::new(what, "bad", &*shown)
                .problem("it does not exist")
                .say_later(format!("{name} {shown} does not exist: {consequence}"))
        }),
    }
}

/// A fault where the path is surely not there, a gap otherwise.
fn absent(look: &mut Look, host: &Host, path: &Path, error: &Unreadable, say: impl FnOnce() -> (Setting, String)) {
    if error.is_missing() && visible::is(host, path) {
        let (setting, text) = say();
        setting.say(look, text);
    } else {
        unread::file(look, Kind::KubeletSetting, error);
    }
}

impl Setting {
    fn say_later(self, text: String) -> (Self, String) {
        (self, text)
    }
}

/// `unable to load client CA file` ends the kubelet (`cmd/kubelet/app/auth.go`).
fn client_ca(look: &mut Look, host: &Host, path: &Path) {
    let shown = path.display().to_string();
    match pem::read(host, path) {
        Ok(found) if found.der.is_empty() => {
            let problem = if found.empty {
                "it is empty"
            } else {
                "it holds no certificate"
            };
            Setting::new("client-ca", "bad", &*shown).problem(problem).say(
                look,
                format!("clientCAFile {shown}: {problem}; the kubelet refuses to start"),
            );
        }
        Ok(found) => Setting::new("client-ca", "ok", &*shown)
            .say(look, format!("clientCAFile {shown}: {} certificates", found.der.len())),
        Err(e) => absent(look, host, path, &e, || {
            Setting::new("client-ca", "bad", &*shown)
                .problem("it does not exist")
                .say_later(format!(
                    "clientCAFile {shown} does not exist: the kubelet refuses to start"
                ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{UNIT, of, settings};

    const CONFIG: (&str, &str) = (
        "c.yaml",
        "kind: KubeletConfiguration\nresolvConf: /run/r.conf\nstaticPodPath: /m\nauthentication: {x509: {clientCAFile: /ca.crt}}\n",
    );
    const CA: &str = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";

    #[test]
    fn all_there() {
        let files = [
            UNIT,
            CONFIG,
            ("run/r.conf", ""),
            ("m/a", ""),
            ("ca.crt", CA),
            ("var/lib/kubelet/x", ""),
        ];
        for what in ["resolv-conf", "static-pod-path", "client-ca", "volume-dir"] {
            assert_eq!(settings(&files, what)[0].1.text("state"), Some("ok"), "{what}");
        }
    }

    #[test]
    fn none_there() {
        for what in ["resolv-conf", "static-pod-path", "client-ca", "volume-dir"] {
            let (text, fact) = settings(&[UNIT, CONFIG], what).remove(0);
            assert_eq!(fact.text("state"), Some("bad"), "{what}");
            assert!(text.contains("does not exist"), "{text}");
        }
        let rubbish = settings(&[UNIT, CONFIG, ("ca.crt", "x")], "client-ca").remove(0);
        assert!(rubbish.0.contains("/ca.crt: it holds no certificate"), "{}", rubbish.0);
    }

    #[test]
    fn settings_that_are_not_known_are_a_gap() {
        assert!(settings(&[CONFIG], "resolv-conf").is_empty());
        assert!(
            of(&[CONFIG])
                .blind
                .iter()
                .any(|b| b.reason.contains("settings are not known"))
        );
    }
}
