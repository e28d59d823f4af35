//! Swap against `failSwapOn`. The kubelet looks once, at its start (`container_manager_linux.go`), and any swap counts,
//! zram too.

use super::Setting;
use crate::grammar::fact::Kind;
use crate::host::Host;
use crate::source::look::Look;
use crate::source::unread;
use crate::world::{ConfigState, World};

pub(super) fn look(look: &mut Look, host: &Host, world: &World) {
    let text = match host.text("/proc/swaps") {
        Ok(text) => text,
        Err(e) => return unread::file(look, Kind::KubeletSetting, &e),
    };
    // Filename, type, size and used in KiB, priority (proc(5)); the first line is the heading.
    let swaps: Vec<String> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut parts = line.split_whitespace();
            let (name, _, size) = (parts.next()?, parts.next()?, parts.next()?.parse::<u64>().ok()?);
            Some(format!("{name} {} MiB", size >> 10))
        })
        .take(8)
        .collect();
    if swaps.is_empty() {
        return Setting::new("swap", "ok", "off").say(look, "no swap is in use");
    }
    let found = swaps.join(", ");
    let known = world.flags_known && (world.config_path.is_none() || world.config.state != ConfigState::Unknown);
    let setting =
        |state| Setting::new("swap", state, format!("failSwapOn {}", world.settings.fail_swap_on)).found(found.clone());
    if !known {
        setting("unknown").say(look, format!("swap is on ({found}); failSwapOn is not known"));
    } else if world.settings.fail_swap_on {
        setting("bad").problem("swap is on and failSwapOn is true").say(
            look,
            format!("swap is on ({found}) and failSwapOn is true: the kubelet refuses to start"),
        );
    } else {
        let behavior = world.settings.swap_behavior.as_deref().unwrap_or("NoSwap");
        setting("ok").say(
            look,
            format!("swap is on ({found}) and allowed: failSwapOn is false, swapBehavior {behavior}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{UNIT, of, settings};

    const ON: (&str, &str) = (
        "proc/swaps",
        "Filename Type Size Used Priority\n/swap file 262140 0 -2\n/dev/zram0 partition 1024 0 100\n",
    );

    #[test]
    fn on_off_allowed_and_not_known() {
        let state = |files: &[(&str, &str)]| settings(files, "swap")[0].1.text("state").unwrap().to_owned();
        let config = |text| ("c.yaml", text);
        assert_eq!(state(&[UNIT, ON, config("kind: KubeletConfiguration\n")]), "bad");
        assert_eq!(
            state(&[UNIT, ON, config("kind: KubeletConfiguration\nfailSwapOn: false\n")]),
            "ok"
        );
        assert_eq!(state(&[UNIT, ("proc/swaps", "Filename\n")]), "ok");
        assert_eq!(state(&[ON]), "unknown");
        let (text, fact) = &settings(&[UNIT, ON], "swap")[0];
        assert!(text.contains("/swap 255 MiB, /dev/zram0 1 MiB"), "{text}");
        assert!(fact.text("problem").is_some());
        assert!(of(&[UNIT]).blind.iter().any(|b| b.reason.contains("/proc/swaps")));
    }
}
