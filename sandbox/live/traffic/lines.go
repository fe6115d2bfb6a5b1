package traffic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// LinesAnnotation is the annotation of an object with the file and the lines from which it was applied. Only this package reads it.
const LinesAnnotation = "sandbox.dev/lines"

// origin is the value of the annotation.
type origin struct {
	File  string         `json:"file"`
	Lines map[string]int `json:"lines"`
	// Of is the digest of the specification. The lines of a specification that was changed in another way do not count.
	Of string `json:"of"`
}

// Object returns the object as it is applied: with the annotation that records its lines.
func (d Document) Object() (api.TrafficPolicy, error) {
	spec, err := Spec(d.spec())
	if err != nil {
		return api.TrafficPolicy{}, err
	}
	lines, err := json.Marshal(origin{d.File, d.Lines, digest(d.spec())})
	if err != nil {
		return api.TrafficPolicy{}, fmt.Errorf("writing the lines of %s: %w", d.Name, err)
	}
	o := api.TrafficPolicy{Spec: spec}
	o.Name, o.Labels, o.Annotations = d.Name, d.Labels, map[string]string{LinesAnnotation: string(lines)}
	return o, nil
}

func digest(spec proto.Message) string {
	sum := sha256.Sum256([]byte(policy.MessageText(spec)))
	return hex.EncodeToString(sum[:6])
}

// lineOf returns file:line of a field of an object, or an empty string if it is not known.
func lineOf(o api.TrafficPolicy, spec proto.Message, field string) string {
	var from origin
	if err := json.Unmarshal([]byte(o.Annotations[LinesAnnotation]), &from); err != nil || from.Of != digest(spec) || from.Lines[field] == 0 {
		return ""
	}
	return position(from.File, from.Lines[field])
}

// position returns file:line.
func position(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
