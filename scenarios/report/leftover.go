package report

import "time"

// Leftover is a change that a run made to the cluster and that has not been undone.
type Leftover struct {
	// Number identifies the change among all leftovers. It is 0 if its line of the journal cannot be read.
	Number int `json:"number"`
	// Scenario is the name of the scenario of the run. At is when the change was written to the journal, just before it was made.
	Scenario string    `json:"scenario"`
	At       time.Time `json:"at"`
	// Kind is the name of the action, or of the kind of change that starts a load. Step is the step that has made the change; empty for a load.
	Kind string `json:"kind"`
	Step string `json:"step,omitempty"`
	// Subject is the value that was changed, such as "replicas of userservice".
	Subject string `json:"subject,omitempty"`
	// Field is the Kubernetes field of that value, such as "Deployment/userservice spec.replicas".
	Field string `json:"field,omitempty"`
	// Detail describes the change for people.
	Detail string `json:"detail"`
	// Journal is the file that records the change.
	Journal string `json:"journal"`
	// Problem is why the change could not be undone, if that was tried or is known.
	Problem string `json:"problem,omitempty"`
}

// String describes the change, and what prevented undoing it.
func (l Leftover) String() string {
	if l.Problem == "" {
		return l.Detail
	}
	return l.Detail + ": " + l.Problem
}

// Undo is what undoing the leftovers of killed runs did.
type Undo struct {
	// Undone describes the changes that were undone, the latest of each run first.
	Undone []string `json:"undone"`
	// LeftAlone lists what was not undone because another program has changed the value since.
	LeftAlone []string `json:"leftAlone"`
	// Left lists what could not be undone.
	Left []Leftover `json:"left"`
}
