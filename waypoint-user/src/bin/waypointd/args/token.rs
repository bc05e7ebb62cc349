//! The arguments of `waypointd token`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::RangedU64ValueParser};
use waypoint_user::{mesh::spiffe::SpiffeId, roles::token::Caller};

#[derive(Args)]
pub(crate) struct Token {
    /// Directory of the authority's keys.
    #[arg(long, value_name = "DIR")]
    pub(crate) ca_dir: PathBuf,
    #[command(flatten)]
    bearer: Bearer,
    /// For how long it holds.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = days())]
    days: u64,
}

/// Whose token.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Bearer {
    /// For the agent of a node.
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    node: Option<String>,
    /// For a waypoint, or another workload that asks for itself.
    #[arg(long, value_name = "NS/NAME", value_parser = parse_account)]
    service_account: Option<(String, String)>,
}

impl Token {
    /// Whose token it will be, if the arguments say so.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let node = self.bearer.node.clone().map(Caller::Node);
        let account = self.bearer.service_account.as_ref();
        // The controller knows its trust domain; a token does not name it.
        node.or_else(|| account.map(|(ns, name)| Caller::Workload(SpiffeId::new("", ns, name))))
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.days * 24 * 3600)
    }
}

/// A day at least, and a century at most.
fn days() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=36_500)
}

fn parse_name(name: &str) -> Result<String, String> {
    let plain =
        !name.is_empty() && !name.contains(['/', ':']) && !name.contains(char::is_whitespace);
    if plain { Ok(name.to_owned()) } else { Err("a name has no '/', ':' or blanks".to_owned()) }
}

fn parse_account(text: &str) -> Result<(String, String), String> {
    let (namespace, name) = text.split_once('/').ok_or("write NAMESPACE/NAME")?;
    Ok((parse_name(namespace)?, parse_name(name)?))
}
