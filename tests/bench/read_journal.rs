//! Reads journal files as the agent does and prints MESSAGE, or every entry in export order with `--export`.

use std::io::Write;

use whynotready::journal::{Options, ReadAt, Set};

const FIELDS: &str = "MESSAGE _SYSTEMD_UNIT _TRANSPORT _PID _COMM SYSLOG_IDENTIFIER MESSAGE_ID UNIT JOB_TYPE JOB_RESULT \
                      EXIT_CODE EXIT_STATUS UNIT_RESULT N_RESTARTS _BOOT_ID _HOSTNAME";

#[allow(
    clippy::disallowed_methods,
    reason = "a program of the tests opens what it is told to"
)]
fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let export = arguments.first().is_some_and(|first| first == "--export");
    if export {
        arguments.remove(0);
    }
    let mut files: Vec<(String, Box<dyn ReadAt>)> = Vec::new();
    for path in arguments {
        files.push((path.clone(), Box::new(std::fs::File::open(path)?)));
    }
    let wanted = if export {
        Vec::new()
    } else {
        FIELDS.split(' ').map(str::to_owned).collect()
    };
    let max_payload = if export { 16 << 20 } else { 64 << 10 };
    let mut set = Set::open(
        files,
        Options {
            wanted,
            max_payload,
            ..Options::default()
        },
    );
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    while let Some(entry) = set.next() {
        if export {
            writeln!(out, "{}\n{}\n{}", entry.cursor(), entry.realtime, entry.monotonic)?;
            for (name, value) in entry.fields() {
                out.write_all(name)?;
                writeln!(out, " {}", value.len())?;
                out.write_all(value)?;
                out.write_all(b"\n")?;
            }
        } else if let Some(message) = entry.get("MESSAGE") {
            out.write_all(message)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    for problem in set.problems() {
        writeln!(std::io::stderr(), "{problem}")?;
    }
    Ok(())
}
