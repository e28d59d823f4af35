//! Follows the journals below a root for a while, as the agent does, and prints what an entry and what an idle second cost.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use whynotready::clock::Clock;
use whynotready::host::Host;
use whynotready::input::Intake;
use whynotready::source::journal::{Follower, Options};

fn cpu() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 * 1e6 + t.tv_nsec as f64 / 1e3
}

#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap_or_else(|| "/".to_owned());
    let seconds: f64 = arguments.next().unwrap_or_else(|| "60".to_owned()).parse()?;
    let clock = Clock::system();
    let start = clock.now();
    let mut intake = Intake::new(Box::new(|_| false));
    let mut follower = Follower::open(Host::at(root), clock.clone(), Options::default());
    let (mut entries, mut looks, mut inputs) = (0, 0, 0);
    let mut begun = None;
    while clock.since(start) < (seconds * 1e6) as u64 {
        let polled = follower.poll(512, &mut intake, &mut |_| inputs += 1);
        entries += polled.entries;
        looks += 1;
        if polled.more {
            continue;
        }
        if begun.is_none() {
            println!(
                "look-back: {entries} entries, {:.2} us CPU each",
                cpu() / entries.max(1) as f64
            );
            (entries, looks, inputs) = (0, 0, 0);
            begun = Some(cpu());
        }
        std::thread::park_timeout(polled.wait.max(Duration::from_millis(1)));
    }
    let used = cpu() - begun.unwrap_or(0.0);
    println!(
        "followed: {entries} entries, {inputs} inputs, {looks} looks; {:.2} us CPU an entry, {:.2} us a look, {:.4} % of a core",
        used / f64::from(u32::try_from(entries).unwrap_or(u32::MAX).max(1)),
        used / f64::from(looks.max(1)),
        used / (seconds * 1e4)
    );
    Ok(())
}
