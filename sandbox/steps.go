package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// chooseEngine selects the engine that the sandbox already uses, or the first that works, and classifies the objects that it has.
func (u *up) chooseEngine(ctx context.Context, _ func(string)) error {
	var err error
	if u.host, err = PrepareEngines(u.o.Folders); err != nil {
		return err
	}
	if u.state, err = readState(u.o.Folders, u.o.Name); err != nil {
		return err
	}
	if u.state.Engine != "" && u.o.Engine != "" && u.state.Engine != u.o.Engine {
		return remedy.Wrap(fmt.Errorf("sandbox %s runs on %s, not on %s", u.o.Name, u.state.Engine, u.o.Engine), remedy.Command("down"))
	}
	known := u.state.Engine != ""
	if !known {
		if u.state.Engine, err = u.findEngine(ctx); err != nil {
			return err
		}
	}
	u.cluster = clusterOf(u.o.Folders, u.o.Name, u.state)
	if err := u.inspectEngine(ctx, known); err != nil {
		return err
	}
	// The engine was on this machine when it was chosen, and that may have changed.
	if known && u.standing != ours {
		if err := u.cluster.Engine.Local(ctx); err != nil {
			return err
		}
	}
	if runtime.GOOS != "linux" {
		// The node runs in a virtual machine, which has the folder.
		return nil
	}
	made, err := cluster.EnsureModulesFolder("/lib/modules")
	if made {
		u.rec.note("engine", "made the empty folder /lib/modules, which kind mounts into the node")
	}
	return err
}

// findEngine chooses an engine for a sandbox without a state. An engine that has a cluster of this sandbox, whose state was lost, is preferred.
func (u *up) findEngine(ctx context.Context) (string, error) {
	probes := newProbeCache(u.o.Folders)
	for _, name := range cluster.InstalledEngines() {
		if u.o.Engine != "" && name != u.o.Engine {
			continue
		}
		c := clusterOf(u.o.Folders, u.o.Name, state{Engine: name})
		found, err := c.Inventory(ctx)
		if err != nil {
			// It may have stopped since it was found to work, so it is probed again below.
			if err := probes.forget(c.Engine); err != nil {
				return "", err
			}
			continue
		}
		if s, err := judge(u.o.Name, name, currentUser(), state{}, found); err == nil && s != absent {
			return name, nil
		}
	}
	choice, err := cluster.Choose(ctx, u.o.Engine, probes.works)
	if err != nil {
		return "", err
	}
	if choice.Why != "" {
		u.rec.note("engine", choice.Why)
	}
	return choice.Engine.Name, nil
}

// inspectEngine lists the objects that the engine has under the sandbox's name, and adopts a complete cluster whose state was lost.
func (u *up) inspectEngine(ctx context.Context, known bool) error {
	found, err := u.cluster.Inventory(ctx)
	if err != nil {
		return err
	}
	s := u.state
	if !known {
		s = state{}
	}
	if u.standing, err = judge(u.o.Name, u.cluster.Engine.Name, currentUser(), s, found); err != nil {
		return err
	}
	if u.standing != ours {
		return nil
	}
	node, _ := found.Node(u.cluster)
	u.running = node.Running
	if u.state.ID == "" {
		u.state.ID = found.Network.ID
	}
	if !u.state.Created.IsZero() {
		return nil
	}
	u.rec.note("engine", "adopting the cluster, whose state was lost")
	u.state.Created = time.Now().UTC()
	if err := writeState(u.o.Folders, u.o.Name, u.state); err != nil {
		return err
	}
	return u.cluster.WriteKubeconfig()
}

func clusterOf(f Folders, name string, s state) cluster.Cluster {
	return cluster.Cluster{Name: name, Engine: cluster.Engine{Name: s.Engine}, Kubeconfig: f.Kubeconfig(name), Image: images.NodeRef}
}

// loadNodeImage loads the node's image into the engine, unless the cluster or the image already exists.
func (u *up) loadNodeImage(ctx context.Context, doing func(string)) error {
	if u.standing == ours {
		return nil
	}
	r, err := u.prep.Wait(ctx, images.NodeRef)
	if err != nil {
		return err
	}
	err = u.loadIntoEngine(ctx, r, doing)
	if errors.Is(err, images.ErrCorrupt) {
		u.rec.note("node image", "the cached node image is damaged; making it again")
		node, _ := images.Find(images.NodeRef)
		if r, err = u.store.Renew(ctx, node, r); err == nil {
			err = u.loadIntoEngine(ctx, r, doing)
		}
	}
	return err
}

func (u *up) loadIntoEngine(ctx context.Context, r images.Ready, doing func(string)) error {
	config, err := r.Image.ConfigName()
	if err != nil {
		return err
	}
	if u.cluster.Engine.HasImage(ctx, r.Ref, config.String()) {
		return nil
	}
	doing("loading it into " + u.cluster.Engine.Name)
	return u.cluster.Engine.ReplaceImage(ctx, r.Ref, func(w io.Writer) error { return writeDockerArchive(w, r.Ref, r.Image) })
}

// writeDockerArchive writes the archive format that the `load` command of every engine reads.
func writeDockerArchive(w io.Writer, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return tarball.Write(tag, img, w)
}

// createAndInstall starts installing releases as soon as the API server answers, which is before kind returns and before the node is ready.
func (u *up) createAndInstall(ctx context.Context) error {
	return runOverlapped(ctx,
		func(ctx context.Context, answers func()) error {
			return u.rec.step(ctx, "cluster", func(ctx context.Context, doing func(string)) error { return u.createCluster(ctx, doing, answers) })
		},
		func(ctx context.Context) error {
			if err := u.rec.step(ctx, "connection", u.connect); err != nil {
				return err
			}
			return u.rec.step(ctx, "releases", u.installReleases)
		})
}

// createCluster creates the cluster, replaces one that a killed `up` left incomplete, or starts one that was stopped. It may call answers as soon
// as the API server answers.
func (u *up) createCluster(ctx context.Context, doing func(string), answers func()) error {
	switch {
	case u.standing == ours && u.running:
		return nil
	case u.standing == ours:
		doing("starting the stopped node")
		at := time.Now()
		restarted, err := u.cluster.Start(ctx)
		if restarted {
			u.restarted = at
		}
		return err
	case u.standing == halfMade:
		u.rec.note("cluster", "removing a cluster that an interrupted `up` left half made")
	}
	if u.standing != absent {
		if err := u.cluster.Delete(ctx); err != nil {
			return err
		}
	}
	u.state.ID, u.state.Created = newID(), time.Time{}
	var err error
	if u.state.GatewayPort, err = freePort(gatewayPort); err != nil {
		return fmt.Errorf("choosing a port for the gateway: %w", err)
	}
	u.cluster.Ports = []cluster.Port{{Node: charts.GatewayPort, Host: u.state.GatewayPort}}
	if err := writeState(u.o.Folders, u.o.Name, u.state); err != nil {
		return err
	}
	owner := cluster.Owner{ID: u.state.ID, User: currentUser(), Process: thisProcess().String()}
	if err := u.cluster.Claim(ctx, owner); err != nil {
		return err
	}
	hooks := cluster.CreateHooks{Step: doing, OnContainerd: func() { u.loader.startFirst(ctx) }, OnAPIServer: answers}
	if err := u.rec.waiting(func() error { return u.cluster.Create(ctx, u.host, hooks) }); err != nil {
		return errors.Join(err, newProbeCache(u.o.Folders).forget(u.cluster.Engine))
	}
	if err := u.cluster.Whole(ctx); err != nil {
		return err
	}
	u.state.Created = time.Now().UTC()
	if err := writeState(u.o.Folders, u.o.Name, u.state); err != nil {
		return err
	}
	doing("waiting until the node is ready")
	client, err := kube.Connect(u.cluster.Kubeconfig)
	if err != nil {
		return err
	}
	return u.rec.waiting(func() error { return client.WaitForNodes(ctx, nodeTimeout) })
}

// nodeTimeout is how long to wait for a node to become ready.
const nodeTimeout = 3 * time.Minute

// connect waits until the API server answers and, if the node was started again, until what it says is not from before that. It writes the kubeconfig again if it was deleted or damaged.
func (u *up) connect(ctx context.Context, _ func(string)) error {
	var err error
	if u.client, err = kube.Connect(u.cluster.Kubeconfig); err != nil {
		u.rec.note("connection", "writing the kubeconfig again")
		if err := u.cluster.WriteKubeconfig(); err != nil {
			return err
		}
		if u.client, err = kube.Connect(u.cluster.Kubeconfig); err != nil {
			return err
		}
	}
	if err := u.client.WaitForAPI(ctx, 2*time.Minute); err != nil || u.restarted.IsZero() {
		return err
	}
	return u.client.WaitForStatuses(ctx, u.restarted, 2*time.Minute)
}

// dropPageCache frees memory of the node. All images that were copied have been unpacked by then.
func (u *up) dropPageCache(ctx context.Context, _ func(string)) error {
	if u.loader.loaded() == 0 {
		return nil
	}
	return u.cluster.DropPageCache(ctx)
}

// gatewayPort is the port of the gateway on this machine, unless another program uses it.
const gatewayPort = 9443

// freePort returns a port of 127.0.0.1 that no program listens on, preferably the given one.
func freePort(preferred int) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(preferred)))
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return 0, err
		}
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
