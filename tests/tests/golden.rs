//! Manifests in, text out: every case under `tests/data` is a directory with `input.yaml` and what
//! is expected of it.
//!
//! Under `tests/data/l7` are the configurations that proxies are measured with instead.
//!
//! `expect.txt` is what `waypointctl analyze --all` prints, or where there is a `question.txt` what
//! `waypointctl explain` answers to it; `snapshot.txt`, where there is one, is what the Snapshot
//! holds. Cases of `tests/data/cli/generate` have no input; their `args` are commands, of which
//! `expect.txt` is what all of them print. `waypoint_tests::golden` says how to accept a change.

use std::{
    fmt::{self, Write},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::{CommandFactory, ValueEnum};
use waypoint_tests::{
    bench::l7::config::{Protocol, Routes, Scene, envoy, haproxy, nginx, ours},
    ctl::waypointctl,
    golden::{Golden, cases, directories, transcript},
    lab::command::{output, product},
};
use waypoint_user::{
    cli::Cli,
    mesh::{route::RouteKind, snapshot::Snapshot},
    sync::{Served, Settings, directory},
};

#[test]
fn analyze_prints_what_every_case_expects() -> Result<()> {
    let mut golden = expectations();
    let cases = of_analyze()?;
    ensure!(cases.len() > 20, "only {} cases found", cases.len());
    for case in cases {
        golden.compare(&case, "expect.txt", &analyzed(&case)?)?;
        if case.join("snapshot.txt").exists() {
            golden.compare(&case, "snapshot.txt", &held(&case)?)?;
        }
    }
    golden.holds()
}

#[test]
fn explain_answers_every_question_as_expected() -> Result<()> {
    let mut golden = expectations();
    let mut cases = directories(&cases().join("explain"))?;
    cases.retain(|case| case.join("question.txt").exists());
    let told = |row: &u32| {
        let start = format!("row-{row:02}-");
        cases
            .iter()
            .any(|case| case.file_name().unwrap_or_default().to_string_lossy().starts_with(&start))
    };
    let untold: Vec<u32> = (1..=20).filter(|row| !told(row)).collect();
    ensure!(untold.is_empty(), "nothing is explained of rows {untold:?} of the selection table");
    for case in cases {
        let question = fs::read_to_string(case.join("question.txt"))?;
        let asked = question.split_whitespace();
        let place = ["--manifests", path(&case)?, "--waypoints", "by-status"];
        let words: Vec<_> = ["explain"].into_iter().chain(asked).chain(place).collect();
        golden.compare(&case, "expect.txt", &waypointctl(&words)?.whole())?;
    }
    golden.holds()
}

#[test]
fn generate_prints_what_every_case_expects() -> Result<()> {
    let mut golden = expectations();
    for case in directories(&cases().join("cli/generate"))? {
        golden.compare(&case, "expect.txt", &transcript(&case, &[])?)?;
    }
    golden.holds()
}

#[test]
fn an_explanation_for_programs_says_what_the_table_says() -> Result<()> {
    let case = cases().join("explain/row-06-missing-waypoint");
    let place = ["--manifests", path(&case)?, "--waypoints", "by-status", "-o", "json"];
    let words = [&["explain", "b/client", "s.a:80"][..], &place].concat();
    let said = waypointctl(&words)?;
    ensure!(said.code == 1);
    let said: serde_json::Value = serde_json::from_str(&said.out)?;
    ensure!(said.pointer("/path") == Some(&"direct".into()), "{said}");
    ensure!(said.pointer("/asked") == Some(&"a/missing".into()), "{said}");
    let field = said.pointer("/steps/2/decidedBy/0/field").context("no label")?;
    ensure!(field == "metadata.labels[istio.io/use-waypoint]: missing", "{field}");
    Ok(())
}

#[test]
fn help_prints_what_is_expected() -> Result<()> {
    let mut command = Cli::command().term_width(100);
    let mut text = command.render_long_help().to_string();
    for subcommand in command.get_subcommands_mut() {
        let help = subcommand.render_long_help();
        write!(text, "\n--- {}\n{help}", subcommand.get_name())?;
        for verb in subcommand.get_subcommands_mut().filter(|verb| verb.get_name() == "dump") {
            write!(text, "\n--- config dump\n{}", verb.render_long_help())?;
        }
    }
    let mut golden = expectations();
    golden.compare(&cases().join("help/waypointctl"), "expect.txt", &text)?;
    golden.holds()
}

#[test]
fn the_daemon_explains_itself() -> Result<()> {
    let waypointd = product("waypointd")?;
    let mut text = output(&waypointd, &["--help"])?;
    for role in ["standalone", "agent", "proxy", "controller", "token", "init", "probe", "cleanup"]
    {
        write!(text, "\n--- {role}\n{}", output(&waypointd, &[role, "--help"])?)?;
    }
    let mut golden = expectations();
    golden.compare(&cases().join("help/waypointd"), "expect.txt", &text)?;
    golden.holds()
}

#[test]
fn a_name_that_is_no_link_is_refused_with_the_reason() -> Result<()> {
    let said = output(&product("waypointd")?, &["cleanup", "--link", "a-name-that-is-too-long"])?;
    ensure!(said.contains("1 to 14 plain bytes"), "{said}");
    Ok(())
}

#[test]
fn every_shell_gets_a_completion_script() -> Result<()> {
    for shell in clap_complete::Shell::value_variants() {
        let said = waypointctl(&["completion", &shell.to_string()])?;
        ensure!(said.code == 0 && said.out.contains("analyze"), "{shell}");
    }
    Ok(())
}

#[test]
fn json_says_what_the_table_says() -> Result<()> {
    let case = cases().join("selection/row-06-missing-waypoint");
    let said = waypointctl(&["analyze", "--manifests", path(&case)?, "-o", "json"])?;
    ensure!(said.code == 1);
    let said: serde_json::Value = serde_json::from_str(&said.out)?;
    let finding = said.pointer("/findings/0").context("no finding")?;
    ensure!(finding.pointer("/reason") == Some(&"WaypointIsNotReady".into()), "{finding}");
    ensure!(finding.pointer("/object/name") == Some(&"s".into()), "{finding}");
    let binding = said.pointer("/bindings/0").context("no binding")?;
    ensure!(binding.pointer("/waypoint") == Some(&serde_json::Value::Null), "{binding}");
    ensure!(binding.pointer("/refused/waypoint") == Some(&"a/missing".into()), "{binding}");
    ensure!(binding.pointer("/without") == Some(&"direct".into()), "{binding}");
    Ok(())
}

#[test]
fn proxies_are_measured_with_the_configurations_that_are_expected() -> Result<()> {
    let mut golden = expectations();
    let case = |name| cases().join("l7").join(name);
    for (name, scene) in scenes() {
        let peers = [envoy::files(&scene), haproxy::files(&scene), nginx::files(&scene)];
        for (file, text) in peers.iter().flatten() {
            golden.compare(&case(name), file, text)?;
        }
        for (file, text) in ours::files(&scene, [10, 77, 2, 1].into()) {
            golden.compare(&case(name).join("ours"), file, &text)?;
        }
    }
    golden.holds()?;
    for (name, _) in scenes() {
        let manifests = case(name).join("ours");
        let said = waypointctl(&["analyze", "--manifests", path(&manifests)?])?;
        ensure!(said.code == 0, "{name}: {}", said.whole());
    }
    Ok(())
}

/// What proxies are measured at, with few routes and rules.
fn scenes() -> Vec<(&'static str, Scene)> {
    let plain = Scene {
        listen: ([10, 77, 2, 5], 80).into(),
        backend: ([10, 77, 2, 9], 8080).into(),
        folder: "/run/bench".into(),
        credentials: None,
        protocols: (Protocol::Http1, Protocol::Http1),
        is_dressed: false,
        routes: Routes::None,
        rules: 0,
    };
    let credentials = Some("/run/bench/credentials".into());
    let http2 = (Protocol::Http2, Protocol::Http2);
    vec![
        ("plain", plain.clone()),
        ("dressed", Scene { is_dressed: true, ..plain.clone() }),
        ("http2", Scene { protocols: http2, ..plain.clone() }),
        ("paths", Scene { routes: Routes::Paths(3), ..plain.clone() }),
        ("headers", Scene { routes: Routes::Headers(3), ..plain.clone() }),
        ("rules", Scene { rules: 3, ..plain.clone() }),
        ("mutual-tls", Scene { credentials, ..plain }),
    ]
}

/// What `waypointctl analyze --all` prints, and its exit code.
fn analyzed(case: &Path) -> Result<String> {
    let waypoints = if is_by_status(case) { "by-status" } else { "here" };
    let input = input(case);
    let words = ["analyze", "--manifests", path(&input)?, "--all", "--waypoints", waypoints];
    Ok(waypointctl(&words)?.whole())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// What the Snapshot holds.
fn held(case: &Path) -> Result<String> {
    let waypoints = if is_by_status(case) { Served::ByStatus } else { Served::Here };
    let place = directory::Place::new(input(case));
    let settings = Settings { waypoints, ..Settings::new(input(case)) };
    let (snapshot, _) = directory::read(&place, &settings)?;
    Ok(format!("{:#?}\n", Held(&snapshot)))
}

/// Whether the case is of waypoints that are processes of their own.
fn is_by_status(case: &Path) -> bool {
    case.parent().is_some_and(|story| story.ends_with("by-status"))
}

/// Shows a Snapshot's contents without its indexes.
struct Held<'a>(&'a Snapshot);

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.0;
        f.debug_struct("Snapshot")
            .field("services", &snapshot.services().values())
            .field("workloads", &snapshot.workloads().values())
            .field("nodes", &snapshot.nodes().values())
            .field("waypoints", &snapshot.waypoints().values())
            .field("routes", &snapshot.routes().values())
            .field("grpc_routes", &snapshot.routes_of_kind(RouteKind::Grpc).values())
            .field("policies", &snapshot.policies().values())
            .finish()
    }
}

/// The case's manifests: the case itself, or where it has several files a directory in it.
fn input(case: &Path) -> PathBuf {
    let several = case.join("input");
    if several.is_dir() { several } else { case.to_owned() }
}

/// What differs is kept with what this target compiles.
fn expectations() -> Golden {
    Golden::kept_in(env!("CARGO_TARGET_TMPDIR"))
}

/// Every case of `analyze`, by name.
fn of_analyze() -> Result<Vec<PathBuf>> {
    let is_case = |case: &PathBuf| {
        let has_input = case.join("input.yaml").exists() || case.join("input").exists();
        has_input && !case.join("question.txt").exists()
    };
    let mut found = Vec::new();
    for story in directories(&cases())? {
        found.extend(directories(&story)?.into_iter().filter(is_case));
    }
    Ok(found)
}
