//! The node's clock against the API server's (`Date`, RFC 9110 §6.6.1: whole seconds), and whether somebody keeps it.

use super::certificate::Judged;
use super::request::Answer;
use crate::clock::Clock;
use crate::grammar::fact::{Fact, Kind};
use crate::host::Host;
use crate::model::time::SECOND;
use crate::source::look::Look;

/// States the offset; blind where nothing tells it.
pub(crate) fn state(look: &mut Look, host: &Host, clock: &Clock, answers: &[&Answer], shown: &[&Judged]) {
    let synchronized = synchronized(host);
    let kept = match synchronized {
        "yes" => ", kept by systemd-timesyncd",
        "no" => ", systemd-timesyncd has not synchronised it",
        _ => "",
    };
    let offset = answers.iter().find_map(|a| offset(a)).map(|o| (o, "http-date"));
    let now = clock.now().wall.0.div_euclid(SECOND);
    let (offset, basis) =
        match offset.or_else(|| shown.iter().find_map(|j| behind(j, now)).map(|o| (o, "certificates"))) {
            Some(found) => found,
            None if synchronized == "unknown" => {
                look.missed(Kind::ClockOffset, "no API server answered with a date", None);
                return;
            }
            None => {
                let fact = Fact::new(Kind::ClockOffset)
                    .with("basis", "none")
                    .with("synchronized", synchronized);
                look.saw(format!("clock: nothing to compare with{kept}"), fact);
                return;
            }
        };
    let direction = match offset {
        0 => "none",
        1.. => "ahead",
        _ => "behind",
    };
    let fact = Fact::new(Kind::ClockOffset)
        .with_int("offset_s", offset)
        .with_int("abs_s", offset.saturating_abs())
        .with("direction", direction)
        .with("basis", basis)
        .with("synchronized", synchronized);
    let text = match (basis, offset) {
        ("certificates", _) => format!(
            "clock at least {} s behind: the API server's certificate is not yet valid",
            offset.saturating_abs()
        ),
        (_, 0) => "clock as the API server's".to_owned(),
        (_, _) => format!("clock {} s {direction} of the API server's", offset.saturating_abs())
            .replace("behind of", "behind"),
    };
    look.saw(format!("{text}{kept}"), fact);
}

/// Ours minus theirs in seconds: the middle of the round trip against the middle of the second that `Date` names. What
/// lies within that second and the round trip is 0.
pub(crate) fn offset(answer: &Answer) -> Option<i64> {
    let half = (answer.took / 2) as i64;
    let ours = answer.sent.wall.0.saturating_add(half);
    let difference = ours.saturating_sub(answer.date?.0.saturating_add(SECOND / 2));
    if difference.saturating_abs() <= SECOND / 2 + half {
        return Some(0);
    }
    Some((difference as f64 / SECOND as f64).round() as i64)
}

/// Nobody shows a certificate before it is issued. An expired one says nothing: servers do that.
fn behind(judged: &Judged, now: i64) -> Option<i64> {
    let leaf = judged.leaf.as_ref()?;
    (now < leaf.not_before).then(|| now.saturating_sub(leaf.not_before))
}

/// systemd-timesyncd touches a file when it has synchronised (systemd-timesyncd.service(8)). Of chrony and ntpd nothing is
/// known here.
fn synchronized(host: &Host) -> &'static str {
    if host.metadata("/run/systemd/timesync/synchronized").is_ok() {
        "yes"
    } else if host.metadata("/run/systemd/timesync").is_ok() {
        "no"
    } else {
        "unknown"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::model::time::Timestamp;

    fn answer(sent_ms: i64, took_ms: u64, date_s: i64) -> Answer {
        Answer {
            status: 200,
            body: String::new(),
            marked: true,
            date: Some(Timestamp(date_s * SECOND)),
            sent: Now {
                wall: Timestamp(sent_ms * 1000),
                ..Now::default()
            },
            took: took_ms * 1000,
        }
    }

    #[test]
    fn what_the_second_and_the_round_trip_explain_is_no_offset() {
        assert_eq!(offset(&answer(1_000_001, 2, 1000)), Some(0));
        assert_eq!(offset(&answer(1_000_999, 2, 1000)), Some(0));
        assert_eq!(offset(&answer(1_000_000, 3000, 1001)), Some(0));
        assert_eq!(offset(&answer(4_600_500, 2, 1000)), Some(3600));
        assert_eq!(offset(&answer(400_500, 2, 1000)), Some(-600));
    }
}
