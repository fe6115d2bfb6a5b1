package main

import (
	"fmt"
	"time"
)

// remindEvery is how often running steps are printed again where there is no terminal, so that the log of a long build does not look dead.
const remindEvery = 30 * time.Second

// remind prints a line for each step that has not ended for remindEvery or longer.
func (s *progressScreen) remind() {
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.mu.Lock()
			for _, r := range s.running {
				if took := now.Sub(r.since); r.doing != "" && took >= remindEvery {
					fmt.Fprintf(s.out, "  … %s: %s, %s so far%s\n", r.name, r.doing, took.Round(time.Second), typically(r.typical))
				}
			}
			s.mu.Unlock()
		}
	}
}
