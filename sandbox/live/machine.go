package live

import (
	"context"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/doctor"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// MachineOptions says which sandbox the machine is examined for.
type MachineOptions struct {
	// Getenv reads the environment.
	Getenv  func(string) string
	Folders sandbox.Folders
	Name    string
	// Engine is the container engine that the user wants. Empty means that of the sandbox or, without one, any that works.
	Engine string
	// SourceTree is the folder from which images are built. If it is empty, missing images are not examined.
	SourceTree string
}

// Machine returns what the doctor examines of this machine. Cluster and Damage are left to the caller, which knows whether the sandbox is up.
func Machine(ctx context.Context, o MachineOptions) (doctor.Host, error) {
	host := doctor.ThisHost(o.Getenv)
	if _, err := sandbox.PrepareEngines(o.Folders); err != nil {
		return host, err
	}
	wanted := o.engine()
	choice, refused := cluster.Choose(ctx, wanted, func(ctx context.Context, e cluster.Engine) error { return e.Probe(ctx) })
	host.EngineProbe = func(context.Context) error { return refused }
	if wanted != "" {
		// An engine that does not work is still the one to examine: no other one would be used.
		host.Engine = wanted
	}
	if refused == nil {
		host.Engine = choice.Engine.Name
		host.EngineStorage = choice.Engine.Storage
	}
	host.SetsUp = true
	host.CacheDir, host.Registries = o.Folders.Images(), images.Registries()
	if o.SourceTree != "" {
		host.Lacking = func(context.Context) ([]doctor.Lacking, error) { return imagesLacking(o.Folders, o.SourceTree) }
	}
	host.CacheIntact = func(ctx context.Context) error { return cacheIntact(ctx, o.Folders) }
	host.Kubeconfig = o.Folders.Kubeconfig(o.Name)
	host.LeftBehind = func() ([]string, error) {
		left, err := Leftovers(o.Folders, o.Name)
		var all []string
		for _, l := range left {
			all = append(all, l.String())
		}
		return all, err
	}
	return host, nil
}

// engine returns the wanted engine, or the one that the sandbox runs on. It is empty if there is no preference.
func (o MachineOptions) engine() string {
	if o.Engine != "" {
		return o.Engine
	}
	engine, err := sandbox.EngineOf(o.Folders, o.Name)
	if err != nil {
		// The state is damaged. Opening the sandbox reports that.
		return ""
	}
	return engine
}

func cacheIntact(ctx context.Context, f sandbox.Folders) error {
	cache, err := images.OpenCache(f.Images())
	if err != nil {
		return err
	}
	return cache.VerifyAll(ctx)
}

// imagesLacking returns the images of the catalog that `up` would have to pull or to build from tree.
func imagesLacking(f sandbox.Folders, tree string) ([]doctor.Lacking, error) {
	cache, err := images.OpenCache(f.Images())
	if err != nil {
		return nil, err
	}
	store := images.Store{Cache: cache, SourceTree: tree}
	var all []doctor.Lacking
	for _, i := range images.All() {
		missing, err := store.Missing(i)
		if err != nil {
			return nil, err
		}
		if missing {
			all = append(all, doctor.Lacking{Ref: i.Ref, Registry: images.RegistryOf(i.Pull), Needs: append([]string{"go"}, i.Recipe.Needs()...)})
		}
	}
	return all, nil
}
