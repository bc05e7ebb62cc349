//! What the programs of a node are told, as the texts of their files.
//!
//! Each departure from their defaults has its reason beside it; most are that a node here is not a
//! machine of its own, and that its root lacks CAP_SYS_RESOURCE.

use serde_json::{Value, json};

use crate::lab::Addresses;

/// containerd's.
pub(super) fn containerd() -> String {
    // Snapshotters and exporters that would only complain; a negative score for running out of
    // memory is not ours to give.
    format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]

[grpc]
address = "{CONTAINERD}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{HERE}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"#
    )
}

/// The network of a node's pods: a bridge, and addresses of both families.
pub(super) fn cni(number: u8) -> Value {
    let Addresses { v4, v6 } = Addresses::of_pod(0, number);
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": format!("{HERE}/addresses"),
                "ranges": [[{"subnet": format!("{v4}/24")}], [{"subnet": format!("{v6}/64")}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }],
    })
}

/// kubelet's.
pub(super) fn kubelet(cgroup: &str) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": format!("{HERE}/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{cgroup}"),
        "failCgroupV1": false,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        "resolvConf": format!("{HERE}/resolv.conf"),
        "failSwapOn": false,
        "oomScoreAdj": 0,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        // Nobody could bring an image back.
        "imageGCHighThresholdPercent": 100,
        // How full this machine's disk is says nothing about the node.
        "evictionHard": {
            "memory.available": "10Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
    })
}

/// kube-proxy's.
pub(super) fn proxy(node: &str) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": format!("{HERE}/proxy.kubeconfig")},
        "hostnameOverride": node,
        "oomScoreAdj": 0,
        "detectLocalMode": "BridgeInterface",
        "detectLocal": {"bridgeInterface": BRIDGE},
        // These may be set in the first network namespace only.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
    })
}

/// Whom the node's own processes ask for names.
pub(super) fn resolv_conf() -> String {
    format!("nameserver {DNS}\n")
}

/// Where a node finds these files.
pub(super) const HERE: &str = "/run/node";
/// containerd's socket on a node.
pub(super) const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// The address of the Service of names.
pub(super) const DNS: &str = "10.96.0.10";
/// The bridge of a node's pods.
const BRIDGE: &str = "cni0";
/// The image of every pod's first process.
const PAUSE: &str = concat!("waypoint.dev/pause:", env!("CARGO_PKG_VERSION"));
