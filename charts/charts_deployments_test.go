package charts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func deployments(t *testing.T, manifest string) []appsv1.Deployment {
	t.Helper()
	var all []appsv1.Deployment
	for _, o := range objects(t, manifest) {
		if o.Kind != "Deployment" {
			continue
		}
		var d appsv1.Deployment
		if err := yaml.UnmarshalStrict([]byte(o.text), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestDeployments_AreHardened(t *testing.T) {
	for _, r := range ours() {
		found := deployments(t, render(t, r, r.Values))
		if (len(found) == 0) != (r.Selector == "") {
			t.Errorf("%s has %d deployments and the selector %q", r.Name, len(found), r.Selector)
		}
		for _, d := range found {
			for _, flaw := range flaws(d) {
				t.Errorf("%s: %s", d.Name, flaw)
			}
			key, value, _ := strings.Cut(r.Selector, "=")
			if d.Labels[key] != value || d.Spec.Template.Labels[key] != value {
				t.Errorf("%s: the selector %s finds neither the deployment nor its pods", d.Name, r.Selector)
			}
			if d.Labels["app.kubernetes.io/part-of"] != "sandbox" {
				t.Errorf("%s: it is not part of the sandbox", d.Name)
			}
		}
	}
}

func flaws(d appsv1.Deployment) []string {
	var all []string
	check := func(ok bool, flaw string) {
		if !ok {
			all = append(all, flaw)
		}
	}
	isTrue := func(b *bool) bool { return b != nil && *b }
	isFalse := func(b *bool) bool { return b != nil && !*b }
	pod := d.Spec.Template.Spec
	s := pod.SecurityContext
	check(s != nil && isTrue(s.RunAsNonRoot) && s.RunAsUser != nil && *s.RunAsUser != 0, "it may run as root")
	check(s != nil && s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
	check(len(pod.Containers) > 0, "no container")
	for _, c := range pod.Containers {
		s := c.SecurityContext
		check(s != nil && isTrue(s.ReadOnlyRootFilesystem), c.Name+" may write to its root")
		check(s != nil && isFalse(s.AllowPrivilegeEscalation), c.Name+" may gain privileges")
		check(s != nil && s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0, c.Name+" has capabilities")
		check(!c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(), c.Name+" requests no resources")
		check(!c.Resources.Limits.Memory().IsZero(), c.Name+" has no memory limit")
		check(c.ReadinessProbe != nil, c.Name+" has no readiness probe")
		check(c.ImagePullPolicy == corev1.PullIfNotPresent, c.Name+" would be pulled again")
	}
	return all
}

func TestFlaws_AreFound(t *testing.T) {
	if got := flaws(appsv1.Deployment{}); len(got) != 3 {
		t.Errorf("an empty deployment has flaws %q", got)
	}
	bare := appsv1.Deployment{}
	bare.Spec.Template.Spec.Containers = []corev1.Container{{Name: "bare"}}
	if got := flaws(bare); len(got) != 9 {
		t.Errorf("a bare container has flaws %q", got)
	}
}

// TestMountedCertificates_ComeWithTheTrustBundle checks that a pod does not trust the ca.crt of its own Secret, which is not updated after the
// certificate was issued, and that no pod waits for a Secret that is never created.
func TestMountedCertificates_ComeWithTheTrustBundle(t *testing.T) {
	var made []string
	for _, r := range ours() {
		for _, o := range objects(t, render(t, r, r.Values)) {
			if o.Kind == "Certificate" {
				made = append(made, fmt.Sprintf("%s/%s-tls", o.Metadata.Namespace, o.Metadata.Name))
			}
		}
	}
	found := 0
	for _, r := range ours() {
		for _, d := range deployments(t, render(t, r, r.Values)) {
			for _, v := range d.Spec.Template.Spec.Volumes {
				if v.Secret != nil {
					t.Errorf("%s mounts Secret %s alone", d.Name, v.Secret.SecretName)
				}
				if v.Projected == nil {
					continue
				}
				found++
				for _, flaw := range projectionFlaws(v.Projected.Sources, r.Namespace, made) {
					t.Errorf("%s: %s", d.Name, flaw)
				}
				if !regexp.MustCompile(`^(metrics|tls|postgres):\d+(,(tls|postgres):\d+)*$`).MatchString(d.Spec.Template.Annotations[CertificatesAt]) {
					t.Errorf("%s: nothing can see which roots it trusts: annotation %s is %q", d.Name, CertificatesAt, d.Spec.Template.Annotations[CertificatesAt])
				}
			}
		}
	}
	if found == 0 {
		t.Error("no deployment mounts a certificate")
	}
}

func projectionFlaws(sources []corev1.VolumeProjection, namespace string, made []string) (flaws []string) {
	var files []string
	for _, s := range sources {
		var items []corev1.KeyToPath
		switch {
		case s.Secret != nil:
			items = s.Secret.Items
			if !slices.Contains(made, namespace+"/"+s.Secret.Name) {
				flaws = append(flaws, "no Certificate makes secret "+s.Secret.Name)
			}
		case s.ConfigMap != nil:
			items = s.ConfigMap.Items
		}
		for _, i := range items {
			files = append(files, i.Path)
			if (i.Path == "ca.crt") != (s.ConfigMap != nil && s.ConfigMap.Name == TrustBundle) {
				flaws = append(flaws, i.Path+" comes from the wrong object")
			}
		}
	}
	if slices.Sort(files); !slices.Equal(files, []string{"ca.crt", "tls.crt", "tls.key"}) {
		flaws = append(flaws, fmt.Sprintf("the volume has %q", files))
	}
	return flaws
}
