package integrity

import (
	"slices"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// version is the first byte. Whatever changes in the form, such as a new field of a record, takes another.
const version = 1

// What Decode accepts at the most. Records stay far below: see otelaudit.MaxChain and otelaudit.MaxDepth.
const (
	maxActors = 64 // the actor and on whose behalf it acts
	maxDepth  = 64 // levels of slices and maps within one value
)

// The types of values: numbers of the format, which must not follow those of a library.
const (
	typeEmpty byte = iota
	typeBool
	typeInt64
	typeFloat64
	typeString
	typeBytes
	typeBools
	typeInt64s
	typeFloat64s
	typeStrings
	typeSlice
	typeMap

	typeUnknown byte = 0xff // which Decode refuses
)

// The numbers of the format are the places in these lists: what is added is added at the end.
var (
	outcomes   = []otelaudit.Outcome{"", otelaudit.Success, otelaudit.Failure, otelaudit.Denied, otelaudit.OutcomeUnknown}
	actorTypes = []otelaudit.ActorType{
		"", otelaudit.ActorUser, otelaudit.ActorService, otelaudit.ActorSystem, otelaudit.ActorAnonymous, otelaudit.ActorUnknown,
	}
)

// number is the place of v in list; of what is not in it 0xff, which Decode refuses.
func number[T comparable](list []T, v T) byte { return byte(slices.Index(list, v)) } //nolint:gosec // lists are short, and -1 is 0xff
