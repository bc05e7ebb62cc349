//! A prompt in front of the open shop: what is typed runs in the pod `web`.

use std::io::{Write, stdin, stdout};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result, bail};

use super::{narrator, scene::Scene};

/// Where lines and Ctrl-C arrive.
#[derive(Debug)]
pub(super) struct Prompt {
    inputs: Receiver<Input>,
    sender: Sender<Input>,
    /// A command runs, and Ctrl-C is for that command.
    busy: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Input {
    Line(String),
    End,
}

impl Prompt {
    /// Takes over Ctrl-C, which from now on ends the demo in order instead of the process at once.
    pub(super) fn listen() -> Result<Self> {
        let (sender, inputs) = channel();
        let busy = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (interrupted, occupied) = (sender.clone(), Arc::clone(&busy));
        thread::spawn(move || {
            while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
                if !occupied.load(Ordering::Relaxed) && interrupted.send(Input::End).is_err() {
                    return;
                }
            }
        });
        Ok(Self { inputs, sender, busy })
    }

    /// Fails when somebody pressed Ctrl-C.
    pub(super) fn check(&self) -> Result<()> {
        if self.inputs.try_recv().is_ok() {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Runs what a person types, until they have had enough.
    pub(super) fn converse(&self, scene: &Scene) -> Result<()> {
        narrator::title("The shop stays open");
        println!("{}", cheat_sheet(scene)?);
        self.read_lines();
        loop {
            print!("web> ");
            stdout().flush()?;
            match self.inputs.recv().context("the prompt has no input")? {
                Input::End => break,
                Input::Line(line) => match line.trim() {
                    "exit" | "quit" => break,
                    "help" => println!("{}", cheat_sheet(scene)?),
                    command => self.run(scene, command)?,
                },
            }
        }
        println!("\nclosing the shop");
        Ok(())
    }

    fn read_lines(&self) {
        let lines = self.sender.clone();
        thread::spawn(move || {
            let typed = stdin().lines().map_while(Result::ok).map(Input::Line);
            for input in typed.chain([Input::End]) {
                if lines.send(input).is_err() {
                    return;
                }
            }
        });
    }

    /// Runs a line in the pod `web`.
    fn run(&self, scene: &Scene, line: &str) -> Result<()> {
        let inside = format!("--net={}", scene.lab.from("web").netns()?.path().display());
        self.busy.store(true, Ordering::Relaxed);
        let mut command = Command::new("nsenter");
        let ended = command.arg(inside).args(["sh", "-c", line]).stdin(Stdio::null()).status();
        self.busy.store(false, Ordering::Relaxed);
        ended.map(|_| ()).context("nsenter does not start")
    }
}

/// Everything a person needs to go on alone.
fn cheat_sheet(scene: &Scene) -> Result<String> {
    let admin = scene.lab.agent_settings().admin();
    let log = scene.lab.name().directory().join("waypointd.out");
    let mut rows = vec![
        ("manifests", scene.manifests().display().to_string()),
        ("metrics", format!("curl -s --unix-socket {} http://waypointd/metrics", admin.display())),
        ("requests", format!("tail {}", log.display())),
        ("as guest", format!("{} COMMAND", scene.inside("guest")?)),
    ];
    for service in ["catalog", "reviews", "ratings"] {
        rows.push((service, format!("curl -si {}", scene.url(service, "/")?)));
    }
    let rows: Vec<_> = rows.iter().map(|(what, how)| format!("  {what:<10} {how}")).collect();
    Ok(format!("{RULES}\n{}", rows.join("\n")))
}

const RULES: &str = "What you type runs in the pod web. `help` shows this again; `exit` or Ctrl-C \
                     closes the shop.";
