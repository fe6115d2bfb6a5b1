package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

func newLogs(proc process, g *globals) *cobra.Command {
	var lines int64
	cmd := &cobra.Command{
		Use:   "logs RELEASE",
		Short: "Print the last log lines of a release's pods",
		Args:  cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(func() []string {
			_, names := findLogged("")
			return names
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			if lines < 1 {
				return usageError(remedy.Flag("lines", "50"), "--lines %d is not a positive number", lines)
			}
			r, err := findRelease(args[0])
			if err != nil {
				return err
			}
			c, err := openCluster(cmd.Context(), proc, g)
			if err != nil {
				return err
			}
			defer c.Close()
			if !asJSON {
				return readLogs(cmd.Context(), c.Kube, r, lines, func(l podLog) { l.print(proc.stdout) })
			}
			doc := logsDocument{Release: r.Name, Pods: []podLog{}}
			if err := readLogs(cmd.Context(), c.Kube, r, lines, func(l podLog) { doc.Pods = append(doc.Pods, l) }); err != nil {
				return err
			}
			return writeJSON(proc.stdout, doc)
		},
	}
	cmd.Flags().Int64Var(&lines, "lines", 50, "number of lines from each pod")
	outputFlag(cmd, g)
	return cmd
}

// logsDocument is what `logs -o json` prints. Add fields; never rename one.
type logsDocument struct {
	Release string   `json:"release"`
	Pods    []podLog `json:"pods"`
}

type podLog struct {
	Pod   string   `json:"pod"`
	Lines []string `json:"lines"`
}

// readLogs reads the last lines of each pod of a release and calls each once per pod.
func readLogs(ctx context.Context, client *kube.Client, r charts.Release, lines int64, each func(podLog)) error {
	pods, err := kube.Workloads{Client: client, Namespace: r.Namespace}.PodsBy(ctx, r.Selector)
	if err != nil {
		return err
	}
	for _, p := range pods {
		text, err := client.Logs(ctx, r.Namespace, p.Name, lines)
		if err != nil {
			return fmt.Errorf("reading the log of %s: %w", p.Name, err)
		}
		log := podLog{Pod: p.Name, Lines: []string{}}
		for line := range strings.Lines(text) {
			log.Lines = append(log.Lines, strings.TrimSuffix(line, "\n"))
		}
		each(log)
	}
	return nil
}

func (l podLog) print(out io.Writer) {
	for _, line := range l.Lines {
		fmt.Fprintf(out, "%s  %s\n", l.Pod, line)
	}
}

func findRelease(name string) (charts.Release, error) {
	r, names := findLogged(name)
	if r == nil {
		return charts.Release{}, usageError(remedy.OneOf(names...), "%q is not a release with pods", name)
	}
	return *r, nil
}

// findLogged looks up a release among those with pods. It also returns the names of all of them.
func findLogged(name string) (found *charts.Release, names []string) {
	for _, r := range sandbox.Releases() {
		if r.Logs != r.Name {
			continue
		}
		if r.Name == name {
			found = &r
		}
		names = append(names, r.Name)
	}
	return found, names
}
