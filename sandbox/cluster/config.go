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

// restartPatch limits the kubelet's restart back-off, which grows to five minutes by default, so that scenarios that kill pods repeatedly stay
// short.
const restartPatch = `kind: KubeletConfiguration
crashLoopBackOff:
  maxContainerRestartPeriod: 5s
`

// syncPatch brings changed Secrets and ConfigMaps into the files of pods within 15 s. By default the kubelet takes 60 to 90 s, and a rotation of
// the root takes three such changes.
const syncPatch = `kind: KubeletConfiguration
syncFrequency: 10s
`

// etcdPatch turns off fsync in etcd, whose writes otherwise wait for everything else that a starting cluster writes. A stop or a kill of the node
// loses no data. A power failure may lose the cluster, which `sandbox down` and `up` then create again.
const etcdPatch = `kind: ClusterConfiguration
etcd:
  local:
    extraArgs:
    - name: unsafe-no-fsync
      value: "true"
`

// keysPatch makes kubeadm create elliptic-curve keys. Creating RSA keys, and every handshake with them, takes seconds of CPU while a node starts.
const keysPatch = `kind: ClusterConfiguration
encryptionAlgorithm: ECDSA-P256
`

// collectPatch has the two largest programs of the control plane collect garbage when the heap has grown by half, and not when it has doubled. A sandbox
// has few objects, so that costs little, and up to a hundred megabytes of a laptop are free for something else.
const collectPatch = `kind: ClusterConfiguration
apiServer:
  extraEnvs:
  - name: GOGC
    value: "50"
controllerManager:
  extraEnvs:
  - name: GOGC
    value: "50"
`

const preflightPatch = `kind: InitConfiguration
nodeRegistration:
  ignorePreflightErrors: [all]
`

const oomPatch = `[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
`

// config returns the configuration of a one-node cluster with the patches that this host needs.
func config(name string, h Host, ports []Port) *v1alpha4.Cluster {
	c := &v1alpha4.Cluster{
		TypeMeta:             v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Name:                 name,
		KubeadmConfigPatches: []string{restartPatch, syncPatch, etcdPatch, keysPatch, collectPatch},
	}
	if h.CgroupV1 {
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, cgroupV1Patch, preflightPatch)
	}
	if h.NoResources {
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, userNamespacePatch)
		c.ContainerdConfigPatches = append(c.ContainerdConfigPatches, oomPatch)
	}
	node := v1alpha4.Node{Role: v1alpha4.ControlPlaneRole}
	for _, p := range ports {
		node.ExtraPortMappings = append(node.ExtraPortMappings, v1alpha4.PortMapping{ListenAddress: "127.0.0.1", HostPort: int32(p.Host), ContainerPort: int32(p.Node), Protocol: v1alpha4.PortMappingProtocolTCP}) //nolint:gosec // ports
	}
	c.Nodes = []v1alpha4.Node{node}
	return c
}
