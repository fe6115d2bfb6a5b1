// Package scenarios breaks something on purpose and reports with numbers whether the callers noticed.
//
// A scenario is a YAML file: loads that call services, a steady state, steps that disturb the cluster, and expectations. [Load] reads one, and
// [Run] runs it against a [Target], which is the cluster as a scenario sees it:
//
//	file ─ Load ─▶ Scenario ─ Run ─▶ plan ▶ steady ▶ steps ▶ recover ▶ verdict ▶ clean-up ─▶ Report
//	                                  │        │        │         │         │         │
//	                        Target ◀──┴────────┴────────┴── reads and changes ────────┘
//	                       journal ◀──────────────── before each change, after each undo
//	                      Observer ◀──────────────── the timeline, while it happens
//
// The plan resolves every step without changing anything. Nothing is broken unless the steady state is met. Every change is recorded in a journal
// on disk before it is made, and clean-up undoes the changes in reverse order, also after an interruption. After a kill, [Undo] or the next Run
// does it.
//
// Programs need this package alone; the types of the other packages that they meet have aliases in api.go.
//
//   - spec reads scenario files and checks them, with the YAML reader of grammar.
//   - action and expect are the catalogs of what a step can do and of what can be expected. Each kind is one file, and the engine names none of them.
//   - report is the JSON contract with its writers.
//   - target is the cluster: the interfaces to implement.
//   - internal/journal is what must be undone, internal/watch what is observed.
package scenarios
