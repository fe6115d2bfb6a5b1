package main

import (
	"context"
	"fmt"
	"time"
)

// remindEvery is how often running steps are printed again where there is no terminal, so that the log of a long build does not look dead.
const remindEvery = 30 * time.Second

// remind prints a line for each step that has not ended for remindEvery or longer.
func (s *progressScreen) remind(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.running {
		if took := time.Since(r.since); r.doing != "" && took >= remindEvery {
			fmt.Fprintf(s.out, "  … %s: %s, %s so far%s\n", r.name, r.doing, took.Round(time.Second), typically(r.typical))
		}
	}
	return nil
}
