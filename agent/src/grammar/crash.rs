//! How a Go program dies, and the dump that it leaves, which states nothing by itself.

use super::fact::{Fact, Kind};
use super::scan::head;

const FIRST_WORDS: &[(&str, &str)] = &[
    ("fatal error: newosproc", "no-thread"),
    ("runtime: failed to create new OS thread", "no-thread"),
    ("runtime/cgo: pthread_create failed", "no-thread"),
    ("fatal error: runtime: out of memory", "out-of-memory"),
    ("fatal error: runtime: cannot allocate", "out-of-memory"),
    ("runtime: out of memory", "out-of-memory"),
    ("panic: ", "panic"),
    ("fatal error: ", "fatal-error"),
    ("unexpected fault address", "fatal-error"),
    ("SIGABRT: abort", "signal"),
    ("SIGQUIT: quit", "signal"),
    ("SIGSEGV: ", "signal"),
    ("[signal SIG", "signal"),
];

/// The crash that a line without a header begins with.
pub(super) fn fact(text: &str, program: &'static str) -> Option<Fact> {
    let (_, what) = FIRST_WORDS.iter().find(|(words, _)| text.starts_with(words))?;
    let first = text.lines().next().unwrap_or(text);
    Some(
        Fact::new(Kind::GoCrash)
            .with("what", what)
            .with_text("message", head(first, 512))
            .with("program", program),
    )
}

/// What a dump itself tells: `goroutine 251 [syscall, 939 minutes]:` (Go `runtime.goroutineheader`) of a call that does not
/// return, and klog's flush daemon that a fatal line made the program print it (klog up to 2.9).
pub(super) fn dump_fact(text: &str) -> Option<Fact> {
    if text.contains("loggingT).flushDaemon") {
        return Some(Fact::new(Kind::KubeletFatal).with_text("message", "goroutines printed behind a fatal line"));
    }
    let state = text.split_once("goroutine ")?.1.split_once('[')?.1.split_once("]:")?.0;
    let (state, minutes) = state.split_once(", ")?;
    let minutes: i64 = minutes.strip_suffix(" minutes")?.parse().ok()?;
    let state = match state {
        "syscall" => "syscall",
        s if s.contains("semacquire") || s.contains("Mutex") => "lock",
        _ => "other",
    };
    Some(
        Fact::new(Kind::GoroutineBlocked)
            .with("state", state)
            .with_int("minutes", minutes),
    )
}

/// Whether a line without a header belongs to a dump or to a value of several lines.
pub(super) fn is_continuation(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    // The list of flags that a program prints when it is called wrongly.
    if first == b' ' && text.trim_start().starts_with("--") {
        return false;
    }
    if matches!(first, b'\t' | b' ') || text == ">" {
        return true;
    }
    if text.starts_with("goroutine ") || text.starts_with("created by ") || text.starts_with("runtime stack:") {
        return true;
    }
    // `k8s.io/client-go/util/wait.JitterUntil(0xc0001, 0x3b9aca00)`, `main.main()`, registers of a signal dump.
    let call = text.ends_with(')')
        && text.contains('(')
        && !text.contains(": ")
        && text.find('(').is_some_and(|p| !text[..p].contains(' '));
    let register =
        text.len() < 40 && text.contains("0x") && text.split_whitespace().count() == 2 && !text.contains(':');
    call && text.contains('.') || register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_and_dumps() {
        assert_eq!(
            fact("panic: runtime error: x", "kubelet").unwrap().text("what"),
            Some("panic")
        );
        assert!(fact("goroutine 1 [running]:", "kubelet").is_none());
        for line in [
            "goroutine 1 [running]:",
            "\t/usr/x.go:1 +0x2",
            "main.main()",
            "k8s.io/x.(*T).f(0xc000, 0x1)",
            "rax    0x0",
        ] {
            assert!(is_continuation(line), "{line}");
        }
        for line in [
            "Error: unknown flag: --x",
            "panic: x",
            "failed to run Kubelet: x (y)",
            "Flag --x has been deprecated",
        ] {
            assert!(!is_continuation(line), "{line}");
        }
    }
}
