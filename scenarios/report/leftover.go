package report

import "time"

// Leftover is a change that a run made to the cluster and that has not been undone.
type Leftover struct {
	Number   int       `json:"number"` // identifies it among all leftovers; 0 if its line of the journal cannot be read
	Scenario string    `json:"scenario"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Step     string    `json:"step,omitempty"`
	Subject  string    `json:"subject,omitempty"` // the value that was changed, such as "replicas of userservice"
	Field    string    `json:"field,omitempty"`   // the Kubernetes field of that value, such as "Deployment/userservice spec.replicas"
	Detail   string    `json:"detail"`
	Journal  string    `json:"journal"`           // the file that records it
	Problem  string    `json:"problem,omitempty"` // why it could not be undone, if that was tried or is known
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
	Undone    []string   `json:"undone"`
	LeftAlone []string   `json:"leftAlone"` // not undone because another program has changed the value since
	Left      []Leftover `json:"left"`      // could not be undone
}
