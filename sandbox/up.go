package sandbox

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// UpOptions say what `up` is to make.
type UpOptions struct {
	Name       string
	Engine     string // empty: the first that works
	Images     images.Mode
	SourceTree string
	Folders    Folders
	Observe    func(Progress) // may be nil; called from several goroutines at once
	// FirstCall makes one real call through mutual TLS; nil leaves the step out.
	FirstCall func(ctx context.Context, c *kube.Client) error
	// LoadCall waits until a call of the load generator was answered; nil leaves the step out. It passes through a Service, as FirstCall does not.
	LoadCall func(ctx context.Context, c *kube.Client) error
	Held     []string // fields that a scenario's run holds, which are no drift; see release.Drifted
}

// UpResult says what `up` did.
type UpResult struct {
	Steps  []Took
	First  time.Duration // from the start to the first successful call
	Total  time.Duration
	Own    time.Duration // of Total: neither kind nor a workload that starts was working
	Images []images.Ready
}

// up is one run of `up`; its methods are the steps, in steps.go.
type up struct {
	o        UpOptions
	rec      *recorder
	host     cluster.Host
	state    state
	standing standing // of what the engine holds under the sandbox's name
	running  bool     // the node of a complete cluster runs
	cluster  cluster.Cluster
	store    *images.Store
	prep     *images.Preparation
	client   *kube.Client
	loader   *loader
	result   UpResult

	applying atomic.Int32 // releases that the first call needs and that are not yet applied
}

// Up brings the sandbox up, or completes or repairs what is there. It may be run any number of times.
func Up(ctx context.Context, o UpOptions) (UpResult, error) {
	if err := CheckName(o.Name); err != nil {
		return UpResult{}, err
	}
	unlock, err := Lock(o.Folders, o.Name, "up")
	if err != nil {
		return UpResult{}, err
	}
	defer unlock()
	u := &up{o: o, rec: newRecorder(o.Observe)}
	err = u.run(ctx)
	u.result.Steps, u.result.Total = u.rec.table(), time.Since(u.rec.begun)
	u.result.Own = u.rec.own(u.result.Total)
	return u.result, err
}

func (u *up) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := u.openStore(); err != nil {
		return err
	}
	// Images are made in the background, in order of need; each step waits for those it uses.
	u.prep = u.store.Prepare(ctx, images.All())
	defer u.prep.Stop()
	u.loader = u.newLoader()
	defer u.loader.stop()
	steps := []func(context.Context) error{ // each may run twice
		u.step("engine", u.chooseEngine),
		u.step("node image", u.loadNodeImage),
		u.createAndInstall,
		u.step("memory", u.forgetImages),
	}
	for _, do := range steps {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (u *up) step(name string, do func(ctx context.Context, doing func(string)) error) func(context.Context) error {
	return func(ctx context.Context) error { return u.rec.step(ctx, name, do) }
}

// newLoader is told of the cluster by the step that chooses the engine.
func (u *up) newLoader() *loader {
	var first, rest []string
	for _, i := range images.All() {
		switch i.Stage {
		case images.ForCluster: // the engine's
		case images.ForFirstCall:
			first = append(first, i.Ref)
		default:
			rest = append(rest, i.Ref)
		}
	}
	l := newLoader(&u.cluster, first, rest)
	l.wait = u.prep.Wait
	l.renew = func(ctx context.Context, damaged images.Ready) (images.Ready, error) {
		u.rec.note(damaged.Ref, "the cached image is damaged; making it anew")
		i, _ := images.Find(damaged.Ref)
		return u.store.Renew(ctx, i, damaged)
	}
	return l
}

func (u *up) openStore() error {
	cache, err := images.OpenCache(u.o.Folders.Images())
	if err != nil {
		return err
	}
	if err := cache.RemoveLeftovers(); err != nil {
		// Leftovers take space on the disk and do no other harm.
		u.rec.note("image cache", remedy.Line(err, nil))
	}
	u.store = &images.Store{
		Cache: cache, Registry: images.NewRegistry(), Mode: u.o.Images, SourceTree: u.o.SourceTree,
		Observe: u.imageEvent,
	}
	return nil
}

func (u *up) imageEvent(e images.Event) {
	if e.Done != nil {
		u.rec.mu.Lock()
		u.result.Images = append(u.result.Images, *e.Done)
		u.rec.mu.Unlock()
		if e.Done.How == images.Present {
			return
		}
	}
	u.rec.observe(ImageProgress("image "+e.Ref, e))
}

// podmanFolder is where podman's private settings lie; every sandbox shares them. No sandbox can have its name.
func (f Folders) podmanFolder() string { return f.Config + "/.podman" }

// PrepareEngines inspects the host and points podman at settings that work on it. Every command that drives an engine
// calls it first.
func PrepareEngines(f Folders) (cluster.Host, error) {
	host, err := cluster.InspectHost()
	if err != nil {
		return host, err
	}
	return host, host.PreparePodman(f.podmanFolder(), os.Setenv)
}
