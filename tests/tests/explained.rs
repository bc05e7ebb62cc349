//! What an agent explains of connections is what its kernel holds, and what traffic does.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use waypoint_tests::{
    ctl::waypointctl,
    lab::{Lab, object::USE_WAYPOINT},
    story,
    story::shop_behind_waypoint,
};

/// What the agent says of connections of `web` to `reviews`.
fn explained(lab: &Lab) -> Result<Value> {
    let admin = format!("unix:{}", lab.agent()?.settings().admin().display());
    let to = lab.service_address("reviews")?.to_string();
    let said = waypointctl(&["explain", "shop/web", &to, "--admin", &admin, "-o", "json"])?;
    ensure!(said.code < 2, "{said:?}");
    serde_json::from_str(&said.out).context(said.out)
}

/// What is said of the kernel.
fn of_kernel(explained: &Value) -> Vec<&str> {
    let steps = explained["steps"].as_array().into_iter().flatten();
    let kernel = steps.filter(|step| step["topic"] == "kernel");
    kernel.filter_map(|step| step["says"].as_str()).collect()
}

story!(explain_says_what_the_kernel_really_holds, |lab| {
    let mut lab = shop_behind_waypoint(lab).start()?;
    let to = lab.service_address("reviews")?;
    let before = explained(&lab)?;
    let says = of_kernel(&before);
    ensure!(before["path"] == "waypoint", "{before}");
    ensure!(says.len() == 2 && says[0].starts_with("looks at new connections"), "{says:?}");
    let captured = format!(
        "captures connections to {to} for waypoint shop/waypoint, and passes them while no agent \
         listens"
    );
    ensure!(says[1] == captured, "{says:?}");
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.label("Service", "reviews", USE_WAYPOINT, "none")?;
    let after = explained(&lab)?;
    let says = of_kernel(&after);
    ensure!(after["path"] == "direct" && after["asked"].is_null(), "{after}");
    ensure!(says.get(1) == Some(&&*format!("holds nothing for {to}")), "{says:?}");
    lab.direct(&lab.from("web").to("reviews"))?;
    Ok(())
});

story!(a_configuration_dump_is_what_is_in_force, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let admin = format!("unix:{}", lab.agent()?.settings().admin().display());
    let words = ["config", "dump", "--section", "services", "--admin", &admin];
    let said = waypointctl(&words)?;
    let mut lines = said.out.lines();
    let header = lines.next().unwrap_or_default();
    let words: Vec<_> = header.split_whitespace().collect();
    let expected = ["NAMESPACE", "SERVICE", "NAME", "SERVICE", "VIP", "WAYPOINT", "ENDPOINTS"];
    ensure!(words == expected, "{said:?}");
    let row: Vec<_> = lines.next().unwrap_or_default().split_whitespace().collect();
    ensure!(
        row.starts_with(&["shop", "reviews"]) && row.ends_with(&["waypoint", "2/2"]),
        "{row:?}"
    );
    Ok(())
});
