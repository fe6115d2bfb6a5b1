package control

import (
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// arrival is how long a process may take to connect after its pod was created, after it lost its connection, and after this replica started. Until
// then, it is not known that it ignores its policy. It is twice the longest wait between two attempts of a subscriber, plus the attempt.
const arrival = 15 * time.Second

// presence is which processes are connected, and when the others lost their connections.
type presence struct {
	// since is when this replica started.
	since time.Time

	mu        sync.Mutex
	connected map[string]bool
	// left is when it was first noticed that a process had lost its connection.
	left map[string]time.Time
}

// see records who is connected now. It may be called rarely: a process that was connected at the last call and is not connected now has left now.
func (p *presence) see(all []ads.Subscriber, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	connected, left := map[string]bool{}, map[string]time.Time{}
	for _, s := range all {
		connected[s.Key()] = true
	}
	for key, at := range p.left {
		if !connected[key] && now.Sub(at) <= arrival {
			left[key] = at
		}
	}
	for key := range p.connected {
		if !connected[key] {
			left[key] = now
		}
	}
	p.connected, p.left = connected, left
}

// arriving reports whether a pod that is not connected may still be about to connect.
func (p *presence) arriving(pod compile.Pod, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	latest := slices.MaxFunc([]time.Time{p.since, pod.Created, p.left[pod.Key()]}, time.Time.Compare)
	return now.Sub(latest) <= arrival
}

// absentPod is a pod that is not connected, and what is known of it.
type absentPod struct {
	pod     compile.Pod
	verdict controlv1.Verdict
	why     string
}

const notConnected = "the process is not connected to the control plane"

// absent returns those of the pods that are not connected.
func (v View) absent(pods []compile.Pod) (all []absentPod) {
	connected := map[string]bool{}
	for _, s := range v.Subscribers {
		connected[s.Key()] = true
	}
	for _, pod := range pods {
		switch {
		case connected[pod.Key()]:
		case v.present.arriving(pod, v.now):
			all = append(all, absentPod{pod, controlv1.Verdict_VERDICT_PENDING, "the process has not connected to the control plane yet"})
		default:
			all = append(all, absentPod{pod, controlv1.Verdict_VERDICT_IGNORED, notConnected})
		}
	}
	return all
}
