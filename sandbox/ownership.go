package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
)

// standing classifies the objects that an engine has under the name of a sandbox.
type standing int

const (
	// absent: there are no objects.
	absent standing = iota
	// leftover: there are objects but no node, and all of them are ours. Remove them before creating the cluster.
	leftover
	// halfMade: our cluster, still marked as being created. Remove it before creating the cluster.
	halfMade
	// ours: our cluster, complete.
	ours
)

// ForeignError reports engine objects under the name of a sandbox that were not created by it. Nothing was changed.
type ForeignError struct {
	// Name is the name of the sandbox, and Engine the name of the container engine.
	Name, Engine string
	// Why says how the objects differ from those of the sandbox.
	Why string
}

// Error says why the cluster is not of this sandbox.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s has a cluster called %s that this sandbox did not create: %s; nothing was changed", e.Engine, e.Name, e.Why)
}

// process identifies this process in the marker of a half-made cluster.
type process struct{ boot, pid string }

func thisProcess() process {
	return process{bootID(), strconv.Itoa(os.Getpid())}
}

func (p process) String() string { return p.boot + "." + p.pid }

// creating returns the process named by a marker, and whether it is still running on this machine.
func creating(m *cluster.Owner) (pid int, running bool) {
	boot, text, _ := strings.Cut(m.Process, ".")
	pid, err := strconv.Atoi(text)
	if err != nil || boot == "" || boot != bootID() || pid == os.Getpid() {
		return 0, false
	}
	return pid, cluster.ProcessRuns(pid)
}

// currentUser returns the user id for the labels of engine objects.
func currentUser() string { return strconv.Itoa(os.Getuid()) }

func newID() string {
	var b [8]byte
	// crypto/rand.Read never returns an error.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// judge classifies the objects under the name of a sandbox by their labels and the sandbox's state. It is the only place that makes this decision,
// for `up`, `down` and leftovers: objects that it does not call ours are never changed.
//
// A sandbox of the previous version has no id. Its cluster is recognised by its state.
func judge(name, engine, user string, s state, i cluster.Inventory) (standing, error) {
	c := cluster.Cluster{Name: name, Engine: cluster.Engine{Name: engine}}
	foreign := func(format string, args ...any) (standing, error) {
		return absent, foreignError(name, engine, i, fmt.Sprintf(format, args...))
	}
	// The previous version wrote states without an id.
	previous := s.ID == "" && s.Engine == engine
	for _, n := range i.Nodes {
		if !n.On(c) {
			return foreign("its node %s is not on the network sandbox-%s", n.Name, name)
		}
	}
	for _, o := range []struct {
		what  string
		owner *cluster.Owner
		// bare objects may have no labels.
		bare bool
	}{{"network", i.Network, previous}, {"volume", i.Marker, false}} {
		switch {
		case o.owner == nil || o.owner.ID == "" && o.bare:
		case o.owner.ID == "":
			return foreign("its %s has no label of a sandbox", o.what)
		case o.owner.User != user:
			return foreign("its %s belongs to the user with id %s", o.what, o.owner.User)
		case s.ID != "" && o.owner.ID != s.ID:
			return foreign("its %s has the id %s, and the state of this sandbox has the id %s", o.what, o.owner.ID, s.ID)
		}
	}
	if i.Marker != nil && i.Network != nil && i.Marker.ID != i.Network.ID {
		return foreign("its network and its volume have different ids")
	}
	if i.Marker != nil {
		if pid, running := creating(i.Marker); running {
			return absent, remedy.Wrap(fmt.Errorf("cluster %s is being created by process %d, which uses other folders", name, pid),
				remedy.Advice("wait for it, or take another sandbox with --name"))
		}
	}
	_, hasNode := i.Node(c)
	switch {
	case i.Empty():
		return absent, nil
	case !hasNode && len(i.Nodes) == 0:
		return leftover, nil
	case !hasNode || i.Marker != nil || previous && unlabelled(i.Network) && s.Created.IsZero():
		return halfMade, nil
	}
	return ours, nil
}

func unlabelled(o *cluster.Owner) bool { return o == nil || o.ID == "" }

// foreignError includes the commands that remove the objects in the way, for a user who knows that they can be removed.
func foreignError(name, engine string, i cluster.Inventory, why string) error {
	remedies := []remedy.Remedy{remedy.Advice("another name, with --name")}
	switch {
	case len(i.Nodes) > 0 && engine == "docker":
		remedies = append(remedies, remedy.Shell("kind", "delete", "cluster", "--name", name).If("that cluster may go"))
	case len(i.Nodes) > 0:
		remedies = append(remedies, remedy.Shell("env", "KIND_EXPERIMENTAL_PROVIDER="+engine, "kind", "delete", "cluster", "--name", name).If("that cluster may go"))
	case i.Network != nil:
		remedies = append(remedies, remedy.Shell(engine, "network", "rm", "sandbox-"+name).If("that network may go"))
	default:
		remedies = append(remedies, remedy.Shell(engine, "volume", "rm", "sandbox-"+name+"-creating").If("that volume may go"))
	}
	return remedy.Wrap(&ForeignError{Name: name, Engine: engine, Why: why}, remedies...)
}
