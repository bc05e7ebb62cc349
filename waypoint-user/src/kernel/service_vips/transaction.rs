//! Transactions for `nft`: the whole table, the way from one ruleset to the next, and its removal.
//!
//! Each virtual address and port has a chain with one rule, found by one lookup in a verdict map,
//! so that neither a packet nor a change pays for the other Services:
//!
//! ```text
//! prerouting, output  ip daddr . tcp dport vmap @services4
//! services4           10.96.0.1 . 80 : goto to-10.96.0.1-80
//! to-10.96.0.1-80     dnat ip to numgen random mod 2 map
//!                         { 0 : 10.1.0.2 . 8080, 1 : 10.1.0.3 . 8080 }
//! postrouting         ct status dnat ip saddr . ip daddr @hairpins4 masquerade
//! ```

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use super::ruleset::{Ruleset, Way};

/// Replaces the table, whether it was there or not.
pub(super) fn whole(table: &str, wanted: &Ruleset) -> Value {
    let mut transaction = Transaction::new(table);
    transaction.push("add", "table", json!({ "family": "inet", "name": table }));
    transaction.push("delete", "table", json!({ "family": "inet", "name": table }));
    transaction.push("add", "table", json!({ "family": "inet", "name": table }));
    transaction.lay_foundations();
    transaction.step(&Ruleset::default(), wanted);
    transaction.into_request()
}

/// Leads from what is in the table to what is wanted.
pub(super) fn difference(table: &str, current: &Ruleset, wanted: &Ruleset) -> Value {
    let mut transaction = Transaction::new(table);
    transaction.step(current, wanted);
    transaction.into_request()
}

/// Removes the table.
pub(super) fn removal(table: &str) -> Value {
    let mut transaction = Transaction::new(table);
    transaction.push("delete", "table", json!({ "family": "inet", "name": table }));
    transaction.into_request()
}

struct Transaction<'t> {
    table: &'t str,
    commands: Vec<Value>,
}

impl<'t> Transaction<'t> {
    fn new(table: &'t str) -> Self {
        Self { table, commands: Vec::new() }
    }

    fn into_request(self) -> Value {
        json!({ "nftables": self.commands })
    }

    /// The hooks and what they look things up in. The first packet of a connection decides for all
    /// of them; pods' come by `prerouting`, the host's own by `output`.
    fn lay_foundations(&mut self) {
        for family in [&V4, &V6] {
            let key = json!([family.address, "inet_service"]);
            let map = json!({ "name": family.services, "type": key, "map": "verdict" });
            self.add("map", map);
            let pair = json!([family.address, family.address]);
            self.add("set", json!({ "name": family.hairpins, "type": pair }));
        }
        for (hook, priority) in HOOKS {
            self.add(
                "chain",
                json!({
                    "name": hook, "type": "nat", "hook": hook, "prio": priority, "policy": "accept",
                }),
            );
        }
        for family in [&V4, &V6] {
            for hook in ["prerouting", "output"] {
                let key = json!({ "concat": [family.field("daddr"), field("tcp", "dport")] });
                let data = format!("@{}", family.services);
                self.rule(hook, &[json!({ "vmap": { "key": key, "data": data } })]);
            }
            let pair = json!({ "concat": [family.field("saddr"), family.field("daddr")] });
            let to_itself = is(&pair, &format!("@{}", family.hairpins));
            self.rule("postrouting", &[was_led(), to_itself, masquerade()]);
        }
        // Between ports of a bridge the answer would go straight to the client, who does not know
        // the endpoint.
        let [from, to] =
            ["iifkind", "oifkind"].map(|key| is(&json!({ "meta": { "key": key } }), "bridge"));
        self.rule("postrouting", &[was_led(), from, to, masquerade()]);
    }

    fn step(&mut self, current: &Ruleset, wanted: &Ruleset) {
        let (before, after) = (&current.ways, &wanted.ways);
        let gone = before.keys().filter(|frontend| !after.contains_key(frontend));
        let new = after.keys().filter(|frontend| !before.contains_key(frontend));
        let (gone, new): (Vec<_>, Vec<_>) = (gone.collect(), new.collect());

        self.elements("delete", Family::services, gone.iter().map(|frontend| entry(frontend)));
        for frontend in gone {
            self.flush(frontend);
            self.push("delete", "chain", self.within(json!({ "name": chain(frontend) })));
        }
        for frontend in &new {
            self.add("chain", json!({ "name": chain(frontend) }));
        }
        for (frontend, way) in after {
            if before.get(frontend) != Some(way) {
                if before.contains_key(frontend) {
                    self.flush(frontend);
                }
                self.lead(frontend, way);
            }
        }
        self.elements("add", Family::services, new.iter().map(|frontend| entry(frontend)));

        let (before, after) = (current.endpoint_addresses(), wanted.endpoint_addresses());
        self.elements("delete", Family::hairpins, before.difference(&after).map(hairpin));
        self.elements("add", Family::hairpins, after.difference(&before).map(hairpin));
    }

    /// Writes a chain's one rule.
    fn lead(&mut self, frontend: &SocketAddr, way: &Way) {
        let is_tcp = is(&json!({ "meta": { "key": "l4proto" } }), "tcp");
        let verdict = if way.endpoints.is_empty() {
            json!({ "reject": { "type": "tcp reset" } })
        } else {
            let choices: Vec<_> = (0..).zip(&way.endpoints).map(choice).collect();
            let dice = json!({ "numgen": { "mode": "random", "mod": choices.len(), "offset": 0 } });
            let choice = json!({ "map": { "key": dice, "data": { "set": choices } } });
            json!({ "dnat": { "family": Family::of(frontend.ip()).header, "addr": choice } })
        };
        let rule = json!({
            "chain": chain(frontend), "expr": [is_tcp, verdict], "comment": way.service,
        });
        self.add("rule", rule);
    }

    fn flush(&mut self, frontend: &SocketAddr) {
        self.push("flush", "chain", self.within(json!({ "name": chain(frontend) })));
    }

    fn rule(&mut self, chain: &str, expressions: &[Value]) {
        self.add("rule", json!({ "chain": chain, "expr": expressions }));
    }

    /// Adds or deletes elements of a set that each family has, if there are any.
    fn elements(
        &mut self,
        command: &str,
        set: fn(&Family) -> &'static str,
        elements: impl Iterator<Item = (IpAddr, Value)>,
    ) {
        let (v4, v6): (Vec<_>, Vec<_>) = elements.partition(|(address, _)| address.is_ipv4());
        for (family, elements) in [(&V4, v4), (&V6, v6)] {
            let elements: Vec<_> = elements.into_iter().map(|(_, element)| element).collect();
            if !elements.is_empty() {
                let change = json!({ "name": set(family), "elem": elements });
                self.push(command, "element", self.within(change));
            }
        }
    }

    fn add(&mut self, kind: &str, object: Value) {
        self.push("add", kind, self.within(object));
    }

    fn within(&self, mut object: Value) -> Value {
        if let Some(object) = object.as_object_mut() {
            object.insert("family".to_owned(), json!("inet"));
            object.insert("table".to_owned(), json!(self.table));
        }
        object
    }

    fn push(&mut self, command: &str, kind: &str, object: Value) {
        let named =
            |name: &str, value| Value::Object([(name.to_owned(), value)].into_iter().collect());
        self.commands.push(named(command, named(kind, object)));
    }
}

/// How the two families are named.
struct Family {
    header: &'static str,
    address: &'static str,
    services: &'static str,
    hairpins: &'static str,
}

impl Family {
    fn of(address: IpAddr) -> &'static Self {
        if address.is_ipv4() { &V4 } else { &V6 }
    }

    fn services(&self) -> &'static str {
        self.services
    }

    fn hairpins(&self) -> &'static str {
        self.hairpins
    }

    fn field(&self, name: &str) -> Value {
        field(self.header, name)
    }
}

/// Colons are not for names that `nft` itself writes and reads.
fn chain(frontend: &SocketAddr) -> String {
    let address = frontend.ip().to_string().replace(':', "_");
    format!("to-{address}-{}", frontend.port())
}

fn entry(frontend: &SocketAddr) -> (IpAddr, Value) {
    let key = json!({ "concat": [frontend.ip(), frontend.port()] });
    (frontend.ip(), json!([key, { "goto": { "target": chain(frontend) } }]))
}

/// A pod that is led to itself must not see its own address as the client's.
fn hairpin(address: &IpAddr) -> (IpAddr, Value) {
    (*address, json!({ "concat": [address, address] }))
}

fn choice((number, endpoint): (u32, &SocketAddr)) -> Value {
    json!([number, { "concat": [endpoint.ip(), endpoint.port()] }])
}

fn field(protocol: &str, name: &str) -> Value {
    json!({ "payload": { "protocol": protocol, "field": name } })
}

fn is(left: &Value, right: &str) -> Value {
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

fn was_led() -> Value {
    json!({ "match": { "op": "in", "left": { "ct": { "key": "status" } }, "right": "dnat" } })
}

fn masquerade() -> Value {
    json!({ "masquerade": null })
}

const V4: Family =
    Family { header: "ip", address: "ipv4_addr", services: "services4", hairpins: "hairpins4" };
const V6: Family =
    Family { header: "ip6", address: "ipv6_addr", services: "services6", hairpins: "hairpins6" };
/// With the priorities that nft calls `dstnat` and `srcnat`.
const HOOKS: [(&str, i32); 3] = [("prerouting", -100), ("output", -100), ("postrouting", 100)];

#[cfg(test)]
mod tests;
