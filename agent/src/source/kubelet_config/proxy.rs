//! Whether the kubelet reaches the API server through a proxy that its unit's environment or its kubeconfig names.

use super::{Setting, no_proxy};
use crate::grammar::fact::Kind;
use crate::source::look::Look;
use crate::source::unread;
use crate::world::World;

pub(super) fn look(look: &mut Look, world: &World) {
    let Some(server) = &world.kubeconfig.server else {
        if world.proxy.https.is_some() {
            let why = "a proxy is set, but the API server's address is not known";
            unread::world(look, Kind::KubeletSetting, world, world.kubeconfig.path.as_deref(), why);
        }
        return;
    };
    let api = format!("{}:{}", server.host, server.port);
    // The kubeconfig's own wins, and NO_PROXY says nothing to it (client-go `rest.Config.Proxy`).
    if let Some(url) = &world.kubeconfig.proxy_url {
        let proxy = masked(url);
        return Setting::new("proxy", "bad", &*proxy)
            .found(api.clone())
            .problem("the kubeconfig names a proxy")
            .say(
                look,
                format!("the kubelet reaches {api} through {proxy}: proxy-url of its kubeconfig"),
            );
    }
    let unit = world.unit.as_deref().unwrap_or("the kubelet's unit");
    let Some(url) = &world.proxy.https else {
        if world.binary.is_none() {
            return unread::world(
                look,
                Kind::KubeletSetting,
                world,
                None,
                "the unit's environment is not known",
            );
        }
        return Setting::new("proxy", "ok", "").say(look, format!("{unit} sets no HTTPS_PROXY"));
    };
    let proxy = masked(url);
    let excluded = world.proxy.no_proxy.as_deref().unwrap_or_default();
    if no_proxy::excludes(excluded, &server.host, server.port) {
        return Setting::new("proxy", "ok", &*proxy).found(excluded).say(
            look,
            format!("{unit} sets HTTPS_PROXY={proxy}; NO_PROXY excludes {api}"),
        );
    }
    let words = if excluded.is_empty() {
        "NO_PROXY is not set".to_owned()
    } else {
        format!("NO_PROXY={excluded} does not exclude it")
    };
    Setting::new("proxy", "bad", &*proxy)
        .found(api.clone())
        .problem(words.clone())
        .say(
            look,
            format!("{unit} sets HTTPS_PROXY={proxy}, so the kubelet reaches {api} through it: {words}"),
        );
}

/// A URL without the name and password that it may hold.
fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, a)| a);
    if scheme.is_empty() {
        authority.to_owned()
    } else {
        format!("{scheme}://{authority}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Endpoint, Kubeconfig, Proxy};

    fn of(https: Option<&str>, no_proxy: Option<&str>, proxy_url: Option<&str>) -> (String, String) {
        let world = World {
            unit: Some("kubelet.service".into()),
            binary: Some("/usr/bin/kubelet".into()),
            proxy: Proxy {
                https: https.map(str::to_owned),
                no_proxy: no_proxy.map(str::to_owned),
            },
            kubeconfig: Kubeconfig {
                server: Some(Endpoint {
                    host: "api.lab.test".into(),
                    port: 6443,
                    path: String::new(),
                }),
                proxy_url: proxy_url.map(str::to_owned),
                ..Kubeconfig::default()
            },
            ..World::default()
        };
        let mut found = Look::default();
        look(&mut found, &world);
        let reading = found.readings.remove(0);
        (reading.facts[0].text("state").unwrap().to_owned(), reading.text)
    }

    #[test]
    fn set_excluded_and_not_set() {
        let (state, text) = of(Some("http://me:sesame@10.99.0.77:3128/x"), None, None);
        assert_eq!(state, "bad");
        assert_eq!(
            text,
            "kubelet.service sets HTTPS_PROXY=http://10.99.0.77:3128, so the kubelet reaches api.lab.test:6443 through it: NO_PROXY is not set"
        );
        assert_eq!(of(Some("http://p:1"), Some("10.0.0.0/8,.lab.test"), None).0, "ok");
        assert_eq!(of(Some("http://p:1"), Some("10.0.0.0/8"), None).0, "bad");
        assert_eq!(of(None, None, None).0, "ok");
        assert_eq!(of(None, Some("*"), Some("http://p:1")).0, "bad");
    }

    #[test]
    fn nothing_known_is_a_gap() {
        let mut found = Look::default();
        let mut world = World::default();
        world.proxy.https = Some("http://p:1".into());
        look(&mut found, &world);
        assert_eq!(found.blind.len(), 1);
    }
}
