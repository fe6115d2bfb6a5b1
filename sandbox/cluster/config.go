package cluster

import (
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

const cgroupV1Patch = `kind: KubeletConfiguration
failCgroupV1: false
`

const userNamespacePatch = `kind: KubeletConfiguration
featureGates:
  KubeletInUserNamespace: true
`

// restartPatch keeps a scenario's repeated kills quick: the kubelet's own back-off grows to five minutes.
const restartPatch = `kind: KubeletConfiguration
crashLoopBackOff:
  maxContainerRestartPeriod: 5s
`

// syncPatch brings changed Secrets and ConfigMaps into the files of pods within 15 s. By default the kubelet takes 60 to 90 s, and a replaced root takes
// three such changes.
const syncPatch = `kind: KubeletConfiguration
syncFrequency: 10s
`

// etcdPatch spares etcd to wait for the disk at each write, which it does behind everything else that a starting cluster writes. A stop or a kill
// of the node loses nothing by it; a machine that loses power may lose the cluster, which `sandbox down` and `up` make anew.
const etcdPatch = `kind: ClusterConfiguration
etcd:
  local:
    extraArgs:
    - name: unsafe-no-fsync
      value: "true"
`

// keysPatch lets kubeadm make elliptic keys: making RSA ones, and each handshake with them, costs a starting node seconds of its processor.
const keysPatch = `kind: ClusterConfiguration
encryptionAlgorithm: ECDSA-P256
`

const preflightPatch = `kind: InitConfiguration
nodeRegistration:
  ignorePreflightErrors: [all]
`

const oomPatch = `[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
`

// config is a one-node cluster, with what this host needs and no more.
func config(name string, h Host) *v1alpha4.Cluster {
	c := &v1alpha4.Cluster{
		TypeMeta:             v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:                 name,
		KubeadmConfigPatches: []string{restartPatch, syncPatch, etcdPatch, keysPatch},
	}
	if h.CgroupV1 {
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, cgroupV1Patch, preflightPatch)
	}
	if h.NoResources {
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, userNamespacePatch)
		c.ContainerdConfigPatches = append(c.ContainerdConfigPatches, oomPatch)
	}
	return c
}
