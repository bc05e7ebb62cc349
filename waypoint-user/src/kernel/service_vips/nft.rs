//! The program `nft`, which reads and writes JSON.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::Error;

/// Carries out a transaction, all of it or nothing.
pub(super) fn apply(request: &Value) -> Result<(), Error> {
    run(&["-j", "-f", "-"], &serde_json::to_vec(request)?).map(drop)
}

/// Whether there is a table of this name in the family `inet`.
pub(super) fn has_table(name: &str) -> Result<bool, Error> {
    let answer: Value = serde_json::from_slice(&run(&["-j", "list", "tables", "inet"], &[])?)?;
    let objects = answer.get("nftables").and_then(Value::as_array);
    let is_it = |object: &Value| {
        object.pointer("/table/name").and_then(Value::as_str) == Some(name)
            && object.pointer("/table/family").and_then(Value::as_str) == Some("inet")
    };
    Ok(objects.is_some_and(|objects| objects.iter().any(is_it)))
}

fn run(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Error> {
    let mut command = Command::new("nft");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::Nft)?;
    // It reads everything before it says anything, so neither side waits for the other. If it ended
    // early, its own words tell more than the broken pipe.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().map_err(Error::Nft)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Refused(format!("{} ({})", words.trim(), output.status)));
    }
    written.map_err(Error::Nft)?;
    Ok(output.stdout)
}
