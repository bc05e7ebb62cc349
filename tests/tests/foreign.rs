//! Other people's tcx programs on the links of our pods.
//!
//! The foreign program is `from_pod` of an agent that knows no pods: it passes everything on.

use std::{
    fs::DirEntry,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use aya::{
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType, loaded_programs,
        tc::{SchedClassifierLink, TcAttachOptions},
    },
    sys::{Stats, enable_stats},
};
use waypoint_tests::{
    lab::{
        Lab,
        wait::{self, SOON},
    },
    story,
    story::shop_behind_waypoint,
};

story!(a_foreign_program_before_ours_is_overtaken, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    let foreign = Foreign::load(&lab)?;
    let ours = attached(&lab)?;
    let _link = foreign.attach(&lab, LinkOrder::first())?;

    assert_eq!(ours.len(), 1);
    wait::until_true("ours alone ahead of the other", SOON, || {
        let attached = attached(&lab)?;
        Ok(attached.len() == 2 && attached[1] == foreign.id)
    })?;
    let overtaken = lab.agent()?.metrics()?.sum(OVERTAKEN, &[]);
    assert!(overtaken >= 1.0, "{OVERTAKEN} is {overtaken}");
    lab.through_waypoint(&lab.from("web").to("reviews"))?;
    lab.direct(&lab.from("web").to_pod("reviews-v1"))?;
    Ok(())
});

story!(a_live_captured_connection_survives_being_overtaken, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let foreign = Foreign::load(&lab)?;
    let request = lab.from("web").to("reviews").path("/live").request().clone();
    let mut live = lab.from("web").to("reviews").open()?;
    let captured = lab.kernel_counter("captured")?;
    // Each time another instance of our program takes the head; there are two, which take turns.
    for overtaken in 1..=3 {
        let link = foreign.attach(&lab, LinkOrder::first())?;
        wait::until_true("ours alone ahead of the other", SOON, || {
            assert_eq!(live.exchange(&request)?.status, 200);
            let attached = attached(&lab)?;
            Ok(attached.len() == 2 && attached[1] == foreign.id)
        })?;
        let counted = lab.agent()?.metrics()?.sum(OVERTAKEN, &[]);
        assert!(counted >= f64::from(overtaken), "{OVERTAKEN} is {counted}");
        drop(link);
    }
    assert!(live.exchange(&request)?.server_got("x-request-id")?.is_some());
    assert_eq!(lab.kernel_counter("captured")?, captured, "no packet opened another connection");
    assert_eq!(pinned_links(&lab)?, 3, "two pods' and the probe's");
    Ok(())
});

story!(a_foreign_program_after_ours_sees_what_we_pass, |lab| {
    let lab = shop_behind_waypoint(lab).start()?;
    let foreign = Foreign::load(&lab)?;
    let _stats = enable_stats(Stats::RunTime)?;
    let _link = foreign.attach(&lab, LinkOrder::last())?;

    // Now and then a pod says something by itself, to its neighbours or to multicast routers.
    let request = lab.from("web").to("reviews").request().clone();
    let mut captured = lab.from("web").to("reviews").open()?;
    let mut passed = lab.from("web").to_pod("reviews-v1").open()?;
    let before = foreign.runs()?;
    for _ in 0..REQUESTS {
        assert_eq!(captured.exchange(&request)?.status, 200);
    }
    let between = foreign.runs()?;
    assert!(between - before < REQUESTS, "{} runs for captured packets", between - before);
    for _ in 0..REQUESTS {
        assert_eq!(passed.exchange(&request)?.status, 200);
    }
    assert!(foreign.runs()? - between >= REQUESTS);
    assert_eq!(attached(&lab)?.len(), 2);
    Ok(())
});

/// A program that is not the lab's.
struct Foreign {
    /// Keeps the program loaded.
    _other: Lab,
    pin: PathBuf,
    id: u32,
}

impl Foreign {
    fn load(lab: &Lab) -> Result<Self> {
        let other = Lab::new(lab.family()).beside(lab).start()?;
        let pin = find(&other.name().pin_dir(), "from_pod").context("no from_pod is pinned")?;
        let id = SchedClassifier::from_pin(&pin)?.info()?.id();
        Ok(Self { _other: other, pin, id })
    }

    fn attach(&self, lab: &Lab, order: LinkOrder) -> Result<SchedClassifierLink> {
        let link = lab.link_of("web")?;
        lab.node().within(|| {
            let mut program = SchedClassifier::from_pin(&self.pin)?;
            let options = TcAttachOptions::TcxOrder(order);
            let id = program.attach_with_options(&link, TcAttachType::Ingress, options)?;
            Ok(program.take_link(id)?)
        })
    }

    fn runs(&self) -> Result<u64> {
        let all = loaded_programs().collect::<Result<Vec<_>, ProgramError>>()?;
        let own = all.into_iter().find(|program| program.id() == self.id);
        Ok(own.context("the foreign program is loaded")?.run_count())
    }
}

/// The ids of the programs on the link of `web`, in the order in which they run.
fn attached(lab: &Lab) -> Result<Vec<u32>> {
    let link = lab.link_of("web")?;
    lab.node().within(|| {
        let (_revision, programs) = SchedClassifier::query_tcx(&link, TcAttachType::Ingress)?;
        Ok(programs.iter().map(aya::programs::ProgramInfo::id).collect())
    })
}

/// How many links of `from_pod` are pinned.
fn pinned_links(lab: &Lab) -> Result<usize> {
    let directory = lab.name().pin_dir().join(format!("v{}/links/from_pod", waypoint_common::ABI));
    Ok(directory.read_dir()?.count())
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<_> = directory.read_dir().ok()?.flatten().collect();
    let is_it = |entry: &&DirEntry| entry.file_name() == name && entry.path().is_file();
    let here = entries.iter().find(is_it);
    here.map(DirEntry::path).or_else(|| entries.iter().find_map(|entry| find(&entry.path(), name)))
}

const REQUESTS: u64 = 50;
const OVERTAKEN: &str = "waypoint_reattached_total";
