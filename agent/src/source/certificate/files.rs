//! Certificates in files and in the kubeconfig: which there are, until when they are valid, whose they are.

use std::path::{Path, PathBuf};

use super::key;
use super::parsed::{Parsed, span};
use crate::grammar::fact::{Fact, Kind};
use crate::host::{Host, Unreadable};
use crate::model::time::{SECOND, Timestamp};
use crate::source::look::{Look, Reading};
use crate::source::scene::Scene;
use crate::source::unread;
use crate::world::discover::subject_node;
use crate::world::{ConfigState, Credentials, World, flags, kubeconfig, pem, visible};

/// Rotation is overdue when more of the life is over, per cent: it begins between 70 and 90 (client-go
/// `certificate_manager.go`, `nextRotationDeadline`).
const OVERDUE: i64 = 95;
/// Dated files of the client certificate that are read, the newest first.
const DATED: usize = 3;

pub(super) fn look(scene: &Scene) -> Look {
    let mut looking = Looking {
        scene,
        now: scene.clock.now().wall,
        authorities: certificates(scene.world.kubeconfig.ca_pem.as_deref()),
        look: Look::default(),
        seen: Vec::new(),
    };
    looking.client();
    looking.serving();
    looking.authorities();
    looking.bootstrap();
    for (which, path) in scene.world.extra_certificates.clone() {
        looking.file(which, &path, false);
    }
    looking.look
}

/// The first certificate of what the kubelet should serve.
pub(super) fn serving_on_disk(scene: &Scene) -> Option<Parsed> {
    let (path, _) = serving_path(&scene.host, &scene.world);
    match load(&scene.host, &path) {
        Loaded::Here(found) => found.into_iter().next(),
        _ => None,
    }
}

fn certificates(pem: Option<&[u8]>) -> Vec<Parsed> {
    let der = pem.map(|p| pem::parse(p).der).unwrap_or_default();
    der.iter().filter_map(|d| Parsed::of(d)).collect()
}

enum Loaded {
    Here(Vec<Parsed>),
    Missing,
    Empty,
    Invalid,
    Unread(Unreadable),
}

fn load(host: &Host, path: &Path) -> Loaded {
    match pem::read(host, path) {
        Ok(found) if found.empty => Loaded::Empty,
        Ok(found) => {
            let parsed: Vec<Parsed> = found.der.iter().filter_map(|d| Parsed::of(d)).collect();
            if parsed.is_empty() {
                Loaded::Invalid
            } else {
                Loaded::Here(parsed)
            }
        }
        Err(e) if e.is_missing() && visible::is(host, path) => Loaded::Missing,
        Err(e) => Loaded::Unread(e),
    }
}

/// Where the serving certificate is, and whether the kubelet needs it there: what it signs for itself it makes anew.
fn serving_path(host: &Host, world: &World) -> (PathBuf, bool) {
    if let Some(path) = &world.settings.tls_cert_file {
        return (path.into(), true);
    }
    let current = world.cert_dir.join("kubelet-server-current.pem");
    if world.settings.server_tls_bootstrap || host.metadata(&current).is_ok() {
        return (current, world.settings.server_tls_bootstrap);
    }
    let extra = world.extra_certificates.iter().find(|(which, _)| *which == "serving");
    (
        extra.map_or_else(|| world.cert_dir.join("kubelet.crt"), |(_, path)| path.clone()),
        false,
    )
}

struct Looking<'a> {
    scene: &'a Scene,
    now: Timestamp,
    /// Of the kubeconfig.
    authorities: Vec<Parsed>,
    look: Look,
    /// Paths that have been stated.
    seen: Vec<PathBuf>,
}

impl Looking<'_> {
    fn client(&mut self) {
        let world = &self.scene.world;
        let default = world.cert_dir.join("kubelet-client-current.pem");
        let path = match &world.kubeconfig.credentials {
            // A plugin or a token: there is no client certificate to judge.
            Credentials::Exec { .. } | Credentials::Token => return,
            Credentials::Embedded { certificate_pem } => {
                let path = world.kubeconfig.path.clone().unwrap_or_default();
                match certificates(Some(certificate_pem)).first() {
                    Some(one) => self.client_reading(&path, one, None),
                    None => self.absent(
                        "client",
                        &path,
                        "invalid",
                        "client-certificate-data holds no certificate",
                    ),
                }
                return;
            }
            Credentials::Files { certificate, .. } => certificate.clone(),
            // A broken kubeconfig names none, but the file that rotation keeps may be there.
            Credentials::None if self.scene.host.metadata(&default).is_ok() => default,
            Credentials::None => {
                let why = "the kubeconfig, which names the client certificate, is not known or not usable";
                return unread::world(
                    &mut self.look,
                    Kind::CertificateFile,
                    world,
                    world.kubeconfig.path.as_deref(),
                    why,
                );
            }
        };
        self.seen.push(path.clone());
        let current = match load(&self.scene.host, &path) {
            Loaded::Here(found) => found.into_iter().next(),
            other => {
                self.fault("client", &path, other);
                None
            }
        };
        if let Some(current) = &current {
            let key = self.key(current);
            self.client_reading(&path, current, key);
        }
        self.dated(&path, current.as_ref());
    }

    fn client_reading(&mut self, path: &Path, one: &Parsed, key: Option<&'static str>) {
        let world = &self.scene.world;
        let (name, name_words) = whose(&self.scene.host, world, one);
        let known = one.signed_by(&self.authorities);
        let (rotation, rotation_words) = rotation(world, path, one, self.now);
        let mut words = format!("  issuer {}", one.issuer);
        words.push_str(match known {
            Some(true) => ", signed by the kubeconfig's CA",
            Some(false) => ", not signed by the kubeconfig's CA",
            None => "",
        });
        if known == Some(false)
            && let Some(ca) = self.authorities.first()
        {
            words.push_str(&format!(" ({})", ca.subject));
        }
        words.push_str(&name_words);
        words.push_str(rotation_words);
        if key == Some("mismatch") {
            words.push_str("  its private key belongs to another certificate");
        }
        let fact = self
            .fact("client", path, one)
            .with("name", name)
            .with("issuer_known", yes_no(known))
            .with("rotation", rotation)
            .with("key", key.unwrap_or("unknown"));
        self.say(path, "client certificate", one, &words, fact);
    }

    /// Under `probe.as_kubelet` alone; otherwise a gap.
    fn key(&mut self, current: &Parsed) -> Option<&'static str> {
        let Credentials::Files { key: path, .. } = &self.scene.world.kubeconfig.credentials else {
            return None;
        };
        if !self.scene.allowed.as_kubelet {
            let why = "whether the client certificate's private key belongs to it: keys are not opened";
            self.look.missed(Kind::CertificateFile, why, Some("probe.as_kubelet"));
            return None;
        }
        match key::belongs(&self.scene.host, path, &current.key) {
            Ok(Some(true)) => Some("match"),
            Ok(Some(false)) => Some("mismatch"),
            Ok(None) => {
                let why = format!("{} holds no private key of a kind that is known", path.display());
                self.look.missed(Kind::CertificateFile, why, None);
                None
            }
            Err(e) => {
                unread::file(&mut self.look, Kind::CertificateFile, &e);
                None
            }
        }
    }

    /// A dated file that is newer than what the link points to: rotation has got a certificate and not put it in place.
    fn dated(&mut self, current_path: &Path, current: Option<&Parsed>) {
        let directory = &self.scene.world.cert_dir;
        let names = self.scene.host.list(directory).unwrap_or_default();
        let is_dated = |n: &&String| {
            n.strip_prefix("kubelet-client-")
                .is_some_and(|r| r.starts_with('2') && Path::new(n).extension().is_some_and(|e| e == "pem"))
        };
        let mut newest: Option<(PathBuf, Parsed)> = None;
        for name in names.iter().rev().filter(is_dated).take(DATED) {
            let path = directory.join(name);
            if let Loaded::Here(found) = load(&self.scene.host, &path)
                && let Some(one) = found.into_iter().next()
                && current.is_none_or(|c| one.not_before > c.not_before)
                && newest.as_ref().is_none_or(|(_, n)| one.not_before > n.not_before)
            {
                newest = Some((path, one));
            }
        }
        if let Some((path, one)) = newest {
            let words = format!("  newer than what {} holds", current_path.display());
            let fact = self.fact("client-dated", &path, &one);
            self.say(&path, "client certificate", &one, &words, fact);
        }
    }

    fn serving(&mut self) {
        let (path, needed) = serving_path(&self.scene.host, &self.scene.world);
        self.file("serving", &path, needed);
    }

    /// A file whose first certificate matters; where it need not be there, its absence is not stated.
    fn file(&mut self, which: &'static str, path: &Path, needed: bool) {
        if self.seen.iter().any(|p| p == path) {
            return;
        }
        self.seen.push(path.to_owned());
        match load(&self.scene.host, path) {
            Loaded::Here(found) => self.first_or_best(which, path, &found),
            Loaded::Missing if !needed => {}
            Loaded::Unread(e) if !needed && e.is_missing() => {}
            other => self.fault(which, path, other),
        }
    }

    fn authorities(&mut self) {
        let world = &self.scene.world;
        if !self.authorities.is_empty() {
            let path = world
                .kubeconfig
                .ca_path
                .clone()
                .or_else(|| world.kubeconfig.path.clone())
                .unwrap_or_default();
            let found = std::mem::take(&mut self.authorities);
            self.first_or_best("ca", &path, &found);
            self.authorities = found;
            self.seen.push(path);
        } else if let Some(path) = world.kubeconfig.ca_path.clone() {
            self.file("ca", &path, true);
        }
        if let Some(path) = &world.settings.client_ca_file {
            self.file("ca", Path::new(path), true);
        }
    }

    fn bootstrap(&mut self) {
        let host = &self.scene.host;
        let Some(path) = self
            .scene
            .world
            .bootstrap_kubeconfig
            .as_deref()
            .filter(|p| host.metadata(p).is_ok())
        else {
            return;
        };
        // Gaps of its own are none: it is used once, and the kubeconfig source says whether it is there.
        match kubeconfig::read(host, path, &mut Vec::new()).credentials {
            Credentials::Files { certificate, .. } => self.file("bootstrap", &certificate, true),
            Credentials::Embedded { certificate_pem } => {
                let found = certificates(Some(&certificate_pem));
                if !found.is_empty() {
                    self.first_or_best("bootstrap", path, &found);
                }
            }
            _ => {}
        }
    }

    /// The first certificate of a file; of a CA bundle the one that lasts longest: one that holds is enough.
    fn first_or_best(&mut self, which: &'static str, path: &Path, found: &[Parsed]) {
        let one = if which == "ca" {
            found.iter().max_by_key(|c| c.not_after)
        } else {
            found.first()
        };
        let Some(one) = one else { return };
        let expired = found.iter().filter(|c| c.validity(self.now) == "expired").count();
        let words = match (which, found.len()) {
            ("ca", n) if n > 1 => format!("  the last of {n} to expire, {expired} have"),
            _ => String::new(),
        };
        let title = match which {
            "ca" => "CA certificate",
            "serving" => "serving certificate",
            "bootstrap" => "bootstrap client certificate",
            _ => "certificate",
        };
        let fact = self.fact(which, path, one);
        self.say(path, title, one, &words, fact);
    }

    fn fact(&self, which: &'static str, path: &Path, one: &Parsed) -> Fact {
        Fact::new(Kind::CertificateFile)
            .with("which", which)
            .with_text("path", path.display().to_string())
            .with("state", "present")
            .with("validity", one.validity(self.now))
            .with_int("expires_in_s", (one.not_after.0 - self.now.0) / SECOND)
            .with_text("not_after", one.not_after.rfc3339())
            .with_text("not_before", one.not_before.rfc3339())
            .with_text("subject", one.subject.clone())
            .with_text("issuer", one.issuer.clone())
    }

    #[expect(clippy::too_many_arguments, reason = "what is shown of a certificate, each once")]
    fn say(&mut self, path: &Path, title: &str, one: &Parsed, words: &str, fact: Fact) {
        let away = |t: Timestamp| span(t.0.saturating_sub(self.now.0));
        let day = |t: Timestamp| format!("{} {}", t.date(), t.clock());
        let validity = one.validity(self.now);
        let dates = match validity {
            "expired" => format!("expired {} UTC, {} ago", day(one.not_after), away(one.not_after)),
            "not-yet-valid" => format!(
                "not valid before {} UTC, in {}",
                day(one.not_before),
                away(one.not_before)
            ),
            _ => format!("valid until {} UTC, for {}", day(one.not_after), away(one.not_after)),
        };
        let text = format!("{}  {title} of {}  {dates}{words}", path.display(), one.subject);
        let reading = Reading::new(text, fact);
        self.look.readings.push(match validity {
            "expired" => reading.since(self.expired_since(path, one)),
            _ => reading,
        });
    }

    /// Since when this file has held an expired certificate: its end, or when it was put there if that was later.
    fn expired_since(&self, path: &Path, one: &Parsed) -> Timestamp {
        let written = self.scene.host.metadata(path).ok().and_then(|m| m.modified().ok());
        let written = written
            .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |d| d.as_micros() as i64);
        // A time of the future is another clock's.
        Timestamp(if written <= self.now.0 {
            written.max(one.not_after.0)
        } else {
            one.not_after.0
        })
    }

    fn fault(&mut self, which: &'static str, path: &Path, loaded: Loaded) {
        match loaded {
            Loaded::Missing => self.absent(which, path, "missing", "there is no such file"),
            Loaded::Empty => self.absent(which, path, "empty", "the file is empty"),
            Loaded::Invalid => self.absent(which, path, "invalid", "it holds no certificate that can be read"),
            Loaded::Unread(e) => unread::file(&mut self.look, Kind::CertificateFile, &e),
            Loaded::Here(_) => {}
        }
    }

    fn absent(&mut self, which: &'static str, path: &Path, state: &'static str, words: &str) {
        let shown = path.display().to_string();
        let what = if which == "ca" {
            "CA".to_owned()
        } else {
            which.replace('-', " ")
        };
        let fact = Fact::new(Kind::CertificateFile)
            .with("which", which)
            .with_text("path", shown.clone())
            .with("state", state);
        self.look.saw(format!("{shown}  {what} certificate: {words}"), fact);
    }
}

fn yes_no(known: Option<bool>) -> &'static str {
    match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// Whether a client certificate is this node's, and in words where it is not.
fn whose(host: &Host, world: &World, one: &Parsed) -> (&'static str, String) {
    let Some(name) = subject_node(&one.der) else {
        return ("unknown", String::new());
    };
    let foreign = |own: &str| ("foreign", format!("  it is for node {name}, this one is {own}"));
    if let Some(own) = flags::last(&world.flags, "hostname-override") {
        let own = own.trim().to_lowercase();
        return if own == name {
            ("own", String::new())
        } else {
            foreign(&own)
        };
    }
    // The kernel's name is that of this process's own UTS name space, so the file must agree before it is believed.
    let names: Vec<String> = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .filter_map(|p| host.text(p).ok())
        .map(|t| t.trim().to_lowercase())
        .filter(|n| !n.is_empty())
        .collect();
    if names.contains(&name) {
        return ("own", String::new());
    }
    // A cloud provider inside the kubelet names nodes by its own rules.
    let by_cloud = flags::last(&world.flags, "cloud-provider").is_some_and(|p| !p.is_empty() && p != "external");
    match names.as_slice() {
        [kernel, file] if kernel == file && world.flags_known && !by_cloud => foreign(kernel),
        _ => ("unknown", String::new()),
    }
}

/// Whether the kubelet renews this certificate and is late, and in words where it is.
fn rotation(world: &World, path: &Path, one: &Parsed, now: Timestamp) -> (&'static str, &'static str) {
    let known = world.flags_known && (world.config_path.is_none() || world.config.state != ConfigState::Unknown);
    if !known {
        return ("unknown", "");
    }
    let own = path.parent() == Some(world.cert_dir.as_path());
    if !world.settings.rotate_certificates || !own {
        return ("off", "");
    }
    if one.spent(now) > OVERDUE {
        ("overdue", "  rotation is overdue")
    } else {
        ("ok", "")
    }
}
