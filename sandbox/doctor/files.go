package doctor

import (
	"context"
	"errors"
	"io/fs"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const files = "files"

func fileChecks() []Check {
	return []Check{
		{"cache-writable", files, "images are kept for the next time", cacheWritable},
		{"cache-intact", files, "a damaged image fails late and oddly", cacheIntact},
		{"sandbox-opens", files, "every command finds the cluster by the sandbox's own files", sandboxOpens},
		{"runs-undone", files, "what a killed run broke stays broken", runsUndone},
		{"kubeconfig-mode", files, "the file holds the key of the cluster's administrator", kubeconfigMode},
	}
}

func cacheWritable(_ context.Context, w World) Result {
	if w.CacheDir == "" {
		return skip("no image cache is set")
	}
	if err := w.Writable(w.CacheDir); err != nil {
		return fail("sudo chown -R $(id -u) "+w.CacheDir, "the image cache cannot be written: %v", err)
	}
	return pass("%s can be written", w.CacheDir)
}

func cacheIntact(ctx context.Context, w World) Result {
	if w.CacheIntact == nil {
		return skip("no image cache to compare")
	}
	err := w.CacheIntact(ctx)
	switch {
	case ctx.Err() != nil:
		return warn(w.Command("doctor")+", when the disk has less to do", "the cached images could not be read in time")
	case err != nil:
		return fail("rm -r "+w.CacheDir+"; "+w.Command("up")+" fills it again", "the image cache is damaged: %v", err)
	}
	return pass("every cached image has its digest")
}

func sandboxOpens(_ context.Context, w World) Result {
	switch {
	case w.Damage != nil:
		fix := ""
		for _, r := range remedy.Of(w.Damage) { // the error knows what has to come before
			fix += r.Text(func(args []string) string { return w.Command(remedy.Quote(args...)) }) + ", then "
		}
		return fail(fix+w.Command("up"), "the sandbox cannot be opened: %v", w.Damage)
	case w.Cluster == nil:
		return noCluster(w)
	}
	return pass("state and kubeconfig can be read")
}

func kubeconfigMode(_ context.Context, w World) Result {
	if w.Kubeconfig == "" {
		return skip("no kubeconfig yet; %s", w.Command("up"))
	}
	info, err := w.Stat(w.Kubeconfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return skip("no kubeconfig yet; %s", w.Command("up"))
	case err != nil:
		return fail("sudo chown $(id -u) "+w.Kubeconfig, "the kubeconfig cannot be looked at: %v", err)
	case info.Mode().Perm()&0o077 != 0:
		return fail("chmod 600 "+w.Kubeconfig, "%s has mode %04o: others may take over the cluster", w.Kubeconfig, info.Mode().Perm())
	}
	return pass("%s has mode %04o", w.Kubeconfig, info.Mode().Perm())
}
