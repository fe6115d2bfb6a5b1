package live

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Policies returns the traffic policies of the shop in the order of their names.
func (c *Cluster) Policies(ctx context.Context) ([]api.TrafficPolicy, error) {
	return listObjects[api.TrafficPolicy](ctx, c.objects(), target.TrafficPolicy)
}

// ErrNoObject is the error for an object that does not exist.
var ErrNoObject = traffic.ErrNoObject

// Policy returns a traffic policy of the shop. Its error is ErrNoObject if there is none.
func (c *Cluster) Policy(ctx context.Context, name string) (*api.TrafficPolicy, error) {
	return getObject[api.TrafficPolicy](ctx, c.objects(), target.TrafficPolicy, name)
}

// ApplyPolicy creates a policy, or replaces its specification, and returns what that changed. Labels and annotations of other programs are kept.
func (c *Cluster) ApplyPolicy(ctx context.Context, p api.TrafficPolicy) (change string, err error) {
	return c.objects().replace(ctx, target.TrafficPolicy, p)
}

// AwaitPolicy waits until every process that a policy concerns enforces it.
func (c *Cluster) AwaitPolicy(ctx context.Context, name string) error {
	return c.objects().await(ctx, target.TrafficPolicy, name)
}

// DeletePolicy deletes a policy. The processes that enforce it stop within a second.
func (c *Cluster) DeletePolicy(ctx context.Context, name string) error {
	return c.objects().Delete(ctx, target.TrafficPolicy, name)
}

// controlLimit is the deadline of a request to the control plane.
const controlLimit = 15 * time.Second

// Subscribers returns the processes of the shop that receive configuration, and what each does with an object.
func (c *Cluster) Subscribers(ctx context.Context, kind, name string) ([]*controlv1.Subscriber, error) {
	ctx, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	conn, err := c.Control(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := controlv1.NewPoliciesClient(conn).Subscribers(ctx, &controlv1.SubscribersRequest{Namespace: charts.ShopNamespace, Kind: kind, Name: name})
	if err != nil {
		return nil, controlError("asking the control plane who enforces "+kind+" "+name, err)
	}
	return answer.GetSubscribers(), nil
}

// Explain returns the values of objects that apply to the calls to a service. Without a method, those of all methods.
func (c *Cluster) Explain(ctx context.Context, service, method string) ([]*controlv1.ExplainedValue, error) {
	ctx, cancel := context.WithTimeout(ctx, controlLimit)
	defer cancel()
	conn, err := c.Control(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := controlv1.NewPoliciesClient(conn).Explain(ctx, &controlv1.ExplainRequest{Namespace: charts.ShopNamespace, Service: service, Method: method})
	if err != nil {
		return nil, controlError("asking the control plane for the policy of "+service, err)
	}
	return answer.GetValues(), nil
}

// policyFile is the key of a mounted policy in its ConfigMap, whose name is that of the release with policySuffix.
const (
	policyFile   = "policy.yaml"
	policySuffix = "-policy"
)

// MountedFiles returns the policy files that are mounted into the pods of the shop.
func (c *Cluster) MountedFiles(ctx context.Context) ([]traffic.MountedFile, error) {
	list, err := c.Kube.Kube.CoreV1().ConfigMaps(charts.ShopNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the policy files of the services: %w", err)
	}
	var all []traffic.MountedFile
	for _, m := range list.Items {
		if service, ok := strings.CutSuffix(m.Name, policySuffix); ok && m.Data[policyFile] != "" {
			all = append(all, traffic.MountedFile{Service: service, Name: "configmap/" + m.Name, Text: m.Data[policyFile]})
		}
	}
	return all, nil
}

// controlError wraps an error of the control plane.
func controlError(doing string, err error) error {
	return remedy.Wrap(fmt.Errorf("%s: %w", doing, err), append(refusal.Remedies(err), remedy.Command("logs", charts.Control))...)
}

func listObjects[T any](ctx context.Context, o objects, kind string) ([]T, error) {
	list, err := o.resource(kind).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, withUp(fmt.Errorf("listing objects of kind %s: %w", kind, err))
	}
	slices.SortFunc(list.Items, func(a, b unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	all := []T{}
	for _, u := range list.Items {
		one, err := typed[T](&u)
		if err != nil {
			return nil, err
		}
		all = append(all, *one)
	}
	return all, nil
}

func getObject[T any](ctx context.Context, o objects, kind, name string) (*T, error) {
	u, err := o.resource(kind).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s %s: %w", kind, name, ErrNoObject)
	}
	if err != nil {
		return nil, withUp(fmt.Errorf("reading %s %s: %w", kind, name, err))
	}
	return typed[T](u)
}

// typed converts an object as the API server returns it.
func typed[T any](u *unstructured.Unstructured) (*T, error) {
	text, err := u.MarshalJSON()
	one := new(T)
	if err == nil {
		err = json.Unmarshal(text, one)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	return one, nil
}

// replace creates an object, or replaces its specification and adds its labels and annotations.
func (o objects) replace(ctx context.Context, kind string, p api.TrafficPolicy) (change string, err error) {
	var spec map[string]any
	if err := json.Unmarshal(p.Spec, &spec); err != nil {
		return "", fmt.Errorf("reading the specification of %s: %w", p.Name, err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		u, err := o.resource(kind).Get(ctx, p.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			u = &unstructured.Unstructured{Object: map[string]any{"apiVersion": api.GroupVersion.String(), "kind": kind, "spec": spec}}
			u.SetName(p.Name)
			u.SetLabels(p.Labels)
			u.SetAnnotations(p.Annotations)
			change = traffic.Created
			_, err = o.resource(kind).Create(ctx, u, metav1.CreateOptions{FieldManager: fieldManager})
			return err
		}
		if err != nil {
			return err
		}
		before := u.GetGeneration()
		u.Object["spec"] = spec
		u.SetLabels(merged(u.GetLabels(), p.Labels))
		u.SetAnnotations(merged(u.GetAnnotations(), p.Annotations))
		u, err = o.resource(kind).Update(ctx, u, metav1.UpdateOptions{FieldManager: fieldManager})
		change = traffic.Changed
		if err == nil && u.GetGeneration() == before {
			change = traffic.Unchanged
		}
		return err
	})
	if err != nil {
		return "", withUp(fmt.Errorf("applying %s %s: %w", kind, p.Name, err))
	}
	return change, nil
}

// fieldManager is the name of this program in the managed fields of objects.
const fieldManager = "sandbox"

// merged returns the entries of both maps. Those of the second one apply.
func merged(a, b map[string]string) map[string]string {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
