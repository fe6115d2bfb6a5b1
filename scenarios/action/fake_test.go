package action

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// fake is a cluster with one release, userservice, and loads whose rates can be set.
type fake struct {
	target.Loads
	target.Workloads
	wanted int
	pods   []telemetry.Pod
	rates  map[string]target.Rate
	did    []string
	// objects are those of the control plane, by kind and name.
	objects map[string]target.Object
	// partners has the newest certificate of each partner.
	partners map[string]target.PartnerCertificate
}

func newFake(pods ...string) *fake {
	f := &fake{wanted: len(pods), rates: map[string]target.Rate{"run/browse": 50, "run/order": 150}, objects: map[string]target.Object{},
		partners: map[string]target.PartnerCertificate{}}
	for _, name := range pods {
		f.pods = append(f.pods, telemetry.Pod{Name: name, Ready: true})
	}
	return f
}

// context returns the context of a step, either while planning or while the scenario runs.
func (f *fake) context(planning bool, assumed State) Context {
	t := target.Target{Loads: target.WithPrefix(f, "run/"), Workloads: f, Objects: fakeObjects{f}, Partners: fakePartners{f}, Certificates: f}
	return Context{
		Target: t, Seed: 1, LoadPrefix: "run/", Planning: planning, Assumed: assumed,
		Loads: []target.LoadSpec{
			{Name: "browse", Rate: 50, Call: target.Call{Service: "userservice"}},
			{Name: "order", Rate: 150, Call: target.Call{Service: "orderservice"}},
		},
	}
}

func (f *fake) Read(_ context.Context, name string) (target.LoadReading, error) {
	r, ok := f.rates[name]
	if !ok {
		return target.LoadReading{}, target.ErrNoLoad
	}
	return target.LoadReading{Rate: r}, nil
}

func (f *fake) SetRate(_ context.Context, name string, rate target.Rate) error {
	f.did = append(f.did, fmt.Sprintf("rate %s %s", name, rate))
	f.rates[name] = rate
	return nil
}

func (f *fake) Pods(context.Context, string) ([]telemetry.Pod, error) {
	return slices.Clone(f.pods), nil
}

func (f *fake) Kill(_ context.Context, pod string, _ time.Duration) error {
	f.did = append(f.did, "kill "+pod)
	f.pods = slices.DeleteFunc(f.pods, func(p telemetry.Pod) bool { return p.Name == pod })
	return nil
}

func (f *fake) Replicas(_ context.Context, release string) (int, error) {
	if release != "userservice" {
		return 0, fmt.Errorf("no release %q", release)
	}
	return f.wanted, nil
}

func (f *fake) Scale(_ context.Context, release string, n int) error {
	f.did = append(f.did, fmt.Sprintf("scale %s %d", release, n))
	f.wanted = n
	return nil
}

func (f *fake) Renew(_ context.Context, release string) error {
	f.did = append(f.did, "renew "+release)
	return nil
}

// fakePartners are the partners of a fake. The certificates that it issues have the numbers 1, 2 and so on.
type fakePartners struct{ *fake }

func (f fakePartners) Certificate(_ context.Context, partner string) (target.PartnerCertificate, bool, error) {
	c, ok := f.partners[partner]
	return c, ok, nil
}

func (f fakePartners) Revoke(_ context.Context, partner string) error {
	f.did = append(f.did, "revoke "+partner)
	c := f.partners[partner]
	c.Revoked = true
	f.partners[partner] = c
	return nil
}

func (f fakePartners) Admit(_ context.Context, partner string, loads []string) error {
	f.did = append(f.did, fmt.Sprintf("admit %s for %s", partner, loads))
	n, _ := strconv.Atoi(f.partners[partner].Serial)
	f.partners[partner] = target.PartnerCertificate{Serial: strconv.Itoa(n + 1)}
	return nil
}

// fakeObjects are the objects of a fake. Every change is in force at once.
type fakeObjects struct{ *fake }

func (f fakeObjects) Put(_ context.Context, o target.Object) error {
	f.objects[o.Kind+"/"+o.Name] = o
	return nil
}

func (f fakeObjects) Get(_ context.Context, kind, name string) (target.Object, bool, error) {
	o, ok := f.objects[kind+"/"+name]
	return o, ok, nil
}

func (f fakeObjects) Delete(_ context.Context, kind, name string) error {
	delete(f.objects, kind+"/"+name)
	return nil
}
