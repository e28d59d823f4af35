//! Any text as a line of any writer: no panic, no fact outside the vocabulary.
#![no_main]

use libfuzzer_sys::fuzz_target;
use whynotready::grammar::line::{Line, Origin};
use whynotready::grammar::{origin, parse, vocabulary};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let line = Line {
        text: &text,
        ..Line::default()
    };
    let _ = origin::of_text(None, &text);
    for origin in [
        Origin::Kubelet,
        Origin::Runtime,
        Origin::Systemd,
        Origin::Kernel,
        Origin::ControlPlane,
        Origin::Other,
    ] {
        for fact in parse::parse(origin, &line).facts {
            vocabulary::check(&fact).unwrap();
        }
    }
});
