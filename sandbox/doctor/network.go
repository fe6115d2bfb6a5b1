package doctor

import (
	"context"
	"net/url"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const network = "network"

func networkChecks() []Check {
	return []Check{
		{ID: "ports", Category: network, Run: ports},
		{ID: "registry", Category: network, Run: registry},
		{ID: "go-proxy", Category: network, Run: goProxy},
		{ID: "proxy-env", Category: network, Run: proxyEnv},
	}
}

func ports(_ context.Context, w Host) Result {
	if err := w.Listen("127.0.0.1:0"); err != nil {
		return fail(remedy.Advice("sudo ip link set lo up, and let processes listen on 127.0.0.1"), "no port can be opened on 127.0.0.1: %v", err)
	}
	return pass("ports can be opened on 127.0.0.1; none is fixed")
}

func registry(ctx context.Context, w Host) Result {
	if len(w.Registries) == 0 {
		return skip("no registry is set")
	}
	for _, r := range w.Registries {
		if err := w.Reach(ctx, r); err != nil {
			return warn(remedy.Advicef("%s, which shows what is here already; else set HTTPS_PROXY, or let %s build from source",
				remedy.Command("images", "list"), remedy.Command("up")),

				"%s does not answer: %v", r, err)
		}
	}
	return pass("%s: each answers", strings.Join(w.Registries, ", "))
}

func goProxy(ctx context.Context, w Host) Result {
	if _, err := w.LookPath("go"); err != nil {
		return skip("no Go; it is needed only to build images from source")
	}
	// Go's own default and `go env -w` count, not only the environment.
	out, err := w.Exec(ctx, "go", "env", "GOPROXY")
	if err != nil {
		return warn(remedy.Advice("see: go env GOPROXY"), "go does not report its module proxy: %v", err)
	}
	setting := strings.TrimSpace(out)
	first, _, _ := strings.Cut(strings.ReplaceAll(setting, "|", ","), ",")
	address, err := url.Parse(first)
	if err != nil || !strings.HasPrefix(address.Scheme, "http") {
		return skip("GOPROXY is %s: modules do not come from a proxy", setting)
	}
	if err := w.Reach(ctx, first); err != nil {
		return warn(remedy.Advice("go env -w GOPROXY=ADDRESS, one that answers here; it is needed only to build images from source"),
			"%s does not answer: %v", address.Redacted(), err)
	}
	return pass("%s answers", address.Redacted())
}

// unproxied are the addresses that must never go through a proxy: this host, and kind's services and pods.
var unproxied = []string{"localhost", "127.0.0.1", "10.96.0.0/16", "10.244.0.0/16", ".svc", ".cluster.local"}

func proxyEnv(_ context.Context, w Host) Result {
	proxies := map[string]bool{}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		upper, lower := w.Getenv(name), w.Getenv(strings.ToLower(name))
		if upper != "" && lower != "" && upper != lower {
			return warn(remedy.Advice("export "+strings.ToLower(name)+"=$"+name),
				"%s and %s differ, and programs disagree on which counts", name, strings.ToLower(name))
		}
		if upper+lower != "" {
			proxies[name] = true
		}
	}
	if len(proxies) == 0 {
		return pass("no proxy is set")
	}
	except := w.Getenv("NO_PROXY")
	if except == "" {
		except = w.Getenv("no_proxy")
	}
	var missing []string
	if strings.TrimSpace(except) != "*" {
		missing = absent(unproxied, strings.Split(except, ","))
	}
	if len(missing) > 0 {
		return warn(remedy.Advice("export NO_PROXY="+strings.TrimPrefix(except+",", ",")+strings.Join(missing, ",")),
			"a proxy is set, and NO_PROXY lacks %s", strings.Join(missing, ", "))
	}
	return pass("a proxy is set, and NO_PROXY spares the cluster")
}

// absent returns the wanted addresses that no entry covers. A leading dot makes no difference.
func absent(wanted, entries []string) []string {
	have := map[string]bool{}
	for _, e := range entries {
		have[strings.TrimPrefix(strings.TrimSpace(e), ".")] = true
	}
	var missing []string
	for _, a := range wanted {
		if !have[strings.TrimPrefix(a, ".")] {
			missing = append(missing, a)
		}
	}
	return missing
}
