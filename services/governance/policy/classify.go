package policy

import (
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Class is what the code of an answer says about the callee.
type Class int8

// Classes. An ignored answer says nothing.
const (
	unclassified Class = iota
	ClassSuccess
	ClassIgnored
	ClassFailure
)

// String returns the text of a class, which is a label of a metric.
func (c Class) String() string {
	return [...]string{"default", "success", "ignored", "failure"}[c]
}

// classes has the class of each code, and unclassified for those that the policy does not name.
type classes [codes.Unauthenticated + 1]Class

// Class returns the class of a code, and whether the policy names the code. Otherwise the class is the default.
func (r *ClientRule) Class(code codes.Code) (class Class, named bool) {
	if int(code) < len(r.classes) && r.classes[code] != unclassified {
		return r.classes[code], true
	}
	if rpccode.IsFailure(code) {
		return ClassFailure, false
	}
	return ClassSuccess, false
}

func classesOf(k *policyv1.Classify) (all classes) {
	for class, names := range map[Class][]string{ClassFailure: k.GetFailures(), ClassSuccess: k.GetSuccesses(), ClassIgnored: k.GetIgnored()} {
		for _, name := range names {
			// The rules of the proto accept no other names, and each in one list only.
			if code, known := rpccode.Named(name); known {
				all[code] = class
			}
		}
	}
	return all
}
