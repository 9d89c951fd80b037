package auditgrpc

import (
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

const baggageKey = "baggage"

// stripBaggage takes otelaudit's member out of md, and reports whether there was one.
func stripBaggage(md metadata.MD) bool {
	values := md[baggageKey]
	if len(values) == 0 {
		return false
	}
	stripped := propagation.StripBaggage(values)
	if slices.Equal(stripped, values) {
		return false
	}
	md[baggageKey] = stripped
	return true
}

// joinBaggage makes one value of md's several, for otelgrpc looks at the first only, and reports whether there were several.
func joinBaggage(md metadata.MD) bool {
	values := md[baggageKey]
	if len(values) < 2 {
		return false
	}
	md[baggageKey] = []string{strings.Join(values, ",")}
	return true
}
