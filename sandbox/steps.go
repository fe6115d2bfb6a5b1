package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// chooseEngine takes the engine that the sandbox already has, or the first that works.
func (u *up) chooseEngine(ctx context.Context, _ func(string)) error {
	var err error
	if u.host, err = PrepareEngines(u.o.Folders); err != nil {
		return err
	}
	if u.state, err = readState(u.o.Folders, u.o.Name); err != nil {
		return err
	}
	if u.state.Engine != "" && u.o.Engine != "" && u.state.Engine != u.o.Engine {
		return fmt.Errorf("sandbox %s runs on %s, not on %s\ntry: sandbox down --name %[1]s", u.o.Name, u.state.Engine, u.o.Engine)
	}
	if u.state.Engine == "" {
		choice, err := cluster.Choose(ctx, u.o.Engine, newProbed(u.o.Folders).works)
		if err != nil {
			return err
		}
		if choice.Why != "" {
			u.rec.note("engine", choice.Why)
		}
		u.state.Engine = choice.Engine.Name
	}
	u.cluster = clusterOf(u.o.Folders, u.o.Name, u.state)
	made, err := cluster.EnsureModulesFolder("/lib/modules")
	if made {
		u.rec.note("engine", "made the empty folder /lib/modules, which kind mounts into the node")
	}
	return err
}

func clusterOf(f Folders, name string, s state) cluster.Cluster {
	return cluster.Cluster{Name: name, Engine: cluster.Engine{Name: s.Engine}, Kubeconfig: f.Kubeconfig(name), Image: images.NodeRef}
}

// loadNodeImage puts the node's image into the engine, unless a cluster or the image is there.
func (u *up) loadNodeImage(ctx context.Context, doing func(string)) error {
	if !u.state.Created.IsZero() {
		if exists, _, err := u.cluster.Exists(ctx); err != nil || exists {
			return err
		}
	}
	r, err := u.prep.Wait(ctx, images.NodeRef)
	if err != nil {
		return err
	}
	err = u.loadIntoEngine(ctx, r, doing)
	if errors.Is(err, images.ErrCorrupt) {
		u.rec.note("node image", "the cached node image is damaged; making it anew")
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

// writeDockerArchive writes the archive that every engine's `load` reads.
func writeDockerArchive(w io.Writer, ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return tarball.Write(tag, img, w)
}

// createAndInstall begins to install as soon as the API server answers: kind and the node are not ready yet.
func (u *up) createAndInstall(ctx context.Context) error {
	return overlapping(ctx,
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

// createCluster makes the cluster, completes one that a kill left half made, or starts one that was stopped. It may call answers as soon as the
// API server does.
func (u *up) createCluster(ctx context.Context, doing func(string), answers func()) error {
	exists, running, err := u.cluster.Exists(ctx)
	if err != nil {
		return err
	}
	switch {
	case exists && !u.state.Created.IsZero() && running:
		return nil
	case exists && !u.state.Created.IsZero():
		doing("starting the stopped node")
		return u.cluster.Start(ctx)
	case exists:
		u.rec.note("cluster", "removing a cluster that an interrupted `up` left half made")
	}
	u.state.Created = time.Time{}
	if err := writeState(u.o.Folders, u.o.Name, u.state); err != nil {
		return err
	}
	if err := u.cluster.Delete(ctx); err != nil {
		return err
	}
	heard := cluster.Heard{Step: doing, TakesImages: func() { u.loader.begin(ctx) }, Answers: answers}
	if err := u.rec.waiting(func() error { return u.cluster.Create(ctx, u.host, heard) }); err != nil {
		return errors.Join(err, newProbed(u.o.Folders).forget(u.cluster.Engine))
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

// nodeTimeout is how long a node may take until it is ready.
const nodeTimeout = 3 * time.Minute

// connect waits until the API server answers. A kubeconfig that somebody deleted or damaged is written anew.
func (u *up) connect(ctx context.Context, _ func(string)) error {
	var err error
	if u.client, err = kube.Connect(u.cluster.Kubeconfig); err != nil {
		u.rec.note("connection", "writing the kubeconfig anew")
		if err := u.cluster.WriteKubeconfig(); err != nil {
			return err
		}
		if u.client, err = kube.Connect(u.cluster.Kubeconfig); err != nil {
			return err
		}
	}
	return u.client.WaitForAPI(ctx, 2*time.Minute)
}

// forgetImages leaves the node the memory it needs: all images that went in have been unpacked.
func (u *up) forgetImages(ctx context.Context, _ func(string)) error {
	if u.loader.loaded() == 0 {
		return nil
	}
	return u.cluster.ForgetImages(ctx)
}
