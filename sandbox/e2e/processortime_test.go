//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// processorTime is the CPU time that the pods of each release had used at the node's latest measurement.
type processorTime map[string]used

type used struct {
	// at is the time of the oldest reading.
	at   time.Time
	time time.Duration
}

// readProcessorTime waits until the node has measured every pod of the releases after a given time, which it does about every 10 s.
func readProcessorTime(ctx context.Context, c *kube.Client, after time.Time, releases ...string) (processorTime, error) {
	nodes, err := c.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all processorTime
	err = pause.UntilWithin(ctx, time.Second, 5*time.Minute, func(ctx context.Context) (bool, error) {
		all = processorTime{}
		for _, node := range nodes.Items {
			if err := all.add(ctx, c, node.Name); err != nil {
				return false, err
			}
		}
		for _, r := range releases {
			if !all[r].at.After(after) {
				return false, nil
			}
		}
		return true, nil
	})
	return all, err
}

func (p processorTime) add(ctx context.Context, c *kube.Client, node string) error {
	answer, err := c.Kube.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes", node, "proxy/stats/summary").DoRaw(ctx)
	if err != nil {
		return err
	}
	var summary struct {
		Pods []struct {
			PodRef struct{ Name, Namespace string }
			CPU    struct {
				Time                 time.Time
				UsageCoreNanoSeconds int64
			}
		}
	}
	if err := json.Unmarshal(answer, &summary); err != nil {
		return err
	}
	if len(summary.Pods) == 0 {
		return errors.New("the node knows of no pod")
	}
	pods, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=sandbox", FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return err
	}
	releases := map[string]string{}
	for _, pod := range pods.Items {
		releases[pod.Namespace+"/"+pod.Name] = pod.Labels["app.kubernetes.io/name"]
	}
	for _, pod := range summary.Pods {
		release := releases[pod.PodRef.Namespace+"/"+pod.PodRef.Name]
		sum := p[release]
		if sum.at.IsZero() || pod.CPU.Time.Before(sum.at) {
			sum.at = pod.CPU.Time
		}
		sum.time += time.Duration(pod.CPU.UsageCoreNanoSeconds)
		p[release] = sum
	}
	return nil
}

// processorShares returns how many CPU cores the pods of each release use, measured over at least a given time.
func processorShares(ctx context.Context, c *kube.Client, over time.Duration, releases ...string) (map[string]float64, error) {
	before, err := readProcessorTime(ctx, c, time.Now(), releases...)
	if err != nil {
		return nil, err
	}
	after, err := readProcessorTime(ctx, c, time.Now().Add(over), releases...)
	if err != nil {
		return nil, err
	}
	shares := map[string]float64{}
	for _, r := range releases {
		shares[r] = (after[r].time - before[r].time).Seconds() / after[r].at.Sub(before[r].at).Seconds()
	}
	return shares, nil
}
