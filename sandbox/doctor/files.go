package doctor

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const files = "files"

func fileChecks() []Check {
	return []Check{
		{ID: "cache-writable", Category: files, Run: cacheWritable},
		{ID: "cache-intact", Category: files, Run: cacheIntact,
			// The check reads more than a gigabyte, perhaps from a slow disk.
			Limit: 2 * time.Minute},
		{ID: "sandbox-opens", Category: files, Run: sandboxOpens},
		{ID: "runs-undone", Category: files, Run: runsUndone},
		{ID: "kubeconfig-mode", Category: files, Run: kubeconfigMode},
	}
}

func cacheWritable(_ context.Context, w Host) Result {
	if w.CacheDir == "" {
		return skip("no image cache is set")
	}
	if err := w.Writable(w.CacheDir); err != nil {
		return fail(remedy.Advice("sudo chown -R $(id -u) "+remedy.Quote(w.CacheDir)), "the image cache cannot be written: %v", err)
	}
	return pass("%s can be written", w.CacheDir)
}

func cacheIntact(ctx context.Context, w Host) Result {
	if w.CacheIntact == nil {
		return skip("no image cache to compare")
	}
	err := w.CacheIntact(ctx)
	switch {
	case ctx.Err() != nil:
		return warn(remedy.Advicef("%s, when the disk has less to do", remedy.Command("doctor")), "the cached images could not be read in time")
	case err != nil:
		return fail(emptyCache(w), "the image cache is damaged: %v", err)
	}
	return pass("every cached image has its digest")
}

// emptyCache returns the commands that empty and refill the image cache.
func emptyCache(w Host) remedy.Remedy {
	return remedy.Advicef("%s; %s fills it again", remedy.Shell("rm", "-r", w.CacheDir), remedy.Command("up"))
}

func sandboxOpens(_ context.Context, w Host) Result {
	switch {
	case w.Damage != nil:
		fix := remedy.Command("up")
		// The remedies of the error come before `up`.
		for _, first := range slices.Backward(remedy.Of(w.Damage)) {
			fix = remedy.Advicef("%s, then %s", first, fix)
		}
		return fail(fix, "the sandbox cannot be opened: %v", w.Damage)
	case w.Cluster == nil:
		return noCluster(w)
	}
	return pass("state and kubeconfig can be read")
}

func kubeconfigMode(_ context.Context, w Host) Result {
	if w.Kubeconfig == "" {
		return skipUntil(remedy.Command("up"), "no kubeconfig yet")
	}
	info, err := w.Stat(w.Kubeconfig)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return skipUntil(remedy.Command("up"), "no kubeconfig yet")
	case err != nil:
		return fail(remedy.Advice("sudo chown $(id -u) "+remedy.Quote(w.Kubeconfig)), "the kubeconfig cannot be looked at: %v", err)
	case info.Mode().Perm()&0o077 != 0:
		return fail(remedy.Shell("chmod", "600", w.Kubeconfig), "%s has mode %04o: others may take over the cluster", w.Kubeconfig, info.Mode().Perm())
	}
	return pass("%s has mode %04o", w.Kubeconfig, info.Mode().Perm())
}
