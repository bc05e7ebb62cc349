//! The pod of a process, as `/proc/PID/cgroup` tells it.
//!
//! It reads text and no file. The kubelet keeps a control group for each pod, named by the pod's
//! uid, and runtimes put containers below it:
//!
//! ```text
//! cgroupfs   …/kubepods/burstable/pod9d5c…-…-…/4f1e…
//! systemd    …/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod9d5c…_…_….slice/…
//! ```
//!
//! **Invariant:** of pods that are nested in others, the innermost is found.

/// The uid of the pod that a process belongs to, by the contents of its `cgroup` file: of version
/// 1, which has a line for each hierarchy, or of version 2, which has one.
pub(super) fn pod_uid(contents: &str) -> Option<String> {
    contents.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        path.rsplit('/').find_map(uid_of_group)
    })
}

/// Whether a text has the form of the uid that the API server gives.
pub(super) fn is_uid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == UID_BYTES
        && text.bytes().enumerate().all(|(index, byte)| {
            if dashes.contains(&index) { byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
}

/// The uid in the name of a pod's control group.
fn uid_of_group(name: &str) -> Option<String> {
    // systemd takes a dash for a step down, so that its driver writes another character.
    let plain = name.strip_suffix(".slice").map(|slice| slice.replace('_', "-"));
    let plain = plain.as_deref().unwrap_or(name);
    let at = plain.len().checked_sub(UID_BYTES)?;
    let (before, uid) = (plain.get(..at)?, plain.get(at..)?);
    let of_pod = before == "pod" || before.ends_with("-pod");
    (of_pod && is_uid(uid)).then(|| uid.to_owned())
}

/// Bytes of a uid.
const UID_BYTES: usize = 36;

#[cfg(test)]
mod tests;
