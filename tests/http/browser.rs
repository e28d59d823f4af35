//! The status page in headless Chromium. Screenshots are kept in `target/tmp/http` to be looked at.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use whynotready::model::diagnosis::Diagnosis;
use whynotready_tests::diagnoses::named;

use crate::place::{kept, read, run, tool, write};
use crate::server::Server;
use crate::view::{Fixed, incident};

/// A browser with a profile of its own. Tests run as root, where Chromium has no sandbox.
fn chromium(profile: &Path, arguments: &[&str]) -> Command {
    let mut command = tool("chromium");
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
        ])
        .args(["--enable-logging=stderr", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments);
    command
}

/// The document as the browser has it after scripts have run, and what the browser complains of.
fn dom(url: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let out = run(&mut chromium(profile.path(), &["--dump-dom", url]));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{}", text(&out.stderr));
    (text(&out.stdout), text(&out.stderr))
}

/// A screenshot of this many pixels.
fn picture(url: &str, name: &str, size: &str, dark: bool) -> PathBuf {
    let profile = tempfile::tempdir().unwrap();
    let file = kept().join(format!("{name}.png"));
    let (shot, size) = (
        format!("--screenshot={}", file.display()),
        format!("--window-size={size}"),
    );
    let mut arguments = vec![shot.as_str(), size.as_str()];
    if dark {
        arguments.push("--blink-settings=preferredColorScheme=0");
    }
    arguments.push(url);
    let out = run(&mut chromium(profile.path(), &arguments));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    file
}

/// Log lines as an attacker would have them.
fn hostile() -> Diagnosis {
    let mut diagnosis = serde_json::to_value(named("root-cause")).unwrap();
    let text = "</code><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\u{202e}gnp.x";
    let finding = &mut diagnosis["findings"][0];
    finding["evidence"][0]["text"] = json!(text);
    finding["evidence"][0]["source"] = json!("<script>document.title='ran'</script>");
    finding["evidence"][0]["facts"] = json!({"<b>name</b>": text});
    finding["title"] = json!(text);
    finding["ruled_out"][0]["because"] = json!(text);
    finding["missing"][0]["signal"] = json!(text);
    diagnosis["node"] = json!("</title><script>document.title='ran'</script>");
    diagnosis["episodes"][0]["end_reason"] = json!(text);
    serde_json::from_value(diagnosis).unwrap()
}

#[test]
fn hostile_text_is_only_text() {
    let server = Server::debug_anywhere(Fixed::of(hostile()));
    let (dom, complaints) = dom(&server.url("/?hold"));
    assert!(
        !dom.contains("<script") && !dom.contains("<img") && !dom.contains("<b>name"),
        "{dom}"
    );
    assert!(
        dom.contains("&lt;script&gt;document.title='ran'&lt;/script&gt;"),
        "shown as it is: {dom}"
    );
    assert!(!dom.contains("<title>ran"), "{dom}");
    assert!(!dom.contains('\u{202e}'), "text that turns around what follows it");
    assert!(
        !complaints.contains("Refused") && !complaints.contains("Content Security"),
        "{complaints}"
    );
    // The same browser does run scripts where a page has them.
    let (control, _) = self::dom("data:text/html,<title>no</title><script>document.title='ran'</script>");
    assert!(control.contains("<title>ran"), "{control}");
}

#[test]
fn the_page_needs_nothing_else_and_may_do_nothing() {
    let server = Server::debug_anywhere(Fixed::of(incident("1.37-api-down")));
    let page = server.get("/", &[]);
    assert_eq!(page.status(), 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let html = page.text();
    for outside in ["src=", "<link", "<script", "http://", "style=", "@import", "url("] {
        // The command of a remedy may name a URL.
        let found = html.matches(outside).count();
        assert_eq!(found, 0, "{outside}");
    }
    assert!(html.contains("http-equiv=\"refresh\""), "it is loaded again by itself");
    assert!(!server.get("/?hold", &[]).text().contains("http-equiv"), "unless held");
    let (_, complaints) = dom(&server.url("/?hold"));
    assert!(
        !complaints.contains("Refused") && !complaints.contains("Content Security"),
        "{complaints}"
    );
}

#[test]
fn the_page_says_what_the_report_says() {
    let server = Server::debug_anywhere(Fixed::of(incident("1.37-api-down")));
    let (dom, _) = dom(&server.url("/?hold"));
    for wanted in [
        "<title>node1: api-connection-refused</title>",
        "heartbeat lost",
        "kubelet stopped posting node status 1 min 50 s ago (last heartbeat 2026-11-23 10:48:18 UTC)",
        "Nothing listens on the API server's address",
        "the kubelet's requests do not reach an API server",
        "last good heartbeat",
        "the grace period of 40 s ends: from here on Ready=Unknown",
        "connection refused",
        "×25 in 1 min 44 s",
        "etcd-unhealthy",
        "crictl ps -a --name kube-apiserver",
    ] {
        assert!(dom.contains(wanted), "{wanted}: {dom}");
    }
}

#[test]
fn the_colour_is_the_nodes_and_not_only_the_heartbeats() {
    let page = |diagnosis| Server::debug_anywhere(Fixed::of(diagnosis)).get("/", &[]).text();
    assert!(page(named("healthy")).contains("<header class=\"good\">"));
    assert!(page(named("root-cause")).contains("<header class=\"bad\">"));
    let mut posts_not_ready = named("root-cause");
    posts_not_ready.heartbeat.state = whynotready::model::diagnosis::HeartbeatState::Ok;
    posts_not_ready.node_ready = Some(false);
    let page = page(posts_not_ready);
    assert!(
        page.contains("<header class=\"bad\">") && page.contains("Ready=False"),
        "{page}"
    );
}

/// Not wider than the phone: a copy of the page without its policy measures itself.
#[test]
fn a_phone_need_not_scroll_sideways() {
    for (name, diagnosis) in [
        ("api-down", incident("1.37-api-down")),
        ("long", named("long")),
        ("hostile", hostile()),
    ] {
        let server = Server::debug_anywhere(Fixed::of(diagnosis));
        let page = server.get("/?hold", &[]).text();
        let probe = "<script>document.title='width '+document.documentElement.scrollWidth</script></body>";
        let dir = tempfile::tempdir().unwrap();
        let (inner, outer) = (dir.path().join("page.html"), dir.path().join("frame.html"));
        write(&inner, &page.replace("</body>", probe));
        // A window is never as narrow as a phone, a frame is.
        write(
            &outer,
            "<iframe src=page.html style='width:320px;height:600px;border:0' \
             onload=\"document.title=this.contentDocument.title\"></iframe>",
        );
        let profile = tempfile::tempdir().unwrap();
        let url = format!("file://{}", outer.display());
        let out = run(&mut chromium(
            profile.path(),
            &["--allow-file-access-from-files", "--dump-dom", &url],
        ));
        let dom = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(dom.contains("<title>width 320</title>"), "{name}: {dom}");
    }
}

#[test]
fn pictures_to_look_at() {
    let shots = [
        ("root-cause", incident("1.37-api-down")),
        ("inconclusive", named("inconclusive")),
        ("ended", named("ended")),
        ("at-risk", named("at-risk")),
        ("healthy", named("healthy")),
        ("hostile", hostile()),
    ];
    for (name, diagnosis) in shots {
        let server = Server::debug_anywhere(Fixed::of(diagnosis));
        let url = server.url("/?hold");
        let light = read(&picture(&url, &format!("{name}-light"), "1200,1500", false));
        let dark = read(&picture(&url, &format!("{name}-dark"), "1200,1500", true));
        let phone = read(&picture(&url, &format!("{name}-phone"), "360,2600", false));
        for shot in [&light, &dark, &phone] {
            assert!(shot.starts_with(b"\x89PNG") && shot.len() > 10_000, "{name}");
        }
        assert!(light != dark, "{name}: the browser's wish for dark counts");
    }
}
