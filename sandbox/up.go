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

// UpOptions are the options of Up.
type UpOptions struct {
	// Name is the name of the sandbox.
	Name string
	// Engine is the container engine. If empty, the first that works is used.
	Engine string
	// Images is where images may come from. SourceTree is the checkout to build them from; if it is empty, nothing is built.
	Images     images.Mode
	SourceTree string
	// Folders are where the files of the sandbox are.
	Folders Folders
	// Observe receives the progress, possibly from several goroutines concurrently. It may be nil.
	Observe func(Progress)
	// FirstCall makes one real call over mutual TLS. If nil, the step is omitted.
	FirstCall func(ctx context.Context, c *kube.Client) error
	// LoadCall waits until a call of the load generator was answered. It goes through a Service, which FirstCall does not. If nil, the step is
	// omitted.
	LoadCall func(ctx context.Context, c *kube.Client) error
	// Held are the fields that a running scenario has changed. They do not count as drift; see release.Drifted.
	Held []string
}

// UpResult reports what Up did.
type UpResult struct {
	// Steps are in the order in which they started. They may overlap.
	Steps []Took
	// First is the time from the start to the first successful call.
	First time.Duration
	// Total is the time from the start to the end of Up.
	Total time.Duration
	// Own is the part of Total in which neither kind nor a starting workload was working.
	Own time.Duration
	// Images are those that were made available, in the order in which they became so.
	Images []images.Ready
}

// up is one execution of Up. Its methods are the steps, in steps.go.
type up struct {
	o     UpOptions
	rec   *recorder
	host  cluster.Host
	state state
	// standing classifies the objects under the sandbox's name in the engine.
	standing standing
	// running is true if the node of a complete cluster runs.
	running bool
	// restarted is just before the node was started again; zero if it was not.
	restarted time.Time
	cluster   cluster.Cluster
	store     *images.Store
	prep      *images.Preparation
	client    *kube.Client
	loader    *loader
	result    UpResult

	// applying counts the releases that the first call needs and that are not applied yet.
	applying atomic.Int32
}

// Up creates the sandbox, or completes or repairs an existing one. It is idempotent.
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
	u.result.Steps, u.result.Total = u.rec.table(), time.Since(u.rec.start)
	u.result.Own = u.rec.own(u.result.Total)
	return u.result, err
}

func (u *up) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := u.openStore(); err != nil {
		return err
	}
	// Images are prepared in the background in the order in which they are needed. Each step waits for the images that it uses.
	u.prep = u.store.Prepare(ctx, images.All())
	defer u.prep.Stop()
	u.loader = u.newLoader()
	defer u.loader.stop()
	// Each step is idempotent.
	steps := []func(context.Context) error{
		u.step("engine", u.chooseEngine),
		u.step("node image", u.loadNodeImage),
		u.createAndInstall,
		u.step("memory", u.dropPageCache),
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

// newLoader returns a loader for the cluster that chooseEngine fills in later.
func (u *up) newLoader() *loader {
	var first, rest []string
	for _, i := range images.All() {
		switch i.Stage {
		// The engine has this image.
		case images.ForCluster:
		case images.ForFirstCall:
			first = append(first, i.Ref)
		default:
			rest = append(rest, i.Ref)
		}
	}
	l := newLoader(&u.cluster, first, rest)
	l.wait = u.prep.Wait
	l.renew = func(ctx context.Context, damaged images.Ready) (images.Ready, error) {
		u.rec.note(damaged.Ref, "the cached image is damaged; making it again")
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
		u.rec.advise("image cache", err.Error(), remedy.Of(err)...)
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
	u.rec.observe(imageProgress("image "+e.Ref, e))
}

// podmanFolder returns the folder of podman's private settings, which all sandboxes share. It starts with a dot, so it is not the name of a
// sandbox.
func (f Folders) podmanFolder() string { return f.Config + "/.podman" }

// PrepareEngines inspects the host and points podman at settings that work on it. Every command that uses an engine must call it first.
func PrepareEngines(f Folders) (cluster.Host, error) {
	host, err := cluster.InspectHost()
	if err != nil {
		return host, err
	}
	return host, host.PreparePodman(f.podmanFolder(), os.Setenv)
}
